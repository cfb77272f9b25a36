# mypy: disable-error-code="no-untyped-def"
"""Kernels of the exact delta: local search for an incumbent, and the pruned search base by base.

All values are doubled, so that a quadruple's gap is d1 - d2 with nothing halved. For the quadruple with
diagonals (p, y) and (x, z),

    gap = d(x,z) + d(p,y) - max(d(x,y) + d(p,z), d(z,y) + d(p,x)),

which no diagonal falls below and no side's double falls below. With p the base and ``reach[x]`` the largest
d(p,x) + d(p,y) - d(x,y) of a y that passes these two tests, gap <= d(x,z) + min(reach) - d(p,x) - d(p,z).
"""

import numpy as np

from geoprobe.stats.hyperbolicity.simd_kernels import fmax, fmin
from geoprobe.stats.kernel import kernel

MARGIN = 2e-6
"""What the float32 bounds may be short of the true ones, for a matrix of diameter 1."""


@kernel
def best_fourth(distances, a, b, c):
    """(gap, point) of the best fourth point of three."""
    first, second, third = distances[a], distances[b], distances[c]
    ab, ac, bc = first[b], first[c], second[c]
    best = -1.0
    where = 0
    for point in range(distances.shape[0]):
        u = ab + third[point]
        v = ac + second[point]
        w = bc + first[point]
        low = fmin(u, v)
        high = fmax(u, v)
        top = fmax(high, w)
        gap = top - fmax(low, fmin(high, w))
        if gap > best:
            best = gap
            where = point
    return best, where


@kernel
def climb_quadruples(distances, starts, witness):
    """Improve each start (rows of four points) one point at a time; return the best gap, its points in ``witness``."""
    best = 0.0
    quadruple = np.empty(4, dtype=np.int64)
    for s in range(starts.shape[0]):
        quadruple[:] = starts[s]
        own = -1.0
        since = 0
        turn = 0
        while since < 4 and turn < 400:
            i = turn & 3
            gap, point = best_fourth(distances, quadruple[(i + 1) & 3], quadruple[(i + 2) & 3], quadruple[(i + 3) & 3])
            if gap > own:
                own = gap
                quadruple[i] = point
                since = 0
            else:
                since += 1
            turn += 1
        if own > best:
            best = own
            witness[:] = quadruple
    return best


@kernel
def search_far_pairs(distances, pairs, incumbent, tolerance, halted, witness):
    """Search all quadruples whose two diagonals are listed; return the best gap, its points in ``witness``.

    ``pairs`` (m, 2) holds, farthest first, the pairs farther apart than the incumbent: no gap exceeds a diagonal.
    """
    best = incumbent
    for i in range(pairs.shape[0]):
        a, c = pairs[i, 0], pairs[i, 1]
        long = distances[a, c]
        if long <= best + tolerance or halted[0]:
            break
        first, third = distances[a], distances[c]
        for j in range(i):
            b, d = pairs[j, 0], pairs[j, 1]
            gap = long + distances[b, d] - max(first[b] + third[d], first[d] + third[b])
            if gap > best + tolerance:
                best = gap
                witness[0] = a
                witness[1] = b
                witness[2] = c
                witness[3] = d
    return best


@kernel
def reach_of(row, from_base, best):
    """Largest d(p,y) - d(x,y) over the y with 2 d(x,y) > best; ``from_base`` is -inf at the barred."""
    half = np.float32(0.5 * best)
    steep = np.float32(1e30)
    reach = np.float32(-np.inf)
    for y in range(row.shape[0]):
        # the second term is hugely negative below the test and out of the way above it: no branch
        reach = fmax(reach, fmin(from_base[y] - row[y], (row[y] - half) * steep))
    return reach


@kernel
def row_bound(row, reach, slack, own):
    """Largest bound d(x,z) + min(own - d(p,z), reach[z] - d(p,z))."""
    bound = np.float32(-np.inf)
    for z in range(row.shape[0]):
        bound = fmax(bound, row[z] + fmin(own + slack[z], reach[z]))
    return bound


@kernel
def best_middle(from_base, row, other, to_x, to_z):
    """Max over y of d(p,y) - max(d(x,y) + d(p,z), d(z,y) + d(p,x))."""
    best = -np.inf
    for y in range(row.shape[0]):
        best = fmax(best, from_base[y] - fmax(row[y] + to_z, other[y] + to_x))
    return best


@kernel
def best_rounded_path(first, second):
    """Max over y of min(first[y], second[y]) of rounded products; small integers go through four times as fast."""
    best = np.uint16(0)
    for y in range(first.shape[0]):
        low = first[y] if first[y] < second[y] else second[y]
        best = low if low > best else best
    return best


