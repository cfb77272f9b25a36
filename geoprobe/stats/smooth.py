"""A free smooth curve through many points, and its band."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, Shaped

from geoprobe.stats.monotone import class_means

#: x is pooled into cells of this many to the range, which bounds the time whatever n is.
_CELLS = 100
_MIN_CELLS = 5
#: Points at which a curve is given, and the level of its band.
_GRID, _LEVEL = 60, 0.95
#: What a degree of freedom costs in cross-validation; 1 is known to give curves that are too rough.
_COST = 1.4


@dataclass(frozen=True, eq=False)
class SmoothCurve:
    """(g,) a smoothing spline y on a grid x, and its pointwise 95% bootstrap band."""

    x: Float64[np.ndarray, " g"]
    y: Float64[np.ndarray, " g"]
    low: Float64[np.ndarray, " g"]
    high: Float64[np.ndarray, " g"]


def smooth_curve(
    x: Shaped[np.ndarray, " n"],
    y: Shaped[np.ndarray, " n"],
    *,
    replicates: int,
    rng: np.random.Generator,
) -> SmoothCurve | None:
    """Fit a cubic smoothing spline to the mean of y given x; None with fewer than five distinct x.

    Points of nearly equal x are pooled first. The penalty is chosen by generalised cross-validation and then kept, so
    the curve is linear in the pooled means: these are drawn anew with their standard errors, the curve follows. As
    every smoother does, it cuts peaks: the band covers its mean, not quite the truth.

    Woltring (1986), Advances in Engineering Software 8, 104-113, as in `scipy.interpolate.make_smoothing_spline`; the
    cost of a degree of freedom is that of Kim and Gu (2004), JRSS B 66, 337-356.
    """
    from scipy.interpolate import make_smoothing_spline

    span = float(x.max() - x.min()) if x.size else 0.0
    if span == 0:
        return None
    cell = np.minimum(((x - x.min()) * (_CELLS / span)).astype(np.int64), _CELLS - 1)
    used, cell = np.unique(cell, return_inverse=True)
    if used.size < _MIN_CELLS:
        return None
    n = np.bincount(cell).astype(np.float64)
    middles, means = (np.bincount(cell, side) / n for side in (x, y))
    points = np.linspace(middles[0], middles[-1], _GRID)
    penalty = _penalty(middles, means, n)
    smoother = make_smoothing_spline(middles, np.eye(used.size), n, lam=penalty)(points)
    curve = np.einsum("gk,k->g", smoother, means)
    # a cell may hold a single point: the variance is that of the class around it
    classes = class_means(x, y)
    within = np.clip(np.searchsorted(classes.edges, middles, side="right") - 1, 0, classes.n.size - 1)
    errors = classes.errors[within] * np.sqrt(classes.n[within] / n)
    noise = errors * rng.standard_normal((replicates, used.size))
    drawn = curve + np.einsum("rk,gk->rg", noise, smoother)
    low, high = np.quantile(drawn, [(1 - _LEVEL) / 2, (1 + _LEVEL) / 2], axis=0) if replicates else (curve, curve)
    return SmoothCurve(points, curve, low, high)


def _penalty(x: Float64[np.ndarray, " k"], y: Float64[np.ndarray, " k"], weights: np.ndarray) -> float:
    """The penalty with the least generalised cross-validation error."""
    from scipy.interpolate import make_smoothing_spline

    identity = np.eye(x.size)
    scale = float(weights.mean()) * (x[-1] - x[0]) ** 3
    scores = []
    for penalty in scale * np.logspace(-6, 1, 15):
        smoother = make_smoothing_spline(x, identity, weights, lam=penalty)(x)
        left = y - np.einsum("ij,j->i", smoother, y)
        free = max(1 - _COST * np.trace(smoother) / x.size, 1e-9)
        scores.append((float((weights * left**2).sum()) / free**2, float(penalty)))
    return min(scores)[1]
