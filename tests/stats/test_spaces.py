import networkx as nx
import numpy as np
import pytest
from scipy import integrate, stats

from geoprobe.stats import hyperbolicity as hyp
from geoprobe.stats import spaces


def _rng(seed=0):
    return np.random.default_rng(seed)


def _is_metric(distances):
    slack = 1e-9 * distances.max()
    assert (distances >= 0).all()
    np.testing.assert_allclose(distances, distances.T)
    return all((distances <= distances[:, [k]] + distances[[k], :] + slack).all() for k in range(len(distances)))


def test_every_rung_is_a_metric_and_the_ladder_is_drawn_again_from_its_seed():
    rungs = spaces.ladder(40, 30, _rng(3))
    again = spaces.ladder(40, 30, _rng(3))
    assert len({rung.name for rung in rungs}) == len(rungs)
    for one, other in zip(rungs, again, strict=True):
        assert _is_metric(one.distances), one.name
        np.testing.assert_array_equal(one.distances, other.distances)


def test_trees_have_holland_zero():
    assert hyp.delta_plot(spaces.random_tree(60, _rng())).mean == pytest.approx(0.0, abs=1e-9)


def test_grid_equals_networkx():
    graph = nx.grid_2d_graph(5, 5)
    exact = np.asarray(nx.floyd_warshall_numpy(graph, sorted(graph)))
    np.testing.assert_array_equal(spaces.grid(25), exact)


def test_hierarchy_has_squared_distances_of_a_tree_in_high_dimension():
    points = spaces.hierarchy(64, 200_000, _rng())
    squares = hyp.euclidean_distances(points) ** 2
    levels = np.array([[(i ^ j).bit_length() for j in range(64)] for i in range(64)])
    np.testing.assert_allclose(squares, 2.0 * levels, atol=0.15)


def test_noise_of_a_hierarchy_is_in_units_of_its_own_length():
    points = spaces.hierarchy(64, 100_000, _rng(), noise=2.0)
    assert (points**2).sum(axis=1).mean() == pytest.approx(6 * (1 + 4), rel=0.05)


@pytest.mark.parametrize(("dimension", "radius"), [(2, 1.0), (2, 12.0), (3, 4.0), (10, 12.0)])
def test_hyperbolic_radii_follow_the_volume_by_quadrature(dimension, radius):
    """The distance of a ball's points from its centre, recovered from a ball drawn around a point at 0."""
    n = 600
    distances = spaces.hyperbolic(n, dimension, radius, _rng(1))
    assert distances.max() <= 2 * radius + 1e-9

    def log_shell(r):
        return (dimension - 1) * (np.log(np.sinh(r)) - np.log(np.sinh(radius)))

    grid = np.linspace(1e-9, radius, 4001)
    volume = integrate.cumulative_simpson(np.exp(log_shell(grid)), x=grid, initial=0)
    rng = _rng(2)
    # independent draws of two points by rejection-free inversion, and the law of cosines in plain form
    radii = np.interp(rng.random((2, n)), volume / volume[-1], grid)
    directions = rng.standard_normal((2, n, dimension))
    directions /= np.linalg.norm(directions, axis=-1)[..., None]
    cosine = (directions[0] * directions[1]).sum(axis=-1)
    plain = np.arccosh(
        np.maximum(1, np.cosh(radii[0]) * np.cosh(radii[1]) - np.sinh(radii[0]) * np.sinh(radii[1]) * cosine)
    )
    drawn = distances[np.arange(0, n, 2), np.arange(1, n, 2)]
    assert stats.ks_2samp(drawn, plain).pvalue > 1e-3


def test_holland_of_known_spaces_equals_the_values_measured_by_others():
    """Tree 0, plane 0.31, grid 0.28, H² of radius 12 0.26, Gaussian of 576 dimensions 0.49."""
    rng = _rng(5)
    for distances, value, slack in (
        (spaces.random_tree(256, rng), 0.0, 1e-9),
        (hyp.euclidean_distances(spaces.gaussian(256, 2, rng)), 0.31, 0.02),
        (spaces.grid(256), 0.28, 0.015),
        (spaces.hyperbolic(256, 2, 12.0, rng), 0.26, 0.02),
        (hyp.euclidean_distances(spaces.gaussian(256, 576, rng)), 0.49, 0.01),
        (hyp.euclidean_distances(spaces.hierarchy(256, 576, rng)), 0.20, 0.02),
    ):
        assert hyp.delta_plot(distances).mean == pytest.approx(value, abs=slack)


