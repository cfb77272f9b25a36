import networkx as nx
import numpy as np
import pytest
from scipy.optimize import linprog

from geoprobe.stats.curvature import edges_of, forman_curvature, ollivier_curvature


def adjacency(graph: nx.Graph) -> np.ndarray:
    return nx.to_numpy_array(graph, dtype=bool)


def curvatures(graph: nx.Graph, **options: float) -> np.ndarray:
    joined = adjacency(graph)
    return ollivier_curvature(joined, edges_of(joined), **options)


@pytest.mark.parametrize("n", [6, 7, 12])
def test_a_long_cycle_is_flat_as_published(n: int) -> None:
    np.testing.assert_allclose(curvatures(nx.cycle_graph(n)), 0, atol=1e-12)


@pytest.mark.parametrize("n", [3, 5, 9])
def test_a_complete_graph_has_the_published_curvature(n: int) -> None:
    np.testing.assert_allclose(curvatures(nx.complete_graph(n)), (n - 2) / (n - 1), atol=1e-12)


def test_a_tree_has_jost_and_lius_curvature() -> None:
    tree = nx.random_labeled_tree(40, seed=1)
    joined = adjacency(tree)
    edges = edges_of(joined)
    degree = joined.sum(axis=1)
    inner = 1 - 1 / degree[edges[:, 0]] - 1 / degree[edges[:, 1]]
    np.testing.assert_allclose(ollivier_curvature(joined, edges), -2 * np.maximum(inner, 0), atol=1e-12)


def test_a_torus_of_squares_is_flat_as_the_plane_is() -> None:
    np.testing.assert_allclose(curvatures(nx.grid_2d_graph(7, 7, periodic=True)), 0, atol=1e-12)


@pytest.mark.parametrize("n", [2, 3, 4])
def test_a_lazy_hypercube_has_the_published_curvature(n: int) -> None:
    # Lin, Lu and Yau: 2/n at idleness 1, to which κ/(1 − idleness) is equal from 1/(degree + 1) on
    idleness = 1 / (n + 1)
    np.testing.assert_allclose(curvatures(nx.hypercube_graph(n), idleness=idleness), (1 - idleness) * 2 / n, atol=1e-12)


@pytest.mark.parametrize("idleness", [0.0, 0.5])
def test_curvature_equals_a_linear_program_over_all_shortest_paths(idleness: float) -> None:
    graph = nx.connected_watts_strogatz_graph(30, 6, 0.4, seed=2)
    joined = adjacency(graph)
    hops = np.asarray(nx.floyd_warshall_numpy(graph))
    edges = edges_of(joined)[::7]
    for (x, y), found in zip(edges, ollivier_curvature(joined, edges, idleness=idleness), strict=True):
        masses = []
        for point in (x, y):
            mass = (1 - idleness) * joined[point] / joined[point].sum()
            mass[point] += idleness
            masses.append(mass)
        n = len(joined)
        rows = np.kron(np.eye(n), np.ones(n)), np.kron(np.ones(n), np.eye(n))
        solved = linprog(hops.ravel(), A_eq=np.vstack(rows), b_eq=np.concatenate(masses))
        assert found == pytest.approx(1 - solved.fun, abs=1e-9)


def test_formans_curvature_counts_triangles_as_networkx_does() -> None:
    graph = nx.gnp_random_graph(25, 0.3, seed=3)
    joined = adjacency(graph)
    edges = edges_of(joined)
    by_hand = [
        4 - graph.degree[x] - graph.degree[y] + 3 * len(list(nx.common_neighbors(graph, x, y))) for x, y in edges
    ]
    assert forman_curvature(joined, edges).tolist() == by_hand


def test_a_pair_that_is_no_edge_is_refused() -> None:
    joined = adjacency(nx.path_graph(3))
    with pytest.raises(ValueError, match="0 and 2 are not joined"):
        ollivier_curvature(joined, np.array([[0, 2]]))
    with pytest.raises(ValueError, match=r"idleness is 1\.0"):
        ollivier_curvature(joined, edges_of(joined), idleness=1.0)
