import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geoprobe.stats.hyperbolicity import delta_basepoint, euclidean_distances
from geoprobe.stats.hyperbolicity.basepoint import ONE_CALL

from .reference import KINDS, brute_basepoint_delta, random_metric


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=40)
@given(seed=st.integers(0, 2**32 - 1), n=st.integers(4, 40))
def test_equals_the_n_cubed_definition(kind, seed, n):
    rng = np.random.default_rng(seed)
    distances = random_metric(kind, n, rng)
    base = int(rng.integers(0, n))
    found = delta_basepoint(distances, base)
    assert found.delta == pytest.approx(brute_basepoint_delta(distances, base), abs=1e-12)
    assert found.diameter == distances.max()


@pytest.mark.parametrize("kind", ["euclidean", "clusters", "tree", "any"])
def test_blocks_on_threads_equal_the_definition(kind):
    n = ONE_CALL + 37
    distances = random_metric(kind, n, np.random.default_rng(3))
    assert delta_basepoint(distances, 5).delta == pytest.approx(brute_basepoint_delta(distances, 5), abs=1e-12)


@pytest.mark.parametrize("kind", KINDS)
def test_the_witness_attains_delta_by_its_own_gromov_products(kind):
    rng = np.random.default_rng(11)
    for n in (4, 9, 60):
        distances = random_metric(kind, n, rng)
        found = delta_basepoint(distances, 1)
        base, x, y, z = found.quadruple

        def product(a, b, distances=distances, base=base):
            return 0.5 * (distances[a, base] + distances[b, base] - distances[a, b])

        assert base == 1
        assert min(product(x, y), product(y, z)) - product(x, z) == pytest.approx(found.delta, abs=1e-12)


def test_a_weighted_tree_of_networkx_has_delta_zero():
    tree = nx.random_labeled_tree(80, seed=4)
    rng = np.random.default_rng(4)
    nx.set_edge_attributes(tree, {edge: rng.random() for edge in tree.edges}, "weight")
    distances = np.asarray(nx.floyd_warshall_numpy(tree))
    for base in (0, 17, 79):
        assert delta_basepoint(distances, base).delta == pytest.approx(0.0, abs=1e-12)


def test_the_four_cycle_has_delta_one_and_relative_one():
    distances = np.array([[0, 1, 2, 1], [1, 0, 1, 2], [2, 1, 0, 1], [1, 2, 1, 0]])
    found = delta_basepoint(distances)
    assert (found.delta, found.relative) == (1.0, 1.0)
    assert sorted(found.quadruple) == [0, 1, 2, 3]


@given(scale=st.floats(1e-6, 1e6), seed=st.integers(0, 1000))
@settings(max_examples=25)
def test_law_delta_scales_with_the_metric_and_relative_does_not_move(scale, seed):
    distances = random_metric("euclidean", 30, np.random.default_rng(seed))
    one, other = delta_basepoint(distances), delta_basepoint(scale * distances)
    assert other.delta == pytest.approx(scale * one.delta, rel=1e-9, abs=1e-12 * scale)
    assert other.relative == pytest.approx(one.relative, rel=1e-9, abs=1e-12)


def test_law_repeating_points_changes_nothing():
    points = np.random.default_rng(0).standard_normal((40, 12)).astype(np.float32)
    once = delta_basepoint(euclidean_distances(points))
    again = delta_basepoint(euclidean_distances(points[np.r_[0:40, 0:40, 3, 3]]))
    assert (again.delta, again.diameter) == (once.delta, once.diameter)


@pytest.mark.parametrize("n", [1, 2, 3])
def test_fewer_than_four_points_are_a_tree(n):
    found = delta_basepoint(np.ones((n, n)) - np.eye(n))
    assert (found.delta, found.quadruple, found.relative) == (0.0, None, 0.0)


def test_points_that_coincide_have_relative_zero():
    assert delta_basepoint(np.zeros((6, 6))).relative == 0.0


def _spoil(x, y, value):
    distances = random_metric("euclidean", 8, np.random.default_rng(1))
    distances[x, y] = value
    return distances


@pytest.mark.parametrize(
    ("distances", "message"),
    [
        (np.zeros((3, 4)), r"shape \(3, 4\).*square"),
        (np.zeros((0, 0)), "empty"),
        (_spoil(2, 3, np.nan), r"distances\[2, 3\] is nan"),
        (_spoil(2, 3, np.inf), r"distances\[2, 3\] is inf"),
        (_spoil(2, 3, -1.0), r"distances\[2, 3\] is -1.*negative"),
        (_spoil(2, 2, 1.0), r"distances\[2, 2\] is 1"),
        (_spoil(2, 3, 0.5), r"symmetric"),
    ],
)
@pytest.mark.usefixtures("unchecked")
def test_what_is_no_distance_matrix_is_refused_by_name(distances, message):
    with pytest.raises(ValueError, match=message):
        delta_basepoint(distances)


def test_a_broken_triangle_is_named_with_its_excess():
    distances = np.ones((5, 5)) - np.eye(5)
    distances[1, 3] = distances[3, 1] = 2.5
    with pytest.raises(ValueError, match=r"d\(1, 3\) = 2.5 exceeds d\(1, 0\) \+ d\(0, 3\) = 2 by 0.5"):
        delta_basepoint(distances)
    with pytest.raises(ValueError, match=r"d\(3, 1\) = 2.5 exceeds d\(3, \d\) \+ d\(\d, 1\) = 2 by 0.5"):
        delta_basepoint(distances, base=3)


@pytest.mark.parametrize("size", [0.01, 1.0, 100.0])
@pytest.mark.parametrize("n", [40, ONE_CALL + 20])
def test_a_triangle_that_a_base_is_too_near_for_is_refused_at_any_scale(n, size):
    distances = size * (np.ones((n, n)) - np.eye(n))
    delta_basepoint(distances)
    for x, y in ((1, 0), (n - 2, 0)):  # y is the base
        near = distances.copy()
        near[x, y] = near[y, x] = 3 * size  # its other sides are as long as one each
        with pytest.raises(ValueError, match="exceeds"):
            delta_basepoint(near)
        short = distances.copy()
        short[0, 1:] = short[1:, 0] = 0.4 * size  # two of these do not reach from one point to another
        with pytest.raises(ValueError, match="exceeds"):
            delta_basepoint(short)


def test_a_base_that_does_not_exist_is_refused():
    with pytest.raises(ValueError, match="base is 8, but there are 8 points"):
        delta_basepoint(random_metric("any", 8, np.random.default_rng(0)), base=8)
