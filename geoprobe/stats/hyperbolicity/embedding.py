"""The best embedding of a distance matrix in a space of constant curvature: E^k, H^k or S^k."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from jaxtyping import Float, Shaped

from geoprobe.stats.hyperbolicity import embedding_kernels as kernels
from geoprobe.stats.hyperbolicity.checks import as_distances

SpaceName = Literal["euclidean", "hyperbolic", "spherical"]

HYPERBOLIC_STARTS = (1.0, 2.0, 4.0, 8.0, 16.0, 24.0)
SPHERICAL_STARTS = (0.7, 1.4, 2.1, 2.6, 3.1, 3.6, 4.5)
"""Diameter over √K (over R) of the classical embeddings among which the fit starts."""

FLAT_START = 0.3
"""The same of the start at the Euclidean solution."""

CURVATURE_RANGE: dict[SpaceName, tuple[float, float]] = {"hyperbolic": (1e-2, 300.0), "spherical": (1e-2, 9.0)}
"""The same, where a fit may end."""

KINDS: dict[SpaceName, int] = {"euclidean": 0, "hyperbolic": -1, "spherical": 1}

ITERATIONS = 2_000

START_DIGITS = 5
"""Starts (the largest distance being 1) are rounded: LAPACK's last digits vary with its threads, results must not."""

JITTER = 1e-3
"""Then moved this much, evenly spread, since points that start together have no gradient that parts them."""

GOLDEN = 0.6180339887498949


@dataclass(frozen=True)
class Embedding:
    """Points of a space of constant curvature whose distances come near those given.

    Attributes
    ----------
    space
        ``"euclidean"``, ``"hyperbolic"`` or ``"spherical"``.
    dimension
        k of the space.
    stress
        Root of the sum of squared errors of the distances over the sum of their squares (0 is exact).
    curvature
        0 in E^k, -1/K in H^k, 1/R² in S^k, in units of 1 / distance²; 0 also where no curvature fits better than none.
    points
        (n, k): points of R^k, which in H^k are vectors at an origin (their norms are distances from it); in S^k
        (n, k + 1) of norm R.
    """

    space: SpaceName
    dimension: int
    stress: float
    curvature: float
    points: Float[np.ndarray, "n coordinates"]


def embed_in_all(distances: Shaped[np.ndarray, "n n"], dimension: int) -> tuple[Embedding, Embedding, Embedding]:
    """Return the embeddings of least stress found in E^k, H^k and S^k, in that order.

    Starts from classical scaling (Torgerson 1952) and its counterparts by the eigenvectors of cosh(D/√K) (hydra:
    Keller-Ressel and Nargang 2020) and cos(D/R), over a grid of curvatures, the best refined; and from the Euclidean
    solution. L-BFGS with analytic gradients (hydra+ of the same source) then moves points and curvature at once. The
    minimum is local: no better embedding is excluded. Flat space is the limit of both others, so their stress is
    never above its own.

    Parameters
    ----------
    distances
        (n, n) distances, n >= k + 2; they need not obey the triangle inequality.
    dimension
        k >= 2.

    Returns
    -------
    tuple of Embedding
        The same for distances in other units, but for those units.

    Raises
    ------
    ValueError
        If the matrix is no distance matrix, is all 0, or has too few points for ``dimension``.
    """
    matrix, unit = _scaled(distances, dimension)
    flat = _euclidean(matrix, dimension)
    hyperbolic = _curved(matrix, dimension, "hyperbolic", flat)
    spherical = _curved(matrix, dimension, "spherical", flat)
    return _in_units(flat, unit), _in_units(hyperbolic, unit), _in_units(spherical, unit)


def _scaled(distances: Shaped[np.ndarray, "n n"], dimension: int) -> tuple[Float[np.ndarray, "n n"], float]:
    """Distances over the largest, and the largest."""
    matrix = as_distances(distances)
    n = matrix.shape[0]
    if dimension < 2:
        raise ValueError(f"dimension is {dimension}; it must be at least 2 (on a line there is no curvature).")
    if n < dimension + 2:
        raise ValueError(
            f"distances has {n} points; dimension {dimension} needs at least {dimension + 2}: give more or lower it."
        )
    unit = float(matrix.max())
    if unit == 0:
        raise ValueError("distances are all 0: the points coincide, and fit everywhere; give distinct points.")
    return matrix / unit, unit


def _in_units(embedding: Embedding, unit: float) -> Embedding:
    return replace(embedding, curvature=embedding.curvature / unit**2, points=embedding.points * unit)


def _euclidean(matrix: Float[np.ndarray, "n n"], dimension: int) -> Embedding:
    squares = matrix**2
    means = squares.mean(axis=0)
    gram = -0.5 * (squares - means[:, None] - means[None, :] + means.mean())
    n = len(matrix)
    values, vectors = _eigenvectors(gram, n - dimension, n - 1)
    start = vectors * np.sqrt(np.maximum(values, 0.0))
    value, theta = _descend(KINDS["euclidean"], start.ravel(), matrix, (0.0, 0.0))
    points = theta.reshape(len(matrix), dimension)
    return Embedding("euclidean", dimension, float(np.sqrt(value)), 0.0, points - points.mean(axis=0))


