"""The exponential law of radii: p(r) proportional to exp(ζ r) on an interval."""

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float64

from geoprobe.stats.resampling import monte_carlo_pvalue


@dataclass(frozen=True)
class RadialFit:
    """p(r) proportional to exp(ζ r) on [low, high], fitted to n radii, and its Kolmogorov-Smirnov distance."""

    zeta: float
    low: float
    high: float
    ks: float
    n: int


def zeta_on_interval(mean: float, low: float, high: float) -> float:
    """Maximum-likelihood ζ: the rate at which exp(ζ r) on [low, high] has this mean, which lies strictly inside."""
    from scipy.optimize import brentq

    share = (mean - low) / (high - low)
    # on [0, 1] the law with rate -t is the mirror of that with t
    upper = max(share, 1 - share)

    def excess(t: float) -> float:
        """Mean of exp(t u) on [0, 1], less the share."""
        if t < 1e-4:
            return 0.5 + t / 12 - upper
        return -1 / math.expm1(-t) - 1 / t - upper

    # for large t the mean lies 1/t from the upper end
    t = float(brentq(excess, 0.0, 10 / (1 - upper), xtol=1e-12))
    return math.copysign(t, share - 0.5) / (high - low)


def fit_radial(radii: Float[np.ndarray, " n"]) -> RadialFit | None:
    """Maximum-likelihood fit to (n,) finite radii; None for fewer than three or where all are equal."""
    ordered = np.sort(radii.astype(np.float64))
    if ordered.size < 3 or ordered[0] == ordered[-1] or not ordered[0] < ordered.mean() < ordered[-1]:
        return None
    low, high = float(ordered[0]), float(ordered[-1])
    zeta = zeta_on_interval(float(ordered.mean()), low, high)
    shares = _cumulative(ordered, zeta, low, high)
    steps = np.arange(ordered.size + 1) / ordered.size
    ks = max(float((steps[1:] - shares).max()), float((shares - steps[:-1]).max()))
    return RadialFit(zeta, low, high, ks, ordered.size)


def radial_bootstrap(
    radii: Float[np.ndarray, " n"], replicates: int, rng: np.random.Generator
) -> Float64[np.ndarray, " replicates"]:
    """ζ on resamples of the radii, each with its own smallest and largest; NaN where there is none."""
    drawn = np.full(replicates, np.nan)
    for replicate in range(replicates):
        fitted = fit_radial(radii[rng.integers(radii.size, size=radii.size)])
        drawn[replicate] = np.nan if fitted is None else fitted.zeta
    return drawn


def radial_goodness(fitted: RadialFit, replicates: int, rng: np.random.Generator) -> float:
    """Share of samples drawn from the fit and fitted anew that are at least as far from their own fit."""
    t = fitted.zeta * (fitted.high - fitted.low)
    null = np.zeros(replicates)
    for replicate in range(replicates):
        share = rng.random(fitted.n)
        # the inverse of the law's cumulative share, from the end where it is steep
        if abs(t) < 1e-9:
            place = share
        elif t > 0:
            place = 1 + np.log1p((share - 1) * -np.expm1(-t)) / t
        else:
            place = np.log1p(share * np.expm1(t)) / t
        again = fit_radial(fitted.low + place * (fitted.high - fitted.low))
        null[replicate] = 0.0 if again is None else again.ks
    return monte_carlo_pvalue(fitted.ks, null, "greater")


def _cumulative(radii: Float64[np.ndarray, " n"], zeta: float, low: float, high: float) -> Float64[np.ndarray, " n"]:
    place, t = (radii - low) / (high - low), zeta * (high - low)
    if abs(t) < 1e-9:
        return place
    if t > 0:  # exp(t u) would overflow
        return np.asarray(np.exp(t * (place - 1)) * np.expm1(-t * place) / np.expm1(-t))
    return np.asarray(np.expm1(t * place) / np.expm1(t))
