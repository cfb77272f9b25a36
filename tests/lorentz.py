"""Hyperbolic space in the Lorentz model, as pure functions of tensors.

One convention: K > 0, curvature −1/K, radius √K. A point is (time, space) with −time² + ‖space‖² = −K and time > 0, its
time coordinate first; the origin is (√K, 0, …, 0). Tangent vectors at the origin are given by their space part.

All maps are smooth at the origin. Coordinates grow as e^ρ with the distance ρ√K from it, so that float32 could not hold
the image of a long vector, let alone squares of it: the exponential map is exact up to ρ = 20 and goes on along its
tangent beyond, once differentiable, where points stay on the hyperboloid.
"""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor

__all__ = ["MAX_RADIUS", "distance", "exp0", "from_ball", "inner", "llr", "log0", "project", "to_ball"]

MAX_RADIUS = 20.0

#: Taylor coefficients in the square: sinh ρ/ρ in ρ², asinh z/z in z².
_SINHC = tuple(1 / math.factorial(2 * j + 1) for j in range(9))
_ASINHC = tuple((-1) ** j * math.comb(2 * j, j) / (4**j * (2 * j + 1)) for j in range(13))
_SINHC_SERIES_BELOW = 0.25
_ASINHC_SERIES_BELOW = 0.04


def project(space: Float[Tensor, "*batch d"], k: float | Tensor) -> Float[Tensor, "*batch d+1"]:
    """The point of the hyperboloid with this space part.

    Parameters
    ----------
    space
        Space part.
    k
        K.
    """
    time = torch.sqrt(space.square().sum(-1, keepdim=True) + k)
    return torch.cat([time, space], dim=-1)


def exp0(x: Float[Tensor, "*batch d"], k: float | Tensor, limit: float = MAX_RADIUS) -> Float[Tensor, "*batch d+1"]:
    """Exponential map at the origin.

    Parameters
    ----------
    x
        Tangent vector at the origin.
    k
        K.
    limit
        ‖x‖/√K up to which the map is exact.
    """
    return project(_sinhc(x.square().sum(-1, keepdim=True) / k, limit) * x, k)


def log0(point: Float[Tensor, "*batch n"], k: float | Tensor) -> Float[Tensor, "*batch n-1"]:
    """Logarithmic map at the origin, the inverse of :func:`exp0` where that is exact.

    Parameters
    ----------
    point
        A point of the hyperboloid; the space part says all.
    k
        K.
    """
    space = point[..., 1:]
    return _asinhc(space.square().sum(-1, keepdim=True) / k) * space


def llr(
    matrix: Float[Tensor, "o d"], point: Float[Tensor, "*batch d+1"], k: float | Tensor
) -> Float[Tensor, "*batch o+1"]:
    """The paper's linear map on the hyperboloid: of the space part, with the time part computed anew.

    Parameters
    ----------
    matrix
        Matrix on the space part (BA in HypLoRA).
    point
        A point of the hyperboloid.
    k
        K.
    """
    return project(point[..., 1:] @ matrix.mT, k)


def inner(p: Float[Tensor, "*batch n"], q: Float[Tensor, "*batch n"]) -> Float[Tensor, "*batch"]:
    """Lorentz inner product −p₀q₀ + ⟨p_s, q_s⟩.

    Parameters
    ----------
    p, q
        Vectors, time coordinate first.
    """
    return (p[..., 1:] * q[..., 1:]).sum(-1) - p[..., 0] * q[..., 0]


def distance(p: Float[Tensor, "*batch n"], q: Float[Tensor, "*batch n"], k: float | Tensor) -> Float[Tensor, "*batch"]:
    """Geodesic distance, by the law of cosines in half angles, where nothing cancels.

    arccosh(−⟨p, q⟩/K) would lose half the digits of points that are near each other, and all of those far away.

    Parameters
    ----------
    p, q
        Points of the hyperboloid.
    k
        K.
    """
    root = torch.as_tensor(k, dtype=p.dtype, device=p.device).sqrt()
    lengths = [torch.linalg.vector_norm(point[..., 1:], dim=-1) for point in (p, q)]
    radii = [torch.asinh(length / root) for length in lengths]
    directions = [
        point[..., 1:] / length.clamp(min=1e-30).unsqueeze(-1) for point, length in zip((p, q), lengths, strict=True)
    ]
    turn = (directions[0] - directions[1]).square().sum(-1) / 4
    square = torch.sinh((radii[0] - radii[1]) / 2).square() + lengths[0] * lengths[1] / root.square() * turn
    return 2 * root * torch.asinh(_root(square))


def to_ball(point: Float[Tensor, "*batch n"], k: float | Tensor) -> Float[Tensor, "*batch n-1"]:
    """Stereographic projection to the Poincaré ball of radius 2√K, an isometry to first order at the origin.

    (The unit ball of other texts is this one divided by 2√K.)

    Parameters
    ----------
    point
        A point of the hyperboloid.
    k
        K.
    """
    root = torch.as_tensor(k, dtype=point.dtype, device=point.device).sqrt()
    return 2 * point[..., 1:] / (1 + point[..., :1] / root)


def from_ball(y: Float[Tensor, "*batch d"], k: float | Tensor) -> Float[Tensor, "*batch d+1"]:
    """The point of the hyperboloid at coordinates of the Poincaré ball of radius 2√K.

    Parameters
    ----------
    y
        A point inside the ball: ‖y‖ < 2√K.
    k
        K.
    """
    return project(y / (1 - y.square().sum(-1, keepdim=True) / (4 * k)), k)


def _sinhc(square: Tensor, limit: float) -> Tensor:
    """Value of sinh ρ/ρ as a function of ρ², with sinh straight beyond the limit."""
    small = (square < _SINHC_SERIES_BELOW) & (square <= limit**2)
    rho = torch.where(small, 1.0, square).sqrt()
    inside = rho.clamp(max=limit)
    direct = (torch.sinh(inside) + torch.cosh(inside) * (rho - inside)) / rho
    return torch.where(small, _polynomial(_SINHC, torch.where(small, square, 0.0)), direct)


def _asinhc(square: Tensor) -> Tensor:
    """Value of asinh z/z as a function of z²."""
    small = square < _ASINHC_SERIES_BELOW
    z = torch.where(small, 1.0, square).sqrt()
    return torch.where(small, _polynomial(_ASINHC, torch.where(small, square, 0.0)), torch.asinh(z) / z)


def _polynomial(coefficients: tuple[float, ...], x: Tensor) -> Tensor:
    value = torch.full_like(x, coefficients[-1])
    for coefficient in reversed(coefficients[:-1]):
        value = value * x + coefficient
    return value


def _root(square: Tensor) -> Tensor:
    """Square root whose gradient at 0 is 0, as that of a norm."""
    positive = square > 0
    return torch.where(positive, torch.where(positive, square, 1.0).sqrt(), 0.0)
