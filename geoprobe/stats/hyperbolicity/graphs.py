"""Graphs of networkx as metric spaces: shortest paths between their nodes."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, TypeGuard

import numpy as np
from jaxtyping import Float

if TYPE_CHECKING:
    import networkx as nx


def is_graph(given: Any) -> TypeGuard[nx.Graph]:
    """Whether this is a graph of networkx; who has one has imported networkx already."""
    networkx = sys.modules.get("networkx")
    return networkx is not None and isinstance(given, networkx.Graph)


def graph_distances(graph: nx.Graph) -> Float[np.ndarray, "n n"]:
    """(n, n) shortest paths between nodes, in the order of ``list(graph)``.

    An edge is as long as its attribute ``weight`` says and 1 where it has none; of parallel edges the shortest counts.
    Whole numbers give exact whole numbers.

    Raises
    ------
    ValueError
        If the graph is directed, empty or not connected, or an edge's weight is negative or not finite.
    """
    import networkx as nx
    from scipy.sparse.csgraph import csgraph_from_dense, shortest_path

    if graph.is_directed():
        raise ValueError("the graph is directed, and a distance is the same both ways; give graph.to_undirected().")
    if not graph:
        raise ValueError("the graph has no nodes; give at least one.")
    for first, second, weight in graph.edges(data="weight", default=1):
        if not 0 <= weight < np.inf:
            raise ValueError(
                f"the edge ({first!r}, {second!r}) has weight {weight}; a length must be finite and not negative."
            )
    if not nx.is_connected(graph):
        parts = sorted(map(len, nx.connected_components(graph)), reverse=True)
        raise ValueError(
            f"the graph is not connected: {len(parts)} components, the largest of {parts[0]} of its {len(graph)} "
            "nodes. Give one, such as graph.subgraph(max(networkx.connected_components(graph), key=len))."
        )
    lengths = nx.to_numpy_array(graph, multigraph_weight=min, nonedge=np.inf)
    paths = shortest_path(csgraph_from_dense(lengths, null_value=np.inf), method="D", directed=False)
    shorter: Float[np.ndarray, "n n"] = np.minimum(paths, paths.T)  # its edges are added in another order from each end
    return shorter
