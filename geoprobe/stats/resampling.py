"""Resampling: bootstrap intervals and Monte-Carlo p-values."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float, Int64
from scipy.special import ndtri, stdtrit


@dataclass(frozen=True)
class MonteCarloTest:
    """A statistic beside draws of it under a null, whose standard deviation is 0 for one draw.

    z is (observed - mean) / sd, None where the draws do not vary; p as `monte_carlo_pvalue` gives it.
    """

    observed: float
    null_mean: float
    null_sd: float
    z: float | None
    pvalue: float


def bootstrap_mean(
    values: Float[np.ndarray, " n"], rng: np.random.Generator, *, replicates: int = 2000, level: float = 0.95
) -> tuple[float, float]:
    """Percentile bootstrap interval of a mean, the values being the independent units, widened for few of them.

    Resamples of n values vary as if their variance were the one over n, not over n - 1, and their quantiles are those
    of a known variance. So both ends are moved away from the mean by sqrt(n / (n - 1)) times Student's quantile with
    n − 1 degrees of freedom over the normal one: for normal values the interval is nearly Student's, and it keeps the
    skew that the resamples show. For many values it is the percentile interval. ValueError for fewer than two values.

    Efron (1979), Annals of Statistics 7, 1-26. How narrow percentile intervals of few values are, and the factor:
    Hesterberg (2015), American Statistician 69, 371-386.
    """
    if values.size < 2:
        raise ValueError(f"values has {values.size} entries; an interval of a mean needs at least two.")
    picks = rng.integers(values.size, size=(replicates, values.size))
    centre, upper = values.mean(), (1 + level) / 2
    ends = np.quantile(values[picks].mean(axis=1), [1 - upper, upper])
    stretch = np.sqrt(values.size / (values.size - 1)) * stdtrit(values.size - 1, upper) / ndtri(upper)
    low, high = centre + stretch * (ends - centre)
    return float(low), float(high)


def bootstrap_ratio_of_groups(
    numerators: Float[np.ndarray, " n"],
    denominators: Float[np.ndarray, " n"],
    groups: Int64[np.ndarray, " n"],
    rng: np.random.Generator,
    *,
    replicates: int = 1000,
    level: float = 0.95,
) -> tuple[float, float] | None:
    """Percentile bootstrap interval of a ratio of two sums, whole groups being the independent units.

    With denominators of 1 it is that of a mean of values that go together. None for fewer than two groups, or where
    resamples leave nothing to divide by.

    Resampling whole clusters: Cameron, Gelbach and Miller (2008), Review of Economics and Statistics 90, 414-427.
    """
    _, group, counts = np.unique(groups, return_inverse=True, return_counts=True)
    n = counts.size
    if n < 2:
        return None
    above, below = (np.bincount(group, weights=values, minlength=n) for values in (numerators, denominators))
    ratios = np.empty(replicates)
    for replicate in range(replicates):
        drawn = rng.integers(n, size=n)
        divisor = below[drawn].sum()
        ratios[replicate] = above[drawn].sum() / divisor if divisor > 0 else np.nan
    if not np.isfinite(ratios).all():
        return None
    low, high = np.quantile(ratios, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def student_mean(values: Float[np.ndarray, " n"], *, level: float = 0.95) -> tuple[float, float] | None:
    """Student's interval of a mean, (low, high), the values being the independent units; None for fewer than two."""
    if values.size < 2:
        return None
    reach = float(stdtrit(values.size - 1, (1 + level) / 2)) * float(values.std(ddof=1)) / float(np.sqrt(values.size))
    return float(values.mean()) - reach, float(values.mean()) + reach


def monte_carlo_pvalue(
    observed: float, null: Float[np.ndarray, " replicates"], alternative: Literal["less", "greater", "two-sided"]
) -> float:
    """The share of null replicates at least as extreme, the observed value counted among them.

    (1 + as extreme) / (1 + replicates), never 0: Phipson and Smyth (2010), equation 2. NaN where the observed value is;
    a NaN in the null counts as extreme on either side, which makes no p smaller. ``two-sided`` doubles the smaller
    side.
    """
    if np.isnan(observed):
        return float("nan")
    extreme = 1 + int(np.isnan(null).sum())
    below = (extreme + int((null <= observed).sum())) / (1 + null.size)
    above = (extreme + int((null >= observed).sum())) / (1 + null.size)
    if alternative == "less":
        return below
    return above if alternative == "greater" else min(1.0, 2 * min(below, above))


def monte_carlo_test(
    observed: float, null: Float[np.ndarray, " replicates"], alternative: Literal["less", "greater", "two-sided"]
) -> MonteCarloTest:
    """A statistic against draws of it under a null."""
    mean, spread = float(null.mean()), float(null.std(ddof=1)) if null.size > 1 else 0.0
    z = (observed - mean) / spread if spread > 0 else None
    return MonteCarloTest(observed, mean, spread, z, monte_carlo_pvalue(observed, null, alternative))


def draw_until_clear(
    observed: float,
    draw: Callable[[int], Float[np.ndarray, " batch"]],
    most: int,
    *,
    level: float = 0.05,
    batch: int = 20,
) -> Float[np.ndarray, " drawn"]:
    """Draw a null until the test towards low values cannot reject any more, or ``most`` times.

    Once so many draws are as low as the data that p would be above ``level`` whatever the rest were, the rest are not
    drawn: what is rejected at ``level`` is what ``most`` draws would reject (after Besag and Clifford 1991, Biometrika
    78, 301-304). `draw` gives a number of draws under the null; `batch` are made at a time.
    """
    drawn = np.zeros(0)
    while drawn.size < most and 1 + int((drawn <= observed).sum()) <= level * (most + 1):
        drawn = np.concatenate([drawn, draw(min(batch, most - drawn.size))])
    return drawn
