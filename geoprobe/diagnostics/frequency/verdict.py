"""The verdict on a power law in words: the label is that of `geoprobe.stats.powerlaw`, the reason is made here."""

from __future__ import annotations

from geoprobe.diagnostics.frequency.fit import distribution_name
from geoprobe.results import Verdict, number
from geoprobe.stats import powerlaw
from geoprobe.stats.powerlaw.verdict import LEVEL, RULE, better

__all__ = ["RULE", "judge"]


def judge(assessed: powerlaw.Assessment, pvalue: float | None) -> Verdict:
    """The label with its grounds; `pvalue` is the one shown, which is never 0."""
    fitted = assessed.goodness.fit
    if assessed.label == "inconclusive":
        return Verdict("inconclusive", f"{assessed.inconclusive}. Give a larger corpus.", RULE)
    covered = f"counts of {fitted.xmin:,} and more, {fitted.type_share:.0%} of the types"
    fits = (
        f"For {covered}, a power law is not ruled out"
        if assessed.goodness.pvalue >= LEVEL
        else f"Even in its best range, {covered}, the counts lie further from a power law than samples of one"
    )
    return Verdict(assessed.label, f"{fits} (p = {number(pvalue)}); {_alternatives(assessed)}.", RULE)


def _alternatives(assessed: powerlaw.Assessment) -> str:
    tail, whole = (", ".join(map(distribution_name, better(of))) for of in (assessed.tail, assessed.whole))
    if not tail and not whole:
        return "no other law describes the counts better"
    if tail == whole:
        return f"better there and over the whole range: {tail}"
    parts = [f"better there: {tail}"] if tail else []
    return "; ".join([*parts, *([f"better over the whole range: {whole}"] if whole else [])])
