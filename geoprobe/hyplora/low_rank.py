"""HypLoRA's low-rank product as one autograd function: LoRA's cost, and a few scalars a token.

``y + scaling · f · B A x`` with the radial factor f of :mod:`geoprobe.hyplora.charts`. Kept for the gradient are what
LoRA keeps (x and A x) and a few scalars a token; BAx itself is not, because the gradient needs it only through products
with B, which are of the rank's size.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import FunctionCtx, once_differentiable

from geoprobe.hyplora.charts import factors

__all__ = ["LowRankProduct", "norm_dtype", "row_norm"]


def norm_dtype(device: torch.device) -> torch.dtype:
    """Precision of the per-token scalars: float64, or float32 where a device has no other."""
    return torch.float32 if device.type == "mps" else torch.float64


class LowRankProduct(torch.autograd.Function):
    """``LowRankProduct.apply(y, x, a, b, radius, chart, limit, scaling)``: y + scaling · f · B A x, over rows.

    Here y is (n, k), x (n, d), a (r, d), b (k, r), and radius, √K in the units of x, a tensor of one element.
    """

    @staticmethod
    def forward(
        ctx: Any,
        y: Tensor,
        x: Tensor,
        a: Tensor,
        b: Tensor,
        radius: Tensor,
        chart: str,
        limit: float,
        scaling: float,
    ) -> Tensor:
        """See the class."""
        hidden = x @ a.t()
        update = hidden @ b.t()
        precise = norm_dtype(x.device)
        input_norm, output_norm = row_norm(x), row_norm(update)
        value, by_input, by_output = factors(input_norm, output_norm, radius.to(precise), chart, limit)
        ctx.save_for_backward(x, a, b, radius, hidden, input_norm, output_norm, value, by_input, by_output)
        ctx.scaling = scaling
        ctx.y_dtype = y.dtype
        # the factor is applied in its own precision, whatever that of the product
        factor = (scaling * value).to(torch.promote_types(update.dtype, torch.float32)).unsqueeze(-1)
        kind = torch.promote_types(y.dtype, update.dtype)
        if torch.compiler.is_compiling():
            # what is changed in place, or cast to the type that it has, has no gradient when torch 2.11 has compiled it
            total = y + update * factor
            return total if total.dtype == kind else total.to(kind)
        update.mul_(factor)
        return update.add_(y) if kind == update.dtype else y + update

    @staticmethod
    @once_differentiable
    def backward(ctx: FunctionCtx, grad: Tensor) -> tuple[Tensor | None, ...]:
        """Gradient of everything but the chart, its limit and the scaling."""
        x, a, b, radius, hidden, input_norm, output_norm, value, by_input, by_output = ctx.saved_tensors
        need_y, need_x, need_a, need_b, need_radius = ctx.needs_input_grad[:5]
        working = hidden.dtype
        grad_y = grad.to(ctx.y_dtype) if need_y else None
        grad = grad.to(working)
        back = grad @ b
        precise = input_norm.dtype
        # ⟨grad, BAx⟩ of each token, and with it what passes through the two norms
        along = ctx.scaling * (back.to(precise) * hidden.to(precise)).sum(-1)
        through_output = (along * by_output).to(working).unsqueeze(-1)
        factor = (ctx.scaling * value).to(working).unsqueeze(-1)
        grad_hidden = back.mul_(factor).add_((hidden @ (b.t() @ b)) * through_output)
        grad_x = grad_a = grad_b = grad_radius = None
        if need_b:
            grad_b = grad.t() @ (hidden * factor) + b @ (hidden.t() @ (hidden * through_output))
        if need_a:
            grad_a = grad_hidden.t() @ x
        if need_x:
            grad_x = (grad_hidden @ a).addcmul_(x, (along * by_input).to(working).unsqueeze(-1))
        if need_radius:
            # f is of degree 0 in ‖x‖, ‖BAx‖ and √K
            degree = by_input * input_norm.square() + by_output * output_norm.square()
            grad_radius = -((along * degree).sum() / radius.to(precise)).to(radius.dtype)
        return grad_y, grad_x, grad_a, grad_b, grad_radius, None, None, None


def row_norm(rows: Tensor) -> Tensor:
    """Norm of each row, summed in at least float32, in the precision of scalars."""
    summed = torch.linalg.vector_norm(rows, dim=-1, dtype=torch.promote_types(rows.dtype, torch.float32))
    return summed.to(norm_dtype(rows.device))
