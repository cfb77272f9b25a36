"""The relation of norm and frequency as curves: a monotone one, a free one, and whether the former is enough."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from jaxtyping import Float64, Int64

from geoprobe.compact import Compact
from geoprobe.figure import floats
from geoprobe.results import Row, number
from geoprobe.stats.monotone import class_means, isotonic, monotone_test
from geoprobe.stats.smooth import smooth_curve

#: Level of the test that a relation is monotone.
MONOTONE_LEVEL = 0.05
_REPLICATES = 999


@dataclass(frozen=True)
class NormCurve(Compact):
    """Curves of norm over frequency (occurrences), and the test that they are monotone.

    The direction is the one that there is less evidence against; the statistic the steepest run against it, in standard
    errors, and `run` the occurrences between which that lies. The closest monotone curve is class by class; the free
    one has a pointwise 95% band. Reports of geoprobe 0.2 say where it turns; that interval did not cover, so it is no
    longer given.
    """

    direction: Literal["falling", "rising"]
    statistic: float
    pvalue: float
    run: tuple[float, float]
    steps: tuple[float, ...]
    monotone: tuple[float, ...]
    frequency: tuple[float, ...]
    smooth: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]
    turn_kind: Literal["lowest", "highest"] | None = None
    turn: float | None = None
    turn_low: float | None = None
    turn_high: float | None = None
    turn_share: float | None = None

    @property
    def non_monotone(self) -> bool:
        """Whether a monotone relation is ruled out."""
        return self.pvalue <= MONOTONE_LEVEL

    def describe_run(self) -> str:
        """The steepest run against the direction, in words."""
        first, last = (number(round(end)) for end in self.run)
        return f"norms {'rise' if self.direction == 'falling' else 'fall'} from {first} to {last} occurrences"


def norm_curve(
    counts: Int64[np.ndarray, " n"],
    norms: Float64[np.ndarray, " n"],
    *,
    bootstrap: int,
    rng: np.random.Generator,
    effect: float = 1.0,
) -> NormCurve | None:
    """Fit and test the seen tokens; None where they are too few, or too alike in frequency or norm.

    `effect` is a factor on the variance of means, where tokens are not independent.
    """
    level = np.log(counts)
    classes = class_means(level, norms)
    classes = replace(classes, errors=classes.errors * math.sqrt(effect))
    tested = monotone_test(classes, replicates=_REPLICATES, rng=rng)
    free = smooth_curve(level, norms, replicates=bootstrap, rng=rng)
    if tested is None or free is None:
        return None
    # every token counts alike, as in the class means that are drawn
    steps = isotonic(classes.means, classes.n.astype(np.float64), tested.direction)
    return NormCurve(
        direction=tested.direction,
        statistic=tested.statistic,
        pvalue=tested.pvalue,
        run=(float(np.exp(tested.begin)), float(np.exp(tested.end))),
        steps=floats(np.exp(classes.centres)),
        monotone=floats(steps),
        frequency=floats(np.exp(free.x)),
        smooth=floats(free.y),
        low=floats(free.low),
        high=floats(free.high),
    )


def curve_rows(curve: NormCurve) -> tuple[Row, ...]:
    """The test as quantities of a report."""
    answer = "ruled out" if curve.non_monotone else "not ruled out"
    first, last = (number(round(end)) for end in curve.run)
    return (
        Row(
            "a monotone relation",
            answer,
            note=f"{curve.direction}; p = {number(curve.pvalue)} for a monotone one",
            key="monotone",
        ),
        Row(
            "steepest run against it, in standard errors",
            curve.statistic,
            note=f"from {first} to {last} occurrences",
            key="monotone_statistic",
        ),
    )
