"""Norms of tokens by how often they occur: classes from rare to frequent, beside the curves through them."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from jaxtyping import Float64, Int64

from geoprobe.diagnostics.norms.curve import NormCurve
from geoprobe.figure import Axis, Band, Figure, Layer, Line, Points, floats
from geoprobe.results import Table, number

_EDGES = (1, 2, 5, 20, 100, 500, 2_000, 10_000, 50_000, 250_000, 1_000_000, 10_000_000)


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


def frequency_classes(counts: Int64[np.ndarray, " n"], norms: Float64[np.ndarray, " n"]) -> tuple[FrequencyClass, ...]:
    """Tokens (n,) by their occurrences; classes without a token are left out."""
    classes = []
    for low, above in pairwise((*_EDGES, np.iinfo(np.int64).max)):
        mine = (counts >= low) & (counts < above)
        members = norms[mine]
        if members.size:
            spread = float(members.std(ddof=1)) if members.size > 1 else 0.0
            centre = float(np.exp(np.log(counts[mine]).mean()))
            high = min(int(above) - 1, int(counts.max()))
            classes.append(FrequencyClass(low, high, members.size, centre, float(members.mean()), spread))
    return tuple(classes)


def class_table(classes: tuple[FrequencyClass, ...]) -> Table:
    """The classes as a table of a report."""
    return Table(
        "classes",
        "Norms by frequency class",
        ("occurrences", "tokens", "mean norm", "sd"),
        tuple((c.name, c.n, c.mean, c.sd) for c in classes),
    )


def class_figure(classes: tuple[FrequencyClass, ...], curve: NormCurve | None, n_seen: int) -> Figure:
    """Mean norm of each class of the `n_seen` tokens, with the curves where there are any."""
    centres, means = floats(c.centre for c in classes), floats(c.mean for c in classes)
    caption = f"Mean norm of the {n_seen:,} tokens seen, by how often they occur"
    if curve is None:
        spread = Band(
            centres,
            floats(c.mean - c.sd for c in classes),
            floats(c.mean + c.sd for c in classes),
            "one standard deviation",
        )
        layers: tuple[Layer, ...] = (spread, Line(centres, means, "", "data"))
        caption += "; the band is one standard deviation to each side."
    else:
        layers = (
            Band(curve.frequency, curve.low, curve.high, "95% band", "fit"),
            Line(curve.frequency, curve.smooth, "free curve", "fit"),
            Line(curve.steps, curve.monotone, f"closest {curve.direction} curve", "alternative", dashed=True),
        )
        ruled = "is ruled out" if curve.non_monotone else "is not ruled out"
        caption += f", with a free curve and the closest monotone one; a monotone relation {ruled} "
        caption += f"(p = {number(curve.pvalue)})."
    return Figure(
        "classes",
        "Norm by frequency",
        f"{caption} The paper's claim is a curve that falls all the way to the right.",
        Axis("occurrences in the corpora", "log"),
        Axis("norm of the embedding"),
        (*layers, Points(centres, means, "mean of a class", "data", 5.0)),
    )
