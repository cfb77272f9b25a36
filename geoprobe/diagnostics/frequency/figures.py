"""The figures of the frequency diagnostic: the histogram of counts, the fit and its null, as data to draw."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float64

from geoprobe.diagnostics.frequency.fit import TailFit
from geoprobe.diagnostics.null_figure import null_figure
from geoprobe.figure import Axis, Figure, Layer, Line, Points, Rule, floats
from geoprobe.results import NullDistribution, number

Counts = Float64[np.ndarray, " k"]


def frequency_figures(
    values: Sequence[int], multiplicities: Sequence[int], fit: TailFit | None, null: NullDistribution
) -> tuple[Figure, ...]:
    """Survival with alternatives, frequency of frequencies, γ over x_min, ranks, and the null of the distance."""
    if not values:
        return ()
    counts, types = np.array(values, dtype=np.float64), np.array(multiplicities, dtype=np.float64)
    if fit is None:
        return (_frequencies(counts, types, None),)
    drawn = (_survival(counts, types, fit), _frequencies(counts, types, fit), _bounds(fit), _ranks(fit))
    return (*drawn, _null(null)) if null.distribution else drawn


def _survival(values: Counts, types: Counts, fit: TailFit) -> Figure:
    share = types[::-1].cumsum()[::-1] / types.sum()
    layers: list[Layer] = [Points(floats(values), floats(share), "tokens", "data", 2.6)]
    for curve in fit.survival[1:]:
        better = any(row.name == curve.name and row.favours == "alternative" for row in fit.tail)
        # laws that no test prefers are one family of grey lines; naming each would hide the data
        label = curve.name if better else ""
        layers.append(Line(curve.x, curve.y, label, "alternative" if better else "muted", dashed=True))
    fitted = fit.survival[0]
    layers.append(Line(fitted.x, fitted.y, f"power law, γ = {number(fit.gamma)}", "fit"))
    floor = share[-1] / 3
    return Figure(
        "survival",
        "How many types occur at least k times",
        f"Share of the token types with k or more occurrences, the power law fitted from x_min = {fit.xmin:,} up, and "
        "(dashed) the other laws fitted to the same tail; green where a test prefers them.",
        Axis("occurrences k", "log"),
        Axis("share of types with k or more", "log", limits=(float(floor), 1.5)),
        tuple(layers),
    )


def _frequencies(values: Counts, types: Counts, fit: TailFit | None) -> Figure:
    layers: list[Layer] = [
        Points(floats(values), floats(types), "each count", "muted", 2.0),
        Points(*log_binned(values, types), "averaged over equal ratios", "data", 4.5),
    ]
    caption = (
        f"How many of the {int(types.sum()):,} token types occur exactly k times. "
        "A power law is a straight line of slope -γ here."
    )
    if fit is not None:
        x = np.geomspace(fit.xmin, values[-1], 60)
        # by the ratio to x_min: of a steep tail, powers and zeta apart would be 0 and 0
        y = fit.n_tail * (x / fit.xmin) ** -fit.gamma / _scaled_zeta(fit.gamma, float(fit.xmin))
        layers.append(Line(floats(x), floats(y), f"power law, γ = {number(fit.gamma)}", "fit"))
        caption += f" The line is the fit from x_min = {fit.xmin:,} upwards."
    return Figure(
        "frequencies",
        "Frequency of frequencies",
        caption,
        Axis("occurrences k", "log"),
        Axis("types that occur k times", "log"),
        tuple(layers),
    )


def log_binned(
    values: np.ndarray, types: np.ndarray, per_decade: int = 8
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Types per unit of k in bins of equal ratio, at each bin's geometric middle; a bin's width is its integers."""
    decades = math.log10(values[-1]) + 1e-9
    edges = np.unique(np.ceil(np.logspace(0, decades, max(2, int(decades * per_decade) + 1))))
    edges = np.append(edges, values[-1] + 1) if edges[-1] <= values[-1] else edges
    heights, _ = np.histogram(values, bins=edges, weights=types)
    widths = np.diff(edges)
    middles = np.sqrt(edges[:-1] * np.maximum(edges[1:] - 1, edges[:-1]))
    filled = heights > 0
    return floats(middles[filled]), floats((heights / widths)[filled])


def _bounds(fit: TailFit) -> Figure:
    curve, covered = fit.gamma_by_xmin, fit.types_by_xmin
    return Figure(
        "bounds",
        "γ for every lower bound",
        "The exponent fitted from each lower bound up, and the share of the types that are left. A power law holds "
        "where γ stays level; an exponent that moves with the bound belongs to the bound.",
        Axis("lower bound x_min", "log"),
        Axis("γ, and share of types"),
        (
            Line(covered.x, covered.y, "share of types covered", "muted", dashed=True),
            Line(curve.x, curve.y, "γ", "data"),
            Points(curve.x, curve.y, "", "data", 4.0),
            Rule(float(fit.xmin), f"chosen x_min = {fit.xmin:,}", "fit"),
        ),
    )


def _ranks(fit: TailFit) -> Figure:
    seen = [(x, y) for x, y in zip(fit.ranks.x, fit.ranks.y, strict=True) if y > 0]
    label = "Zipf-Mandelbrot"
    if fit.s is not None and fit.q is not None:
        label += f", s = {number(fit.s)}, q = {number(fit.q)}"
    return Figure(
        "ranks",
        "Rank and frequency",
        "Tokens ranked by one random half of the corpus, and their mean frequency in the other half, so that chance "
        "does not make the curve fall. Zipf's law is a straight line of slope -s.",
        Axis("rank in one half", "log"),
        Axis("occurrences in the other half", "log"),
        (
            Line(fit.ranks_fitted.x, fit.ranks_fitted.y, label, "fit"),
            Points(floats(x for x, _ in seen), floats(y for _, y in seen), "tokens", "data", 3.4),
        ),
    )


def _null(null: NullDistribution) -> Figure:
    return null_figure(
        null,
        title="Distance from the fit, beside samples of a power law",
        caption="Kolmogorov-Smirnov distance of the data from their fit (line), and of synthetic power-law samples "
        "from theirs (bars). A power law is plausible where the line lies among the bars.",
        axis="Kolmogorov-Smirnov distance",
        draws="synthetic data sets",
        bars="synthetic",
        line=f"data, p = {number(null.pvalue)}",
    )


def _scaled_zeta(s: float, q: float, terms: int = 32) -> float:
    """``q**s * zeta(s, q)`` (DLMF 25.11.28) for drawing: a report is drawn again without numba."""
    far = q + terms
    head = np.exp(-s * np.log1p(np.arange(terms) / q)).sum()
    rest = far / (s - 1) + 0.5 + s / (12 * far) - s * (s + 1) * (s + 2) / (720 * far**3)
    return float(head + np.exp(-s * np.log1p(terms / q)) * rest)
