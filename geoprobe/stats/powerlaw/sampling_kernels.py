"""Drawing histograms: multinomial resamples, and types from a discrete power law."""

# mypy: allow-untyped-defs

import math

import numpy as np

from geoprobe.stats.kernel import kernel
from geoprobe.stats.powerlaw.sorting_kernels import sort
from geoprobe.stats.powerlaw.zeta_kernels import scaled_zeta

_LARGEST = 1e300  # stands for every draw beyond float64
_LONGEST_TABLE = 1 << 16


@kernel("(int64, float64, float64)", error_model="numpy")
def head_length(n, alpha, xmin):
    """How many values from `xmin` up are worth a binomial draw each: those expected at least twice among n."""
    norm = scaled_zeta(alpha, xmin)
    length = 0
    while length < _LONGEST_TABLE:
        expected = n * math.exp(-alpha * math.log1p(length / xmin)) / norm
        if expected < 2.0:
            break
        length += 1
    return length


@kernel("(float64, float64, int64)", error_model="numpy")
def head_hazards(alpha, xmin, length):
    """``P(X = x | X >= x)`` of the power law for x from xmin on."""
    hazards = np.empty(length, np.float64)
    for i in range(length):
        hazards[i] = 1.0 / scaled_zeta(alpha, xmin + i)
    return hazards


@kernel(error_model="numpy")
def draw_power_law(rng, alpha, q):
    """One draw from the discrete power law on integers from q up, by rejection from the continuous one.

    A Pareto variable above q - 1/2, rounded, has at least the probability that the power law wants: the
    integral of a convex function over a unit interval exceeds its value in the middle.
    """
    while True:
        u = 1.0 - rng.random()
        x = (q - 0.5) * math.exp(-math.log(u) / (alpha - 1.0))
        if not x < _LARGEST:
            return _LARGEST
        x = np.floor(x + 0.5)  # math.floor would make an int64 of it
        v = rng.random()
        # a lower bound on the acceptance ratio, which decides nearly always where x is large
        half = 0.5 / x
        if v < 1.0 - alpha * (alpha + 1.0) / 6.0 * half * half / (1.0 - half) ** (alpha + 2.0):
            return x
        power = 1.0 - alpha
        # (alpha - 1) x**-alpha over the mass that the proposal puts on x, divided through by x**(1 - alpha)
        mass = math.exp(power * math.log1p(-half)) - math.exp(power * math.log1p(half))
        if v < (alpha - 1.0) / x / mass:
            return x


@kernel(error_model="numpy")
def resample(rng, n, counts, out):
    """Multinomial draw of n types in proportion to `counts`, into `out`."""
    left = 0
    for c in counts:
        left += c
    for i in range(counts.size):
        if n == 0 or left == 0:
            out[i] = 0
            continue
        drawn = n if counts[i] >= left else rng.binomial(n, counts[i] / left)
        out[i] = drawn
        n -= drawn
        left -= counts[i]


@kernel(error_model="numpy")
def compact(values, counts, kept, weights):
    """Write the histogram without its empty entries; return how many there are."""
    size = 0
    for i in range(values.size):
        if counts[i] > 0:
            kept[size] = values[i]
            weights[size] = counts[i]
            size += 1
    return size


@kernel(error_model="numpy")
def draw_tail(rng, n, alpha, xmin, hazards, values, weights):
    """Draw n types from the power law on integers from `xmin` up; their histogram, of the size returned.

    ``values`` and ``weights`` have room for ``hazards.size + n`` entries.
    """
    head = hazards.size
    size = 0
    left = n
    for i in range(head):
        if left == 0:
            break
        drawn = rng.binomial(left, hazards[i])
        if drawn > 0:
            values[size] = xmin + i
            weights[size] = drawn
            size += 1
        left -= drawn
    rest = np.empty(left, np.float64)
    for i in range(left):
        rest[i] = draw_power_law(rng, alpha, xmin + head)
    sort(rest)
    for i in range(left):
        if i > 0 and rest[i] == rest[i - 1]:
            weights[size - 1] += 1
        else:
            values[size] = rest[i]
            weights[size] = 1
            size += 1
    return size


@kernel(error_model="numpy")
def draw_semiparametric(rng, n, n_tail, body_values, body_counts, alpha, xmin, hazards):
    """Histogram of n types: each from the power law with probability n_tail / n, else from the observed body."""
    above = n if n_tail >= n else rng.binomial(n, n_tail / n)
    body = body_counts.size
    values = np.empty(body + hazards.size + above, np.float64)
    counts = np.empty(body + hazards.size + above, np.int64)
    drawn = np.zeros(body, np.int64)
    resample(rng, n - above, body_counts, drawn)
    below = compact(body_values, drawn, values, counts)
    size = below + draw_tail(rng, above, alpha, xmin, hazards, values[below:], counts[below:])
    return values[:size], counts[:size]