def test_scale_free_tree_is_a_tree_and_its_degrees_have_a_heavy_tail():
    distances = spaces.scale_free_graph(400, _rng(), links=1)
    degrees = (distances == 1).sum(axis=1)
    assert degrees.sum() == 2 * 399
    assert degrees.max() > 15
    assert hyp.delta_basepoint(distances).delta == 0.0


def test_scale_free_graph_has_the_edges_of_its_growth():
    distances = spaces.scale_free_graph(100, _rng(), links=3)
    degrees = (distances == 1).sum(axis=1)
    assert degrees.sum() == 2 * (6 + 3 * 96)
    assert degrees.min() >= 3


def test_new_points_of_a_scale_free_tree_join_others_in_proportion_to_their_degrees():
    """Of four points the third joins either of the first two, and half of the fourth ones make a star of the path."""
    rng = _rng(6)
    trees = [spaces.scale_free_graph(4, rng) == 1 for _ in range(1500)]
    error = np.sqrt(0.25 / 1500)
    assert np.mean([joined[2, 0] for joined in trees]) == pytest.approx(0.5, abs=4 * error)
    assert np.mean([joined.sum(axis=1).max() == 3 for joined in trees]) == pytest.approx(0.5, abs=4 * error)


def test_random_graph_has_its_mean_degree():
    distances = spaces.random_graph(300, 8.0, _rng())
    assert len(distances) >= 295
    assert (distances == 1).sum(axis=1).mean() == pytest.approx(8.0, abs=0.6)


def test_norms_and_clusters_have_the_law_they_name():
    rng = _rng()
    norms = np.linalg.norm(spaces.heavy_norms(3000, 20, rng, tail=2.5), axis=1)
    assert stats.kstest(norms, stats.pareto(2.5).cdf).pvalue > 1e-3
    np.testing.assert_allclose(np.linalg.norm(spaces.sphere(50, 20, rng), axis=1), 1.0)
    points = spaces.clusters(400, 50, rng, count=4, spread=0.01)
    assert len(np.unique(np.round(points[:, 0], 0))) <= 4 + 3
    assert (hyp.euclidean_distances(points) < 0.5).mean() == pytest.approx(0.25, abs=0.08)


def _largest_of_a_thousand_quadruples(distances, rng):
    """The paper's estimator of 2 delta / diameter, which is a lower bound."""
    a, b, c, d = np.array([rng.choice(len(distances), 4, replace=False) for _ in range(1000)]).T
    sums = [distances[a, b] + distances[c, d], distances[a, c] + distances[b, d], distances[a, d] + distances[b, c]]
    low, high = np.sort(sums, axis=0)[1:]
    return (high - low).max() / distances.max()


@pytest.mark.parametrize(
    ("draw", "printed", "spread"),
    [
        (lambda rng: hyp.angular_distances(spaces.sphere(512, 3, rng)), 0.99, 0.015),
        (lambda rng: spaces.random_graph(512, 6.0, rng), 0.62, 0.34),
        (lambda rng: spaces.scale_free_graph(512, rng), 0.0, 1e-12),
        (lambda rng: spaces.random_tree(512, rng), 0.0, 1e-12),
    ],
    ids=["sphere", "random graph", "scale-free graph", "tree"],
)
def test_the_papers_reference_spaces_have_its_printed_values(draw, printed, spread):
    """Yang et al. (2025), table 2, left, by all quadruples; its own thousand of them are a lower bound.

    The sphere's 0.99 is its exact delta: a thousand quadruples stay well below.
    """
    rng = _rng(4)
    spaces_drawn = [draw(rng) for _ in range(3)]
    exact = np.array([hyp.delta(distances).relative for distances in spaces_drawn])
    sampled = np.array([_largest_of_a_thousand_quadruples(distances, rng) for distances in spaces_drawn])
    assert exact.mean() == pytest.approx(printed, abs=spread)
    assert (sampled <= exact + 1e-12).all()
    if printed == 0.99:
        assert (sampled < exact - 0.05).all()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: spaces.random_tree(0, _rng()), "n is 0"),
        (lambda: spaces.hyperbolic(5, 2, -1.0, _rng()), "radius is -1"),
        (lambda: spaces.hyperbolic(5, 2, 0.0, _rng()), "radius is 0"),
        (lambda: spaces.hyperbolic(5, 2, 350.5, _rng()), "radius is 350.5"),
        (lambda: spaces.scale_free_graph(3, _rng(), links=3), "links is 3"),
        (lambda: spaces.ladder(3, 2, _rng()), "n is 3"),
    ],
)
def test_impossible_spaces_are_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
