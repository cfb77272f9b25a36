"""Distances of rows from the origin and from other points, in the embedding and in the output matrix."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64, Int64

from geoprobe.data import Rows, native_reader
from geoprobe.diagnostics.norms.correlations import Correlation
from geoprobe.results import Table
from geoprobe.stats.centres import geometric_median, principal_direction
from geoprobe.stats.rows import RowStatistics, project

NORM, _SCALED = "norm: distance from the origin", "norm after the look-up factor"
FROM_MEAN, FROM_MEDIAN = "distance from the mean vector", "distance from the geometric median"
_OUTPUT = "output matrix: "
#: Rows, evenly spread over the table, from which the geometric median and the principal direction are taken.
MEDIAN_SAMPLE = 4096


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


@dataclass(frozen=True, eq=False)
class RowGeometry:
    """Lengths and distances of the rows of one matrix; NaN where a row is not finite.

    They are from the origin, the mean row and the geometric median; `from_unused` is the cosine distance from the mean
    of the reference rows, the first principal component taken out of all of them, and NaN also for rows of zeros. It is
    None without reference rows.
    """

    norms: Float64[np.ndarray, " v"]
    from_mean: Float64[np.ndarray, " v"]
    from_median: Float64[np.ndarray, " v"]
    from_unused: Float64[np.ndarray, " v"] | None


def row_geometry(rows: Rows, statistics: RowStatistics, unused: Int64[np.ndarray, " r"]) -> RowGeometry:
    """Measure all rows (V, d) in a second pass; `unused` (r,) are rows known to be so, the reference for directions."""
    norms = np.where(statistics.finite, statistics.norms, np.nan)
    usable = np.flatnonzero(statistics.finite & ~statistics.zero)
    if usable.size == 0:
        return RowGeometry(norms, norms, norms, None)
    sample = rows.take(usable[np.linspace(0, usable.size - 1, min(usable.size, MEDIAN_SAMPLE)).astype(np.int64)])
    median, component = geometric_median(sample), principal_direction(sample)
    directions = [statistics.mean, median, component]
    reference = unused[statistics.finite[unused] & ~statistics.zero[unused]]
    if reference.size:
        mean = rows.take(reference).astype(np.float64).mean(axis=0)
        directions.append(mean - (mean @ component) * component)
    with np.errstate(invalid="ignore", over="ignore"):  # rows that are not finite
        products = project(native_reader(rows), rows.shape, np.stack(directions))
        from_mean, from_median = (
            np.sqrt(np.maximum(norms**2 - 2 * products[:, lane] + centre @ centre, 0))
            for lane, centre in enumerate((statistics.mean, median))
        )
        if not reference.size:
            return RowGeometry(norms, from_mean, from_median, None)
        left = np.sqrt(np.maximum(norms**2 - products[:, 2] ** 2, 0)) * np.linalg.norm(directions[3])
        cosines = np.divide(products[:, 3], left, out=np.full(norms.size, np.nan), where=left > 0)
    return RowGeometry(norms, from_mean, from_median, 1 - cosines)


def other_distances(here: RowGeometry, there: RowGeometry | None, size: int) -> dict[str, Float64[np.ndarray, " v"]]:
    """Every distance but the norm itself, by name; of an output matrix of other length, the rows that both have."""
    distances = {FROM_MEAN: here.from_mean, FROM_MEDIAN: here.from_median}
    if there is not None:
        outside = {NORM: there.norms, FROM_MEAN: there.from_mean, FROM_MEDIAN: there.from_median}
        for name, values in outside.items():
            fitted = np.full(size, np.nan)
            taken = min(size, values.size)
            fitted[:taken] = values[:taken]
            distances[_OUTPUT + name] = fitted
    return distances


def summarise(
    norms: Float64[np.ndarray, " v"],
    others: dict[str, Float64[np.ndarray, " v"]],
    seen: Bool[np.ndarray, " v"],
    scale: float,
    first: Correlation | None,
    rest: tuple[Correlation, ...],
) -> tuple[Distance, ...]:
    """Each distance (V,) over the seen tokens; `first` is the correlation of the norm, `rest` those of the others."""
    known = {correlation.name: correlation for correlation in rest}
    columns: list[tuple[str, Float64[np.ndarray, " v"], Correlation | None]] = [(NORM, norms, first)]
    if scale != 1.0:
        columns.append((_SCALED, norms * scale, first))
    columns += [(name, values, known.get(name)) for name, values in others.items()]
    return tuple(
        _distance(name, values[seen & np.isfinite(values)], correlation)
        for name, values, correlation in columns
        if (seen & np.isfinite(values)).any()
    )


def _distance(name: str, values: Float64[np.ndarray, " n"], correlation: Correlation | None) -> Distance:
    return Distance(
        name,
        float(values.mean()),
        float(values.std(ddof=1)) if values.size > 1 else 0.0,
        float(values.min()),
        float(values.max()),
        values.size,
        None if correlation is None else correlation.value,
        None if correlation is None else correlation.low,
        None if correlation is None else correlation.high,
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
