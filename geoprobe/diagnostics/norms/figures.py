"""The figures of the norms diagnostic, described from its result."""

from __future__ import annotations

from typing import TYPE_CHECKING

from geoprobe.diagnostics.norms.correlations import SPEARMAN
from geoprobe.diagnostics.null_figure import null_figure
from geoprobe.figure import Axis, Band, Figure, Forest, Layer, Line, Points, Rule, floats
from geoprobe.results import number

if TYPE_CHECKING:
    from geoprobe.diagnostics.norms.analyzer import NormsResult

__all__ = ["norms_figures"]


def norms_figures(result: NormsResult) -> tuple[Figure, ...]:
    """Norm by frequency, the word groups, ρ asked in several ways and with each confound held, and the null."""
    if not result.classes:
        return ()
    drawn = [_class_figure(result)]
    if any(group.words for group in result.groups):
        drawn.append(_group_figure(result))
    if result.associations:
        drawn.append(_association_figure(result))
    if any(confound.low is not None for confound in result.confounds):
        drawn.append(_confound_figure(result))
    if result.null.distribution:
        drawn.append(_null(result))
    return tuple(drawn)


def _class_figure(result: NormsResult) -> Figure:
    centres, means = floats(c.centre for c in result.classes), floats(c.mean for c in result.classes)
    caption = f"Mean norm of the {result.n_seen:,} tokens seen, by how often they occur"
    if result.curve is None:
        spread = Band(
            centres,
            floats(c.mean - c.sd for c in result.classes),
            floats(c.mean + c.sd for c in result.classes),
            "one standard deviation",
        )
        layers: tuple[Layer, ...] = (spread, Line(centres, means, "", "data"))
        caption += "; the band is one standard deviation to each side."
    else:
        curve = result.curve
        layers = (
            Band(curve.frequency, curve.low, curve.high, "95% band", "fit"),
            Line(curve.frequency, curve.smooth, "free curve", "fit"),
            Line(curve.steps, curve.monotone, f"closest {curve.direction} curve", "alternative", dashed=True),
        )
        ruled = "is ruled out" if curve.bent else "is not ruled out"
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


def _group_figure(result: NormsResult) -> Figure:
    members = [(position, norm) for position, group in enumerate(result.groups, 1) for _, norm, _ in group.words]
    means = [(float(position), group.mean) for position, group in enumerate(result.groups, 1) if group.mean is not None]
    return Figure(
        "groups",
        "The paper's word groups",
        "Norms of the paper's words, group 1 (function words) to 4 (particular things), and each group's mean. "
        "In the paper's models the means rise from left to right.",
        Axis("word group", limits=(0.5, 4.5), ticks=(1, 2, 3, 4)),
        Axis("norm of the embedding"),
        (
            Points(
                floats(position for position, _ in members), floats(norm for _, norm in members), "words", "muted", 4.0
            ),
            Line(floats(position for position, _ in means), floats(mean for _, mean in means), "", "data"),
            Points(floats(position for position, _ in means), floats(mean for _, mean in means), "mean", "data", 7.0),
        ),
    )


def _null(result: NormsResult) -> Figure:
    return null_figure(
        result.null,
        title="Rank correlation, beside shuffled norms",
        caption="Spearman's ρ of the data (line) and after shuffling the norms over the tokens (bars).",
        axis="Spearman's ρ",
        draws="permutations",
        bars="shuffled",
        line=f"data, ρ = {number(result.null.observed)}",
    )


def _association_figure(result: NormsResult) -> Figure:
    rows = [row for row in result.associations if row.coefficient == SPEARMAN]
    return Figure(
        "associations",
        "The relation, asked in several ways",
        "Rank correlation of frequency and norm over all seen tokens, with the tokens' traits held, among tokens "
        "that occur ever more often, and over the whole vocabulary. A relation that holds everywhere stays on one side "
        "of 0.",
        Axis("Spearman's ρ"),
        Axis(""),
        (_forest([(row.name, row.value, row.low, row.high) for row in rows]), Rule(0.0, "", "muted")),
    )


def _confound_figure(result: NormsResult) -> Figure:
    whole = result.associations[0]
    return Figure(
        "confounds",
        "The relation with each trait held",
        "Rank correlation of frequency and norm over the seen tokens (line), and the partial one with one trait of "
        "the tokens held at a time. A trait that stands behind the relation brings it to 0.",
        Axis("partial ρ of frequency and norm"),
        Axis(""),
        (
            _forest([(each.trait, each.held, each.low, each.high) for each in result.confounds]),
            Rule(0.0, "", "muted"),
            Rule(whole.value, "nothing held", "data"),
        ),
    )


def _forest(rows: list[tuple[str, float | None, float | None, float | None]]) -> Forest:
    """Those rows that have a value and an interval."""
    known = [
        (name, value, low, high)
        for name, value, low, high in rows
        if value is not None and low is not None and high is not None
    ]
    names, values, lows, highs = zip(*known, strict=True) if known else ((), (), (), ())
    return Forest(names, values, lows, highs)
