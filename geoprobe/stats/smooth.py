"""A free smooth curve through many points, its bootstrap band, and where it turns round."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float64, Shaped

__all__ = ["SmoothCurve", "Turn", "smooth_curve"]

#: x is pooled into cells of this many to the range, which bounds the time whatever n is.
_CELLS = 100
_MIN_CELLS = 5


@dataclass(frozen=True)
class Turn:
    """Where a curve stops falling and rises, or the other way round.

    Attributes
    ----------
    kind
        ``lowest``: it falls, then rises; ``highest``: it rises, then falls.
    at
        The x of the turn.
    low, high
        Bootstrap interval of it, over the resamples that turn the same way.
    share
        How many of the resamples do.
    change
        How far the curve comes back after the turn (or came up to it, for ``highest``).
    change_low, change_high
        Bootstrap interval of the change; it is at least 0 by its nature, so an end near 0 says little.
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
    """A smoothing spline on a grid.

    Attributes
    ----------
    x, y
        (g,) the grid and the curve.
    low, high
        (g,) pointwise 95% bootstrap band.
    turn
        The largest movement against the curve's own direction; None where it has none inside.
    """

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
        Resamples of the points.
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
    Its penalty is chosen by generalised cross-validation on the data and kept on the resamples. Points of nearly
    equal x are pooled first.

    References
    ----------
    Woltring (1986), Advances in Engineering Software 8, 104-113, as in `scipy.interpolate.make_smoothing_spline`.
    """
    from scipy.interpolate import make_smoothing_spline

    span = float(x.max() - x.min()) if x.size else 0.0
    if span == 0:
        return None
    cell = np.minimum(((x - x.min()) * (_CELLS / span)).astype(np.int64), _CELLS - 1)
    used, cell = np.unique(cell, return_inverse=True)
    if used.size < _MIN_CELLS:
        return None

    def pooled(times: Shaped[np.ndarray, " n"] | None) -> tuple[Float64[np.ndarray, "two k"], np.ndarray]:
        weights = np.bincount(cell, times, used.size)
        kept = weights > 0
        sums = [np.bincount(cell, side if times is None else side * times, used.size)[kept] for side in (x, y)]
        return np.stack(sums) / weights[kept], weights[kept].astype(np.float64)

    def fitted(times: Shaped[np.ndarray, " n"] | None, penalty: float) -> Float64[np.ndarray, " g"]:
        middles, weights = pooled(times)
        curve: np.ndarray = make_smoothing_spline(middles[0], middles[1], weights, lam=penalty)(points)
        return curve

    middles, weights = pooled(None)
    points = np.linspace(middles[0, 0], middles[0, -1], grid)
    penalty = _penalty(middles[0], middles[1], weights)
    curve = fitted(None, penalty)
    drawn = []
    for _ in range(replicates):
        times = np.bincount(rng.integers(x.size, size=x.size), minlength=x.size)
        if np.count_nonzero(np.bincount(cell, times, used.size)) >= _MIN_CELLS:
            drawn.append(fitted(times, penalty))
    ends = [(1 - level) / 2, (1 + level) / 2]
    low, high = np.quantile(drawn, ends, axis=0) if drawn else (curve, curve)
    return SmoothCurve(points, curve, low, high, _turn(points, curve, drawn, ends))


def _penalty(x: Float64[np.ndarray, " k"], y: Float64[np.ndarray, " k"], weights: np.ndarray) -> float:
    """The penalty with the least generalised cross-validation error."""
    from scipy.interpolate import make_smoothing_spline

    identity = np.eye(x.size)
    scale = float(weights.mean()) * (x[-1] - x[0]) ** 3
    found = []
    for penalty in scale * np.logspace(-6, 1, 22):
        smoother = make_smoothing_spline(x, identity, weights, lam=penalty)(x)
        left = y - np.einsum("ij,j->i", smoother, y)
        free = 1 - np.trace(smoother) / x.size
        found.append((float((weights * left**2).sum()) / free**2, float(penalty)))
    return min(found)[1]


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
    found = _reversal(curve)
    if found is None:
        return None
    kind, at, change = found
    again = [each for each in map(_reversal, drawn) if each is not None and each[0] == kind]
    places = [points[each[1]] for each in again] or [points[at]]
    changes = [each[2] for each in again] or [change]
    return Turn(
        "lowest" if kind == "lowest" else "highest",
        float(points[at]),
        *map(float, np.quantile(places, ends)),
        len(again) / max(len(drawn), 1),
        change,
        *map(float, np.quantile(changes, ends)),
    )
