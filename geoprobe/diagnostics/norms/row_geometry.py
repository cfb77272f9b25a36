"""Where the rows of a matrix lie: lengths, distances from centres and from the direction of rows known to be unused."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, Int64

from geoprobe.data import Rows, native_reader
from geoprobe.stats.centres import geometric_median, principal_direction
from geoprobe.stats.rows import RowStatistics, project

__all__ = ["MEDIAN_SAMPLE", "RowGeometry", "row_geometry"]

#: Rows, evenly spread over the table, from which the geometric median and the principal direction are taken.
MEDIAN_SAMPLE = 4096


@dataclass(frozen=True, eq=False)
class RowGeometry:
    """Lengths and distances of the rows of one matrix; NaN where a row is not finite.

    Attributes
    ----------
    norms, from_mean, from_median : array of float
        (V,) distance from the origin, the mean row and the geometric median.
    from_unused : array of float or None
        (V,) cosine distance from the mean of the reference rows, the first principal component taken out of all of
        them; None without reference rows. NaN also for rows of zeros.
    """

    norms: Float64[np.ndarray, " v"]
    from_mean: Float64[np.ndarray, " v"]
    from_median: Float64[np.ndarray, " v"]
    from_unused: Float64[np.ndarray, " v"] | None


def row_geometry(rows: Rows, statistics: RowStatistics, unused: Int64[np.ndarray, " r"]) -> RowGeometry:
    """Measure all rows in one more pass.

    Parameters
    ----------
    rows : Rows
        The matrix.
    statistics : RowStatistics
        Of its first pass.
    unused : array of int
        Rows known to be unused, the reference for directions.
    """
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
