"""What HypLoRA does a token on a GPU: one Triton kernel each way, launched directly.

Both read and write rows of the rank's size, and x once for its norm; they are
:func:`geoprobe.hyplora.product._scaled` and ``_gradients``, which run everywhere and are what they are tested against.
Scalars are float64, and sums are taken in one order, whatever else runs: the same inputs give the same bits.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import triton
import triton.language as tl
from torch import Tensor

from geoprobe.hyplora.maps import CHARTS

#: Numbers of x that a program has in registers.
_TILE = 4096


def scaled(tensors: Sequence[Tensor], numbers: Tensor, chart: str, derivatives: bool) -> tuple[Tensor, ...]:
    """Of `geoprobe.hyplora.product._scaled`, with numbers on the device."""
    hidden, x, square, log_k = (tensor.contiguous() for tensor in tensors)
    (n, r), d = hidden.shape, x.shape[1]
    rows, scalars = (
        torch.empty_like(hidden),
        torch.empty(4 if derivatives else 1, n, dtype=torch.float64, device=x.device),
    )
    tokens = _tokens(n)
    width = min(triton.next_power_of_2(d), _TILE // tokens)
    with torch.cuda.device_of(x):
        _forward[(triton.cdiv(n, tokens),)](
            *(x, hidden, square, log_k, numbers, rows, scalars, n, d, r),
            *(CHARTS.index(chart), derivatives, tokens, width, triton.next_power_of_2(r)),
        )
    return rows, *scalars


def gradients(tensors: Sequence[Tensor], numbers: Tensor, log_k_dtype: torch.dtype) -> tuple[Tensor, ...]:
    """Of `geoprobe.hyplora.product._gradients`, with numbers on the device."""
    back, hidden, square, *scalars = (tensor.contiguous() for tensor in tensors)
    n, r = hidden.shape
    rows = [torch.empty_like(hidden) for _ in range(3)]
    of_x = torch.empty(n, 1, dtype=hidden.dtype, device=hidden.device)
    of_log_k = torch.empty(n, dtype=torch.float64, device=hidden.device)
    tokens = _tokens(n)
    with torch.cuda.device_of(hidden):
        _backward[(triton.cdiv(n, tokens),)](
            *(back, hidden, square, *scalars, numbers, *rows, of_x, of_log_k, n, r),
            *(tokens, triton.next_power_of_2(r)),
        )
    return *rows, of_x, of_log_k.sum(0, keepdim=True).to(log_k_dtype)


def _tokens(n: int) -> int:
    """Tokens of a program: with more, fewer threads compute the same scalars; with fewer, more programs run at once."""
    return 1 if n < 256 else 8 if n < 2048 else 16


# one compilation whatever the number of tokens
@triton.jit(do_not_specialize=("n",))
def _forward(
    x,
    hidden,
    square,
    log_k,
    numbers,
    rows,
    scalars,
    n,
    d,
    r,
    CHART: tl.constexpr,
    DERIVATIVES: tl.constexpr,
    TOKENS: tl.constexpr,
    WIDTH: tl.constexpr,
    RANK: tl.constexpr,
):
    """f(token) from ‖x‖ and hᵀ(BᵀB)h, and h times scaling · f."""
    kind = square.dtype.element_ty
    token = tl.program_id(0).to(tl.int64) * TOKENS + tl.arange(0, TOKENS)
    here = token < n
    columns = tl.arange(0, WIDTH)
    squares = tl.zeros((TOKENS, WIDTH), kind)
    for start in range(0, d, WIDTH):
        inside_x = here[:, None] & (start + columns < d)[None, :]
        part = tl.load(x + token[:, None] * d + (start + columns)[None, :], mask=inside_x, other=0.0).to(kind)
        squares += part * part
    input_square = tl.sum(squares, axis=1).to(tl.float64)
    places = tl.arange(0, RANK)
    row, real = token[:, None] * r + places[None, :], here[:, None] & (places < r)[None, :]
    h = tl.load(hidden + row, mask=real, other=0.0).to(kind)
    along = tl.sum(h * _times(square, hidden, token * r, here, places, r, RANK), axis=1)
    output_square = tl.maximum(along.to(tl.float64), 0.0)

    scaling, limit, root_unit = tl.load(numbers), tl.load(numbers + 1), tl.load(numbers + 2)
    log = tl.load(log_k).to(tl.float64)
    inverse = 1 / (tl.exp(tl.minimum(tl.maximum(log, -60.0), 60.0) / 2) * root_unit)  # of √K
    rho = tl.maximum(tl.sqrt(input_square) * inverse, 1e-30)
    inside = tl.minimum(rho, limit)
    i2 = inside * inside
    if CHART == 0:
        up = tl.exp(inside)
        down = 1 / up
        cosh = (up + down) / 2
        # e^i − 1, and below log(1 + t), to all digits by Kahan's quotients: the errors of what is rounded cancel
        less = tl.where(up == 1, inside, (up - 1) * (inside / tl.where(up == 1, 1.0, tl.log(up))))
        sinh = (less + less * down) / 2
        sigma = (sinh + cosh * (rho - inside)) / rho
    else:
        exact = 1 / (1 - i2 / 4)
        steep = (1 + i2 / 4) * exact * exact
        sigma = (exact * inside + steep * (rho - inside)) / rho
    z = tl.maximum(sigma * tl.sqrt(output_square) * inverse, 1e-30)
    z2 = z * z
    root = tl.sqrt(1 + z2)
    if CHART == 0:
        beyond = z + z2 / (1 + root)
        above = 1 + beyond
        tau = tl.where(above == 1, beyond, tl.log(above) * (beyond / tl.where(above == 1, 1.0, above - 1))) / z
    else:
        tau = 2 / (1 + root)
    value = sigma * tau
    tl.store(scalars + token, value, mask=here)
    if DERIVATIVES:
        if CHART == 0:
            third = inside / rho
            near = (1 / 3 + i2 * (1 / 30 + i2 / 840)) * third * third * third
            lift_slope = tl.where(inside < 0.02, near, (cosh - sigma) / tl.maximum(rho * rho, 0.0004))
            slope = 1 / root
            tau_by_z = tl.where(
                z < 0.02, -1 / 3 + z2 * (3 / 10 - z2 * (15 / 56)), (slope - tau) / tl.maximum(z2, 0.0004)
            )
        else:
            lift_slope = tl.where(
                rho <= limit, exact * exact / 2, (steep - sigma) / tl.maximum(rho * rho, limit * limit)
            )
            slope, tau_by_z = tau / root, -tau * tau / (2 * root)
        by_input = lift_slope * slope * inverse * inverse
        by_output = sigma * sigma * sigma * tau_by_z * inverse * inverse
        degree = by_input * input_square + by_output * output_square
        tl.store(scalars + n + token, by_input, mask=here)
        tl.store(scalars + 2 * n + token, by_output, mask=here)
        tl.store(scalars + 3 * n + token, tl.where(tl.abs(log) <= 60.0, degree / -2, 0.0), mask=here)
    tl.store(rows + row, h * (scaling * value).to(kind)[:, None], mask=real)


@triton.jit(do_not_specialize=("n",), do_not_specialize_on_alignment=("value", "by_input", "by_output", "by_log_k"))
def _backward(
    back,
    hidden,
    square,
    value,
    by_input,
    by_output,
    by_log_k,
    numbers,
    grad_hidden,
    by_factor,
    by_norm,
    of_x,
    of_log_k,
    n,
    r,
    TOKENS: tl.constexpr,
    RANK: tl.constexpr,
):
    """What a token adds to the gradients, from Bᵀgrad."""
    kind = square.dtype.element_ty
    token = tl.program_id(0).to(tl.int64) * TOKENS + tl.arange(0, TOKENS)
    here = token < n
    places = tl.arange(0, RANK)
    row, real = token[:, None] * r + places[None, :], here[:, None] & (places < r)[None, :]
    h = tl.load(hidden + row, mask=real, other=0.0).to(kind)
    g = tl.load(back + row, mask=real, other=0.0).to(kind)
    scaling = tl.load(numbers)
    along = scaling * tl.sum(g.to(tl.float64) * h.to(tl.float64), axis=1)
    through = (along * tl.load(by_output + token, mask=here, other=0.0)).to(kind)[:, None]
    scale = (scaling * tl.load(value + token, mask=here, other=0.0)).to(kind)[:, None]
    curved = _times(square, hidden, token * r, here, places, r, RANK)
    tl.store(grad_hidden + row, g * scale + curved * through, mask=real)
    tl.store(by_factor + row, h * scale, mask=real)
    tl.store(by_norm + row, h * through, mask=real)
    tl.store(of_x + token, along * tl.load(by_input + token, mask=here, other=0.0), mask=here)
    tl.store(of_log_k + token, along * tl.load(by_log_k + token, mask=here, other=0.0), mask=here)


@triton.jit
def _times(square, hidden, row, here, places, r, RANK: tl.constexpr):
    """BᵀB h of each token, by columns of h: a row of BᵀB at a time, in its own precision."""
    kind = square.dtype.element_ty
    total = tl.zeros((row.shape[0], RANK), kind)
    for j in range(r):
        column = tl.load(hidden + row + j, mask=here, other=0.0).to(kind)
        total += column[:, None] * tl.load(square + j * r + places, mask=places < r, other=0.0)[None, :]
    return total
