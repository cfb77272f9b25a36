from itertools import pairwise

import networkx as nx
import numpy as np
import pytest
from scipy import stats
from scipy.optimize import approx_fprime, minimize
from scipy.spatial.distance import pdist, squareform

from geoprobe.stats import spaces
from geoprobe.stats.hyperbolicity import (
    embed_in_all,
    euclidean_distances,
    polar_distances,
    stress,
    stress_of_points,
)
from geoprobe.stats.hyperbolicity import embedding_kernels as kernels
from geoprobe.stats.hyperbolicity.embedding import Embedding, _refined
from geoprobe.stats.hyperbolicity.embedding_stress import Stress


def embed(distances, dimension, space):
    return next(one for one in embed_in_all(distances, dimension) if one.space == space)


def _rng(seed=0):
    return np.random.default_rng(seed)


def _flat(n, k, rng):
    return squareform(pdist(rng.standard_normal((n, k))))


def _hyperboloid(n, k, rng, scale=1.0):
    """arccosh of the Lorentz product of points of the hyperboloid, in plain form."""
    space = scale * rng.standard_normal((n, k))
    time = np.sqrt(scale**2 + (space**2).sum(axis=1))
    product = np.outer(time, time) - space @ space.T
    distances = scale * np.arccosh(np.maximum(1.0, product / scale**2))
    np.fill_diagonal(distances, 0.0)
    return distances


def _sphere(n, k, rng, radius=1.0):
    """Arccos of inner products, in plain form."""
    points = rng.standard_normal((n, k + 1))
    points /= np.linalg.norm(points, axis=1)[:, None]
    distances = radius * np.arccos(np.clip(points @ points.T, -1, 1))
    np.fill_diagonal(distances, 0.0)
    return 0.5 * (distances + distances.T)


def _known(space, k, scale, seed=0):
    if space == "euclidean":
        return scale * _flat(30, k, _rng(seed)), 0.0
    if space == "hyperbolic":
        return _hyperboloid(30, k, _rng(seed), scale), -1 / scale**2
    return _sphere(30, k, _rng(seed), scale), 1 / scale**2


@pytest.mark.parametrize("space", ["euclidean", "hyperbolic", "spherical"])
@pytest.mark.parametrize(("k", "scale"), [(2, 1.0), (3, 7.5), (5, 0.02)])
def test_points_of_a_space_embed_there_without_stress_and_with_its_curvature(space, k, scale):
    distances, curvature = _known(space, k, scale)
    for found in embed_in_all(distances, k):
        if found.space == space:
            assert found.stress < 1e-6
            assert found.curvature == pytest.approx(curvature, rel=1e-4)
        elif space != "euclidean":  # flat space is the limit of either, curved space of none
            assert found.stress > 0.01


def test_a_ball_of_radius_twelve_of_the_hyperbolic_plane_is_recovered():
    found = embed(spaces.hyperbolic(60, 2, 12.0, _rng()), 2, "hyperbolic")
    assert found.stress < 1e-6
    assert found.curvature == pytest.approx(-1.0, rel=1e-4)


@pytest.mark.parametrize("space", ["euclidean", "hyperbolic", "spherical"])
def test_the_stress_is_that_of_the_points_returned_by_plain_distances(space):
    distances = _flat(25, 8, _rng(3))
    found = embed(distances, 2, space)
    if space == "euclidean":
        own = squareform(pdist(found.points))
    elif space == "hyperbolic":
        radii = np.linalg.norm(found.points, axis=1)
        own = polar_distances(radii, found.points / radii[:, None], np.sqrt(-1 / found.curvature))
    elif found.curvature == 0:
        own = squareform(pdist(found.points))
    else:
        np.testing.assert_allclose(np.linalg.norm(found.points, axis=1), 1 / np.sqrt(found.curvature))
        own = np.arccos(np.clip(found.curvature * found.points @ found.points.T, -1, 1)) / np.sqrt(found.curvature)
        np.fill_diagonal(own, 0.0)
    assert found.stress == pytest.approx(np.sqrt(((own - distances) ** 2).sum() / (distances**2).sum()), rel=1e-6)


@pytest.mark.parametrize(("kind", "width"), [(0, 3), (-1, 3), (1, 4)])
def test_gradients_equal_finite_differences(kind, width):
    distances = _flat(8, 5, _rng(1))
    theta = _rng(2).standard_normal(8 * width + abs(kind))

    def value(at):
        return kernels.stress_within(kind, at.copy(), distances, -9.0, 9.0, np.empty_like(at))

    gradient = np.empty_like(theta)
    kernels.stress_within(kind, theta, distances, -9.0, 9.0, gradient)
    np.testing.assert_allclose(gradient, approx_fprime(theta, value, 1e-7), atol=1e-5 * np.abs(gradient).max())


