"""Figures as SVG: text stays text, no style sheet inside, colours by role so that a page can set them.

A scatter of the vocabulary becomes a still picture, of how many tokens lie where, for print and where no script runs.
"""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import TYPE_CHECKING, Literal
from xml.etree import ElementTree

import numpy as np

from geoprobe.figure import PALETTE, Axis, Density, Figure, Forest, Role, floats
from geoprobe.scatter import UnpackedScatter, VocabularyScatter

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.backend_bases import RendererBase
    from matplotlib.figure import Figure as Canvas

_SVG = "http://www.w3.org/2000/svg"
_XLINK = "http://www.w3.org/1999/xlink"
_FONT = re.compile(r"(?:[a-z]+ )*([\d.]+)px .*")
#: Three stand side by side on a screen or a page, and one fills a telephone's width: its text is then 11 pixels high
#: there, and 5 to 6 points on paper.
FIGURE_INCHES = 3.6
#: The colour of each kind of point, in order; the page's script has the same.
ROLES: tuple[Role, ...] = ("data", "muted", "null", "alternative", "fit")
_COLUMNS, _LINES = 72, 44
#: Shades, from one token in a cell to as many as in the fullest, in equal ratios.
_SHADES = (0.2, 0.35, 0.5, 0.7, 0.95)
_ROLE_OF = {colour: role for role, colour in PALETTE.items()}


def figure_svg(figure: Figure, *, prefix: str, themed: bool, width: float = FIGURE_INCHES) -> str:
    """Draw a figure.

    Parameters
    ----------
    figure : Figure
        What to draw.
    prefix : str
        Put before every id, so that several figures can stand in one page.
    themed : bool
        Colours as ``var(--role)`` for a page that defines them, instead of fixed ones.
    width : float
        In inches.

    Returns
    -------
    str
        An ``<svg>`` element without XML declaration; the same figure gives the same text.
    """
    return _plain(_drawn(figure, width), figure, prefix, themed)


@lru_cache(maxsize=64)  # drawing is slow, and HTML and PDF want the same figures one after the other
def _drawn(figure: Figure, width: float) -> str:
    """The figure as matplotlib writes it."""
    from matplotlib.backends.backend_svg import FigureCanvasSVG

    buffer = io.StringIO()
    with styled():
        canvas = canvas_of(figure, width)
        for patch in (canvas.patch, *(axes.patch for axes in canvas.axes)):  # the page's ground shows through
            patch.set(facecolor="none", edgecolor="none")
        # what `savefig` calls, after it has drawn the figure once in vain
        FigureCanvasSVG(canvas).print_svg(buffer, metadata={"Date": None, "Creator": None})
    return buffer.getvalue()


def canvas_of(figure: Figure, width: float) -> Canvas:
    """A canvas of matplotlib with the figure on it: without its title, which stands above in a report."""
    from matplotlib.figure import Figure as Canvas

    rows = max((len(layer.names) for layer in figure.layers if isinstance(layer, Forest)), default=0)
    height = max(width * figure.aspect, _ROW_INCHES * rows + 0.7)
    canvas = Canvas(figsize=(width, height), layout="constrained")
    axes = figure.draw(canvas.subplots())
    axes.set_title("")
    _join_small_ticks(axes, "x")
    _join_small_ticks(axes, "y")
    return canvas


def _join_small_ticks(axes: Axes, which: Literal["x", "y"]) -> None:
    """Draw the small ticks of an axis as one line of markers: each by itself is several objects, and slow."""
    from matplotlib import rcParams
    from matplotlib.lines import Line2D
    from matplotlib.markers import TICKDOWN, TICKLEFT
    from matplotlib.ticker import NullLocator

    axis = axes.xaxis if which == "x" else axes.yaxis
    locate = axis.get_minor_locator()
    if isinstance(locate, NullLocator):  # of a linear axis
        return
    axis.set_minor_locator(NullLocator())

    class SmallTicks(Line2D):
        def draw(self, renderer: RendererBase) -> None:  # where they stand depends on the room that the layout leaves
            low, high = sorted(axis.get_view_interval())
            large = axis.get_majorticklocs()
            places = [at for at in locate() if low <= at <= high and not np.isclose(at, large, rtol=1e-9, atol=0).any()]
            flat = [0.0] * len(places)
            self.set_data(*((places, flat) if which == "x" else (flat, places)))
            super().draw(renderer)

    ticks = SmallTicks(
        [],
        [],
        linestyle="none",
        marker=TICKDOWN if which == "x" else TICKLEFT,
        markersize=rcParams[f"{which}tick.minor.size"],
        markeredgewidth=rcParams[f"{which}tick.minor.width"],
        color=rcParams[f"{which}tick.color"],
        transform=axes.get_xaxis_transform() if which == "x" else axes.get_yaxis_transform(),
        clip_on=False,
    )
    ticks.set_in_layout(False)
    axes.add_artist(ticks)


@contextmanager
def styled() -> Iterator[None]:
    """Reports' own style, whatever a matplotlibrc here says: it could change the bytes, or run TeX."""
    from matplotlib import style

    with style.context(["default", _STYLE]), warnings.catch_warnings():
        # text stays text: whoever shows it brings the glyphs
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        # a label longer than the figure leaves no room to lay out: it is drawn as far as it goes
        warnings.filterwarnings("ignore", message="constrained_layout not applied")
        yield


#: Names of a forest's rows need this much each, however narrow the figure.
_ROW_INCHES = 0.16

