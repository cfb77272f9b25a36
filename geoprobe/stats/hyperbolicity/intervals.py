"""Standard errors over points for means of a function of four points (U-statistics of order four)."""

from dataclasses import dataclass
from math import comb, inf, isnan, nan, sqrt

import numpy as np
from jaxtyping import Float, Int
from scipy import special


@dataclass(frozen=True)
class Moments:
    """Holland's index and T with their standard errors (NaN where the data cannot tell)."""

    mean: float
    standard_error: float
    ratio: float
    ratio_standard_error: float


def exact_moments(by_point: Float[np.ndarray, "3 n"]) -> Moments:
    """Moments from sums of ratio, gap and spread over all quadruples, by point (each counts four times)."""
    n = by_point.shape[1]
    at_point = by_point / comb(n - 1, 3)
    shares, gaps, spreads = at_point.mean(axis=1)
    ratio = float(gaps / spreads) if spreads > 0 else 0.0
    influence = (at_point[1] - ratio * at_point[2]) / spreads if spreads > 0 else np.zeros(n)
    return Moments(
        mean=float(shares),
        standard_error=_jackknife(float(((at_point[0] - shares) ** 2).sum()), n),
        ratio=ratio,
        ratio_standard_error=_jackknife(float((influence**2).sum()), n),
    )


def sampled_moments(
    by_triple: Float[np.ndarray, "m 3"],
    by_point: Float[np.ndarray, "3 n"],
    visits: Int[np.ndarray, "n"],
    squares: Float[np.ndarray, "4"],
) -> Moments:
    """Moments from m random triples, each with all n - 3 other points: sums by triple and by fourth point.

    The spread of the points' means has the noise of the triples in it, which an analysis of variance takes out; the
    spread of the triples' means is the error of sampling, and is added. ``squares``: of ratio, gap, spread, and gap *
    spread.
    """
    m, n = by_triple.shape[0], by_point.shape[1]
    total = m * (n - 3)
    shares, gaps, spreads = by_triple.sum(axis=0) / total
    ratio = float(gaps / spreads) if spreads > 0 else 0.0
    seen = np.maximum(visits, 1)
    at_triple = by_triple / (n - 3)
    at_point = by_point / seen
    share_error = _two_way(
        at_triple[:, 0] - shares, at_point[0] - shares, float(squares[0] / total - shares**2), visits
    )
    if spreads > 0:
        square = squares[1] - 2 * ratio * squares[3] + ratio**2 * squares[2]
        ratio_error = _two_way(
            (at_triple[:, 1] - ratio * at_triple[:, 2]) / spreads,
            (at_point[1] - ratio * at_point[2]) / spreads,
            float(square / total / spreads**2),
            visits,
        )
    else:
        ratio_error = 0.0
    return Moments(float(shares), share_error, ratio, ratio_error)


def student_interval(estimate: float, standard_error: float, n: int) -> tuple[float, float]:
    """95% interval of Student's t with n - 1 degrees of freedom, cut to [0, 1]; (0, 1) if the error is NaN."""
    if isnan(standard_error):
        return 0.0, 1.0
    reach = float(special.stdtrit(n - 1, 0.975)) * standard_error
    return max(0.0, estimate - reach), min(1.0, estimate + reach)


def _jackknife(squares: float, n: int) -> float:
    # leaving point i out moves the mean by 4 / (n - 4) times (mean - mean over the quadruples with i)
    return sqrt((n - 1) / n * squares) * 4 / (n - 4) if n > 4 else nan


def _two_way(
    at_triple: Float[np.ndarray, "m"],
    at_point: Float[np.ndarray, "n"],
    variance: float,
    visits: Int[np.ndarray, "n"],
) -> float:
    """Standard error of a mean whose terms vary by triple, by fourth point and by both."""
    m, n = at_triple.size, at_point.size
    triples = float((at_triple**2).sum()) / (m - 1)
    kept = visits > 0
    points = float((at_point[kept] ** 2).mean()) if kept.any() else inf
    noise = max(0.0, variance - triples) * float((1 / visits[kept]).mean()) if kept.any() else 0.0
    own = max(0.0, points - noise)
    over_points = _jackknife(own * n, n)
    return sqrt(over_points**2 + triples / m)