def test_lengths_are_numpys_inverse_hyperbolic_sines():
    roots = np.concatenate([[0.0, 1e-150, 1e-9, 1e150], np.geomspace(1e-6, 1e6, 999)])
    lengths = np.empty_like(roots)
    kernels.hyperbolic_lengths(roots**2, lengths)
    np.testing.assert_allclose(lengths, 2 * np.arcsinh(roots), rtol=3e-16, atol=1e-15)


@pytest.mark.parametrize("kind", [-1, 1])
def test_points_that_coincide_have_no_gradient_between_them(kind):
    """The pair's distance is wrong by as much as it may be; both points go where one alone would."""
    theta = np.append(_rng(3).standard_normal((1, 3)).repeat(2, axis=0).ravel(), 0.0)
    gradient = np.empty_like(theta)
    assert kernels.stress_within(kind, theta, np.array([[0.0, 1.0], [1.0, 0.0]]), -9.0, 9.0, gradient) == 1.0
    np.testing.assert_array_equal(gradient[:6], 0.0)


@pytest.mark.parametrize(("kind", "width"), [(0, 3), (-1, 3), (1, 4)])
@pytest.mark.parametrize("steps", [8, 25])
def test_so_many_steps_of_descent_come_as_far_as_scipys_with_the_same_memory(kind, width, steps):
    gained = []
    for seed in range(16):
        distances = _flat(14, 6, _rng(seed))
        start = _rng(10 + seed).standard_normal(14 * width + abs(kind))

        def value(at, distances=distances):
            gradient = np.empty_like(at)
            return kernels.stress_within(kind, at.copy(), distances, -9.0, 9.0, gradient), gradient

        options = {"maxiter": steps, "maxcor": 10, "ftol": 0, "gtol": 0}
        peer = minimize(value, start, jac=True, method="L-BFGS-B", options=options).fun
        own = kernels.descend(kind, start, distances, -9.0, 9.0, steps)
        assert own == pytest.approx(value(start)[0], rel=1e-9)  # of where it moved to
        gained.append(np.log(own / peer))
    assert np.mean(gained) < 0.2


@pytest.mark.parametrize("space", ["euclidean", "hyperbolic", "spherical"])
def test_the_classical_start_is_exact_on_points_of_its_space_before_any_descent(monkeypatch, space):
    monkeypatch.setattr("geoprobe.stats.hyperbolicity.embedding.ITERATIONS", 0)
    distances, _ = _known(space, 3, 1.0)
    assert embed(distances, 3, space).stress < 0.01  # what is left is the jitter and the rounding of curvature


def test_another_unit_changes_nothing_but_the_unit():
    distances = _flat(25, 6, _rng(5))
    for one, other in zip(embed_in_all(distances, 2), embed_in_all(1024.0 * distances, 2), strict=True):
        assert other.stress == one.stress
        assert other.curvature == one.curvature / 1024.0**2
        np.testing.assert_array_equal(other.points, 1024.0 * one.points)


def test_trees_fit_the_hyperbolic_plane_far_better_than_the_plane():
    """Sarkar (2011): a tree embeds in H² with as little distortion as one likes, in E^k it does not."""
    plane, hyperbolic, sphere = embed_in_all(nx.floyd_warshall_numpy(nx.full_rary_tree(2, 31)), 2)
    assert hyperbolic.stress < 0.2 * plane.stress
    assert hyperbolic.curvature < -1.0  # hops; the finer the tree, the more curved
    assert sphere.stress <= plane.stress


def test_more_dimensions_or_curvature_never_fit_worse():
    distances = _flat(25, 10, _rng(6))
    found = [embed_in_all(distances, k) for k in (2, 4, 8)]
    assert all(curved.stress <= row[0].stress for row in found for curved in row[1:])
    for fewer, more in pairwise(found):
        assert all(b.stress < a.stress for a, b in zip(fewer, more, strict=True))


def test_the_gain_of_a_gaussian_is_that_of_its_null_and_of_a_hierarchy_is_not():
    """Hyperbolic space fits every cloud of high dimension better than flat space: the null must answer."""
    noise = stress_of_points(spaces.gaussian(24, 60, _rng(7)), 2, replicates=19, rng=_rng(8))
    assert noise.gain[0] > 0.5
    assert abs(noise.z[0]) < 3
    tree = stress_of_points(spaces.hierarchy(24, 60, _rng(7)), 2, replicates=19, rng=_rng(8))
    assert tree.z[0] > 4
    assert tree.pvalue[0] == 1 / 20
    assert tree.null.shape == (19, 3)
    np.testing.assert_allclose(tree.gain, 1 - tree.stress[1:] / tree.stress[0])


@pytest.mark.slow
def test_gaussian_p_values_of_the_gain_are_not_small_too_often():
    """Of nine points a null knows so little that p is above 0.5 on average (0.76 over 200 clouds)."""
    drawn = [
        stress_of_points(_rng(seed).standard_normal((9, 20)), 2, replicates=9, rng=_rng(100 + seed)).pvalue[0]
        for seed in range(40)
    ]
    assert 0.3 < np.mean(drawn) < 0.9
    assert np.mean(np.array(drawn) <= 0.1) < 0.2


