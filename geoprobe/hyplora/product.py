"""HypLoRA's low-rank product as one autograd function: LoRA's cost, and a few scalars a token.

``y + scaling · f · B A x`` with the radial factor f of :mod:`geoprobe.hyplora.maps`. With h = A x, ‖BAx‖² = hᵀ(BᵀB)h
and f · BAx = B(f h): what is done a token is of the rank's size, and BAx is never written, nor kept for the gradient,
which needs what LoRA's does (x and h), BᵀB and a few scalars a token. What is done a token, forward and backward, is
one function each, which is one kernel on a GPU (:mod:`geoprobe.hyplora.fused`). BᵀB is computed anew at each call:
for n tokens r/n of the product's work, where keeping it would trust that nobody writes B behind autograd's back.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import FunctionCtx

from geoprobe.hyplora.fused import fused, watched
from geoprobe.hyplora.maps import factor, factors, smooth_factor

#: Far flatter and far smaller than anything that float32 can tell apart, and no overflow if a run diverges.
LARGEST_LOG_K = 60.0


def norm_dtype(device: torch.device) -> torch.dtype:
    """Precision of the per-token scalars: float64, or float32 where a device has no other."""
    return torch.float32 if device.type == "mps" else torch.float64


def _summed(rows: Tensor) -> Tensor:
    """Norm of each row, summed in at least float32."""
    norm: Tensor = torch.linalg.vector_norm(rows, dim=-1, dtype=torch.promote_types(rows.dtype, torch.float32))
    return norm


def token_factor(x: Tensor, update: Tensor, log_k: Tensor, unit: float, chart: str, limit: float) -> Tensor:
    """The radial factor of each token, from x and BAx: (..., d) and (..., k) to (...)."""
    input_norm, output_norm = (_summed(rows).to(norm_dtype(rows.device)) for rows in (x, update))
    return factor(input_norm, output_norm, _space_radius(log_k, math.sqrt(unit)), chart, limit)


def composed_sum(
    y: Tensor, x: Tensor, update: Tensor, log_k: Tensor, unit: float, chart: str, limit: float, scaling: float
) -> Tensor:
    """The sum y + scaling · f · update by operations that autograd and ``torch.func`` follow, for update = B A x.

    Parameters as of :func:`low_rank_product`, with any leading dimensions.
    """
    precise = norm_dtype(x.device)
    of_input, of_output = (rows.to(precise).square().sum(-1) for rows in (x, update))
    square_radius = _space_radius(log_k, math.sqrt(unit)).square()
    value = scaling * smooth_factor(of_input, of_output, square_radius, chart, limit)
    scale = value.to(torch.promote_types(update.dtype, torch.float32)).unsqueeze(-1)
    total = y + update * scale
    return total.to(torch.promote_types(y.dtype, update.dtype))


def _space_radius(log_k: Tensor, root_unit: float | Tensor) -> Tensor:
    """√K in the units of x, in the precision of scalars."""
    clamped = log_k.clamp(-LARGEST_LOG_K, LARGEST_LOG_K)
    return torch.exp(clamped.to(norm_dtype(log_k.device)) / 2) * root_unit


def low_rank_product(
    y: Tensor, x: Tensor, a: Tensor, b: Tensor, log_k: Tensor, unit: float, chart: str, limit: float, scaling: float
) -> Tensor:
    """The sum y + scaling · f · B A x, over rows.

    Parameters
    ----------
    y, x
        What is added to, (n, k), and inputs (n, d).
    a, b
        Factors (r, d) and (k, r).
    log_k
        log K, one element on the device of x; clamped to ±60.
    unit
        What K is counted in, in units of x squared.
    chart, limit
        As for :func:`geoprobe.hyplora.maps.factors`.
    scaling
        LoRA's.
    """
    if watched((y, x, a, b, log_k)):
        return composed_sum(y, x, (x @ a.t()) @ b.t(), log_k, unit, chart, limit, scaling)
    if torch.is_grad_enabled() and any(tensor.requires_grad for tensor in (a, b, x, y, log_k)):
        product: Tensor = LowRankProduct.apply(y, x, a, b, log_k, unit, chart, limit, scaling)
        return product
    hidden, numbers = x @ a.t(), (scaling, limit, math.sqrt(unit))
    if x.device.type == "cpu" and len(hidden) < len(a):  # so few tokens that BᵀB would cost more than BAx does
        update = hidden @ b.t()
        return y + _times_factor(update, (_summed(x), _summed(update)), log_k, numbers, chart, False)[0]
    return _product(y, x, hidden, b, _square(b), log_k, numbers, chart, False)[0]


def _square(b: Tensor) -> Tensor:
    """BᵀB, (r, r), in at least float32."""
    b = b.to(torch.promote_types(b.dtype, torch.float32))
    return b.t() @ b


class LowRankProduct(torch.autograd.Function):
    """The function :func:`low_rank_product` with its gradient."""

    @staticmethod
    def forward(
        ctx: Any,
        y: Tensor,
        x: Tensor,
        a: Tensor,
        b: Tensor,
        log_k: Tensor,
        unit: float,
        chart: str,
        limit: float,
        scaling: float,
    ) -> Tensor:
        """See :func:`low_rank_product`."""
        hidden, square = x @ a.t(), _square(b)
        numbers = scaling, limit, math.sqrt(unit)
        total, scalars = _product(y, x, hidden, b, square, log_k, numbers, chart, True)
        ctx.save_for_backward(x, a, b, log_k, hidden, square, *scalars)
        ctx.choices = unit, chart, limit, scaling
        ctx.y_dtype = y.dtype
        ctx.log_k_dtype = log_k.dtype
        return total

    @staticmethod
    def backward(ctx: FunctionCtx, grad: Tensor) -> tuple[Tensor | None, ...]:
        """Gradient of the tensors."""
        x, a, b, log_k, hidden, square, *scalars = ctx.saved_tensors
        need_y, need_x, need_a, need_b, need_log_k = ctx.needs_input_grad[:5]
        if torch.is_grad_enabled():  # a gradient of this gradient is asked for
            return _differentiable(ctx, grad, (x, a, b, log_k))
        working = hidden.dtype
        grad_y = grad.to(ctx.y_dtype) if need_y else None
        grad = grad.to(working)
        grad_hidden, by_factor, by_norm, of_x, of_log_k = _gradients(
            (grad @ b, hidden, square, *scalars), (ctx.choices[-1],), ctx.log_k_dtype
        )
        grad_x = grad_a = grad_b = None
        if need_b:
            grad_b = (grad.t() @ by_factor).addmm_(b, hidden.t() @ by_norm)
        if need_a:
            grad_a = grad_hidden.t() @ x
        if need_x:
            grad_x = (grad_hidden @ a).addcmul_(x, of_x)
        return grad_y, grad_x, grad_a, grad_b, of_log_k if need_log_k else None, None, None, None, None


def _differentiable(ctx: Any, grad: Tensor, inputs: tuple[Tensor, ...]) -> tuple[Tensor | None, ...]:
    """The gradient by operations that have one themselves."""
    x, a, b, log_k = inputs
    update = (x @ a.t()) @ b.t()
    total = composed_sum(torch.zeros_like(update), x, update, log_k, *ctx.choices)
    wanted = [tensor for tensor, need in zip(inputs, ctx.needs_input_grad[1:5], strict=True) if need]
    found = iter(torch.autograd.grad(total, wanted, grad.to(total.dtype), create_graph=True) if wanted else ())
    gradients = [next(found) if need else None for need in ctx.needs_input_grad[1:5]]
    return grad.to(ctx.y_dtype) if ctx.needs_input_grad[0] else None, *gradients, None, None, None, None


def _product(
    y: Tensor,
    x: Tensor,
    hidden: Tensor,
    b: Tensor,
    square: Tensor,
    log_k: Tensor,
    numbers: tuple[float, float, float],
    chart: str,
    derivatives: bool,
) -> tuple[Tensor, tuple[Tensor, ...]]:
    """The sum, and the scalars of each token, from Ax and BᵀB."""
    scaled, *scalars = _scaled((hidden, x, square, log_k), numbers, chart, derivatives)
    total = torch.addmm(y, scaled, b.t()) if y.dtype == scaled.dtype else y + scaled @ b.t()
    return total, tuple(scalars)


@fused
def _scaled(tensors: tuple[Tensor, ...], numbers: Any, chart: str, derivatives: bool) -> tuple[Tensor, ...]:
    """Ax times scaling · f, f, and with derivatives those of f: (∂f/∂‖x‖)/‖x‖, (∂f/∂‖BAx‖)/‖BAx‖ and ∂f/∂log K."""
    hidden, x, square, log_k = tensors
    wide = hidden.to(square.dtype)
    output_norm = (wide * (wide @ square)).sum(-1).clamp(min=0).sqrt()
    return _times_factor(hidden, (_summed(x), output_norm), log_k, numbers, chart, derivatives)


def _times_factor(
    rows: Tensor, norms: tuple[Tensor, Tensor], log_k: Tensor, numbers: Any, chart: str, derivatives: bool
) -> tuple[Tensor, ...]:
    """Rows times scaling · f, and the scalars, from ‖x‖ and ‖BAx‖."""
    scaling, limit, root_unit = numbers
    input_norm, output_norm = (norm.to(norm_dtype(norm.device)) for norm in norms)
    radius = _space_radius(log_k, root_unit)
    scalars: tuple[Tensor, ...]
    if derivatives:
        value, by_input, by_output = factors(input_norm, output_norm, radius, chart, limit)
        # f is of degree 0 in ‖x‖, ‖BAx‖ and √K, and K stays where log K is clamped
        degree = by_input * input_norm.square() + by_output * output_norm.square()
        scalars = (value, by_input, by_output, torch.where(log_k.abs() <= LARGEST_LOG_K, degree / -2, 0.0))
    else:
        value = factor(input_norm, output_norm, radius, chart, limit)
        scalars = (value,)
    # the factor is applied in its own precision, whatever that of the product
    scale = (scaling * value).to(torch.promote_types(rows.dtype, torch.float32)).unsqueeze(-1)
    # what is cast to the type that it has has no gradient when torch 2.11 has compiled it
    scaled = rows * scale
    return scaled if scaled.dtype == rows.dtype else scaled.to(rows.dtype), *scalars


@fused
def _gradients(tensors: tuple[Tensor, ...], numbers: Any, log_k_dtype: torch.dtype) -> tuple[Tensor, ...]:
    """From Bᵀgrad, Ax, BᵀB and the scalars: the gradient of Ax, Ax by what it has in B's, and of x and log K."""
    back, hidden, square, value, by_input, by_output, by_log_k = tensors
    (scaling,) = numbers
    working, precise = hidden.dtype, value.dtype
    # ⟨grad, BAx⟩ of each token, and with it what passes through the two norms
    along = scaling * (back.to(precise) * hidden.to(precise)).sum(-1)
    # in the precision of BᵀB, and rounded once
    wide = hidden.to(square.dtype)
    through_output = (along * by_output).to(wide.dtype).unsqueeze(-1)
    scale = (scaling * value).to(wide.dtype).unsqueeze(-1)
    return (
        (back * scale + wide @ square * through_output).to(working),
        (wide * scale).to(working),
        (wide * through_output).to(working),
        (along * by_input).to(working).unsqueeze(-1),
        (along * by_log_k).sum(0, keepdim=True).to(log_k_dtype),
    )
