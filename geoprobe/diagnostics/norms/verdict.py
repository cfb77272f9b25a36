"""The verdict on norms and frequency."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float64

from geoprobe.diagnostics.norms.correlations import CONTROLLED, HEAD, MIN_SEEN, Correlation
from geoprobe.diagnostics.norms.curve import MONOTONE_LEVEL, NormCurve
from geoprobe.diagnostics.norms.distances import FROM_MEAN
from geoprobe.diagnostics.norms.word_groups import GroupOrder
from geoprobe.results import Interval, Verdict, number

#: Size of ρ below which a relation is too small to speak of, and from which it is strong.
_LITTLE, _STRONG = 0.1, 0.3
#: Largest p of ρ among permutations of the norms, and of the word groups' order.
_BY_CHANCE = 0.05
NO_SPREAD = 0.01
RULE = (
    "What speaks against the sign of Spearman's ρ of frequency and norm is collected whatever the sign: a "
    f"monotone relation is ruled out (p at most {MONOTONE_LEVEL}), the sign reverses among frequent tokens, in "
    f"the paper's word groups (p at most {_BY_CHANCE}) or as seen from the mean vector, or less than {_LITTLE} is "
    f"left controlling for traits of the tokens' text. Supported where ρ is at most −{_STRONG}, its interval lies "
    f"below 0, permutations of the norms seldom give as much (p at most {_BY_CHANCE}), and nothing speaks against "
    f"it; weak where ρ is at most −{_LITTLE} by interval and p but something does, or could not be tested, or ρ is "
    f"smaller than {_STRONG}; contradicted where ρ is at least {_LITTLE} by both and the sign reverses neither in "
    "the test of a monotone relation nor among frequent tokens nor in word groups; not supported where ρ is "
    f"smaller than {_LITTLE}, its interval holds 0, permutations often give as much, or norms vary by less than "
    f"{NO_SPREAD:.0%}, and where a larger positive ρ reverses; inconclusive with fewer than {MIN_SEEN} tokens "
    "seen, or where all occur equally often."
)


def judge(
    rho: float,
    interval: Interval | None,
    pvalue: float | None,
    norms: Float64[np.ndarray, " n"],
    curve: NormCurve | None,
    order: GroupOrder | None,
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
    missing = _missing(rho, interval, pvalue)
    if missing:
        if curve is not None and curve.non_monotone:
            missing = f"Norms follow frequency in no one direction: {missing}, yet {_bends(curve)}."
            return Verdict("not supported", missing, RULE)
        return Verdict("not supported", f"Norms do not follow frequency: {missing}.", RULE)
    turned = _turned(rho, curve, order, correlations)
    against = [*turned, *_weakened(rho, curve, correlations, distances)]
    if rho > 0:
        said = f"requent tokens have the larger norms (ρ = {number(rho)})"
        if turned:
            return Verdict("not supported", f"On the whole, f{said}, but {'; '.join(against)}.", RULE)
        though = f", though {'; '.join(against)}" if against else ""
        return Verdict("contradicted", f"F{said}{though}.", RULE)
    if not against:
        return Verdict("supported", f"The more frequent a token, the smaller its norm (ρ = {number(rho)}).", RULE)
    said = f"On the whole, frequent tokens have the smaller norms (ρ = {number(rho)})"
    return Verdict("weak", f"{said}, but {'; '.join(against)}.", RULE)


def _missing(rho: float, interval: Interval, pvalue: float) -> str:
    """Why there is no relation to speak of; empty where there is one."""
    if interval.low <= 0 <= interval.high:
        return f"ρ = {number(rho)}, with an interval from {number(interval.low)} to {number(interval.high)}"
    if pvalue > _BY_CHANCE:
        return f"permuted ones give a ρ as far from 0 as {number(rho)} too often (p = {number(pvalue)})"
    return f"ρ = {number(rho)} is too small to speak of" if abs(rho) < _LITTLE else ""


def _turned(
    rho: float, curve: NormCurve | None, order: GroupOrder | None, correlations: tuple[Correlation, ...]
) -> list[str]:
    """Where the relation has another direction than ρ says."""
    turned = [_bends(curve)] if curve is not None and curve.non_monotone else []
    # groups are counted from frequent to rare, so their ρ has the other sign
    if order is not None and order.rho * rho > 0 and order.pvalue <= _BY_CHANCE:
        turned.append(
            f"the paper's word groups run the other way (ρ = {number(order.rho)} from frequent to rare, "
            f"p = {number(order.pvalue)})"
        )
    turned += [
        f"among {row.name} the relation is reversed (ρ = {number(row.value)})"
        for row in correlations
        if row.name.startswith(HEAD) and _opposes(row, rho)
    ][:1]
    return turned


def _weakened(
    rho: float, curve: NormCurve | None, correlations: tuple[Correlation, ...], distances: tuple[Correlation, ...]
) -> list[str]:
    """What makes less of the relation, without another direction."""
    weakened = ["the relation is loose"] if abs(rho) < _STRONG else []
    if curve is None:
        weakened.append("whether it is monotone could not be tested")
    weakened += [
        f"measured from the mean vector, frequent tokens lie {'farther out' if rho < 0 else 'nearer'} "
        f"(ρ = {number(row.value)})"
        for row in distances
        if row.name == FROM_MEAN and _opposes(row, rho)
    ]
    controlled = [row for row in correlations if row.name == CONTROLLED]
    weakened += [
        f"little of it is left once traits of the text are controlled for (ρ = {number(row.value)})"
        for row in controlled
        if row.value * np.sign(rho) < _LITTLE
    ]
    return weakened if controlled else [*weakened, "traits of the text could not be controlled for"]


def _bends(curve: NormCurve) -> str:
    return f"it is not monotone (a monotone relation is ruled out, p = {number(curve.pvalue)}): {curve.describe_run()}"


def _opposes(correlation: Correlation, rho: float) -> bool:
    """Whether a coefficient is beyond 0 on the other side by its interval."""
    if correlation.low is None or correlation.high is None:
        return False
    return correlation.low > 0 if rho < 0 else correlation.high < 0
