"""The null that keeps norms and covariance: what it keeps, and how often it rejects clouds that are nothing else."""

import numpy as np
import pytest
from scipy import stats
from scipy.spatial.distance import pdist

from geoprobe.stats import hyperbolicity as hyp
from geoprobe.stats import spaces
from geoprobe.stats.nulls.elliptical import elliptical_null

RNG = np.random.default_rng


def cloud(n, dimension, spread, decay, rng, *, norm_by_direction=True):
    """Rows of covariance k^-decay and log-normal lengths, far from the origin."""
    axes = np.arange(1, dimension + 1) ** (-decay / 2)
    rows = rng.standard_normal((n, dimension)) * axes
    if not norm_by_direction:
        rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    return rows * np.exp(spread * rng.standard_normal((n, 1))) + 3 * np.linalg.norm(axes)


def test_norms_are_kept_where_norm_and_direction_are_independent():
    rng = RNG(0)
    points = cloud(200, 24, 0.4, 1.0, rng, norm_by_direction=False)
    null = elliptical_null(points)
    assert null.exponent < 0.2
    norms = np.linalg.norm(points - points.mean(axis=0), axis=1)
    drawn = np.linalg.norm(null.draw(3, rng), axis=2)
    for each in drawn:
        assert np.corrcoef(norms, each)[0, 1] > 0.95


def test_long_rows_lie_along_long_axes_where_they_did():
    rng = RNG(1)
    assert elliptical_null(cloud(200, 24, 0.3, 2.0, rng)).exponent > 0.8


def test_distances_have_the_law_of_random_directions_with_the_same_norms():
    """Kolmogorov-Smirnov on two distances, against directions drawn coordinate by coordinate in 2,000 dimensions."""
    rng = RNG(2)
    norms = np.exp(0.4 * rng.standard_normal(24))
    directions = rng.standard_normal((400, 24, 2000))
    directions /= np.linalg.norm(directions, axis=2, keepdims=True)
    plain = directions * norms[:, None]
    null = elliptical_null(plain[0])
    drawn = null.draw(400, rng)
    # the lengths are measured, to about 1 part in sqrt(2,000), and 24 points know the mean to a fifth of a norm
    for i, j in ((0, 1), (5, 9)):
        one, other = (np.linalg.norm(each[:, i] - each[:, j], axis=1) for each in (drawn, plain))
        assert np.median(one) == pytest.approx(np.median(other), rel=0.06)
        assert np.std(one) == pytest.approx(np.std(other), rel=0.25)


@pytest.mark.parametrize(("n", "dimension", "spread"), [(40, 200, 0.4), (60, 12, 0.3), (30, 30, 0.0)])
def test_a_null_holds_the_geometry_that_it_names(n, dimension, spread):
    """Frames, axes, norms and the dimensions that a length is measured in, each by its definition with numpy."""
    points = cloud(n, dimension, spread, 1.0, RNG(6))
    null = elliptical_null(points)
    weights = 1 - null.share
    assert weights.sum() == pytest.approx(1)
    frame = (np.eye(n) - np.outer(null.mirror, null.mirror))[:, 1:]
    np.testing.assert_allclose(frame.T @ frame, np.eye(n - 1), atol=1e-12)
    np.testing.assert_allclose(frame.T @ np.sqrt(weights), 0, atol=1e-12)  # 1/s, to which all rows are orthogonal
    np.testing.assert_allclose(null.axes @ null.axes.T, np.eye(len(null.axes)), atol=1e-7)
    centred = points - weights @ points
    np.testing.assert_allclose(null.mean, weights @ points)
    np.testing.assert_allclose(centred @ null.axes.T @ null.axes, centred, atol=1e-7)
    np.testing.assert_allclose(null.norms, np.linalg.norm(centred, axis=1))
    rank = min(n - 1, dimension)
    assert len(null.axes) == len(null.roots) == rank
    assert (null.roots**2).sum() == pytest.approx(n)
    assert null.kept.sum() == pytest.approx(min(n / 2, 0.95 * rank), rel=0.01)
    # the rows over their lengths have these singular values
    own = centred * np.sqrt(weights)[:, None]
    values = np.linalg.svd(own / np.sqrt((own**2).sum() / n), compute_uv=False)[:rank]
    np.testing.assert_allclose(np.sort(null.roots), np.sort(values), rtol=1e-6)


@pytest.mark.parametrize(("n", "dimension"), [(40, 400), (60, 12)])
def test_lengths_are_those_at_which_every_row_is_as_long_among_the_others(n, dimension):
    """Leave-one-out Mahalanobis lengths by numpy's inverse of the others' covariance, row by row."""
    points = cloud(n, dimension, 0.4, 1.0, RNG(7))
    null = elliptical_null(points)
    weights = 1 - null.share
    lengths = []
    ridge = float(np.mean(null.roots**2 * (1 / null.kept - 1)))
    unit = n / (((points - null.mean) ** 2).sum(axis=1) @ weights)
    for left in range(n):
        others, own = np.delete(points, left, axis=0), np.delete(weights, left)
        mean = own @ others / own.sum()
        covariance = (others - mean).T * own @ (others - mean) * unit
        gap = points[left] - mean
        lengths.append(gap @ np.linalg.solve(covariance + ridge * np.eye(dimension), gap) * weights[left])
    assert np.std(np.log(lengths)) < 0.005
    assert np.std(np.log(np.linalg.norm(points - points.mean(axis=0), axis=1) ** 2)) > 0.3


