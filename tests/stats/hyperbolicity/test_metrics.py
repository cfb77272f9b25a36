import mpmath
import networkx as nx
import numpy as np
import pytest
from scipy.spatial.distance import cdist
from sklearn.neighbors import kneighbors_graph

from geoprobe.stats import hyperbolicity as hyp

from .reference import shortest_paths, tree_edges


def _cloud(n=20, d=7, seed=0):
    return np.random.default_rng(seed).standard_normal((n, d))


def _of_hyperboloid(points, scale=1.0):
    """Distances of points of the hyperboloid, given by their space coordinates."""
    norms = np.linalg.norm(points, axis=1)
    return hyp.polar_distances(scale * np.arcsinh(norms / scale), points / norms[:, None], scale)


@pytest.mark.parametrize("dtype", [np.float32, np.float16, np.float64, np.int64])
def test_euclidean_equals_scipy(dtype):
    points = (10 * _cloud(80, 33)).astype(dtype)
    np.testing.assert_allclose(
        hyp.euclidean_distances(points), cdist(points.astype(float), points.astype(float)), rtol=1e-13
    )


def test_angles_equal_the_arc_cosine_of_scipys_cosine():
    points = _cloud()
    cosine = cdist(points, points, "cosine")
    np.testing.assert_allclose(hyp.angular_distances(points), np.arccos(np.clip(1 - cosine, -1, 1)), atol=1e-7)


def test_small_angles_keep_their_digits_by_construction():
    tilt = 1e-9
    points = np.array([[1.0, 0.0], [np.cos(tilt), np.sin(tilt)], [-np.cos(tilt), -np.sin(tilt)]])
    angles = hyp.angular_distances(points)
    assert angles[0, 1] == pytest.approx(tilt, rel=1e-6)
    assert angles[0, 2] == pytest.approx(np.pi - tilt, abs=1e-7)


@pytest.mark.parametrize("scale", [1.0, 2.5])
def test_polar_equals_the_arc_cosine_of_the_lorentz_product_in_mpmath(scale):
    points = _cloud(6, 3) * 4
    found = _of_hyperboloid(points, scale)
    with mpmath.workdps(40):
        for i in range(6):
            for j in range(6):
                x, y = ([mpmath.mpf(float(v)) for v in points[k]] for k in (i, j))
                times = [mpmath.sqrt(scale**2 + sum(v * v for v in p)) for p in (x, y)]
                inner = times[0] * times[1] - sum(a * b for a, b in zip(x, y, strict=True))
                exact = scale * mpmath.acosh(max(1, inner / mpmath.mpf(scale) ** 2))
                assert found[i, j] == pytest.approx(float(exact), rel=1e-12, abs=1e-12)


def test_polar_equals_the_poincare_balls_textbook_formula():
    points = _cloud(12, 3)
    norms = 0.95 * np.random.default_rng(1).random(12)
    directions = points / np.linalg.norm(points, axis=1)[:, None]
    ball, squares = norms[:, None] * directions, norms**2
    exact = np.arccosh(1 + 2 * cdist(ball, ball) ** 2 / ((1 - squares)[:, None] * (1 - squares)[None, :]))
    np.testing.assert_allclose(hyp.polar_distances(2 * np.arctanh(norms), directions), exact, atol=1e-7)


def test_polar_distances_survive_large_radii_by_the_tree_limit():
    """Far out, d(x, y) = r + s + 2 log sin(angle / 2), to the last digits."""
    directions = np.array([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0]])
    found = hyp.polar_distances(np.array([300.0, 280.0, 10.0]), directions)
    assert found[0, 1] == pytest.approx(580 + np.log(0.5), rel=1e-14)
    assert found[0, 2] == pytest.approx(310, rel=1e-14)


def test_curvature_near_zero_gives_euclidean_distances():
    points = _cloud()
    np.testing.assert_allclose(_of_hyperboloid(points, 1e6), cdist(points, points), rtol=1e-9, atol=1e-12)


def test_geodesics_equal_networkx_shortest_paths_on_sklearns_neighbours():
    distances = hyp.euclidean_distances(_cloud(60, 3))
    graph = kneighbors_graph(distances, 5, metric="precomputed", mode="distance").toarray()
    graph = np.maximum(graph, graph.T)
    joined = nx.from_numpy_array(graph)
    tree = nx.minimum_spanning_tree(nx.from_numpy_array(distances))
    joined.add_weighted_edges_from((a, b, w["weight"]) for a, b, w in tree.edges(data=True))
    exact = nx.floyd_warshall_numpy(joined, range(60))
    np.testing.assert_allclose(hyp.geodesic_distances(distances, 5), exact, rtol=1e-12)


def test_geodesics_of_far_clusters_need_the_spanning_tree():
    points = np.r_[_cloud(10), 1000 + _cloud(10)]
    distances = hyp.euclidean_distances(points)
    assert np.isfinite(hyp.geodesic_distances(distances, 3)).all()
    with pytest.raises(ValueError, match="no path joins points 0 and 10 at 3 neighbours"):
        hyp.geodesic_distances(distances, 3, connect=False)


def test_geodesics_keep_coinciding_points_together():
    distances = hyp.euclidean_distances(_cloud(8)[[0, 0, 0, 0, 1, 2, 3, 4]])
    paths = hyp.geodesic_distances(distances, 2)
    np.testing.assert_allclose(paths[:4, :4], 0.0, atol=1e-300)
    assert paths[0, 4] > 0


def test_hops_equal_floyd_warshall():
    edges = tree_edges(30, np.random.default_rng(0))
    exact = shortest_paths([(a, b, 1.0) for a, b, _ in edges], 30)
    np.testing.assert_array_equal(hyp.hop_distances(np.array([e[:2] for e in edges]), 30), exact)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: hyp.euclidean_distances(np.zeros(3)), r"shape \(3,\)"),
        (lambda: hyp.euclidean_distances(np.array([[1.0], [np.nan]])), "row 1 holds NaN"),
        (lambda: hyp.angular_distances(np.array([[1.0, 0], [0, 0]])), "row 1 is zero"),
        (lambda: hyp.polar_distances(np.array([-1.0]), np.ones((1, 1))), "radius is -1"),
        (lambda: hyp.polar_distances(np.array([1.0]), np.ones((1, 1)), 0.0), "scale is 0"),
        (lambda: hyp.geodesic_distances(np.zeros((3, 3)), 0), "neighbours is 0"),
        (lambda: hyp.hop_distances(np.array([[0, 1]]), 3), "no path joins points 0 and 2"),
    ],
)
@pytest.mark.usefixtures("unchecked")
def test_bad_input_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
