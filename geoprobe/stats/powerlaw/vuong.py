"""Vuong's likelihood-ratio test between two fitted laws, and its variant for nested ones."""

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int


@dataclass(frozen=True)
class VuongTest:
    """Log-likelihood ratio of two laws, its statistic, p, and whether the laws can be told apart at all."""

    ratio: float
    statistic: float
    pvalue: float
    distinguishable: bool


def vuong(
    difference: Float[np.ndarray, "t"],
    counts: Int[np.ndarray, "t"],
    *,
    parameters: int = 2,
    nested: bool = False,
) -> VuongTest:
    """Which of two fitted distributions is closer to the data; a positive ratio favours the first.

    ``difference`` is (t,) the log-probability under the first less that under the second at each distinct value, which
    ``counts`` (t,) types have. If ``nested`` the second family contains the first: the statistic is ``2 |R|`` and p
    comes from chi-squared with one degree of freedom; at the edge of a parameter's range the true p is half of that, so
    the test is conservative. Otherwise the statistic is ``R / (sqrt(n) s)``, standard normal where neither is closer.
    It means nothing where the two coincide, as a steep Yule distribution and a power law do: Vuong's preliminary test
    on ``n s**2`` is applied with an upper bound of its critical value at level 0.1, chi-squared with as many degrees of
    freedom as the two have ``parameters`` together.

    References
    ----------
    Vuong (1989), Econometrica 57, 307–333: sections 4 and 5; Clauset, Shalizi and Newman (2009), appendix C.
    """
    from scipy.special import chdtri

    n = int(counts.sum())
    ratio = math.fsum(difference * counts)
    if nested:
        statistic = 2 * abs(ratio)
        return VuongTest(ratio, statistic, math.erfc(math.sqrt(statistic / 2)), True)
    total = math.fsum(counts * (difference - ratio / n) ** 2)
    # differences that are constant to rounding say nothing
    if total <= n * (1e-13 * float(np.abs(difference).max())) ** 2:
        return VuongTest(ratio, 0.0, 1.0, False)
    statistic = ratio / math.sqrt(total)
    pvalue = math.erfc(abs(statistic) / math.sqrt(2))
    return VuongTest(ratio, statistic, pvalue, bool(total > chdtri(parameters, 0.1)))
