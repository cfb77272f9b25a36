"""A scatter of the vocabulary as a still picture: how many tokens lie where, for print and where no script runs."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from geoprobe.figure import Axis, Density, Figure, Role, floats
from geoprobe.scatter import UnpackedScatter, VocabularyScatter

__all__ = ["ROLES", "density_figure"]

#: The colour of each kind of point, in order; the page's script has the same.
ROLES: tuple[Role, ...] = ("data", "muted", "null", "alternative", "fit")
_COLUMNS, _LINES = 72, 44
#: Shades, from one token in a cell to as many as in the fullest, in equal ratios.
_SHADES = (0.2, 0.35, 0.5, 0.7, 0.95)


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