def test_a_point_at_the_mean_is_drawn_as_one_a_tenth_as_long_as_the_others():
    points = cloud(100, 24, 0.0, 2.0, RNG(8))
    points[0] = np.delete(points, 0, axis=0).mean(axis=0)
    null = elliptical_null(points)
    assert null.exponent > 0.5
    usual = np.sqrt((null.norms[1:] ** 2).mean())
    assert null.norms[0] == pytest.approx(0.1 * usual, rel=0.05)
    drawn = np.linalg.norm(null.draw(60, RNG(9)), axis=2)
    assert np.median(drawn[:, 0]) == pytest.approx(0.1 * usual, rel=0.5)


def test_covariance_is_kept_on_average():
    rng = RNG(3)
    points = cloud(300, 8, 0.0, 2.0, rng)
    before = np.linalg.eigvalsh(np.cov(points.T))[::-1]
    after = np.mean([np.linalg.eigvalsh(np.cov(each.T))[::-1][:8] for each in elliptical_null(points).draw(9, rng)], 0)
    np.testing.assert_allclose(after[:4], before[:4], rtol=0.2)


def test_draws_of_a_gaussian_cloud_are_uniform_rotations_in_law():
    """Two-sample test of Holland's index: clouds drawn anew, and the null of one of them each."""
    rng = RNG(4)
    anew = [hyp.four_point_batch([spaces.gaussian(16, 40, rng)]).mean[0] for _ in range(300)]
    drawn = [
        hyp.four_point_batch(list(elliptical_null(spaces.gaussian(16, 40, rng)).draw(1, rng))).mean[0]
        for _ in range(300)
    ]
    assert stats.ks_2samp(anew, drawn).pvalue > 1e-3


@pytest.mark.parametrize(
    "points",
    [np.ones((5, 3)), np.arange(2.0)[:, None], np.eye(4)[:, :1], np.concatenate([np.zeros((9, 4)), np.ones((1, 4))])],
)
def test_points_that_coincide_or_lie_on_a_line_have_finite_draws(points):
    drawn = elliptical_null(points).draw(3, RNG(0))
    assert drawn.shape[:2] == (3, len(points))
    assert np.isfinite(drawn).all()


@pytest.mark.parametrize(("n", "dimension"), [(12, 300), (40, 8), (2, 5)])
def test_a_cloud_put_back_has_the_distances_and_angles_of_one_put_back_in_all_dimensions(n, dimension):
    """By scipy's distances, in the dimensions of the points."""
    null = elliptical_null(cloud(n, dimension, 0.3, 1.0, RNG(10)))
    drawn = null.draw(1, RNG(11))[0]
    placed, whole = null.placed(drawn), drawn @ null.axes + null.mean
    np.testing.assert_allclose(placed @ placed.T, whole @ whole.T, rtol=1e-6)
    for metric in ("euclidean", "cosine"):
        np.testing.assert_allclose(pdist(placed, metric), pdist(whole, metric), rtol=1e-5, atol=1e-9)


def test_a_tree_stays_far_outside():
    rng = RNG(5)
    points = spaces.hierarchy(64, 1024, rng, noise=1.0) * np.exp(0.3 * rng.standard_normal((64, 1)))
    values = hyp.four_point_batch([points, *elliptical_null(points).draw(39, rng)]).mean
    assert (values[0] - values[1:].mean()) / values[1:].std(ddof=1) < -20


@pytest.mark.slow
@pytest.mark.parametrize("dimension", [16, 256, 4096])
@pytest.mark.parametrize("decay", [0.0, 1.0, 2.0])
@pytest.mark.parametrize("spread", [0.0, 0.25, 0.5])
def test_it_rejects_clouds_of_any_spread_at_its_level(dimension, decay, spread):
    """Holland's index of four sets of 32 points, lowest of 20: in 5 ± 2% of clouds, as far as 200 can tell."""
    lowest = 0
    for seed in range(200):
        rng = RNG([dimension, int(decay), int(100 * spread), seed])
        points = cloud(128, dimension, spread, decay, rng, norm_by_direction=bool(seed % 2))
        clouds = [points, *elliptical_null(points).draw(19, rng)]
        sets = [each[start : start + 32] for each in clouds for start in range(0, 128, 32)]
        means = hyp.four_point_batch(sets).mean.reshape(20, 4).mean(axis=1)
        lowest += bool(means.argmin() == 0)
    assert stats.binom.ppf(0.002, 200, 0.03) <= lowest <= stats.binom.ppf(0.998, 200, 0.07)
