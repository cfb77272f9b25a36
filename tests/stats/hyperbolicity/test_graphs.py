import networkx as nx
import numpy as np
import pytest

from geoprobe.stats.hyperbolicity import delta, delta_basepoint, delta_plot
from geoprobe.stats.hyperbolicity.graphs import graph_distances


def _weighted(seed=0, n=30):
    graph = nx.gnm_random_graph(n, 3 * n, seed=seed)
    rng = np.random.default_rng(seed)
    graph.add_edges_from(nx.path_graph(n).edges)
    nx.set_edge_attributes(graph, {edge: float(rng.random()) for edge in graph.edges}, "weight")
    return graph


@pytest.mark.parametrize("graph", [nx.petersen_graph(), nx.grid_2d_graph(4, 7), _weighted(), _weighted(3)])
def test_distances_equal_networkx_floyd_warshall(graph):
    np.testing.assert_allclose(graph_distances(graph), nx.floyd_warshall_numpy(graph), rtol=1e-12)


def test_delta_of_cycles_and_grids_is_that_of_wu_and_zhang():
    """Cycles of length 4k + 1 have delta k - 1/2, an r by r grid has delta r - 1 (2011)."""
    for k in (1, 2, 5):
        assert delta(nx.cycle_graph(4 * k + 1)).delta == k - 0.5
    assert delta(nx.grid_2d_graph(7, 7)).delta == 6.0
    assert delta(nx.windmill_graph(5, 4)).delta == 0.0


def test_all_three_take_a_graph_as_they_take_its_distances():
    graph = _weighted(5)
    distances = graph_distances(graph)
    assert delta(graph) == delta(distances)
    assert delta_basepoint(graph, 3) == delta_basepoint(distances, 3)
    assert delta_plot(graph).mean == delta_plot(distances).mean


def test_whole_lengths_stay_whole_and_the_shortest_of_parallel_edges_counts():
    graph = nx.MultiGraph([(0, 1, {"weight": 3}), (0, 1, {"weight": 10**9}), (1, 2), (2, 2), (2, 3, {"weight": 0})])
    np.testing.assert_array_equal(graph_distances(graph), [[0, 3, 4, 4], [3, 0, 1, 1], [4, 1, 0, 0], [4, 1, 0, 0]])


def test_lists_are_taken_as_arrays_are():
    square = [[0, 1, 2, 1], [1, 0, 1, 2], [2, 1, 0, 1], [1, 2, 1, 0]]
    assert delta(square) == delta(np.array(square))
    assert delta_basepoint(square).delta == delta_plot(square).mean == 1.0


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (nx.Graph(), "no nodes"),
        (nx.DiGraph([(0, 1)]), "directed"),
        (nx.Graph([(0, 1), (2, 3), (3, 4)]), r"not connected: 2 components, the largest of 3 of its 5 nodes"),
        (nx.Graph([("a", "b", {"weight": -1})]), r"\('a', 'b'\) has weight -1"),
        (nx.Graph([(0, 1, {"weight": np.nan})]), "weight nan"),
        ([["0", "1"], ["1", "0"]], "dtype <U1"),
        ([[0, 1j], [1j, 0]], "dtype complex128"),
        ([0.0, 1.0], r"shape \(2,\)"),
    ],
)
def test_what_is_no_metric_space_is_refused_by_name(given, message):
    with pytest.raises(ValueError, match=message):
        delta(given)
