"""The verdict on norms and frequency, and the kinds of evidence it weighs."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from jaxtyping import Float64

from geoprobe.analyzers.norms_associations import HEAD, HELD, MIN_SEEN, Association
from geoprobe.analyzers.norms_curve import BENT, NormCurve
from geoprobe.analyzers.norms_distances import FROM_MEAN
from geoprobe.analyzers.word_groups import WordGroup
from geoprobe.results import Interval, Verdict, number

__all__ = ["RULE", "FrequencyClass", "judge"]

LITTLE = -0.1
STRONG = -0.3
NO_SPREAD = 0.01
RULE = (
    f"Supported where Spearman's ρ of frequency and norm is at most {STRONG}, its interval lies below 0, a monotone "
    f"relation is not ruled out (p above {BENT}), the relation does not turn round among frequent tokens nor when "
    f"distance is taken from the mean vector instead of the origin, at most {LITTLE} is left once traits of the "
    "tokens' text are held, and the paper's word groups rise in its order; weak where the interval lies below 0 but "
    "one of the others fails; contradicted where the interval lies above 0; not supported where it holds 0 or norms "
    f"vary by less than {NO_SPREAD:.0%}; inconclusive with fewer than {MIN_SEEN} tokens seen."
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
    if interval is None or spread < NO_SPREAD:
        return Verdict(
            "not supported", f"No signal: norms hardly vary ({spread:.2%} of their mean), so none can follow it.", RULE
        )
    if interval.low > 0:
        return Verdict("contradicted", f"Frequent tokens have the larger norms (ρ = {number(rho)}).", RULE)
    if interval.high >= 0:
        return Verdict("not supported", f"Norms do not follow frequency (ρ = {number(rho)}, interval with 0).", RULE)
    against = []
    if rho > STRONG:
        against.append("the relation is loose")
    if curve is not None and curve.bent:
        against.append(f"it bends (p = {number(curve.pvalue)} for a monotone one): {curve.describe_turn()}")
    means = [group.mean for group in groups if group.mean is not None]
    if any(later <= earlier for earlier, later in pairwise(means)):
        against.append("the paper's word groups do not rise in its order")
    against += [
        f"among {each.name} it is turned round (ρ = {number(each.value)})"
        for each in associations
        if each.name.startswith(HEAD) and (each.low or 0) > 0
    ][:1]
    against += [
        f"seen from the mean vector, frequent tokens are the far ones (ρ = {number(each.value)})"
        for each in distances
        if each.name == FROM_MEAN and (each.low or 0) > 0
    ]
    against += [
        f"little is left once traits of the text are held (ρ = {number(each.value)})"
        for each in associations
        if each.name == HELD and each.value > LITTLE
    ]
    if not against:
        return Verdict("supported", f"The more frequent a token, the smaller its norm (ρ = {number(rho)}).", RULE)
    return Verdict("weak", f"On the whole yes (ρ = {number(rho)}), but {'; '.join(against)}.", RULE)
