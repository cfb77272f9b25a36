"""HypLoRA's kernels by Triton's interpreter, on a CPU: how far they are from plain operations, and from mpmath.

Run with TRITON_INTERPRET=1, which Triton reads as it is imported. Prints JSON: the errors of each case.
"""

import itertools
import json
import math
import sys

import mpmath
import torch
from test_maps import exact

from geoprobe.hyplora import fused, row_kernels
from geoprobe.hyplora.maps import CHARTS, DEFAULT_LIMIT
from geoprobe.hyplora.product import low_rank_product

#: (type, rank, tokens of a program, log K); not bfloat16, which the interpreter cuts where a device rounds
CASES = (
    (torch.float64, 1, 1, 0.7),
    (torch.float64, 20, 8, 0.7),
    (torch.float64, 3, 16, -61.0),  # beyond where it is clamped
    (torch.float64, 3, 16, 70.0),
    (torch.float32, 8, 8, 0.7),
    (torch.float32, 32, 16, -3.0),
    (torch.float16, 5, 1, 0.7),
)


def parts(r, n=35, d=33, k=19):
    """A row of zeros, and others of norms from 1e-6 to 60."""
    sizes = torch.cat([torch.zeros(1), torch.logspace(-6, 1, n - 1)]).double().unsqueeze(1)
    y, x, a, b = (torch.randn(shape, dtype=torch.float64) for shape in ((n, k), (n, d), (r, d), (k, r)))
    return y, sizes * x, a / d**0.5, b


def value_and_gradients(leaves, chart):
    leaves = [leaf.clone().requires_grad_() for leaf in leaves]
    found = low_rank_product(*leaves, 1.1, chart, DEFAULT_LIMIT[chart], 2.0)
    with torch.no_grad():
        inferred = low_rank_product(*leaves, 1.1, chart, DEFAULT_LIMIT[chart], 2.0)
    return [found.detach(), inferred, *torch.autograd.grad((found * torch.cos(found.detach())).sum(), leaves)]


def by_kernels(leaves, chart):
    fused.kernels = fused.Kernels(devices=frozenset({"cpu"}))
    first, again = (value_and_gradients(leaves, chart) for _ in range(2))
    launched, fused.kernels = fused.kernels.launched, fused.Kernels()
    if launched != 6:  # forward with a gradient, backward, and forward without
        sys.exit(f"{launched} kernels were launched, not 6")
    if not all(torch.equal(one, other) for one, other in zip(first, again, strict=True)):
        sys.exit("The same inputs gave other bits")
    return first


def relative(found, expected):
    difference, size = ((part.double()).norm() for part in (found - expected, expected))
    return float(difference / size) if difference else 0.0


def by_mpmath(chart):
    """Largest relative error of the factor."""
    mpmath.mp.dps = 40
    limit, radius = DEFAULT_LIMIT[chart], math.exp(0.35)
    _, x, a, b = parts(4)
    hidden, log_k = (x @ a.T)[1:], torch.tensor([0.7], dtype=torch.float64)
    numbers = torch.tensor([2.0, limit, 1.0], dtype=torch.float64)
    rows, value, *_ = row_kernels.scaled((hidden, x[1:], b.T @ b, log_k), numbers, chart, True)
    worst = relative(rows, 2 * value.unsqueeze(1) * hidden)
    for found, n, m in zip(value, x[1:].norm(dim=1), (hidden @ b.T).norm(dim=1), strict=True):
        n, m, root = (mpmath.mpf(float(part)) for part in (n, m, radius))
        worst = max(worst, float(abs(float(found) / exact(chart, mpmath.mpf(limit), n, m, root) - 1)))
    return worst


def main() -> None:
    torch.manual_seed(0)
    errors = {f"{chart}, mpmath": [by_mpmath(chart)] for chart in CHARTS}
    for chart, (dtype, r, tokens, log_k) in itertools.product(CHARTS, CASES):
        row_kernels._TILE, row_kernels._tokens = 16 * tokens, lambda _, tokens=tokens: tokens  # x takes three steps
        leaves = [part.to(dtype) for part in parts(r)] + [torch.tensor([log_k], dtype=dtype)]
        expected, found = value_and_gradients(leaves, chart), by_kernels(leaves, chart)
        pairs = zip(found, expected, strict=True)
        errors[f"{chart}, {dtype}, rank {r}, log K {log_k}"] = [relative(*pair) for pair in pairs]
    sys.stdout.write(json.dumps(errors))


if __name__ == "__main__":
    main()
