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

import math
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

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


def factors(
    input_norm: Tensor, output_norm: Tensor, radius: Tensor, chart: str, limit: float | Tensor
) -> RadialFactors:
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
    maps = _MAPS[chart]
    rho, sigma, z = _lifted(input_norm, output_norm, radius, chart, limit)
    tau = maps.flatten(z)
    slope, tau_by_z = maps.flatten_slopes(z, tau)
    inverse_square = radius.square().reciprocal()
    return RadialFactors(
        value=sigma * tau,
        by_input=maps.lift_slope(rho, sigma, limit) * slope * inverse_square,
        by_output=sigma.square() * sigma * tau_by_z * inverse_square,
    )


def factor(input_norm: Tensor, output_norm: Tensor, radius: Tensor, chart: str, limit: float | Tensor) -> Tensor:
    """The factor alone, of the arguments of :func:`factors`."""
    _, sigma, z = _lifted(input_norm, output_norm, radius, chart, limit)
    return sigma * _MAPS[chart].flatten(z)


def smooth_factor(
    input_square: Tensor, output_square: Tensor, square_radius: Tensor, chart: str, limit: float
) -> Tensor:
    """The factor by operations that autograd follows any number of times: (n,), (n,) and (1,) to (n,).

    It is a function of ‖x‖², ‖BAx‖² and K, which is smooth where a token or its update is 0.
    """
    square = input_square / square_radius
    # beyond its limit S is straight: (S(limit) + S'(limit)(ρ − limit))/ρ
    rho = torch.where(square < limit**2, 1.0, square).sqrt()
    if chart == "exponential":
        height, slope = math.sinh(limit), math.cosh(limit)
        inside = _smooth(_SINH, torch.sinh, square.clamp(max=limit**2))
    else:
        slope, height = (1 + limit**2 / 4) / (1 - limit**2 / 4) ** 2, limit / (1 - limit**2 / 4)
        inside = (1 - square.clamp(max=limit**2) / 4).reciprocal()
    sigma = torch.where(square < limit**2, inside, slope + (height - slope * limit) / rho)
    z_square = sigma.square() * output_square / square_radius
    if chart == "exponential":
        return sigma * _smooth(_ASINH, torch.asinh, z_square)
    return sigma * 2 / (1 + torch.sqrt(1 + z_square))


#: Taylor coefficients in the square: sinh ρ/ρ in ρ², asinh z/z in z²; to all digits below _SERIES.
_SERIES = 0.04
_SINH = tuple(1 / math.factorial(2 * j + 1) for j in range(9))
_ASINH = tuple((-1) ** j * math.comb(2 * j, j) / (4**j * (2 * j + 1)) for j in range(13))


def _smooth(coefficients: tuple[float, ...], function: Callable[[Tensor], Tensor], square: Tensor) -> Tensor:
    """The even function of t that is function(t)/t, from t²."""
    near = square < _SERIES
    small = torch.where(near, square, 0.0)
    value = torch.full_like(small, coefficients[-1])
    for coefficient in reversed(coefficients[:-1]):
        value = value * small + coefficient
    root = torch.where(near, 1.0, square).sqrt()
    return torch.where(near, value, function(root) / root)


def _lifted(
    input_norm: Tensor, output_norm: Tensor, radius: Tensor, chart: str, limit: float | Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """ρ, σ = S(ρ)/ρ and z."""
    rho = (input_norm / radius).clamp(min=_TINY)
    sigma = _MAPS[chart].lift(rho, limit)
    return rho, sigma, (sigma * output_norm / radius).clamp(min=_TINY)


def _lift_exponential(rho: Tensor, limit: float | Tensor) -> Tensor:
    """σ = S/ρ for S = sinh, straight beyond the limit."""
    inside = rho.clamp(max=limit)
    return (torch.sinh(inside) + torch.cosh(inside) * (rho - inside)) / rho


def _lift_slope_exponential(rho: Tensor, sigma: Tensor, limit: float | Tensor) -> Tensor:
    """σ'/ρ."""
    inside = rho.clamp(max=limit)
    square = inside.square()
    # (i cosh i − sinh i)/ρ³ with i = inside
    series = (1 / 3 + square * (1 / 30 + square / 840)) * (inside / rho) ** 3
    exact = (torch.cosh(inside) - sigma) / rho.square().clamp(min=_SMALL**2)
    return torch.where(inside < _SMALL, series, exact)


def _flatten_exponential(z: Tensor) -> Tensor:
    """τ = T/z for T = asinh."""
    return torch.asinh(z) / z


def _flatten_slopes_exponential(z: Tensor, tau: Tensor) -> tuple[Tensor, Tensor]:
    """T' and τ'/z."""
    square = z.square()
    slope = torch.rsqrt(1 + square)
    series = -1 / 3 + square * (3 / 10 - square * (15 / 56))
    return slope, torch.where(z < _SMALL, series, (slope - tau) / square.clamp(min=_SMALL**2))


def _lift_stereographic(rho: Tensor, limit: float | Tensor) -> Tensor:
    inside = rho.clamp(max=limit)
    exact, slope = _ball(inside)
    return (exact * inside + slope * (rho - inside)) / rho


def _lift_slope_stereographic(rho: Tensor, sigma: Tensor, limit: float | Tensor) -> Tensor:
    exact, slope = _ball(rho.clamp(max=limit))
    beyond = (slope - sigma) / rho.square().clamp(min=limit**2)
    return torch.where(rho <= limit, exact.square() / 2, beyond)


def _ball(rho: Tensor) -> tuple[Tensor, Tensor]:
    """S/ρ and S' for S = ρ/(1 − ρ²/4)."""
    quarter = rho.square() / 4
    exact = (1 - quarter).reciprocal()
    return exact, (1 + quarter) * exact.square()


def _flatten_stereographic(z: Tensor) -> Tensor:
    return 2 / (1 + torch.sqrt(1 + z.square()))


def _flatten_slopes_stereographic(z: Tensor, tau: Tensor) -> tuple[Tensor, Tensor]:
    root = torch.sqrt(1 + z.square())
    return tau / root, -tau.square() / (2 * root)


class _Maps(NamedTuple):
    """The two functions of a chart, each over its argument, and their slopes."""

    lift: Callable[[Tensor, float | Tensor], Tensor]
    lift_slope: Callable[[Tensor, Tensor, float | Tensor], Tensor]
    flatten: Callable[[Tensor], Tensor]
    flatten_slopes: Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]


_MAPS = {
    "exponential": _Maps(_lift_exponential, _lift_slope_exponential, _flatten_exponential, _flatten_slopes_exponential),
    "stereographic": _Maps(
        _lift_stereographic, _lift_slope_stereographic, _flatten_stereographic, _flatten_slopes_stereographic
    ),
}
