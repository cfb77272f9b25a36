import numpy as np
import pytest
from scipy.optimize import minimize

from geoprobe.stats.centres import geometric_median, principal_direction


def test_the_median_matches_a_general_minimiser() -> None:
    rng = np.random.default_rng(0)
    points = rng.standard_normal((60, 4)) ** 3
    expected = minimize(lambda c: np.linalg.norm(points - c, axis=1).sum(), np.zeros(4), tol=1e-12).x
    np.testing.assert_allclose(geometric_median(points, tolerance=1e-10), expected, atol=1e-5)


def test_on_a_line_it_is_the_median_even_if_that_is_a_point() -> None:
    line = np.array([1.0, 2.0, 4.0, 9.0, 100.0])[:, None] * np.array([[3.0, 4.0]])
    np.testing.assert_allclose(geometric_median(line, tolerance=1e-12, limit=20_000), [12, 16], rtol=1e-4)


def test_it_turns_with_the_cloud() -> None:
    rng = np.random.default_rng(1)
    points = rng.standard_normal((200, 5)) ** 3
    turn = np.linalg.qr(rng.standard_normal((5, 5)))[0]
    np.testing.assert_allclose(geometric_median(points @ turn), geometric_median(points) @ turn, atol=1e-5)


def test_a_majority_at_one_point_holds_it_there() -> None:
    points = np.concatenate([np.ones((6, 3)), np.full((5, 3), 1e6)])
    np.testing.assert_allclose(geometric_median(points, limit=5000), np.ones(3), atol=1.0)
    np.testing.assert_array_equal(geometric_median(np.ones((4, 2))), [1, 1])


def test_the_direction_is_that_of_numpy_svd() -> None:
    rng = np.random.default_rng(2)
    points = 5 + rng.standard_normal((300, 6)) * [3, 1, 1, 1, 1, 1] @ np.linalg.qr(rng.standard_normal((6, 6)))[0]
    expected = np.linalg.svd(points - points.mean(axis=0))[2][0]
    found = principal_direction(points)
    assert abs(found @ expected) == pytest.approx(1, abs=1e-9)
    assert found[np.abs(found).argmax()] > 0
    np.testing.assert_array_equal(principal_direction(np.ones((5, 3))), np.zeros(3))


def test_the_direction_is_that_of_numpy_svd_where_the_longest_rows_are_at_a_right_angle_to_it() -> None:
    ones, tens = np.eye(2)[[0]] * [[1], [-1]], np.eye(2)[[1]] * [[10], [-10]]
    points = np.concatenate([np.tile(ones, (500, 1)), np.tile(tens, (3, 1))])
    expected = np.abs(np.linalg.svd(points)[2][0])
    for order in (points, points[::-1], np.random.default_rng(3).permutation(points)):
        np.testing.assert_allclose(principal_direction(order), expected, atol=1e-7)


@pytest.mark.parametrize("seed", range(12))
def test_the_direction_is_that_of_numpy_svd_of_random_clouds(seed: int) -> None:
    rng = np.random.default_rng(seed)
    n, d = int(rng.integers(2, 400)), int(rng.integers(2, 60))
    points = rng.standard_normal((n, d)) * (1 + rng.random(d)) @ rng.standard_normal((d, d)) + 3
    expected = np.linalg.svd(points - points.mean(axis=0))[2][0]
    assert abs(principal_direction(points) @ expected) == pytest.approx(1, abs=1e-7)
    np.testing.assert_array_equal(principal_direction(np.full((n, d), 0.1)), np.zeros(d))


@pytest.mark.parametrize("points", [np.empty((0, 3)), np.ones((1, 3)), np.ones((4, 3))])
def test_points_that_do_not_vary_have_no_direction(points: np.ndarray) -> None:
    assert principal_direction(points).tolist() == [0, 0, 0]


@pytest.mark.parametrize("shape", [(700, 300), (300, 700)])
def test_the_direction_of_wide_clouds_by_lanczos_is_that_of_numpy_svd(shape: tuple[int, int]) -> None:
    points = np.random.default_rng(7).standard_normal(shape) * np.linspace(2, 1, shape[1]) + 5
    expected = np.linalg.svd(points - points.mean(axis=0), full_matrices=False)[2][0]
    found = principal_direction(points)
    assert abs(found @ expected) == pytest.approx(1, abs=1e-9)
    np.testing.assert_array_equal(found, principal_direction(points))


def test_the_median_of_three_points_on_a_line_is_the_middle_one_where_the_others_pull_alike():
    np.testing.assert_array_equal(geometric_median(np.array([[-1.0, 2.0], [0.0, 2.0], [1.0, 2.0]])), [0.0, 2.0])
