"""The radial factors of HypLoRA, per token, for two charts of hyperbolic space.

A chart at the origin is a pair of radial functions: ``S`` takes a tangent radius ρ = ‖x‖/√K to the length of the
hyperboloid's space part, in units of √K, and ``T`` is its inverse. Then HypLoRA's low-rank part is

    T(z)/z · S(ρ)/ρ · BAx,    z = S(ρ)/ρ · ‖BAx‖/√K.

- exponential: S = sinh, T = asinh (the paper's exponential and logarithmic maps);
- stereographic: S = ρ/(1 − ρ²/4), T = 2z/(1 + √(1 + z²)) (points of the Poincaré ball of radius 2√K).

Both are hyperbolic, agree to second order up to a factor, and tend to LoRA as K → ∞. S grows so fast that a token of
large norm overflows, so it is exact up to a limit of ρ and goes on along its tangent beyond, once differentiable.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

__all__ = ["CHARTS", "DEFAULT_LIMIT", "LARGEST_LIMIT", "RadialFactors", "factors"]

CHARTS = ("exponential", "stereographic")

#: Where S leaves its exact form, unless said otherwise: with both, S(ρ)/ρ is at most 3.76, however long a token.
DEFAULT_LIMIT = {"exponential": 2.0, "stereographic": 1.25}

#: Beyond 20, squares of what S gives would leave float32; the ball ends at 2.
LARGEST_LIMIT = {"exponential": 20.0, "stereographic": 1.999}

_TINY = 1e-30
_SMALL = 0.02  # below, differences of nearly equal terms are replaced by three terms of their series


class RadialFactors(NamedTuple):
    """Per token: the factor f on BAx, and what its gradient needs."""

    value: Tensor  #: f(‖x‖, ‖u‖, √K), u = BAx
    by_input: Tensor  #: (∂f/∂‖x‖)/‖x‖
    by_output: Tensor  #: (∂f/∂‖u‖)/‖u‖


def factors(input_norm: Tensor, output_norm: Tensor, radius: Tensor, chart: str, limit: float) -> RadialFactors:
    """The factor f = S(ρ)/ρ · T(z)/z and its radial derivatives, in the precision of the norms.

    Parameters
    ----------
    input_norm, output_norm
        ‖x‖ and ‖BAx‖ of each token.
    radius
        √K, in the units of x.
    chart
        "exponential" or "stereographic".
    limit
        The ρ up to which S is exact.
    """
    lift, flatten = _MAPS[chart]
    rho = (input_norm / radius).clamp(min=_TINY)
    sigma, sigma_by_rho = lift(rho, limit)
    z = (sigma * output_norm / radius).clamp(min=_TINY)
    tau, slope, tau_by_z = flatten(z)
    inverse_square = radius.square().reciprocal()
    return RadialFactors(
        value=sigma * tau,
        by_input=sigma_by_rho * slope * inverse_square,
        by_output=sigma.square() * sigma * tau_by_z * inverse_square,
    )


def _lift_exponential(rho: Tensor, limit: float) -> tuple[Tensor, Tensor]:
    """σ = S/ρ and σ'/ρ for S = sinh, straight beyond the limit."""
    inside = rho.clamp(max=limit)
    sinh, cosh = torch.sinh(inside), torch.cosh(inside)
    sigma = (sinh + cosh * (rho - inside)) / rho
    square = rho.square()
    series = 1 / 3 + square * (1 / 30 + square / 840)
    return sigma, torch.where(rho < _SMALL, series, (cosh - sigma) / square.clamp(min=_SMALL**2))


def _flatten_exponential(z: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """τ = T/z, T' and τ'/z for T = asinh."""
    tau = torch.asinh(z) / z
    square = z.square()
    slope = torch.rsqrt(1 + square)
    series = -1 / 3 + square * (3 / 10 - square * (15 / 56))
    return tau, slope, torch.where(z < _SMALL, series, (slope - tau) / square.clamp(min=_SMALL**2))


def _lift_stereographic(rho: Tensor, limit: float) -> tuple[Tensor, Tensor]:
    inside = rho.clamp(max=limit)
    quarter = inside.square() / 4
    exact = (1 - quarter).reciprocal()
    slope = (1 + quarter) * exact.square()
    sigma = (exact * inside + slope * (rho - inside)) / rho
    beyond = (slope - sigma) / rho.square().clamp(min=limit**2)
    return sigma, torch.where(rho <= limit, exact.square() / 2, beyond)


def _flatten_stereographic(z: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    root = torch.sqrt(1 + z.square())
    tau = 2 / (1 + root)
    return tau, tau / root, -tau.square() / (2 * root)


_MAPS = {
    "exponential": (_lift_exponential, _flatten_exponential),
    "stereographic": (_lift_stereographic, _flatten_stereographic),
}
