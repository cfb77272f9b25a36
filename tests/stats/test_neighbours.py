import numpy as np
import pytest
from scipy.spatial.distance import cdist
from scipy.stats import skew

from geoprobe.stats.neighbours import Neighbours, hubness, intrinsic_dimension, nearest_neighbours, symmetrised


def test_neighbours_equal_a_sort_of_all_distances() -> None:
    points = np.random.default_rng(0).normal(size=(60, 5))
    distances = cdist(points, points)
    np.fill_diagonal(distances, np.inf)
    near = nearest_neighbours(points, 7)
    np.testing.assert_array_equal(near.indices, np.argsort(distances, axis=1)[:, :7])
    np.testing.assert_allclose(near.distances, np.sort(distances, axis=1)[:, :7])


def test_a_graph_of_mutual_neighbours_is_within_that_of_either() -> None:
    near = nearest_neighbours(np.random.default_rng(1).normal(size=(50, 3)), 4)
    either, both = symmetrised(near), symmetrised(near, mutual=True)
    assert (either == either.T).all()
    assert (both == both.T).all()
    assert (both <= either).all()
    assert not either.diagonal().any()
    assert either.sum() + both.sum() == 2 * 50 * 4  # every directed edge is in one of them once, or in both


def test_hubness_is_scipys_skewness_of_occurrences_and_grows_with_dimension() -> None:
    rng = np.random.default_rng(2)
    flat, wide = (nearest_neighbours(rng.normal(size=(500, d)), 10) for d in (2, 200))
    assert hubness(flat) == pytest.approx(skew([np.sum(flat.indices == point) for point in range(500)]))
    assert hubness(wide) > hubness(flat) + 1


@pytest.mark.parametrize("d", [1, 2, 5])
def test_the_dimension_of_a_uniform_cloud_is_covered_in_95_of_100(d: int) -> None:
    rng = np.random.default_rng(d)
    covered = 0
    for _ in range(100):
        # on a torus, which has no border: neighbours by wrapped distances
        points = rng.random((400, d))
        wrapped = np.abs(points[:, None] - points[None])
        distances = np.sqrt((np.minimum(wrapped, 1 - wrapped) ** 2).sum(axis=2))
        np.fill_diagonal(distances, np.inf)
        order = np.argsort(distances, axis=1)[:, :2]
        near = Neighbours(order.astype(np.int64), np.take_along_axis(distances, order, axis=1))
        estimate = intrinsic_dimension(near)
        covered += estimate.low <= d <= estimate.high
    assert covered >= 86  # two points that are each other's neighbour share a distance: the interval is a bit narrow


def test_twins_have_no_ratio_and_are_left_out() -> None:
    points = np.random.default_rng(3).normal(size=(80, 3))
    points[1] = points[0]
    assert intrinsic_dimension(nearest_neighbours(points, 2)).n_points == 78
    with pytest.raises(ValueError, match="k of at least 2"):
        intrinsic_dimension(nearest_neighbours(points, 1))
    with pytest.raises(ValueError, match="take 1 to 79"):
        nearest_neighbours(points, 80)
