import numpy as np
import pytest
from scipy.optimize import minimize_scalar
from scipy.spatial.distance import cdist
from scipy.stats import chi2, pareto, skew

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


def test_the_dimension_is_the_maximum_of_scipys_censored_pareto_likelihood_and_its_interval_the_published_one() -> None:
    ratios = pareto(3.0).rvs(41, random_state=4)
    near = Neighbours(np.zeros((41, 2), dtype=np.int64), np.stack([np.full(41, 0.5), 0.5 * ratios], axis=1))
    found = intrinsic_dimension(near, discard=0.2)
    kept = np.sort(ratios)[: 41 - 8]

    def loss(d: float) -> float:
        return -float(pareto(d).logpdf(kept).sum() + 8 * pareto(d).logsf(kept[-1]))

    best = minimize_scalar(loss, bounds=(0.5, 20), method="bounded", options={"xatol": 1e-9}).x
    assert found.dimension == pytest.approx(best * 32 / 33, rel=1e-5)  # without the bias of 1/m
    # Epstein and Sobel (1953): 2 m d over the estimate is chi-squared with 2 m degrees of freedom
    assert (found.low, found.high) == pytest.approx(tuple(best * chi2.ppf([0.025, 0.975], 66) / 66), rel=1e-5)
    assert found.n_points == 41
    assert intrinsic_dimension(near).dimension == intrinsic_dimension(near, discard=0.1).dimension


def test_fewer_than_three_ratios_or_none_above_one_tell_no_dimension() -> None:
    far = np.stack([np.ones(4), np.arange(1.0, 5.0)], axis=1)
    indices = np.zeros((4, 2), dtype=np.int64)
    assert intrinsic_dimension(Neighbours(indices[:3], far[1:]), discard=0).n_points == 3
    with pytest.raises(ValueError, match="Only 2 of 2 points"):
        intrinsic_dimension(Neighbours(indices[:2], far[2:]), discard=0)
    with pytest.raises(ValueError, match="Only 4 of 4 points"):
        intrinsic_dimension(Neighbours(indices, np.ones((4, 2))), discard=0)
    with pytest.raises(ValueError, match="take 1 to 3"):
        nearest_neighbours(np.eye(4), 0)


def test_where_every_point_is_as_often_a_neighbour_there_is_no_hub() -> None:
    ring = Neighbours(np.array([[1, 3], [2, 0], [3, 1], [0, 2]]), np.ones((4, 2)))
    assert hubness(ring) == 0
    star = Neighbours(np.array([[1], [0], [0], [0], [0]]), np.ones((5, 1)))
    assert hubness(star) == pytest.approx(skew([4, 1, 0, 0, 0]))
