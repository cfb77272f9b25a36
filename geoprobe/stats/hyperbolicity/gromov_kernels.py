# mypy: disable-error-code="no-untyped-def"
"""Kernels of the base-point delta: Gromov products, their bounds, and the pruned max-min search."""

import numpy as np

from geoprobe.stats.hyperbolicity.euclidean_kernels import distances_of_rows, distinct_rows
from geoprobe.stats.hyperbolicity.simd_kernels import fmax, fmin
from geoprobe.stats.kernel import kernel


@kernel
def product_row(row, from_base, to_x, out):
    """Write the products of one point; return its largest distance."""
    far = 0.0
    for y in range(row.shape[0]):
        far = fmax(far, row[y])
        out[y] = 0.5 * (to_x + from_base[y] - row[y])
    return far


@kernel
def product_rows(distances, base, products, bounds, start, stop):
    """Products and partner bounds of rows [start, stop); return their largest distance and triangle excess.

    A triangle with the base fails where (x|y) is negative or exceeds d(x, base): by twice as much.
    """
    from_base = distances[base]
    far = 0.0
    excess = 0.0
    for x in range(start, stop):
        to_x = from_base[x]
        far = fmax(far, product_row(distances[x], from_base, to_x, products[x]))
        low, high, bounds[x] = row_range(products[x], from_base, to_x)
        excess = fmax(excess, 2.0 * fmax(-low, high - to_x))
    return far, excess


@kernel
def row_range(row, from_base, to_x):
    """Smallest and largest product of a row, and the largest with a point that could serve as a middle.

    A duplicate y of x, (x|y) = (x|x) and (y|z) = (x|z) for every z, never lifts a path above the direct
    product, but would make the bound useless.
    """
    low = 0.0
    high = 0.0
    bound = 0.0
    for y in range(row.shape[0]):
        here = row[y]
        low = fmin(low, here)
        high = fmax(high, here)
        # here equals both radii only if the points coincide: the difference of the larger is then 0
        apart = fmax(to_x, from_base[y]) - here
        bound = fmax(bound, fmin(here, apart * 1e200))
    return low, high, bound


@kernel
def best_path(first, second):
    """Max over y of min(first[y], second[y])."""
    best = first[0] * 0
    for y in range(first.shape[0]):
        best = fmax(best, fmin(first[y], second[y]))
    return best


@kernel
def search_rows(products, bounds, start, stop, incumbent, witness):
    """Search the pairs x in [start, stop), z < x that can beat ``incumbent``; return the best gap.

    ``witness`` receives (x, z) of a strictly better pair, if there is one.
    """
    best = incumbent
    for x in range(start, stop):
        row = products[x]
        reach = bounds[x]
        if reach <= best:
            continue
        for z in range(x):
            if fmin(reach, bounds[z]) - row[z] > best:
                gap = best_path(row, products[z]) - row[z]
                if gap > best:
                    best = gap
                    witness[0] = x
                    witness[1] = z
    return best


@kernel
def climb(products, bounds, starts, witness):
    """Raise a first incumbent by local search: from a pair, move one end to the best partner of the other.

    Each start x is paired with the z that leaves most room under the bound, then both ends are improved in
    turn through the best middle point.
    """
    n = products.shape[0]
    best = 0.0
    for s in range(starts.shape[0]):
        x = starts[s]
        for _ in range(8):
            row = products[x]
            room = -1.0
            z = x
            for c in range(n):
                here = fmin(bounds[x], bounds[c]) - row[c]
                if here > room and c != x:
                    room = here
                    z = c
            if room <= best:
                break
            gap = best_path(row, products[z]) - row[z]
            improved = gap > best
            if improved:
                best = gap
                witness[0] = x
                witness[1] = z
            # the middle that carries this pair, then the far end that the middle serves best
            middle = middle_point(row, products[z])
            other = products[middle]
            far = -1.0
            step = x
            for c in range(n):
                here = fmin(row[middle], other[c]) - row[c]
                if here > far:
                    far = here
                    step = c
            gap = best_path(row, products[step]) - row[step]
            if gap > best:
                best = gap
                witness[0] = x
                witness[1] = step
                improved = True
            if not improved:
                break
            x = step
    return best


@kernel
def middle_point(first, second):
    """Argument of ``best_path``: the first y with the largest min(first[y], second[y])."""
    best = -1.0
    where = 0
    for y in range(first.shape[0]):
        low = fmin(first[y], second[y])
        if low > best:
            best = low
            where = y
    return where


@kernel("(float64[:, ::1], int64, float64[:, ::1], float64[::1], int64[::1])")
def delta_of_one(distances, base, products, bounds, witness):
    """Return (delta, diameter) of one small matrix: the whole base-point search in one call."""
    n = distances.shape[0]
    diameter, _ = product_rows(distances, base, products, bounds, 0, n)
    starts = np.zeros(1, dtype=np.int64)
    for x in range(n):
        if bounds[x] > bounds[starts[0]]:
            starts[0] = x
    best = climb(products, bounds, starts, witness)
    best = search_rows(products, bounds, 0, n, best, witness)
    return best, diameter


@kernel("(float64[:, ::1], int64)")
def delta_of_points(rows, base):
    """Return (delta, diameter, -1) of one small cloud, or (0, 0, row) where a row holds NaN or infinity.

    Repeated rows are left out: a point at distance 0 from another changes neither delta nor diameter.
    """
    kept = np.empty((rows.shape[0], rows.shape[1]))
    n, place, bad = distinct_rows(rows, base, kept)
    if bad >= 0:
        return 0.0, 0.0, bad
    distances = np.empty((n, n))
    distances_of_rows(kept, distances, 0, n)
    witness = np.empty(2, dtype=np.int64)
    delta, diameter = delta_of_one(distances, place, np.empty((n, n)), np.empty(n), witness)
    return delta, diameter, -1
