"""Many tests at once."""

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

    References
    ----------
    Holm (1979), Scandinavian Journal of Statistics 6, 65-70: the step-down form of Bonferroni's correction.
    """
    order = sorted(range(len(pvalues)), key=lambda place: pvalues[place])
    corrected = [0.0] * len(pvalues)
    largest = 0.0
    for position, place in enumerate(order):
        largest = max(largest, min(1.0, (len(pvalues) - position) * pvalues[place]))
        corrected[place] = largest
    return tuple(corrected)
