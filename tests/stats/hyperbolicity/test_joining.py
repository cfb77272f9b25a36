import networkx as nx
import numpy as np
import pytest

from geoprobe.stats.hyperbolicity import neighbour_joining

from .reference import random_metric, shortest_paths


def _leaf_metric(n, seed):
    """Distances between the leaves of a random binary tree, by networkx."""
    rng = np.random.default_rng(seed)
    graph = nx.Graph([(0, 1)])
    leaves = [0, 1]
    for new in range(2, n):
        a, b = list(graph.edges)[rng.integers(graph.number_of_edges())]
        middle = ("inner", new)
        graph.remove_edge(a, b)
        graph.add_edges_from([(a, middle), (middle, b), (middle, new)])
        leaves.append(new)
    nx.set_edge_attributes(graph, {edge: 0.1 + rng.random() for edge in graph.edges}, "weight")
    return np.asarray(nx.floyd_warshall_numpy(graph, list(graph)))[
        np.ix_([list(graph).index(v) for v in leaves], [list(graph).index(v) for v in leaves])
    ]


@pytest.mark.parametrize("n", [3, 4, 5, 9, 40, 120])
def test_a_tree_metric_is_recovered_exactly(n):
    distances = _leaf_metric(n, seed=n)
    tree = neighbour_joining(distances)
    np.testing.assert_allclose(tree.distances(), distances, atol=1e-9)
    assert tree.n_points == n
    assert (tree.lengths[:-1] > 0).all()


def test_joining_on_another_thread_gives_the_same_tree(monkeypatch):
    distances = random_metric("euclidean", 40, np.random.default_rng(0))
    one = neighbour_joining(distances)
    monkeypatch.setattr("geoprobe.stats.hyperbolicity.joining.ONE_CALL", 10)
    other = neighbour_joining(distances)
    np.testing.assert_array_equal(one.parents, other.parents)
    np.testing.assert_array_equal(one.lengths, other.lengths)


def test_path_lengths_equal_floyd_warshall():
    tree = neighbour_joining(random_metric("euclidean", 12, np.random.default_rng(0)))
    nodes = tree.parents.size
    edges = [(i, int(tree.parents[i]), float(tree.lengths[i])) for i in range(nodes - 1)]
    if min(length for _, _, length in edges) >= 0:
        np.testing.assert_allclose(tree.distances(), shortest_paths(edges, nodes)[:12, :12], atol=1e-12)
    assert sorted(tree.parents.tolist()).count(-1) == 1
    assert np.bincount(tree.parents[:-1], minlength=nodes)[12:].tolist() == [2] * 9 + [3]


def test_an_example_of_eight_taxa_is_recovered_with_the_branches_that_its_triangles_give():
    lower = "7|8 5|11 8 5|13 10 7 8|16 13 10 11 5|13 10 7 8 6 9|17 14 11 12 10 13 8"
    distances = np.zeros((8, 8))
    for i, row in enumerate(lower.split("|"), start=1):
        distances[i, :i] = [float(v) for v in row.split()]
    distances += distances.T
    tree = neighbour_joining(distances)
    np.testing.assert_allclose(tree.distances(), distances, atol=1e-9)
    tips = [
        min(
            (distances[i, j] + distances[i, k] - distances[j, k]) / 2
            for j in range(8)
            for k in range(8)
            if len({i, j, k}) == 3
        )
        for i in range(8)
    ]
    np.testing.assert_allclose(tree.lengths[:8], tips, atol=1e-9)


def test_too_few_points_are_refused():
    with pytest.raises(ValueError, match="2 points; neighbour joining needs at least 3"):
        neighbour_joining(np.ones((2, 2)) - np.eye(2))
