# mypy: disable-error-code="no-untyped-def"
"""Kernel of breadth-first search from every point of a graph."""

import numpy as np

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
