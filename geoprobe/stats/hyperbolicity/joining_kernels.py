# mypy: disable-error-code="no-untyped-def"
"""Kernel of neighbour joining."""

import numpy as np

from geoprobe.stats.kernel import kernel


@kernel("(float64[:, ::1], int64[::1], float64[::1], int8[::1])")
def join_neighbours(work, parents, lengths, halted):
    """Join n >= 3 points (Saitou and Nei 1987, in the form of Studier and Keppler 1988); ``work`` is consumed.

    ``parents`` and ``lengths`` (2n - 2,) receive each node's parent and the length of the edge to it; inner
    nodes are numbered n, n + 1, ... as they arise, and the last is the root. Ties go to the first pair. A nonzero
    ``halted[0]`` ends the joining early.
    """
    n = work.shape[0]
    names = np.empty(n, dtype=np.int64)  # which node sits in which row
    sums = np.zeros(n)
    for i in range(n):
        names[i] = i
        for j in range(n):
            sums[i] += work[i, j]
    active = n
    fresh = n
    while active > 3:
        if halted[0]:
            return
        best = np.inf
        first = 0
        second = 1
        for i in range(1, active):
            row = work[i]
            for j in range(i):
                score = (active - 2) * row[j] - sums[i] - sums[j]
                if score < best:
                    best = score
                    first = j
                    second = i
        gap = work[first, second]
        skew = (sums[first] - sums[second]) / (active - 2)
        parents[names[first]] = fresh
        parents[names[second]] = fresh
        lengths[names[first]] = 0.5 * (gap + skew)
        lengths[names[second]] = 0.5 * (gap - skew)
        # the new node takes the first's row, the last row moves to the second's
        total = 0.0
        for k in range(active):
            if k != first and k != second:
                here = 0.5 * (work[first, k] + work[second, k] - gap)
                sums[k] += here - work[first, k] - work[second, k]
                work[first, k] = here
                work[k, first] = here
                total += here
        sums[first] = total
        work[first, first] = 0.0
        names[first] = fresh
        last = active - 1
        if second != last:
            for k in range(active):
                work[second, k] = work[last, k]
                work[k, second] = work[k, last]
            work[second, second] = 0.0
            sums[second] = sums[last]
            names[second] = names[last]
        active -= 1
        fresh += 1
    for i in range(3):
        j, k = (i + 1) % 3, (i + 2) % 3
        parents[names[i]] = fresh
        lengths[names[i]] = 0.5 * (work[i, j] + work[i, k] - work[j, k])
    parents[fresh] = -1
    lengths[fresh] = 0.0


@kernel("(int64[::1], float64[::1], float64[:, ::1])")
def path_lengths(parents, lengths, paths):
    """Path lengths between all nodes of a tree whose every parent has a larger number than its child."""
    for node in range(parents.shape[0] - 2, -1, -1):
        parent = parents[node]
        for other in range(node + 1, parents.shape[0]):
            paths[node, other] = paths[parent, other] + lengths[node]
            paths[other, node] = paths[node, other]