_STYLE = {
    "svg.fonttype": "none",
    "svg.hashsalt": "geoprobe",
    "font.family": "DejaVu Sans",
    "font.size": 9,
    "text.parse_math": False,
    "text.color": PALETTE["ink"],
    "axes.labelcolor": PALETTE["ink"],
    "axes.edgecolor": PALETTE["muted"],
    "axes.linewidth": 0.8,
    "axes.formatter.use_mathtext": False,
    "axes.unicode_minus": True,
    "xtick.color": PALETTE["muted"],
    "ytick.color": PALETTE["muted"],
    "xtick.labelcolor": PALETTE["ink"],
    "ytick.labelcolor": PALETTE["ink"],
    "axes.labelsize": 8,
    "legend.fontsize": 8,
}


def _plain(text: str, figure: Figure, prefix: str, themed: bool) -> str:
    """Rewrite matplotlib's SVG without style sheets, style attributes, metadata or ids that nothing refers to."""
    ElementTree.register_namespace("", _SVG)
    ElementTree.register_namespace("xlink", _XLINK)
    root = ElementTree.fromstring(text)
    for parent in list(root.iter()):
        for child in list(parent):
            if child.tag in (f"{{{_SVG}}}metadata", f"{{{_SVG}}}style"):
                parent.remove(child)
    referred = set(re.findall(r"""(?:url\(#|href="#)([^)"]+)""", text))
    for element in root.iter():
        _attributes(element, themed)
        identity = element.get("id")
        if identity is not None:
            if identity in referred:
                element.set("id", f"{prefix}-{identity}")
            else:
                del element.attrib["id"]
        for name, value in element.attrib.items():
            if value.startswith("#") and name.endswith("href"):
                element.set(name, f"#{prefix}-{value[1:]}")
            elif value.startswith("url(#"):
                element.set(name, f"url(#{prefix}-{value[5:]}")
    _describe(root, figure, prefix)
    return ElementTree.tostring(root, encoding="unicode")


def _attributes(element: ElementTree.Element, themed: bool) -> None:
    """Turn a style attribute into presentation attributes, which a strict policy lets through."""
    style = element.attrib.pop("style", "")
    for declaration in filter(None, (part.strip() for part in style.split(";"))):
        name, _, value = (part.strip() for part in declaration.partition(":"))
        if name == "font":
            matched = _FONT.fullmatch(value)
            name, value = "font-size", matched.group(1) if matched else "9"
        element.set(name, value)
    if themed:
        for name in ("fill", "stroke"):
            role = _ROLE_OF.get(element.get(name, ""))
            if role is not None:
                element.set(name, f"var(--{role})")


def _describe(root: ElementTree.Element, figure: Figure, prefix: str) -> None:
    for name in ("width", "height"):
        root.attrib.pop(name, None)
    root.set("role", "img")
    root.set("aria-labelledby", f"{prefix}-title {prefix}-desc")
    root.set("stroke-linejoin", "round")
    root.set("font-family", "DejaVu Sans, Verdana, sans-serif")
    description = ElementTree.Element(f"{{{_SVG}}}desc", {"id": f"{prefix}-desc"})
    description.text = figure.caption
    title = ElementTree.Element(f"{{{_SVG}}}title", {"id": f"{prefix}-title"})
    title.text = figure.title
    root.insert(0, description)
    root.insert(0, title)


@lru_cache(maxsize=8)  # HTML and PDF want the same one after the other
def density_figure(scatter: VocabularyScatter) -> Figure:
    """Bin a scatter.

    Raises
    ------
    BadDataError
        When the scatter is damaged.
    """
    points = scatter.unpack()
    x_edges, y_edges = _edges(points.x, scatter.x, _COLUMNS), _edges(points.y, scatter.y, _LINES)
    layers = tuple(
        _layer(points, group, name, x_edges, y_edges)
        for group, name in enumerate(scatter.group_names)
        if (points.groups == group).any()
    )
    caption = f"{scatter.caption} Darker where more of the {scatter.n:,} tokens lie."
    return Figure(scatter.name, scatter.title, caption.strip(), scatter.x, scatter.y, layers, aspect=0.55)


def _edges(values: np.ndarray, axis: Axis, cells: int) -> np.ndarray:
    low, high = (values.min(), values.max()) if values.size else (1.0, 2.0)
    if high <= low:
        low, high = (low / 2, low * 2) if axis.scale == "log" else (low - 0.5, low + 0.5)
    return np.geomspace(low, high, cells + 1) if axis.scale == "log" else np.linspace(low, high, cells + 1)


def _layer(points: UnpackedScatter, group: int, name: str, x_edges: np.ndarray, y_edges: np.ndarray) -> Density:
    of = points.groups == group
    # by search and not by histogram2d: the outermost values may lie outside by a rounding
    columns = np.clip(np.searchsorted(x_edges, points.x[of], side="right") - 1, 0, _COLUMNS - 1)
    lines = np.clip(np.searchsorted(y_edges, points.y[of], side="right") - 1, 0, _LINES - 1)
    counts = np.bincount(columns * _LINES + lines, minlength=_COLUMNS * _LINES)
    filled = np.flatnonzero(counts)
    fullest = np.log1p(counts.max())
    levels = np.minimum((np.log1p(counts[filled]) / fullest * len(_SHADES)).astype(int), len(_SHADES) - 1)
    cells = tuple(
        (int(cell // _LINES), int(cell % _LINES), _SHADES[level]) for cell, level in zip(filled, levels, strict=True)
    )
    role = ROLES[group % len(ROLES)]
    return Density(floats(x_edges), floats(y_edges), cells, label=name, role=role)
