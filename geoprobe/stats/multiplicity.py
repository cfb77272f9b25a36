"""Many tests at once."""

import math
from collections.abc import Sequence

__all__ = ["holm"]


def holm(pvalues: Sequence[float]) -> tuple[float, ...]:
    """Correct p-values so that the chance of any false rejection among them keeps its level.

    Parameters
    ----------
    pvalues
        One a test, of any dependence.

    Returns
    -------
    tuple of float
        Corrected, in the same order, at most 1.

    Raises
    ------
    ValueError
        If one is NaN: it has no place among the others.

    References
    ----------
    Holm (1979), Scandinavian Journal of Statistics 6, 65-70: the step-down form of Bonferroni's correction.
    """
    spoilt = [place for place, pvalue in enumerate(pvalues) if math.isnan(pvalue)]
    if spoilt:
        raise ValueError(f"p-value {spoilt[0]} is NaN ({len(spoilt)} of {len(pvalues)} are); leave that test out.")
    order = sorted(range(len(pvalues)), key=lambda place: pvalues[place])
    corrected = [0.0] * len(pvalues)
    largest = 0.0
    for position, place in enumerate(order):
        largest = max(largest, min(1.0, (len(pvalues) - position) * pvalues[place]))
        corrected[place] = largest
    return tuple(corrected)
