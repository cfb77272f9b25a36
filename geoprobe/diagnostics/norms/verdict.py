"""The verdict on norms and frequency, and the kinds of evidence it weighs."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from jaxtyping import Float64

from geoprobe.diagnostics.norms.correlations import HEAD, HELD, MIN_SEEN, Association
from geoprobe.diagnostics.norms.curve import BENT, NormCurve
from geoprobe.diagnostics.norms.distances import FROM_MEAN
from geoprobe.diagnostics.norms.word_groups import WordGroup
from geoprobe.results import Interval, Verdict, number
from geoprobe.stats.correlation import fisher_interval

__all__ = ["RULE", "FrequencyClass", "judge"]

LITTLE = -0.1
STRONG = -0.3
#: Largest p of ρ among permutations of the norms: documents may say to three digits what chance over tokens gives.
BY_CHANCE = 0.05
NO_SPREAD = 0.01
RULE = (
    f"Supported where Spearman's ρ of frequency and norm is at most {STRONG}, its interval lies below 0, permutations "
    f"of the norms seldom give as much (p at most {BY_CHANCE}), a monotone relation is not ruled out (p above {BENT}), "
    "the relation does not turn round among frequent tokens nor when distance is taken from the mean vector instead of "
    f"the origin, at most {LITTLE} is left once traits of the tokens' text are held, and those of the paper's word "
    "groups that the vocabulary has rise in its order; weak where ρ is below 0 by interval and p but one of the others "
    "fails or could not be tested; contradicted where ρ is above 0 by both; not supported where the interval holds 0, "
    f"permutations often give as much, or norms vary by less than {NO_SPREAD:.0%}; inconclusive with fewer than "
    f"{MIN_SEEN} tokens seen, or where all occur equally often."
)


@dataclass(frozen=True)
class FrequencyClass:
    """Tokens that occur `low` to `high` times: how many, and mean and standard deviation of their norms."""

    low: int
    high: int
    n: int
    centre: float
    mean: float
    sd: float

    @property
    def name(self) -> str:
        """The class as a reader calls it: ``1``, ``2-4``."""
        return f"{self.low:,}" if self.low == self.high else f"{self.low:,}–{self.high:,}"


def judge(
    rho: float,
    interval: Interval | None,
    pvalue: float | None,
    norms: Float64[np.ndarray, " n"],
    curve: NormCurve | None,
    groups: tuple[WordGroup, ...],
    associations: tuple[Association, ...],
    distances: tuple[Association, ...],
) -> Verdict:
    """The verdict by `RULE`, with everything that speaks against the relation in its reason.

    Parameters
    ----------
    rho : float
        Spearman's ρ over the seen tokens; NaN where there is none.
    interval : Interval or None
        Of ρ.
    pvalue : float or None
        Two-sided, of ρ among permutations of the norms.
    norms : array of float
        (n,) norms of the seen tokens.
    curve : NormCurve or None
        The relation's shape.
    groups, associations, distances
        The relation in the paper's word groups, asked in other ways, and of distances from other points.
    """
    if norms.size < MIN_SEEN:
        return Verdict("inconclusive", f"Only {norms.size} tokens were seen. Give a larger corpus.", RULE)
    spread = float(norms.std() / norms.mean()) if norms.mean() > 0 else 0.0
    if spread < NO_SPREAD:
        return Verdict(
            "not supported", f"No signal: norms hardly vary ({spread:.2%} of their mean), so none can follow it.", RULE
        )
    if interval is None or pvalue is None:
        return Verdict("inconclusive", "All tokens seen occur equally often. Give a larger corpus.", RULE)
    if interval.low <= 0 <= interval.high:
        return Verdict("not supported", f"Norms do not follow frequency (ρ = {number(rho)}, interval with 0).", RULE)
    if pvalue > BY_CHANCE:
        return Verdict(
            "not supported",
            f"Norms do not follow frequency: permuted ones give a ρ as far from 0 as {number(rho)} too often "
            f"(p = {number(pvalue)}).",
            RULE,
        )
    if rho > 0:
        return Verdict("contradicted", f"Frequent tokens have the larger norms (ρ = {number(rho)}).", RULE)
    against = []
    if rho > STRONG:
        against.append("the relation is loose")
    if curve is None:
        against.append("whether it is monotone could not be tested")
    elif curve.bent:
        turn = f": {curve.describe_turn()}" if curve.describe_turn() else ""
        against.append(f"it bends (p = {number(curve.pvalue)} for a monotone one){turn}")
    means = [group.mean for group in groups if group.mean is not None]
    if any(later <= earlier for earlier, later in pairwise(means)):
        against.append("the paper's word groups do not rise in its order")
    against += [
        f"among {each.name} it is turned round (ρ = {number(each.value)})"
        for each in associations
        if each.name.startswith(HEAD) and _rises(each)
    ][:1]
    against += [
        f"seen from the mean vector, frequent tokens are the far ones (ρ = {number(each.value)})"
        for each in distances
        if each.name == FROM_MEAN and _rises(each)
    ]
    against += [
        f"little is left once traits of the text are held (ρ = {number(each.value)})"
        for each in associations
        if each.name == HELD and each.value > LITTLE
    ]
    if not any(each.name == HELD for each in associations):
        against.append("traits of the text could not be held")
    if not against:
        return Verdict("supported", f"The more frequent a token, the smaller its norm (ρ = {number(rho)}).", RULE)
    return Verdict("weak", f"On the whole yes (ρ = {number(rho)}), but {'; '.join(against)}.", RULE)


def _rises(association: Association) -> bool:
    """Whether ρ is above 0 by its interval, which may be over documents, and by chance over tokens."""
    low, _ = fisher_interval(association.value, association.n, "spearman")
    return (association.low or 0) > 0 and low > 0
