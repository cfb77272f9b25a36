"""One verdict from the goodness of fit, the coverage of the tail and the comparison with alternatives."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from geoprobe.stats.powerlaw.alternatives import NAMES
from geoprobe.stats.powerlaw.comparison import Comparison, compare_histogram
from geoprobe.stats.powerlaw.estimation import Support
from geoprobe.stats.powerlaw.goodness import GoodnessOfFit, goodness_of_histogram
from geoprobe.stats.powerlaw.histogram import histogram
from geoprobe.stats.powerlaw.replication import generator

Label = Literal["supported", "weak", "not supported", "contradicted", "inconclusive"]

LEVEL = 0.05
"""Level of the goodness-of-fit test, and of all alternatives together."""

WIDE = 0.5
"""Share of types from which a tail counts as covering the data: lognormal samples seldom reach it."""

NARROW = 0.1
"""Share of types below which a fit says nothing about the data as a whole."""

FEWEST_IN_TAIL = 50
"""Types that a tail needs for a verdict (Clauset, Shalizi and Newman, section 3.4)."""

RULE = (
    f"Supported where the bootstrap p of the tail is at least {LEVEL}, no other law is better on it (p at most {LEVEL} "
    f"over the {len(NAMES)} laws, each), and the tail holds half of the types or the same is true from 1 up; weak "
    f"where the tail holds {NARROW:.0%} of the types; contradicted where p is below {LEVEL} and another law is better "
    f"on the tail or from 1 up; inconclusive with fewer than {FEWEST_IN_TAIL} types in the tail or too few distinct "
    "counts; not supported otherwise."
)
"""The rule, in words."""


@dataclass(frozen=True, eq=False)
class Assessment:
    """Everything that the verdict rests on: tests of the tail and from x = 1 up, each with its alternatives."""

    goodness: GoodnessOfFit
    whole_goodness: GoodnessOfFit
    tail: Comparison
    whole: Comparison
    label: Label
    inconclusive: str | None


def assess(
    values: ArrayLike,
    multiplicities: ArrayLike | None = None,
    *,
    replicates: int = 1000,
    rng: np.random.Generator | int | None = None,
    support: Support = "observed",
) -> Assessment:
    """Fit, test and compare a power law, and judge it.

    The arguments are those of :func:`goodness_of_fit`.
    """
    counts = histogram(values, multiplicities)
    source = generator(rng)
    goodness = goodness_of_histogram(counts, replicates=replicates, rng=source, support=support)
    whole_goodness = goodness_of_histogram(counts, replicates=replicates, rng=source, support=support, xmin=1)
    tail = compare_histogram(counts, xmin=goodness.fit.xmin)
    whole = compare_histogram(counts, xmin=1)
    return Assessment(goodness, whole_goodness, tail, whole, *judge(goodness, whole_goodness, tail, whole))


def judge(
    goodness: GoodnessOfFit, whole_goodness: GoodnessOfFit, tail: Comparison, whole: Comparison
) -> tuple[Label, str | None]:
    """The label, and why it is inconclusive where it is, from the tests and alternatives of the tail and from 1 up.

    A p alone is no support: far out in a tail nearly every smooth law looks like a power law. So the tail must also
    cover the data, or the power law hold below it, and no alternative may describe the tail better.
    """
    fitted = goodness.fit
    if goodness.inconclusive is not None:
        return "inconclusive", goodness.inconclusive
    if fitted.n_tail < FEWEST_IN_TAIL:
        return "inconclusive", f"{fitted.n_tail} types in the tail, fewer than {FEWEST_IN_TAIL}"
    on_tail, on_whole = better(tail), better(whole)
    label = _label(
        rejected=goodness.pvalue < LEVEL,
        beaten=bool(on_tail),
        beaten_whole=bool(on_whole),
        holds_whole=whole_goodness.pvalue >= LEVEL and not on_whole,
        type_share=fitted.type_share,
    )
    return label, None


def better(compared: Comparison) -> tuple[str, ...]:
    """Alternatives that are closer to the counts, at a level that all of them share."""
    return tuple(
        row.name
        for row in compared
        if row.loglikelihood_ratio < 0
        and row.pvalue <= LEVEL / len(compared)
        and row.distinguishable
        and not row.degenerate
    )


def _label(*, rejected: bool, beaten: bool, beaten_whole: bool, holds_whole: bool, type_share: float) -> Label:
    if rejected:
        return "contradicted" if beaten or beaten_whole else "not supported"
    if beaten:
        return "not supported"
    if type_share >= WIDE or holds_whole:
        return "supported"
    return "weak" if type_share >= NARROW else "not supported"
