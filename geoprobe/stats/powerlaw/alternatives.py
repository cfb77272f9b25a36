"""The five distributions that a power law is compared with, all fitted by maximum likelihood to the same tail.

All are on the integers from x_min up. Where a family contains the power law at the edge of its parameters and its
maximum lies on that edge, there is no member of the family to report: the result is called degenerate.
"""

import math
import sys
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from geoprobe.stats.powerlaw.fit_kernels import solve_alpha, tail_sums
from geoprobe.stats.powerlaw.tilted_kernels import CUTOFF, LOGNORMAL, fit_tilted, tilted_sums
from geoprobe.stats.powerlaw.weibull_kernels import STEEPEST, fit_weibull, weibull_logpmf
from geoprobe.stats.powerlaw.yule_kernels import fit_yule, yule_logpmf
from geoprobe.stats.powerlaw.zeta_kernels import scaled_zeta, scaled_zeta_slopes

NAMES = ("lognormal", "exponential", "stretched_exponential", "power_law_with_cutoff", "yule")
"""The alternatives, in the order of their rows."""

_GAIN = 1e-6  # log-likelihood below which a maximum counts as lying on the edge
_TOLERANCE = 1e-8  # relative error of the mean that a maximum must reproduce
_FEWEST_DISTINCT = 5  # a bend has no finite maximum on two or three points
_SMALLEST = math.log(sys.float_info.min)
_STEEPEST = 200.0  # a tail that wants a larger exponent spans a few percent of x_min: no two families differ there


@dataclass(frozen=True)
class Distribution:
    """A fitted distribution on the integers from xmin up: its parameters, or, at the edge of the family, its limit."""

    name: str
    xmin: int
    parameters: dict[str, float]
    limit: str | None


@dataclass(frozen=True, eq=False)
class Tail:
    """Counts from xmin up, with the sums that the families share."""

    values: Float[np.ndarray, "t"]
    counts: Int[np.ndarray, "t"]
    alpha: float
    mean_log: float

    @property
    def q(self) -> float:
        """The lower bound."""
        return float(self.values[0])

    @property
    def n(self) -> int:
        """Number of types in the tail."""
        return int(self.counts.sum())

    def mean(self, of: Float[np.ndarray, "t"]) -> float:
        """Mean over types."""
        return math.fsum(of * self.counts) / self.n


def summarised(values: Float[np.ndarray, "t"], counts: Int[np.ndarray, "t"]) -> Tail:
    """A tail with its power-law exponent."""
    _, mean_log = tail_sums(values, counts)
    return Tail(values, counts, float(solve_alpha(mean_log[0], values[0])), float(mean_log[0]))


def power_law_logpmf(tail: Tail) -> Float[np.ndarray, "t"]:
    """Log-probability of each value under the power law."""
    norm = math.log(scaled_zeta(tail.alpha, tail.q))
    return -tail.alpha * np.log(tail.values / tail.q) - norm


def fit_alternative(name: str, tail: Tail) -> tuple[Distribution, Float[np.ndarray, "t"]]:
    """One family's best member and the log-probability of each value under it; the power law's where it has none."""
    reason = _unfit(tail) if name in _TWO_PARAMETERS else None
    if reason is not None:
        return _collapsed(name, tail, reason)
    return _FITTERS[name](tail)


def _unfit(tail: Tail) -> str | None:
    distinct = int(np.count_nonzero(tail.counts))
    if distinct < _FEWEST_DISTINCT:
        return f"not fitted: {distinct} distinct counts do not determine a bend"
    if tail.alpha > _STEEPEST:
        return f"not fitted: the tail is too narrow (from {tail.values[0]:.0f} to {tail.values[-1]:.0f})"
    return None


def _collapsed(name: str, tail: Tail, reason: str) -> tuple[Distribution, Float[np.ndarray, "t"]]:
    return Distribution(name, int(tail.q), {}, reason), power_law_logpmf(tail)


def _tilted(name: str, tail: Tail, kind: int, h: Float[np.ndarray, "t"], edge_mean: float) -> tuple[float, float] | str:
    """Maximum over b > 0, or why there is none.

    The likelihood is concave, so its maximum lies at the edge exactly if its slope in b is not positive there.
    """
    mean_h = tail.mean(h)
    if not edge_mean > mean_h * (1 + 1e-13):
        return "power law (sigma without bound)" if kind == LOGNORMAL else "power law (rate 0)"
    a, b, _, error = fit_tilted(kind, tail.q, tail.mean_log, mean_h, tail.alpha, 0.5 / mean_h)
    if not abs(error) < _TOLERANCE:
        return f"not fitted: no maximum of the {name.replace('_', ' ')} within reach"
    return float(a), float(b)