@kernel
def round_products(distances, p, unit, rounded):
    """Write d(p,x) + d(p,y) - d(x,y), in units of ``unit``, to the nearest integer, for x, y > p."""
    from_base = distances[p, p + 1 :]
    for x in range(from_base.shape[0]):
        row = distances[p + 1 + x, p + 1 :]
        out = rounded[x]
        scale = 1.0 / unit
        for y in range(row.shape[0]):
            out[y] = np.uint16((from_base[x] + from_base[y] - row[y]) * scale + 0.5)


@kernel
def search_base(distances, p, reach, flagged, incumbent, tolerance, unit, halted, witness):
    """Search the surviving pairs of one base; return the best gap.

    Few survivors are computed as they are. Many go through rounded products first, and only a pair that
    may still win within the rounding (half a unit) is computed in full.
    """
    n = distances.shape[0]
    best = incumbent
    from_base = distances[p]
    survivors = 0
    for x in range(p + 2, n):
        if flagged[x]:
            row = distances[x]
            own = np.float64(reach[x])
            for z in range(p + 1, x):
                bound = row[z] + fmin(own, reach[z] + from_base[z] - from_base[x]) - from_base[z]
                survivors += bound > best + tolerance - MARGIN and row[z] > best
    many = survivors > n - p
    most = 4 * survivors > (n - p) * (n - p)  # half of all pairs: testing the bound again no longer pays
    m = n - p - 1 if many else 1
    rounded = np.empty((m, m), dtype=np.uint16)
    if many:
        round_products(distances, p, unit, rounded)
    for x in range(p + 2, n):
        if not flagged[x]:
            continue
        if halted[0]:
            return best
        row = distances[x]
        to_x = from_base[x]
        own = np.float64(reach[x])
        for z in range(p + 1, x):
            if row[z] <= best:
                continue
            if not most:
                bound = row[z] + fmin(own, reach[z] + from_base[z] - to_x) - from_base[z]
                if bound <= best + tolerance - MARGIN:
                    continue
            if many:
                path = best_rounded_path(rounded[x - p - 1], rounded[z - p - 1])
                if (path + 0.5) * unit - (to_x + from_base[z] - row[z]) <= best + tolerance:
                    continue
            gap = row[z] + best_middle(from_base[p + 1 :], row[p + 1 :], distances[z, p + 1 :], to_x, from_base[z])
            if gap > best + tolerance:
                best = gap
                witness[0] = p
                witness[1] = x
                witness[2] = z
    return best


@kernel
def search_bases(distances, short, start, stop, incumbent, tolerance, unit, halted, witness):
    """Search the quadruples whose first point p lies in [start, stop); return the best gap.

    ``short`` is the matrix in float32, for the bounds, which are taken ``MARGIN`` higher for it; the diameter
    must be 1. ``witness`` receives (p, x, z) of a gap that beats ``incumbent`` by more than ``tolerance``. The bases
    of a block share each row while it is in cache. A nonzero ``halted[0]`` ends the search early.
    """
    n = distances.shape[0]
    bases = stop - start
    best = incumbent
    reach = np.full((bases, n), np.float32(-np.inf))
    far = np.empty((bases, n), dtype=np.float32)
    flagged = np.zeros((bases, n), dtype=np.bool_)
    for b in range(bases):
        from_base = short[start + b]
        for y in range(n):
            far[b, y] = from_base[y] if from_base[y] > best - MARGIN else np.float32(-np.inf)
    for x in range(start + 1, n):
        row = short[x]
        if halted[0]:
            return best
        for b in range(bases):
            p = start + b
            if x > p and 2.0 * short[p, x] > best - MARGIN:
                reach[b, x] = reach_of(row[p + 1 :], far[b, p + 1 :], best - MARGIN)
    # from here on the array holds -d(p, z)
    far[:, :] = -short[start:stop]
    for x in range(start + 2, n):
        row = short[x]
        if halted[0]:
            return best
        for b in range(bases):
            p = start + b
            if x > p + 1 and reach[b, x] > -np.inf:
                to_x = short[p, x]
                own = reach[b, x] + to_x
                bound = row_bound(row[p + 1 : x], reach[b, p + 1 : x], far[b, p + 1 : x], own) - to_x
                flagged[b, x] = bound > best + tolerance - MARGIN
    for b in range(bases):
        best = search_base(distances, start + b, reach[b], flagged[b], best, tolerance, unit, halted, witness)
    return best