def test_a_seed_gives_the_same_bits_on_one_thread(on_one_thread):
    points = spaces.gaussian(16, 9, _rng())
    many = stress_of_points(points, 2, replicates=3, rng=_rng(1))
    one = on_one_thread(lambda: stress_of_points(points, 2, replicates=3, rng=_rng(1)))
    np.testing.assert_array_equal(many.null, one.null)
    np.testing.assert_array_equal(many.stress, one.stress)
    assert len(np.unique(many.null[:, 0])) == 3


def test_a_graph_is_compared_with_graphs_of_its_degrees_from_networkx():
    graph = nx.random_labeled_tree(20, seed=3)
    graph.add_edge(*next(nx.non_edges(graph)))

    def null(stream):
        drawn = graph.copy()
        nx.connected_double_edge_swap(drawn, 200, seed=int(stream.integers(1 << 31)))
        return nx.floyd_warshall_numpy(drawn, range(20))

    found = stress(nx.floyd_warshall_numpy(graph, range(20)), 2, null=null, replicates=4, rng=_rng())
    assert found.hyperbolic.stress < found.euclidean.stress
    assert (found.null[:, 1] < found.null[:, 0]).all()


def test_exact_flat_distances_gain_nothing():
    found = stress_of_points(spaces.gaussian(12, 2, _rng()), 2, replicates=2, rng=_rng())
    np.testing.assert_allclose(found.stress, 0.0, atol=1e-9)
    np.testing.assert_array_equal(found.gain, 0.0)
    assert found.hyperbolic.curvature == 0.0
    assert np.isnan(found.z).all()


def test_repeated_points_are_no_obstacle():
    distances = np.repeat(np.repeat(_hyperboloid(8, 2, _rng()), 2, axis=0), 2, axis=1)
    assert embed(distances, 2, "hyperbolic").stress < 1e-6
    equal = np.ones((7, 7)) - np.eye(7)
    for found in embed_in_all(equal, 2):
        assert 0 < found.stress < 0.6


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: embed(_flat(6, 2, _rng()), 1, "euclidean"), "dimension is 1"),
        (lambda: embed(_flat(6, 2, _rng()), 5, "spherical"), "6 points; dimension 5 needs at least 7"),
        (lambda: embed(np.zeros((6, 6)), 2, "hyperbolic"), "all 0"),
        (lambda: stress_of_points(np.eye(6), 2, replicates=0, rng=_rng()), "replicates is 0"),
        (lambda: stress_of_points(np.full((6, 2), np.nan), 2, rng=_rng()), "row 0 holds NaN"),
    ],
)
def test_what_has_no_answer_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_euclidean_distances_of_points_are_what_stress_of_points_embeds():
    points = spaces.gaussian(14, 6, _rng(2))
    found = stress_of_points(points, 2, replicates=1, rng=_rng())
    assert found.euclidean.stress == pytest.approx(embed(euclidean_distances(points), 2, "euclidean").stress, rel=1e-6)


@pytest.mark.parametrize(("least", "best"), [(1.5, 1), (1.1, 1), (0.7, 0), (3.9, 2), (1.2, 1)])
def test_a_minimum_is_found_on_both_sides_of_the_best_grid_point(least, best):
    found = _refined(lambda log: (log - np.log(least)) ** 2, (1.0, 1.2, 2.0, 4.0), best)
    assert found == pytest.approx(least, rel=1e-3)


def test_z_and_p_of_the_gain_are_scipys_z_score_and_a_count_by_hand():
    flat, hyperbolic, spherical = (
        Embedding("euclidean", 2, value, 0.0, np.zeros((4, 2))) for value in (0.5, 0.2, 0.45)
    )
    null = np.array([[0.4, 0.3, 0.4], [0.5, 0.1, 0.2], [0.8, 0.4, 0.8], [1e-9, 0.0, 0.0]])
    found = Stress(2, flat, hyperbolic, spherical, null)
    gains = np.array([[0.25, 0.0], [0.8, 0.6], [0.5, 0.0], [0.0, 0.0]])  # an exact flat fit leaves nothing to gain
    np.testing.assert_allclose(found.null_gain, gains, atol=1e-12)
    np.testing.assert_allclose(found.gain, [0.6, 0.1])
    np.testing.assert_allclose(
        found.z, [stats.zmap(own, of, ddof=1).item() for own, of in zip((0.6, 0.1), gains.T, strict=True)]
    )
    np.testing.assert_array_equal(found.pvalue, [2 / 5, 2 / 5])
    assert np.isnan(Stress(2, flat, hyperbolic, spherical, null[:1]).z).all()
    assert np.isfinite(Stress(2, flat, hyperbolic, spherical, null[:2]).z).all()
