# mypy: disable-error-code="no-untyped-def"
"""Kernels of the base-point delta of a large matrix: Gromov products are formed as they are read, never stored.

Products are doubled, 2 (x|y) = d(x,p) + d(y,p) - d(x,y), so that nothing is halved before the end.
"""

import numpy as np

from geoprobe.stats.hyperbolicity.exact_kernels import best_middle
from geoprobe.stats.hyperbolicity.simd_kernels import fmax, fmin
from geoprobe.stats.kernel import kernel


@kernel("(float64[:, ::1], float64[::1], float64[::1], int64, int64)")
def bound_rows(distances, from_base, bounds, start, stop):
    """Partner bounds of rows [start, stop); return their largest distance and worst triangle with the base."""
    far = 0.0
    excess = 0.0
    for x in range(start, stop):
        longest, low, high, bounds[x] = row_range(distances[x], from_base, from_base[x])
        far = fmax(far, longest)
        excess = fmax(excess, fmax(-low, high - 2.0 * from_base[x]))
    return far, excess


@kernel
def row_range(row, from_base, to_x):
    """Largest distance, smallest and largest product, and largest product with a point that is no duplicate."""
    far = 0.0
    low = 0.0
    high = 0.0
    bound = 0.0
    for y in range(row.shape[0]):
        here = to_x + from_base[y] - row[y]
        far = fmax(far, row[y])
        low = fmin(low, here)
        high = fmax(high, here)
        # a duplicate can be no middle: its products are those of x itself
        bound = fmax(bound, fmin(here, row[y] * 1e200))
    return far, low, high, bound


@kernel
def room_of(row, from_base, bounds, to_x, reach):
    """Largest min(reach, bounds[z]) - 2 (x|z)."""
    room = -np.inf
    for z in range(row.shape[0]):
        room = fmax(room, row[z] - from_base[z] + fmin(reach, bounds[z]))
    return room - to_x


@kernel("(float64[:, ::1], float64[::1], float64[::1], int64, int64, float64, int64[::1])")
def search_pairs(distances, from_base, bounds, start, stop, incumbent, witness):
    """Search the pairs x in [start, stop), z < x that can beat ``incumbent``; return the best doubled gap.

    ``witness`` receives (x, z) of a strictly better pair, if there is one.
    """
    best = incumbent
    for x in range(start, stop):
        row = distances[x]
        to_x = from_base[x]
        reach = bounds[x]
        if reach <= best or room_of(row[:x], from_base[:x], bounds[:x], to_x, reach) <= best:
            continue
        for z in range(x):
            if row[z] - from_base[z] - to_x + fmin(reach, bounds[z]) > best:
                gap = row[z] + best_middle(from_base, row, distances[z], to_x, from_base[z])
                if gap > best:
                    best = gap
                    witness[0] = x
                    witness[1] = z
    return best


@kernel("(float64[:, ::1], float64[::1], float64[::1], int64[::1], int64[::1])")
def climb_pairs(distances, from_base, bounds, starts, witness):
    """Raise a first incumbent: pair each start with the point that leaves most room, then improve in turn."""
    best = 0.0
    for s in range(starts.shape[0]):
        x = starts[s]
        for _ in range(8):
            row = distances[x]
            to_x = from_base[x]
            z = np.argmax(row - from_base + np.minimum(bounds[x], bounds))
            gap = row[z] + best_middle(from_base, row, distances[z], to_x, from_base[z])
            if gap <= best:
                break
            best = gap
            witness[0] = x
            witness[1] = z
            middle = np.argmax(from_base - np.maximum(row + from_base[z], distances[z] + to_x))
            # the far end that this middle serves best
            x = np.argmax(row - np.maximum(row[middle] + from_base, distances[middle] + to_x))
    return best
