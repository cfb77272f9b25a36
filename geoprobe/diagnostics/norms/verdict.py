"""The verdict on norms and frequency."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from jaxtyping import Float64

from geoprobe.diagnostics.norms.correlations import CONTROLLED, HEAD, MIN_SEEN, Correlation
from geoprobe.diagnostics.norms.curve import MONOTONE_LEVEL, NormCurve
from geoprobe.diagnostics.norms.distances import FROM_MEAN
from geoprobe.diagnostics.norms.word_groups import WordGroup
from geoprobe.results import Interval, Verdict, number
from geoprobe.stats.correlation import fisher_interval

__all__ = ["RULE", "judge"]

LITTLE = -0.1
STRONG = -0.3
#: Largest p of ρ among permutations of the norms: documents may say to three digits what chance over tokens gives.
BY_CHANCE = 0.05
NO_SPREAD = 0.01
RULE = (
    f"Supported where Spearman's ρ of frequency and norm is at most {STRONG}, its interval lies below 0, permutations "
    f"of the norms seldom give as much (p at most {BY_CHANCE}), a monotone relation is not ruled out (p above "
    f"{MONOTONE_LEVEL}), the relation does not turn round among frequent tokens nor when distance is taken from the "
    f"mean vector instead of the origin, at most {LITTLE} is left once traits of the tokens' text are held, and those "
    "of the paper's word groups that the vocabulary has rise in its order; weak where ρ is below 0 by interval and p "
    "but one of the others fails or could not be tested; contradicted where ρ is above 0 by both; not supported where "
    f"the interval holds 0, permutations often give as much, or norms vary by less than {NO_SPREAD:.0%}; inconclusive "
    f"with fewer than {MIN_SEEN} tokens seen, or where all occur equally often."
)


def judge(
    rho: float,
    interval: Interval | None,
    pvalue: float | None,
    norms: Float64[np.ndarray, " n"],
    curve: NormCurve | None,
    groups: tuple[WordGroup, ...],
    correlations: tuple[Correlation, ...],
    distances: tuple[Correlation, ...],
) -> Verdict:
    """The verdict by `RULE`, with everything that speaks against the relation in its reason.

    `rho` is over the seen tokens, NaN where there is none; `pvalue` is two-sided, among permutations; `norms` (n,).
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
    elif curve.non_monotone:
        turn = f": {curve.describe_turn()}" if curve.describe_turn() else ""
        against.append(f"it bends (p = {number(curve.pvalue)} for a monotone one){turn}")
    means = [group.mean for group in groups if group.mean is not None]
    if any(later <= earlier for earlier, later in pairwise(means)):
        against.append("the paper's word groups do not rise in its order")
    against += [
        f"among {row.name} it is turned round (ρ = {number(row.value)})"
        for row in correlations
        if row.name.startswith(HEAD) and _rises(row)
    ][:1]
    against += [
        f"seen from the mean vector, frequent tokens are the far ones (ρ = {number(row.value)})"
        for row in distances
        if row.name == FROM_MEAN and _rises(row)
    ]
    against += [
        f"little is left once traits of the text are held (ρ = {number(row.value)})"
        for row in correlations
        if row.name == CONTROLLED and row.value > LITTLE
    ]
    if not any(row.name == CONTROLLED for row in correlations):
        against.append("traits of the text could not be held")
    if not against:
        return Verdict("supported", f"The more frequent a token, the smaller its norm (ρ = {number(rho)}).", RULE)
    return Verdict("weak", f"On the whole yes (ρ = {number(rho)}), but {'; '.join(against)}.", RULE)


def _rises(correlation: Correlation) -> bool:
    """Whether ρ is above 0 by its interval, which may be over documents, and by chance over tokens."""
    low, _ = fisher_interval(correlation.value, correlation.n, "spearman")
    return (correlation.low or 0) > 0 and low > 0
