# mypy: disable-error-code="no-untyped-def"
"""Kernels over quadruples: the three sums d1 >= d2 >= d3 of points i, j, k with every fourth point l.

A *line* is a triple (i, j, k) with its fourth points, which lie side by side in three rows of the matrix, so
one vector instruction treats several quadruples. Where d1 - d3 is within ``flat`` of 0 the quadruple is a star
and its ratio 0 (Holland et al. 2002), whatever rounding made of it.
"""

import numpy as np

from geoprobe.stats.hyperbolicity.simd_kernels import fmax, fmin
from geoprobe.stats.hyperbolicity.vector_kernels import LANES, add_pair
from geoprobe.stats.kernel import kernel


@kernel(fastmath={"contract", "nsz", "nnan"}, error_model="numpy")
def line_values(a, b, c, dij, dik, djk, stop, flat, values):
    """Write the ratio, d1 - d2 and d1 - d3 of every l < stop into the three rows of ``values``."""
    shares = values[0]
    gaps = values[1]
    spreads = values[2]
    for fourth in range(stop):
        u = dij + c[fourth]
        v = dik + b[fourth]
        w = djk + a[fourth]
        low = fmin(u, v)
        high = fmax(u, v)
        top = fmax(high, w)
        gap = top - fmax(low, fmin(high, w))
        spread = top - fmin(low, w)
        share = gap / fmax(spread, flat)
        shares[fourth] = share if spread > flat else 0.0
        gaps[fourth] = gap
        spreads[fourth] = spread


@kernel("(float64[:, ::1], int64, int64, float64, float64[::1])")
def total_sums(distances, start, stop, flat, totals):
    """Add to ``totals`` (ratio, gap, spread; maximum of gap) the quadruples l < i < j < k, k in [start, stop)."""
    sums = np.zeros((4, LANES))
    for k in range(start, stop):
        for j in range(k):
            add_pair(distances, j, k, flat, sums)
    for lane in range(LANES):
        for kind in range(3):
            totals[kind] += sums[kind, lane]
        totals[3] = fmax(totals[3], sums[3, lane])


@kernel(forceinline=True, fastmath={"reassoc", "contract", "nsz"})
def add_line(row, points, stop):
    """Add a line of values to its fourth points; return its sum and its sum of squares."""
    total = 0.0
    square = 0.0
    for fourth in range(stop):
        points[fourth] += row[fourth]
        total += row[fourth]
        square += row[fourth] * row[fourth]
    return total, square


@kernel(forceinline=True, fastmath={"reassoc", "contract", "nsz"})
def product(first, second):
    """Inner product of two lines."""
    total = 0.0
    for fourth in range(first.shape[0]):
        total += first[fourth] * second[fourth]
    return total


@kernel
def count_shares(shares, stop, histogram):
    """Count shares in [0, 1] into the (bins, 4) slots of a histogram; 1 falls into the last bin.

    Neighbours count in different columns: the same counter twice in a row would wait for its own store.
    """
    bins = histogram.shape[0]
    for fourth in range(stop):
        histogram[min(int(shares[fourth] * bins), bins - 1), fourth & 3] += 1


@kernel("(float64[:, ::1], int64, int64, float64, float64[:, ::1], int64[:, ::1])")
def full_sums(distances, start, stop, flat, by_point, histogram):
    """Sums of ratio, gap and spread by point (3, n), and the histogram, over l < i < j < k, k in [start, stop).

    Each quadruple counts for all four of its points.
    """
    n = distances.shape[0]
    values = np.zeros((3, n))
    for k in range(start, stop):
        for j in range(k):
            for i in range(j):
                line_values(
                    distances[i],
                    distances[j],
                    distances[k],
                    distances[i, j],
                    distances[i, k],
                    distances[j, k],
                    i,
                    flat,
                    values,
                )
                for kind in range(3):
                    total, _ = add_line(values[kind], by_point[kind], i)
                    by_point[kind, i] += total
                    by_point[kind, j] += total
                    by_point[kind, k] += total
                count_shares(values[0], i, histogram)


@kernel("(float64[:, ::1], int64[:, ::1], float64, float64[:, ::1], float64[:, ::1], float64[::1], int64[:, ::1])")
def sampled_sums(distances, triples, flat, by_triple, by_point, squares, histogram):
    """The same for given triples with all other points: sums by triple (m, 3) and by fourth point (3, n).

    ``squares`` (4,) receives the sums of ratio², gap², spread² and gap * spread.
    """
    n = distances.shape[0]
    bins = histogram.shape[0]
    values = np.zeros((3, n))
    for t in range(triples.shape[0]):
        i, j, k = triples[t, 0], triples[t, 1], triples[t, 2]
        line_values(
            distances[i],
            distances[j],
            distances[k],
            distances[i, j],
            distances[i, k],
            distances[j, k],
            n,
            flat,
            values,
        )
        count_shares(values[0], n, histogram)
        for own in (i, j, k):  # a point cannot be its own fourth
            histogram[min(int(values[0, own] * bins), bins - 1), own & 3] -= 1
            for kind in range(3):
                values[kind, own] = 0.0
        for kind in range(3):
            total, square = add_line(values[kind], by_point[kind], n)
            by_triple[t, kind] = total
            squares[kind] += square
        squares[3] += product(values[1], values[2])
