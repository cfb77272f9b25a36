"""The verdict on hierarchy: whether general words lie nearer the origin than specific ones, beyond frequency."""

from __future__ import annotations

from geoprobe.diagnostics.hierarchy.finding import Finding
from geoprobe.results import Verdict, number, span

LEVEL = 0.05
#: Pairs with fewer of which nothing is said.
MIN_PAIRS = 200
#: Excess of a share over its null that is too small to speak of.
LITTLE = 0.01
#: Standard deviation of norms over their mean below which none can be said to be larger.
NO_SPREAD = 0.01
RULE = (
    "Of every parent the share of its children with the larger norm is taken, and the mean over parents set beside "
    "other words of equal frequency and merge rank in the taxonomy's places. Supported where it is more than half by "
    f"its interval and at least {LITTLE:.0%} more than there (two-sided p at most {LEVEL}), as seen from the mean "
    "vector too, and where depth goes with the distance from both with frequency and merge rank held (p at most "
    f"{LEVEL}); weak where it is more than there by as much, but something of the rest fails; contradicted where it is "
    "less than half by its interval and less than there by as much; not supported where words of equal frequency give "
    f"as much, or norms vary by less than {NO_SPREAD:.0%}; inconclusive with fewer than {MIN_PAIRS} pairs whose words "
    "are one token, or one parent of all."
)


def judge(findings: dict[str, Finding], spread: float) -> Verdict:
    """The verdict by `RULE`, on the findings by their keys; `spread` is that of norms over their mean."""
    share = findings["nearer_origin"]
    if share.value is None or share.excess is None or share.low is None or share.high is None:
        return Verdict("inconclusive", "One word is the parent of all others, so nothing can be said of parents.", RULE)
    if spread < NO_SPREAD:
        reason = f"No signal: norms hardly vary ({spread:.2%} of their mean), so none is larger to speak of."
        return Verdict("not supported", reason, RULE)
    null = number(share.nulls[0].mean)
    figures = f"{number(share.value)} of their children, 95% interval {span(share.low, share.high)}, against {null}"
    if not _beyond(share):
        reason = (
            "General words have smaller norms than those under them no more often than words of equal frequency and "
            f"merge rank in their places ({figures})."
        )
        return Verdict("not supported", reason, RULE)
    if share.excess < 0:
        if share.high < 0.5:
            reason = f"General words have the larger norms, beyond what their frequency gives ({figures})."
            return Verdict("contradicted", reason, RULE)
        reason = f"General words have the smaller norms less often than their frequency alone gives ({figures})."
        return Verdict("not supported", reason, RULE)
    against = _against(findings)
    if not against:
        reason = f"General words lie nearer the origin than specific ones, beyond their frequency ({figures})."
        return Verdict("supported", reason, RULE)
    reason = (
        f"Parents have the smaller norm more often than their frequency gives ({figures}), but {'; '.join(against)}."
    )
    return Verdict("weak", reason, RULE)


def _beyond(share: Finding) -> bool:
    """Whether a share is off its null by level and size."""
    pvalue = share.nulls[0].pvalue
    return pvalue is not None and pvalue <= LEVEL and share.excess is not None and abs(share.excess) >= LITTLE


def _against(findings: dict[str, Finding]) -> list[str]:
    """What speaks against a share that is larger than its null."""
    against = []
    share, mean = findings["nearer_origin"], findings["nearer_mean"]
    if share.low is None or share.low <= 0.5:
        against.append("not in more than half of the cases for certain")
    if not _beyond(mean) or (mean.excess or 0) < 0:
        here, null = number(mean.value), number(mean.nulls[0].mean if mean.nulls else None)
        against.append(f"not so as seen from the mean vector ({here} against {null})")
    for key, centre in (("depth_origin_held", "the origin"), ("depth_mean_held", "the mean vector")):
        depth = findings[key]
        pvalue = depth.nulls[0].pvalue if depth.nulls else None
        if depth.value is None or depth.value <= 0 or pvalue is None or pvalue > LEVEL:
            rho = number(depth.value)
            against.append(f"deeper words are no further from {centre} with frequency held (ρ = {rho})")
    return against
