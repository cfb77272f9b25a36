"""The arithmetic of the code released with the paper, faults included, to load and compare its adapters.

Facts, not choices: K = softplus(k) + 1e-6 is the squared radius in the exponential map, but its inverse stands in the
time component, so the map is the paper's at K = 1 only; norms are clamped at 1e-7, which is not smooth at 0; sinh's
argument is clamped at 12; ‖x‖ is divided by a learned scale, started at √d, and the output is not multiplied by it;
each gradient of k is clamped to ±0.01. It is done in float32 at least.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import softplus

__all__ = ["reference_update", "squared_radius"]


def squared_radius(k: Tensor) -> Tensor:
    """The squared radius of its exponential map.

    Parameters
    ----------
    k
        Its scalar.
    """
    return softplus(k) + 1e-6


class _ClampGradient(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, value: Tensor, bound: float) -> Tensor:
        ctx.bound = bound
        return value.view_as(value)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        return grad.clamp(-ctx.bound, ctx.bound), None


def reference_update(x: Tensor, a: Tensor, b: Tensor, k: Tensor, norm_scale: Tensor) -> Tensor:
    """The released code's update for inputs x, before LoRA's scaling.

    Parameters
    ----------
    x
        Inputs (..., d).
    a, b
        Factors (r, d) and (k, r).
    k, norm_scale
        Its two scalars.
    """
    working = torch.promote_types(x.dtype, torch.float32)
    x, a, b = x.to(working), a.to(working), b.to(working)
    squared = squared_radius(_ClampGradient.apply(k.to(working), 0.01))
    root = squared.sqrt()
    norm = torch.linalg.vector_norm(x, dim=-1, keepdim=True).clamp(min=1e-7)
    angle = (norm / norm_scale.to(working) / root).clamp(max=12.0)
    space = (root * torch.sinh(angle) * (x / norm)) @ a.t() @ b.t()
    cosh = (space.square().sum(-1, keepdim=True) + 1 / squared).sqrt() / root
    near = (2 * (cosh - 1).clamp(min=1e-6)).sqrt()
    distance = torch.where(cosh < 1.01, near, torch.arccosh(cosh.clamp(min=1 + 1e-7)))
    return root * distance * space / torch.linalg.vector_norm(space, dim=-1, keepdim=True).clamp(min=1e-7)
