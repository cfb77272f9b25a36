"""Distances of rows from the origin and from other points, in the embedding and in the output matrix."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64

from geoprobe.diagnostics.norms.correlations import Association
from geoprobe.diagnostics.norms.row_geometry import RowGeometry
from geoprobe.results import Table

__all__ = ["FROM_MEAN", "NORM", "Distance", "distance_table", "other_distances", "summarise"]

NORM, SCALED = "norm: distance from the origin", "norm after the look-up factor"
FROM_MEAN, FROM_MEDIAN = "distance from the mean vector", "distance from the geometric median"
OUTPUT = "output matrix: "


@dataclass(frozen=True)
class Distance:
    """One distance of the seen tokens' rows, and its rank correlation with frequency."""

    name: str
    mean: float
    sd: float
    smallest: float
    largest: float
    n: int
    rho: float | None
    low: float | None
    high: float | None


def other_distances(here: RowGeometry, there: RowGeometry | None, size: int) -> dict[str, Float64[np.ndarray, " v"]]:
    """Every distance but the norm itself, by name; of an output matrix of other length, the rows that both have."""
    found = {FROM_MEAN: here.from_mean, FROM_MEDIAN: here.from_median}
    if there is not None:
        outside = {NORM: there.norms, FROM_MEAN: there.from_mean, FROM_MEDIAN: there.from_median}
        for name, values in outside.items():
            fitted = np.full(size, np.nan)
            taken = min(size, values.size)
            fitted[:taken] = values[:taken]
            found[OUTPUT + name] = fitted
    return found


def summarise(
    norms: Float64[np.ndarray, " v"],
    others: dict[str, Float64[np.ndarray, " v"]],
    seen: Bool[np.ndarray, " v"],
    scale: float,
    first: Association | None,
    rest: tuple[Association, ...],
) -> tuple[Distance, ...]:
    """Each distance over the seen tokens.

    Parameters
    ----------
    norms, others
        (V,) distances.
    seen : array of bool
        (V,) tokens that occur, and whose row is finite.
    scale : float
        The factor that the model applies after look-up.
    first, rest : Association
        Of the norm, and of the others by name.
    """
    known = {each.name: each for each in rest}
    columns: list[tuple[str, Float64[np.ndarray, " v"], Association | None]] = [(NORM, norms, first)]
    if scale != 1.0:
        columns.append((SCALED, norms * scale, first))
    columns += [(name, values, known.get(name)) for name, values in others.items()]
    return tuple(
        _distance(name, values[seen & np.isfinite(values)], found)
        for name, values, found in columns
        if (seen & np.isfinite(values)).any()
    )


def _distance(name: str, values: Float64[np.ndarray, " n"], found: Association | None) -> Distance:
    return Distance(
        name,
        float(values.mean()),
        float(values.std(ddof=1)) if values.size > 1 else 0.0,
        float(values.min()),
        float(values.max()),
        values.size,
        None if found is None else found.value,
        None if found is None else found.low,
        None if found is None else found.high,
    )


def distance_table(distances: tuple[Distance, ...]) -> Table:
    """The distances as a table of a report."""
    return Table(
        "distances",
        "Near to what? Distances from the origin and from other points",
        ("distance", "mean", "sd", "smallest", "largest", "ρ with frequency", "from", "to"),
        tuple((d.name, d.mean, d.sd, d.smallest, d.largest, d.rho, d.low, d.high) for d in distances),
        "Over the seen tokens. A row can be near the origin because the whole cloud lies to one side of it: distances "
        "from the cloud's own middle tell its shape. The geometric median has the least sum of "
        "distances to the rows, turns with them as the origin and the mean do, and, unlike the mean, is not moved by "
        "a few far rows; it is found from 4,096 rows spread evenly over the table.",
    )
