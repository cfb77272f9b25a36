"""A figure as data: what to draw, in the figure's own words, with no drawing library loaded.

A result describes its figures with these types; the report turns them into SVG and a notebook into
matplotlib axes, so that both always show the same thing. matplotlib is imported when drawing starts.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from textwrap import fill
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Role = Literal["data", "null", "fit", "alternative", "muted", "ink"]
Scale = Literal["linear", "log"]

#: One colour a role, told apart with every common colour deficiency (after Okabe & Ito, 2008).
PALETTE: dict[str, str] = {
    "data": "#0072b2",
    "null": "#c2570c",
    "fit": "#b8003d",
    "alternative": "#00805a",
    "muted": "#8a8f98",
    "ink": "#1f2430",
}


@dataclass(frozen=True)
class Axis:
    """An axis: its label and scale, and optionally its limits and the values that get a tick."""

    label: str
    scale: Scale = "linear"
    limits: tuple[float, float] | None = None
    ticks: tuple[float, ...] | None = None


@dataclass(frozen=True)
class Line:
    """A curve through points (x, y)."""

    x: tuple[float, ...]
    y: tuple[float, ...]
    label: str = ""
    role: Role = "data"
    dashed: bool = False


@dataclass(frozen=True)
class Points:
    """Separate points (x, y)."""

    x: tuple[float, ...]
    y: tuple[float, ...]
    label: str = ""
    role: Role = "data"
    size: float = 3.0


@dataclass(frozen=True)
class Band:
    """A region between two curves, such as a pointwise interval."""

    x: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]
    label: str = ""
    role: Role = "data"


@dataclass(frozen=True)
class Bars:
    """A histogram: ``len(heights) + 1`` edges."""

    edges: tuple[float, ...]
    heights: tuple[float, ...]
    label: str = ""
    role: Role = "data"


@dataclass(frozen=True)
class Density:
    """How many points fall into each cell of a grid, by shade.

    Parameters
    ----------
    x_edges, y_edges : tuple of float
        Of the grid's columns and lines.
    cells : tuple of (int, int, float)
        Column, line and shade in (0, 1] of each cell that is not empty.
    """

    x_edges: tuple[float, ...]
    y_edges: tuple[float, ...]
    cells: tuple[tuple[int, int, float], ...]
    label: str = ""
    role: Role = "data"


@dataclass(frozen=True)
class Rule:
    """A straight line at one value, across the axes."""

    at: float
    label: str = ""
    role: Role = "ink"
    vertical: bool = True
    dashed: bool = True


@dataclass(frozen=True)
class Forest:
    """Estimates with their intervals, one named row each, the first on top; without values, the names alone."""

    names: tuple[str, ...]
    values: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]
    label: str = ""
    role: Role = "data"
    offset: float = 0.0


@dataclass(frozen=True)
class Labels:
    """Short texts, each starting at a point."""

    x: tuple[float, ...]
    y: tuple[float, ...]
    texts: tuple[str, ...]
    label: str = ""
    role: Role = "ink"


Layer = Line | Points | Band | Bars | Density | Rule | Forest | Labels


@dataclass(frozen=True)
class Figure:
    """One pair of axes with its layers and the caption that explains it.

    Parameters
    ----------
    name : str
        A short identifier, unique within a result.
    title, caption : str
        What is shown, and how to read it; the caption is also the text alternative.
    x, y : Axis
        The axes.
    layers : tuple of Layer
        What is drawn, from back to front.
    aspect : float
        Height over width.
    """

    name: str
    title: str
    caption: str
    x: Axis
    y: Axis
    layers: tuple[Layer, ...]
    aspect: float = 0.62

    @property
    def _is_forest(self) -> bool:
        return any(isinstance(layer, Forest) for layer in self.layers)

    def draw(self, ax: Axes | None = None) -> Axes:
        """Draw on matplotlib axes.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, optional
            Where to draw; new axes of pyplot's current backend by default.

        Returns
        -------
        matplotlib.axes.Axes
            The axes drawn on.
        """
        if ax is None:
            from matplotlib import pyplot

            ax = pyplot.subplots(figsize=(6.4, 6.4 * self.aspect), layout="constrained")[1]
        for layer in self.layers:
            _DRAW[type(layer)](ax, layer)
        _finish_axis(ax, self.x, "x", 3 if self._is_forest else 5)
        _finish_axis(ax, self.y, "y")
        if self.x.limits is not None and self.x.limits == self.y.limits:
            ax.set_aspect("equal")  # one length in both directions
        if self._is_forest and len(self.x.label) > _FOREST_LINE:  # it may reach below the names, not out of the figure
            ax.set_xlabel(ax.get_xlabel(), loc="right", parse_math=False)
        ax.set_title(self.title, parse_math=False)
        ax.spines[["top", "right"]].set_visible(False)
        if any(layer.label for layer in self.layers):
            # above, where it covers no data
            lengths = sorted(len(layer.label) for layer in self.layers if layer.label)
            columns = 2 if len(lengths) > 1 and sum(lengths[-2:]) <= _LINE else 1
            # names of a forest's rows stand to the left of its axes, and leave a legend their room
            place, end = ("lower right", 1) if self._is_forest else ("lower left", 0)
            legend = ax.legend(frameon=False, loc=place, bbox_to_anchor=(end, 1), ncols=columns, borderaxespad=0.2)
            for text in legend.get_texts():
                text.set_parse_math(False)
            # and the title above the legend's lines
            ax.set_title(self.title, parse_math=False, pad=6.0 + 16.0 * math.ceil(len(lengths) / columns))
        return ax


#: Characters of a legend's entries that have room side by side.
_LINE = 36
#: Characters of a line below an axis.
_AXIS_LINE = 40
#: Characters that stand below a forest's axes, which its names leave half the figure.
_FOREST_LINE = 22


def floats(values: Iterable[float]) -> tuple[float, ...]:
    """Plain floats, of an array or any other numbers: what a layer holds."""
    return tuple(float(value) for value in values)


def _finish_axis(ax: Axes, axis: Axis, which: Literal["x", "y"], most: int = 5) -> None:
    label = axis.label
    if which == "x" and len(label) > _AXIS_LINE:  # a longer one would leave the figure
        label = fill(label, _AXIS_LINE)
    getattr(ax, f"set_{which}label")(label, parse_math=False)
    if axis.scale == "log":
        getattr(ax, f"set_{which}scale")("log")
    elif which == "x":
        ax.locator_params(axis="x", nbins=most)  # more would run into each other
    if axis.limits is not None:
        getattr(ax, f"set_{which}lim")(axis.limits)
    if axis.scale == "log":
        _label_logarithm(getattr(ax, f"{which}axis"))
    if axis.ticks is not None:
        getattr(ax, f"set_{which}ticks")(axis.ticks)


def _label_logarithm(axis: Any) -> None:
    """Ticks at the powers of ten in view; where there are not two, at 2 and 5 as well, or at even steps."""
    from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter

    axis.set_major_formatter(FuncFormatter(_power_of_ten))
    axis.set_minor_formatter(NullFormatter())
    low, high = sorted(axis.get_view_interval())
    powers = [10.0**exponent for exponent in range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)]
    if sum(low <= power <= high for power in powers) > 1:
        return
    within = sum(low <= factor * power <= high for factor in (1, 2, 5) for power in powers)
    axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)) if within > 1 else MaxNLocator(5, steps=[1, 2, 5, 10]))


def _power_of_ten(value: float, _: int) -> str:
    """A logarithmic tick without mathematical markup: 1,000 in full, smaller and larger ones as 10⁻³ and 2×10⁻³."""
    exponent = math.floor(math.log10(value) + 1e-9)
    if 0 <= exponent <= 5:
        return f"{value:,.6g}"
    factor = f"{value / 10.0**exponent:.3g}"
    power = "10" + str(exponent).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))
    return power if factor == "1" else f"{factor}×{power}"


def _dashes(dashed: bool) -> str:
    return "--" if dashed else "-"


def _draw_line(ax: Axes, line: Line) -> None:
    style = _dashes(line.dashed)
    ax.plot(line.x, line.y, style, color=PALETTE[line.role], label=line.label or None, linewidth=1.6)


def _draw_points(ax: Axes, points: Points) -> None:
    colour = PALETTE[points.role]
    ax.plot(points.x, points.y, "o", color=colour, markersize=points.size, label=points.label or None, mew=0)


def _draw_band(ax: Axes, band: Band) -> None:
    ax.fill_between(band.x, band.low, band.high, color=PALETTE[band.role], alpha=0.2, label=band.label or None, lw=0)


def _draw_bars(ax: Axes, bars: Bars) -> None:
    colour = PALETTE[bars.role]
    ax.stairs(bars.heights, bars.edges, color=colour, fill=True, alpha=0.45, label=bars.label or None)


def _draw_density(ax: Axes, density: Density) -> None:
    from matplotlib.patches import PathPatch
    from matplotlib.path import Path

    shades = sorted({shade for _, _, shade in density.cells})
    colour = PALETTE[density.role]
    for shade in shades:  # one path a shade: small, however many cells
        corners: list[tuple[float, float]] = []
        for column, line, at in density.cells:
            if at == shade:
                left, right = density.x_edges[column : column + 2]
                low, high = density.y_edges[line : line + 2]
                corners += [(left, low), (right, low), (right, high), (left, high), (left, low)]
        codes = [Path.MOVETO, *[Path.LINETO] * 3, Path.CLOSEPOLY] * (len(corners) // 5)
        label = density.label if shade == shades[-1] else ""
        ax.add_patch(PathPatch(Path(corners, codes), facecolor=colour, alpha=shade, lw=0, label=label or None))
    ax.autoscale_view()


def _draw_rule(ax: Axes, rule: Rule) -> None:
    draw = ax.axvline if rule.vertical else ax.axhline
    style = _dashes(rule.dashed)
    draw(rule.at, color=PALETTE[rule.role], linestyle=style, label=rule.label or None, linewidth=1.4)


def _draw_forest(ax: Axes, forest: Forest) -> None:
    if forest.values:
        rows = [row + forest.offset for row in range(len(forest.names))]
        below = [value - low for value, low in zip(forest.values, forest.low, strict=True)]
        above = [high - value for value, high in zip(forest.values, forest.high, strict=True)]
        colour, label = PALETTE[forest.role], forest.label or None
        ax.errorbar(forest.values, rows, xerr=(below, above), fmt="o", color=colour, label=label, ms=4)
    ax.set_yticks(range(len(forest.names)), forest.names, parse_math=False)
    ax.set_ylim(len(forest.names) - 0.5, -0.5)


def _draw_labels(ax: Axes, labels: Labels) -> None:
    for x, y, text in zip(labels.x, labels.y, labels.texts, strict=True):
        ax.text(x, y, text, color=PALETTE[labels.role], fontsize="x-small", va="center", parse_math=False)


_DRAW: dict[type, Callable[[Any, Any], None]] = {
    Line: _draw_line,
    Points: _draw_points,
    Band: _draw_band,
    Bars: _draw_bars,
    Density: _draw_density,
    Rule: _draw_rule,
    Forest: _draw_forest,
    Labels: _draw_labels,
}
