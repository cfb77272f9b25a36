"""Spearman's correlation in a population of which a weighted sample is known."""

from math import sqrt

import numpy as np
from jaxtyping import Float, Shaped

from geoprobe.stats.correlation import Correlation, codes_of, fisher_interval, weighted_ranks


def weighted_spearman(
    x: Shaped[np.ndarray, " n"], y: Shaped[np.ndarray, " n"], weights: Float[np.ndarray, " n"], *, level: float = 0.95
) -> Correlation:
    """Spearman's ρ of the population that a sample stands for: a pair of weight w counts as w equal pairs.

    (n,) finite x and y, (n,) positive weights: one over the chance of being drawn. The interval is by Fisher's z at the
    effective sample size. ValueError when a weight is not positive.
    """
    if not (weights > 0).all():
        raise ValueError(f"{int((~(weights > 0)).sum())} weights are not positive; leave those pairs out.")
    codings = [codes_of(side) for side in (x, y)]
    if any(distinct.size < 2 for _, distinct in codings):  # their ranks differ from the mean by rounding
        return Correlation(float("nan"), float("nan"), float("nan"), level, x.size)
    first, second = (weighted_ranks(codes, weights) for codes, _ in codings)
    total = float(weights.sum())
    first, second = first - float(weights @ first) / total, second - float(weights @ second) / total
    scale = sqrt(float(weights @ first**2) * float(weights @ second**2))
    rho = max(-1.0, min(1.0, float(weights @ (first * second)) / scale)) if scale > 0 else float("nan")
    return Correlation(rho, *fisher_interval(rho, effective_size(weights), "spearman", level=level), level, x.size)


def effective_size(weights: Float[np.ndarray, " n"]) -> int:
    """Pairs of equal weight that tell as much (Kish 1965, *Survey Sampling*, section 11.7), rounded down."""
    if not weights.size:
        return 0
    # rounding first, as the ratio of n equal weights may lie just below n
    return int(round(float(weights.sum()) ** 2 / float(weights @ weights), 6))