def _curved(matrix: Float[np.ndarray, "n n"], dimension: int, space: SpaceName, flat: Embedding) -> Embedding:
    """Best of descents from the best classical embedding, the most curved ones (trees have many minima), ``flat``."""
    n = len(matrix)
    hyperbolic = space == "hyperbolic"
    classical = _hyperbolic_start if hyperbolic else _spherical_start
    grid = HYPERBOLIC_STARTS if hyperbolic else SPHERICAL_STARTS
    least, most = CURVATURE_RANGE[space]
    limits = (-float(np.log(most)), -float(np.log(least)))

    def start_value(log_bend: float) -> float:
        start = classical(matrix, dimension, float(np.exp(log_bend)))
        return float(kernels.stress_within(KINDS[space], start, matrix, *limits, np.empty_like(start)))

    values = [start_value(float(np.log(bend))) for bend in grid]
    starts = [
        classical(matrix, dimension, _refined(start_value, grid, int(np.argmin(values)))),
        _flat_start(flat.points, hyperbolic),
    ]
    if hyperbolic:
        starts += [classical(matrix, dimension, bend) for bend in grid[-3:]]
    ends = [_descend(KINDS[space], start, matrix, limits) for start in starts]
    value, theta = min(ends, key=lambda end: end[0])
    stress = float(np.sqrt(value))
    scale = float(np.exp(theta[-1]))
    points = theta[:-1].reshape(n, -1)
    if stress > flat.stress:  # curvature 0 is the limit of both spaces
        return Embedding(space, dimension, flat.stress, 0.0, flat.points)
    if hyperbolic:
        return Embedding(space, dimension, stress, -1.0 / scale**2, points)
    points = points * (scale / np.sqrt((points**2).sum(axis=1)))[:, None]
    return Embedding(space, dimension, stress, 1.0 / scale**2, points)


def _refined(value: Callable[[float], float], grid: tuple[float, ...], best: int) -> float:
    """Diameter over scale of the best classical embedding between the neighbours of grid point ``best``."""
    from scipy.optimize import minimize_scalar

    low = np.log(grid[best - 1] if best > 0 else 0.5 * grid[0])
    high = np.log(grid[min(best + 1, len(grid) - 1)])
    minimum = minimize_scalar(value, bounds=(low, high), method="bounded", options={"xatol": 1e-9})
    better = minimum.fun < value(float(np.log(grid[best])))
    return float(np.exp(round(minimum.x, START_DIGITS))) if better else grid[best]


def _hyperbolic_start(matrix: Float[np.ndarray, "n n"], dimension: int, bend: float) -> Float[np.ndarray, "p"]:
    """Eigenvectors of cosh: the first gives the time coordinate, the k lowest give the direction."""
    form = np.cosh(bend * matrix)
    highest, first = _eigenvectors(form, len(matrix) - 1, len(matrix) - 1)
    lowest, rest = _eigenvectors(form, 0, dimension - 1)
    time = np.sqrt(highest[0]) * np.abs(first[:, 0])
    directions = rest * np.sqrt(np.maximum(-lowest, 0.0))
    lengths = np.sqrt((directions**2).sum(axis=1))
    radii = np.arccosh(np.maximum(time, 1.0)) / bend
    points = directions * np.divide(radii, lengths, out=np.zeros_like(radii), where=lengths > 0)[:, None]
    return np.append(points.ravel(), -np.log(bend))


def _spherical_start(matrix: Float[np.ndarray, "n n"], dimension: int, bend: float) -> Float[np.ndarray, "p"]:
    n = len(matrix)
    values, vectors = _eigenvectors(np.cos(bend * matrix), n - dimension - 1, n - 1)
    points = vectors * np.sqrt(np.maximum(values, 0.0))
    return np.append(points.ravel(), -np.log(bend))


def _flat_start(points: Float[np.ndarray, "n k"], hyperbolic: bool) -> Float[np.ndarray, "p"]:
    """The Euclidean solution as tangent vectors of a space that is nearly flat."""
    if not hyperbolic:  # a cap around the last axis
        points = np.column_stack([points, np.full(len(points), 1.0 / FLAT_START)])
    return np.append(points.ravel(), -np.log(FLAT_START))


def _descend(
    kind: int, start: Float[np.ndarray, "p"], matrix: Float[np.ndarray, "n n"], limits: tuple[float, float]
) -> tuple[float, Float[np.ndarray, "p"]]:
    theta = np.round(start, START_DIGITS)
    places = len(theta) - (kind != 0)
    theta[:places] += JITTER * ((GOLDEN * np.arange(places)) % 1.0 - 0.5)
    return float(kernels.descend(kind, theta, matrix, *limits, ITERATIONS)), theta


def _eigenvectors(
    matrix: Float[np.ndarray, "n n"], first: int, last: int
) -> tuple[Float[np.ndarray, "e"], Float[np.ndarray, "n e"]]:
    """Eigenvalues ``first`` to ``last``, counted from the lowest, and their vectors."""
    from scipy.linalg import eigh

    values, vectors = eigh(matrix, subset_by_index=[first, last], driver="evr")
    largest = vectors[np.argmax(np.abs(vectors), axis=0), np.arange(vectors.shape[1])]
    return values, vectors * np.sign(largest)
