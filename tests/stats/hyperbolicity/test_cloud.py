import numba
import numpy as np
import pytest

from geoprobe.stats import spaces
from geoprobe.stats.hyperbolicity import cloud, delta_basepoint, delta_basepoint_points, euclidean_distances


def _clouds(rng):
    heavy = spaces.heavy_norms(900, 40, rng)
    heavy[500:520] = heavy[0]
    return {
        "noise": spaces.gaussian(900, 40, rng),
        "plane": spaces.gaussian(500, 2, rng),
        "heavy norms and repeated rows": heavy,
        "hierarchy": spaces.hierarchy(500, 60, rng),
        "clusters, far from the origin": 1000 + spaces.clusters(700, 30, rng),
    }


@pytest.mark.parametrize("name", _clouds(np.random.default_rng(0)))
@pytest.mark.parametrize("base", [0, 311])
def test_equals_the_matrix_search(name, base, monkeypatch):
    monkeypatch.setattr(cloud, "SCOUTS", 64)
    monkeypatch.setattr(cloud, "HELD", 128)
    points = _clouds(np.random.default_rng(0))[name]
    exact = delta_basepoint(euclidean_distances(points), base)
    found = delta_basepoint_points(points, base)
    assert found.exact
    assert found.delta == pytest.approx(exact.delta, rel=1e-9)
    assert found.diameter == pytest.approx(exact.diameter, rel=1e-6)
    assert found.quadruple[0] == base
    small = euclidean_distances(points[list(found.quadruple)])
    assert (small[0, 2] + small[1, 3] - max(small[0, 1] + small[2, 3], small[0, 3] + small[1, 2])) / 2 == (
        pytest.approx(exact.delta, rel=1e-9)
    )


def test_one_thread_gives_the_same_quadruple(monkeypatch):
    monkeypatch.setattr(cloud, "SCOUTS", 64)
    points = spaces.heavy_norms(900, 30, np.random.default_rng(4))
    many = delta_basepoint_points(points)
    threads = numba.get_num_threads()
    numba.set_num_threads(1)
    try:
        one = delta_basepoint_points(points)
    finally:
        numba.set_num_threads(threads)
    assert many == one


def test_a_list_that_overflows_gives_an_interval_that_holds_delta(monkeypatch):
    points = spaces.hierarchy(500, 60, np.random.default_rng(0))
    exact = delta_basepoint_points(points).delta
    monkeypatch.setattr(cloud, "SCOUTS", 64)
    monkeypatch.setattr(cloud, "LISTED", 10)
    found = delta_basepoint_points(points)
    assert not found.exact
    assert found.delta <= exact <= found.upper


def test_a_small_cloud_equals_the_matrix_search_and_three_points_are_a_tree():
    points = np.random.default_rng(0).standard_normal((50, 6))
    exact = delta_basepoint(euclidean_distances(points), 3)
    found = delta_basepoint_points(points, 3)
    assert (found.delta, found.quadruple, found.exact) == (exact.delta, exact.quadruple, True)
    assert delta_basepoint_points(np.eye(3)).delta == 0.0


def test_the_base_is_the_first_point_unless_told():
    points = np.random.default_rng(4).standard_normal((300, 5))
    assert delta_basepoint_points(points) == delta_basepoint_points(points, 0)
    assert delta_basepoint_points(points).quadruple[0] == 0


def test_a_base_that_does_not_exist_is_refused():
    with pytest.raises(ValueError, match="base is 5"):
        delta_basepoint_points(np.eye(5), base=5)
