"""A free smooth curve through many points, its band, and where it turns round."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float64, Shaped

from geoprobe.stats.monotone import class_means

__all__ = ["SmoothCurve", "Turn", "smooth_curve"]

#: x is pooled into cells of this many to the range, which bounds the time whatever n is.
_CELLS = 100
_MIN_CELLS = 5
#: What a degree of freedom costs in cross-validation; 1 is known to give curves that are too rough.
_COST = 1.4


@dataclass(frozen=True)
class Turn:
    """Where a curve stops falling and rises (``lowest``), or the other way round (``highest``), with intervals.

    ``at`` with ``low`` and ``high`` over the ``share`` of the resamples that turn the same way; ``change`` is how far
    the curve comes back after it (or came up to it), at least 0 by its nature, so a ``change_low`` near 0 says little.
    """

    kind: Literal["lowest", "highest"]
    at: float
    low: float
    high: float
    share: float
    change: float
    change_low: float
    change_high: float


@dataclass(frozen=True, eq=False)
class SmoothCurve:
    """(g,) a smoothing spline y on a grid x, its pointwise bootstrap band, and its largest turn (None if monotone)."""

    x: Float64[np.ndarray, " g"]
    y: Float64[np.ndarray, " g"]
    low: Float64[np.ndarray, " g"]
    high: Float64[np.ndarray, " g"]
    turn: Turn | None


def smooth_curve(
    x: Shaped[np.ndarray, " n"],
    y: Shaped[np.ndarray, " n"],
    *,
    replicates: int,
    rng: np.random.Generator,
    grid: int = 60,
    level: float = 0.95,
) -> SmoothCurve | None:
    """Fit a cubic smoothing spline to the mean of y given x.

    Parameters
    ----------
    x, y
        (n,) finite numbers.
    replicates
        Curves drawn for the band.
    rng
        Source of randomness.
    grid
        Points at which the curve is given.
    level
        Of the band.

    Returns
    -------
    SmoothCurve or None
        None with fewer than five distinct x.

    Notes
    -----
    Points of nearly equal x are pooled first. The penalty is chosen by generalised cross-validation and then kept, so
    the curve is linear in the pooled means: these are drawn anew with their standard errors, the curve follows. As
    every smoother does, it cuts peaks: the band covers its mean, not quite the truth.

    References
    ----------
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
    points = np.linspace(middles[0], middles[-1], grid)
    penalty = _penalty(middles, means, n)
    smoother = make_smoothing_spline(middles, np.eye(used.size), n, lam=penalty)(points)
    curve = np.einsum("gk,k->g", smoother, means)
    # a cell may hold a single point: the variance is that of the class around it
    classes = class_means(x, y)
    within = np.clip(np.searchsorted(classes.edges, middles, side="right") - 1, 0, classes.n.size - 1)
    errors = classes.errors[within] * np.sqrt(classes.n[within] / n)
    noise = errors * rng.standard_normal((replicates, used.size))
    drawn = curve + np.einsum("rk,gk->rg", noise, smoother)
    ends = [(1 - level) / 2, (1 + level) / 2]
    low, high = np.quantile(drawn, ends, axis=0) if replicates else (curve, curve)
    return SmoothCurve(points, curve, low, high, _turn(points, curve, list(drawn), ends))


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


def _reversal(y: Float64[np.ndarray, " g"]) -> tuple[str, int, float] | None:
    """The largest movement against a curve's own direction: its kind, where it turns, and by how much."""
    rise = y - np.minimum.accumulate(y)
    fall = np.maximum.accumulate(y) - y
    falling = fall.max() >= rise.max()
    against = rise if falling else fall
    end = int(against.argmax())
    if against[end] <= 0:
        return None
    begin = int(y[: end + 1].argmin() if falling else y[: end + 1].argmax())
    at_begin, at_end = ("lowest", "highest") if falling else ("highest", "lowest")
    return (at_begin, begin, float(against[end])) if begin > 0 else (at_end, end, float(against[end]))


def _turn(
    points: Float64[np.ndarray, " g"], curve: Float64[np.ndarray, " g"], drawn: list[np.ndarray], ends: list[float]
) -> Turn | None:
    turn = _reversal(curve)
    if turn is None:
        return None
    kind, at, change = turn
    again = [other for other in map(_reversal, drawn) if other is not None and other[0] == kind]
    places = [points[other[1]] for other in again] or [points[at]]
    changes = [other[2] for other in again] or [change]
    low, high = np.quantile(places, ends)
    change_low, change_high = np.quantile(changes, ends)
    return Turn(
        kind="lowest" if kind == "lowest" else "highest",
        at=float(points[at]),
        low=float(low),
        high=float(high),
        share=len(again) / max(len(drawn), 1),
        change=change,
        change_low=float(change_low),
        change_high=float(change_high),
    )
