"""The verdict on curvature: whether the neighbour graph is more negatively curved than a cloud of the same shape."""

from __future__ import annotations

from geoprobe.results import Interval, Verdict, VerdictLabel, number, span

LEVEL = 0.05
MIN_TOKENS = 256
RULE = (
    "Supported where the mean Ollivier–Ricci curvature of the neighbour graph's edges is negative by its interval and "
    "lower than in clouds that keep covariance and norms (two-sided p at most 0.05); contradicted where it is positive "
    "by its interval, or higher than in those clouds; not supported where such clouds give as much; inconclusive with "
    f"fewer than {MIN_TOKENS} usable tokens."
)


def judge(curvature: float, interval: Interval, null_mean: float, pvalue: float) -> Verdict:
    """The verdict by `RULE`; p is two-sided."""
    figures = f"{number(curvature)}, 95% interval {span(interval.low, interval.high)}, against {number(null_mean)}"
    label: VerdictLabel = "not supported"
    if interval.low > 0:
        label = "contradicted"
        reason = f"The edges of the neighbour graph are positively curved on average ({figures} without structure)."
    elif pvalue > LEVEL:
        reason = (
            "The curvature of the neighbour graph is what a cloud of the same covariance and norms has, with no "
            f"structure in it ({figures})."
        )
    elif curvature > null_mean:
        label = "contradicted"
        reason = (
            "The neighbour graph is less negatively curved than a cloud of the same covariance and norms with no "
            f"structure in it ({figures}): negative curvature is what high dimension gives, and these tokens have less "
            "of it."
        )
    elif interval.high < 0:
        label = "supported"
        reason = (
            "The neighbour graph is more negatively curved than the covariance and norms of its tokens explain "
            f"({figures})."
        )
    else:
        reason = f"The curvature of the neighbour graph is lower than chance gives, but not negative ({figures})."
    return Verdict(label, reason, RULE)
