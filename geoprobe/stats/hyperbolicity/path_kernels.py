# mypy: disable-error-code="no-untyped-def"
"""Kernels of paths: breadth-first search, shortest paths by Floyd and Warshall, and Prim's spanning tree."""

import numpy as np

from geoprobe.stats.hyperbolicity.simd_kernels import fmin
from geoprobe.stats.kernel import kernel


@kernel("(int64[::1], int64[::1], float64[:, ::1], int64, int64)")
def hops_from(starts, ends, hops, start, stop):
    """Fill rows [start, stop) of ``hops`` with steps from each point, inf where there is no path.

    The neighbours of point x are ``ends[starts[x] : starts[x + 1]]``.
    """
    n = hops.shape[0]
    queue = np.empty(n, dtype=np.int64)
    for source in range(start, stop):
        row = hops[source]
        row[:] = np.inf
        row[source] = 0.0
        queue[0] = source
        read = 0
        write = 1
        while read < write:
            x = queue[read]
            read += 1
            step = row[x] + 1.0
            for i in range(starts[x], starts[x + 1]):
                y = ends[i]
                if row[y] == np.inf:
                    row[y] = step
                    queue[write] = y
                    write += 1


@kernel("(float64[:, ::1], int64, int64)")
def shorten(paths, start, stop):
    """Shorten the paths between all points by those that lead through points [start, stop)."""
    n = paths.shape[0]
    for middle in range(start, stop):
        onward = paths[middle].copy()
        for x in range(n):
            row = paths[x]
            first = row[middle]
            if first < np.inf:
                for y in range(n):
                    row[y] = fmin(row[y], first + onward[y])


@kernel("(float64[:, ::1], boolean[:, ::1])")
def join_by_tree(distances, joined):
    """Mark the edges of a minimum spanning tree (Prim 1957), either way."""
    n = distances.shape[0]
    reach = distances[0].copy()
    parents = np.zeros(n, dtype=np.int64)
    outside = np.ones(n, dtype=np.bool_)
    outside[0] = False
    for _ in range(n - 1):
        best = -1
        for x in range(n):
            if outside[x] and (best < 0 or reach[x] < reach[best]):
                best = x
        outside[best] = False
        joined[best, parents[best]] = joined[parents[best], best] = True
        for x in range(n):
            if outside[x] and distances[best, x] < reach[x]:
                reach[x] = distances[best, x]
                parents[x] = best
