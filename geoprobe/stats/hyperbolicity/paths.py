"""Path metrics: steps in a graph, and geodesics along nearest neighbours."""

import numpy as np
from jaxtyping import Float, Integer

from geoprobe.stats.hyperbolicity.path_kernels import hops_from, join_by_tree, shorten
from geoprobe.stats.threads import row_blocks, run_tasks


def geodesic_distances(
    distances: Float[np.ndarray, "n n"], neighbours: int = 10, *, connect: bool = True
) -> Float[np.ndarray, "n n"]:
    """(n, n) shortest paths in the graph that joins each point to its nearest neighbours by (n, n) distances.

    An edge stands if either end asks for it; ``connect`` adds the minimum spanning tree, so that every point can be
    reached. ValueError if ``neighbours`` is less than 1, or the graph is not connected and ``connect`` is False.
    """
    n = distances.shape[0]
    if neighbours < 1:
        raise ValueError(f"neighbours is {neighbours}; join each point to at least 1.")
    lengths = np.ascontiguousarray(distances, dtype=np.float64)
    others = np.where(np.eye(n, dtype=bool), np.inf, lengths)
    near = np.argsort(others, axis=1, kind="stable")[:, : min(neighbours, n - 1)]
    joined = np.eye(n, dtype=bool)
    np.put_along_axis(joined, near, True, axis=1)
    if connect:
        join_by_tree(lengths, joined)
    paths: Float[np.ndarray, "n n"] = np.where(joined | joined.T, lengths, np.inf)
    for block in row_blocks(n, cost=n * n):  # a kernel call cannot be interrupted: keep each short
        shorten(paths, *block)
    if not np.isfinite(paths).all():
        x, y = (int(i) for i in np.argwhere(~np.isfinite(paths))[0])
        raise ValueError(f"no path joins points {x} and {y} at {neighbours} neighbours; take more, or connect=True.")
    return paths


def hop_distances(edges: Integer[np.ndarray, "m 2"], n: int) -> Float[np.ndarray, "n n"]:
    """(n, n) steps between n points along (m, 2) undirected edges; ValueError where no path joins two."""
    if edges.size and not (int(edges.min()) >= 0 and int(edges.max()) < n):
        raise ValueError(f"edges run from {int(edges.min())} to {int(edges.max())}; the points are 0 to {n - 1}.")
    first = np.concatenate([edges[:, 0], edges[:, 1]]).astype(np.int64)
    second = np.concatenate([edges[:, 1], edges[:, 0]]).astype(np.int64)
    order = np.argsort(first, kind="stable")
    starts = np.searchsorted(first[order], np.arange(n + 1))
    ends = second[order]
    hops = np.empty((n, n))
    run_tasks(lambda block: hops_from(starts, ends, hops, *block), row_blocks(n, cost=n + len(ends), target=500_000))
    if not np.isfinite(hops).all():
        x, y = (int(i) for i in np.argwhere(~np.isfinite(hops))[0])
        raise ValueError(f"no path joins points {x} and {y}; keep the largest component.")
    return hops
