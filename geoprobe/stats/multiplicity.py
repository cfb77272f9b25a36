"""Many tests at once."""

import math
from collections.abc import Sequence


def holm(pvalues: Sequence[float]) -> tuple[float, ...]:
    """Holm's (1979) step-down correction of p-values of any dependence, in the same order, at most 1.

    The chance of any false rejection among them keeps its level (Scandinavian Journal of Statistics 6, 65-70).
    ValueError if one is NaN: it has no place among the others.
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
