# mypy: disable-error-code="no-untyped-def"
"""Euclidean distances by direct differences: equal rows give exactly 0, and no cancellation.

Four at a time, which for prompts (tens of rows, hundreds of columns) takes no longer than their Gram matrix by BLAS.
"""

import math

import numpy as np

from geoprobe.stats.kernel import kernel


@kernel(forceinline=True, fastmath={"reassoc", "contract", "nsz"})
def squared_gaps(row, a, b, c, d):
    """Squared distances of one row to four; the compiler may reorder a sum, the same way for every pair."""
    first = second = third = fourth = 0.0
    for k in range(row.shape[0]):
        here = row[k]
        u = here - a[k]
        v = here - b[k]
        w = here - c[k]
        t = here - d[k]
        first += u * u
        second += v * v
        third += w * w
        fourth += t * t
    return first, second, third, fourth


@kernel("(float64[:, ::1], float64[:, ::1], int64, int64)")
def distances_of_rows(points, distances, start, stop):
    """Fill rows [start, stop) of the lower triangle with its diagonal, and their mirror; nothing else."""
    for y in range(0, stop, 4):
        for x in range(max(start, y), stop):
            b, c, d = min(y + 1, x), min(y + 2, x), min(y + 3, x)
            gaps = squared_gaps(points[x], points[y], points[b], points[c], points[d])
            distances[x, y] = distances[y, x] = np.sqrt(gaps[0])
            distances[x, b] = distances[b, x] = np.sqrt(gaps[1])
            distances[x, c] = distances[c, x] = np.sqrt(gaps[2])
            distances[x, d] = distances[d, x] = np.sqrt(gaps[3])


@kernel("(float64[:, ::1], int64[::1], float64[:, ::1])")
def distances_among(points, rows, distances):
    """Fill the distances between some rows of the points, as `distances_of_rows` would of those alone."""
    for y in range(0, rows.shape[0], 4):
        for x in range(y, rows.shape[0]):
            b, c, d = min(y + 1, x), min(y + 2, x), min(y + 3, x)
            gaps = squared_gaps(points[rows[x]], points[rows[y]], points[rows[b]], points[rows[c]], points[rows[d]])
            distances[x, y] = distances[y, x] = np.sqrt(gaps[0])
            distances[x, b] = distances[b, x] = np.sqrt(gaps[1])
            distances[x, c] = distances[c, x] = np.sqrt(gaps[2])
            distances[x, d] = distances[d, x] = np.sqrt(gaps[3])


@kernel(forceinline=True, fastmath={"reassoc"})
def row_sum(row):
    """Sum in float64, equal for equal rows."""
    total = 0.0
    for k in range(row.shape[0]):
        total += row[k]
    return total


@kernel
def distinct_rows(rows, base, kept):
    """Copy the rows that differ from all before to the top of ``kept``.

    Returns how many there are, the place of ``base`` or its twin among them, and the first row that holds NaN or
    infinity, or -1.
    """
    sums = np.empty(rows.shape[0])
    count = 0
    place = 0
    for x in range(rows.shape[0]):
        row = rows[x]
        key = row_sum(row)
        if not math.isfinite(key) and not all_finite(row):
            return count, place, x
        where = 0
        while where < count and not (sums[where] == key and equal_rows(kept[where], row)):
            where += 1
        if where == count:
            sums[count] = key
            for k in range(row.shape[0]):
                kept[count, k] = row[k]
            count += 1
        if x == base:
            place = where
    return count, place, -1


@kernel
def all_finite(row):
    """Whether no element is NaN or infinite."""
    for k in range(row.shape[0]):
        if not math.isfinite(row[k]):
            return False
    return True


@kernel
def equal_rows(first, second):
    """Whether all elements are equal."""
    for k in range(first.shape[0]):
        if first[k] != second[k]:
            return False
    return True
