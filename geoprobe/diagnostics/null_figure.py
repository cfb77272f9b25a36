"""The figure every diagnostic has: the statistic of the data as a line, that of the null as bars."""

from __future__ import annotations

import numpy as np

from geoprobe.figure import Axis, Bars, Figure, Rule, floats
from geoprobe.results import NullDistribution


def null_figure(
    null: NullDistribution, *, title: str, caption: str, axis: str, draws: str, bars: str, line: str
) -> Figure:
    """Draw a null distribution with the observed value."""
    heights, edges = np.histogram(null.distribution, bins=25)
    observed = null.observed if null.observed is not None else float("nan")
    return Figure(
        "null",
        title,
        caption,
        Axis(axis),
        Axis(draws),
        (Bars(floats(edges), floats(heights), bars, "null"), Rule(observed, line, "data", dashed=False)),
    )