def _lognormal(tail: Tail) -> tuple[Distribution, Float[np.ndarray, "t"]]:
    y = np.log(tail.values / tail.q)
    g, _, g2 = scaled_zeta_slopes(tail.alpha, tail.q)
    maximum = _tilted("lognormal", tail, LOGNORMAL, y * y, g2 / g)
    if isinstance(maximum, str):
        return _collapsed("lognormal", tail, maximum)
    a, b = maximum
    logpmf = -a * y - b * y * y - tilted_sums(LOGNORMAL, a, b, tail.q)[0]
    sigma = math.sqrt(0.5 / b)
    mu = math.log(tail.q) + (1 - a) * sigma * sigma
    return Distribution("lognormal", int(tail.q), {"mu": mu, "sigma": sigma}, None), logpmf


def _exponential(tail: Tail) -> tuple[Distribution, Float[np.ndarray, "t"]]:
    excess = tail.mean(tail.values - tail.q)
    rate = math.log1p(1.0 / excess)
    logpmf = -rate * (tail.values - tail.q) - math.log1p(excess)
    return Distribution("exponential", int(tail.q), {"rate": rate}, None), logpmf


def _stretched(tail: Tail) -> tuple[Distribution, Float[np.ndarray, "t"]]:
    beta, rate, value, edge_rate, edge_value = fit_weibull(tail.values, tail.counts)
    if value - edge_value < _GAIN:
        limit = f"Pareto law of exponent {1 + edge_rate:.6g}, rounded down"
        edge = weibull_logpmf(tail.values, 0.0, edge_rate, tail.q)
        return Distribution("stretched_exponential", int(tail.q), {}, limit), edge
    if beta > 0.99 * STEEPEST:
        return _collapsed("stretched_exponential", tail, f"not fitted: no maximum up to a shape of {STEEPEST:.0f}")
    log_usual = math.log(rate / beta) - beta * math.log(tail.q)
    if not _SMALLEST < log_usual < -_SMALLEST:
        # no float holds the rate of so steep a distribution so far from 1
        reason = f"not fitted: a shape of {beta:.0f} from {tail.q:.0f} up has no rate within reach"
        return _collapsed("stretched_exponential", tail, reason)
    usual = math.exp(log_usual)
    parameters = {"rate": usual, "beta": float(beta)}
    return Distribution("stretched_exponential", int(tail.q), parameters, None), weibull_logpmf(
        tail.values, beta, rate, tail.q
    )


def _cutoff(tail: Tail) -> tuple[Distribution, Float[np.ndarray, "t"]]:
    excess = tail.values - tail.q
    edge_mean = math.inf
    if tail.alpha > 2:
        edge_mean = tail.q * (scaled_zeta(tail.alpha - 1, tail.q) / scaled_zeta(tail.alpha, tail.q) - 1)
    maximum = _tilted("power_law_with_cutoff", tail, CUTOFF, excess, edge_mean)
    if isinstance(maximum, str):
        return _collapsed("power_law_with_cutoff", tail, maximum)
    a, b = maximum
    logpmf = -a * np.log(tail.values / tail.q) - b * excess - tilted_sums(CUTOFF, a, b, tail.q)[0]
    return Distribution("power_law_with_cutoff", int(tail.q), {"alpha": a, "rate": b}, None), logpmf


def _yule(tail: Tail) -> tuple[Distribution, Float[np.ndarray, "t"]]:
    alpha = float(fit_yule(tail.values, tail.counts, tail.alpha))
    return Distribution("yule", int(tail.q), {"alpha": alpha}, None), yule_logpmf(tail.values, alpha, tail.q)


_TWO_PARAMETERS = ("lognormal", "stretched_exponential", "power_law_with_cutoff")

_FITTERS: dict[str, Callable[[Tail], tuple[Distribution, Float[np.ndarray, "t"]]]] = {
    "lognormal": _lognormal,
    "exponential": _exponential,
    "stretched_exponential": _stretched,
    "power_law_with_cutoff": _cutoff,
    "yule": _yule,
}
