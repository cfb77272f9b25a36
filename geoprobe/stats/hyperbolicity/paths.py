"""Path metrics: steps in a graph, and geodesics along nearest neighbours."""

import numpy as np
from jaxtyping import Float, Integer

from geoprobe.stats.hyperbolicity.path_kernels import hops_from
from geoprobe.stats.threads import row_blocks, run_tasks


def geodesic_distances(
    distances: Float[np.ndarray, "n n"], neighbours: int = 10, *, connect: bool = True
) -> Float[np.ndarray, "n n"]:
    """(n, n) shortest paths in the graph that joins each point to its nearest neighbours by (n, n) distances.

    An edge stands if either end asks for it; ``connect`` adds the minimum spanning tree, so that every point can be
    reached. ValueError if ``neighbours`` is less than 1, or the graph is not connected and ``connect`` is False.
    """
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import minimum_spanning_tree, shortest_path

    n = distances.shape[0]
    if neighbours < 1:
        raise ValueError(f"neighbours is {neighbours}; join each point to at least 1.")
    # scipy reads a zero as "no edge": keep coinciding points joined by the smallest length there is
    lengths = np.maximum(distances, np.finfo(np.float64).tiny)
    np.fill_diagonal(lengths, 0.0)
    others = lengths + np.where(np.eye(n, dtype=bool), np.inf, 0.0)
    near = np.argsort(others, axis=1, kind="stable")[:, : min(neighbours, n - 1)]
    joined = np.zeros((n, n), dtype=bool)
    np.put_along_axis(joined, near, True, axis=1)
    if connect:
        joined |= minimum_spanning_tree(csr_array(lengths)).toarray() > 0
    joined |= joined.T
    paths = shortest_path(csr_array(np.where(joined, lengths, 0.0)), method="D", directed=False)
    if not np.isfinite(paths).all():
        x, y = (int(i) for i in np.argwhere(~np.isfinite(paths))[0])
        raise ValueError(f"no path joins points {x} and {y} at {neighbours} neighbours; take more, or connect=True.")
    return _symmetric(paths)


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


def _symmetric(paths: Float[np.ndarray, "n n"]) -> Float[np.ndarray, "n n"]:
    # Dijkstra adds a path's edges in another order from its other end
    lower: Float[np.ndarray, "n n"] = np.minimum(paths, paths.T)
    return lower
