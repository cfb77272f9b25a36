"""The verdict on a power law in words: the labels are those of `geoprobe.stats.powerlaw`, the reason is made here."""

from __future__ import annotations

from geoprobe.diagnostics.frequency.source import SourceFit, SourceRange
from geoprobe.results import Verdict, VerdictLabel, number
from geoprobe.stats import powerlaw
from geoprobe.stats.powerlaw.source import SOURCE_RULE
from geoprobe.stats.powerlaw.verdict import LEVEL, better

RULE = (
    f"{SOURCE_RULE} Supported too where the counts themselves are a power law from 1 up: bootstrap p at least {LEVEL}, "
    "and no other law of counts better."
)
"""The rule, in words."""


def judge(assessed: powerlaw.Assessment, source: SourceFit) -> Verdict:
    """The label with its grounds."""
    if assessed.label == "inconclusive" and not source.ranges:
        return Verdict("inconclusive", f"{assessed.inconclusive}. Give a larger corpus.", RULE)
    if assessed.whole_goodness.pvalue >= LEVEL and not better(assessed.whole) and source.label != "supported":
        p = f"p = {number(assessed.whole_goodness.pvalue)}"
        return Verdict("supported", f"The counts themselves follow a power law from 1 up ({p}), no other better.", RULE)
    if not source.ranges:
        return Verdict("inconclusive", "Too few types were seen often. Give a larger corpus.", RULE)
    return Verdict(_label(source), " ".join([*_reason(source), *_stability(source)]), RULE)


def _label(source: SourceFit) -> VerdictLabel:
    labels: tuple[VerdictLabel, ...] = ("supported", "weak", "not supported", "contradicted", "inconclusive")
    return next(label for label in labels if label == source.label)


def _reason(source: SourceFit) -> tuple[str, ...]:
    first, last = source.ranges[0], source.ranges[-1]
    holds = not last.better and last.pvalue >= LEVEL
    who = "all types" if last.least == 1 else f"types seen at least {last.least:,} times"
    shares = (
        "" if last.least == 1 else f", {last.type_share:.0%} of the types and {last.token_share:.0%} of the tokens,"
    )
    fit = f"s = {number(last.s)}, p = {number(last.pvalue)}"
    whole = f"Over all types, {_named(first)} rates describe the counts better." if first.better else ""
    if not holds:
        said = f"Even among {who}{shares} the counts are not like a sample of a power law (p = {number(last.pvalue)})."
        if last.least == 1:
            said = f"The counts are not like a sample of a power law (p = {number(last.pvalue)})."
        return (said, whole) if whole else (said,)
    change = f"γ changes by {number(last.drift)} along it, {_between(last)}"
    if source.label == "supported":
        return (f"The counts of {who}{shares} are like a sample of a power law ({fit}): {change}.",)
    if source.label == "weak" and last.least > 1:
        return tuple(filter(None, (f"Only {who}{shares} are like a sample of a power law ({fit}).", whole)))
    if source.label == "weak":
        return (f"A sample of a power law would look so ({fit}), but {change}: that it is one law is not shown.",)
    more = "Give a larger corpus." if source.label == "inconclusive" else whole
    said = f"A power law is not ruled out for {who}{shares} ({fit}), but {change}: too wide to say that it is one law."
    return tuple(filter(None, (said, more)))


def _between(taken: SourceRange) -> str:
    if taken.drift_low is None or taken.drift_high is None:
        return "without a bound"
    return f"{number(taken.drift_low)} to {number(taken.drift_high)}"


def _named(first: SourceRange) -> str:
    return " and ".join(name.replace("power law", "power-law") for name in first.better)


def _stability(source: SourceFit) -> tuple[str, ...]:
    agreeing, halves = source.agreeing
    return (f"Of {halves} random halves of the corpus, {agreeing} give the same answer.",) if halves else ()
