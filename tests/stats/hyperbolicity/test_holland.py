from math import comb

import numpy as np
import pytest
from scipy.spatial.distance import pdist, squareform

from geoprobe.stats.hyperbolicity import delta_plot, euclidean_distances, four_point_batch
from geoprobe.stats.hyperbolicity.four_point_batch import holland_of_sets
from geoprobe.stats.hyperbolicity.four_point_kernels import sampled_sums
from geoprobe.stats.hyperbolicity.holland import EXACT_POINTS, draw_triples, flat_spread, triangular_blocks

from .reference import KINDS, brute_delta, brute_holland, brute_shares, random_metric


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("n", [4, 7, 16])
def test_mean_and_ratio_equal_a_loop_over_all_quadruples(kind, n):
    distances = random_metric(kind, n, np.random.default_rng(n))
    gaps, spreads = brute_shares(distances).sum(axis=0)
    found = delta_plot(distances)
    assert found.mean == pytest.approx(brute_holland(distances), abs=1e-12)
    assert found.ratio == pytest.approx(gaps / spreads if spreads else 0.0, abs=1e-12)
    assert found.exact
    assert found.quadruples == len(brute_shares(distances))


@pytest.mark.parametrize("kind", KINDS)
def test_batch_equals_a_loop_over_all_quadruples(kind):
    rng = np.random.default_rng(5)
    clouds = [random_metric(kind, int(n), rng) for n in rng.integers(4, 18, 12)]
    found = four_point_batch(clouds, precomputed=True)
    for i, distances in enumerate(clouds):
        assert found.mean[i] == pytest.approx(brute_holland(distances), abs=1e-12)
        assert found.delta[i] == pytest.approx(brute_delta(distances), abs=1e-12)
        assert found.ratio[i] == pytest.approx(delta_plot(distances).ratio, abs=1e-12)
        assert found.diameter[i] == distances.max()
    np.testing.assert_allclose(found.relative, 2 * found.delta / found.diameter)


def test_batch_of_points_equals_batch_of_their_distances():
    rng = np.random.default_rng(6)
    clouds = [rng.standard_normal((int(n), 20)).astype(np.float32) for n in rng.integers(4, 30, 20)]
    of_points = four_point_batch(clouds)
    of_distances = four_point_batch([euclidean_distances(cloud) for cloud in clouds], precomputed=True)
    np.testing.assert_array_equal(of_points.mean, of_distances.mean)
    np.testing.assert_array_equal(of_points.delta, of_distances.delta)


def test_sets_of_a_clouds_rows_have_the_index_of_a_loop_over_their_quadruples():
    rng = np.random.default_rng(7)
    points = rng.standard_normal((40, 9))
    places = [rng.permutation(40)[:size] for size in (4, 5, 11, 17)]
    expected = [brute_holland(squareform(pdist(points[place]))) for place in places]
    np.testing.assert_allclose(holland_of_sets(points, places), expected, atol=1e-12)
    assert np.isnan(holland_of_sets(points, [np.arange(3)])[0])


def test_batch_of_too_few_points_has_delta_zero_and_no_index():
    found = four_point_batch([np.eye(3), np.ones((6, 2))])
    np.testing.assert_array_equal(found.delta, 0.0)
    assert np.isnan(found.mean[0])
    assert found.mean[1] == found.ratio[1] == 0.0


def test_a_tree_and_a_star_have_index_zero():
    tree = random_metric("tree", 60, np.random.default_rng(2))
    assert delta_plot(tree).mean == pytest.approx(0.0, abs=1e-9)
    star = np.ones((10, 10)) - np.eye(10)
    found = delta_plot(star)
    assert (found.mean, found.ratio, found.interval) == (0.0, 0.0, (0.0, 0.0))


def test_a_rounded_star_is_still_a_star():
    star = delta_plot(euclidean_distances(np.eye(12) * np.pi + np.linspace(1, 2, 12)))
    assert star.mean == 0.0


def test_the_square_of_two_equal_sums_has_index_one():
    """Hops on the four-cycle: sums 2, 2, 4, so (4 - 2) / (4 - 2) = 1."""
    square = np.array([[0, 1, 2, 1], [1, 0, 1, 2], [2, 1, 0, 1], [1, 2, 1, 0]])
    found = delta_plot(square)
    assert (found.mean, found.ratio) == (1.0, 1.0)
    assert found.interval == (0.0, 1.0)  # four points say nothing about a fifth
    assert np.isnan(found.standard_error)


@pytest.mark.parametrize("shift", [0.5, 30.0])
def test_law_adding_a_radius_to_every_point_moves_the_diameter_only(shift):
    rng = np.random.default_rng(0)
    distances = euclidean_distances(rng.standard_normal((40, 10)))
    radii = shift * rng.random(40)
    lifted = distances + (radii[:, None] + radii[None, :]) * (1 - np.eye(40))
    assert delta_plot(lifted).mean == pytest.approx(delta_plot(distances).mean, abs=1e-9)
    assert delta_plot(lifted).ratio == pytest.approx(delta_plot(distances).ratio, abs=1e-9)


def test_histogram_and_quantiles_equal_those_of_the_listed_shares():
    distances = random_metric("euclidean", 24, np.random.default_rng(9))
    gaps, spreads = brute_shares(distances).T
    shares = gaps / spreads
    found = delta_plot(distances)
    expected, edges = np.histogram(shares, bins=50, range=(0, 1))
    np.testing.assert_allclose(found.histogram, expected / shares.size, atol=2e-4)
    np.testing.assert_allclose(found.edges, edges)
    np.testing.assert_allclose(found.quantiles, np.quantile(shares, found.quantile_levels), atol=1e-3)


def test_standard_errors_equal_a_jackknife_that_drops_each_point():
    distances = random_metric("euclidean", 18, np.random.default_rng(3))
    found = delta_plot(distances)
    n = len(distances)
    for statistic, error in (("mean", found.standard_error), ("ratio", found.ratio_standard_error)):
        left = []
        for i in range(n):
            kept = np.delete(np.arange(n), i)
            left.append(getattr(delta_plot(distances[np.ix_(kept, kept)]), statistic))
        jackknife = np.sqrt((n - 1) / n * ((np.array(left) - np.mean(left)) ** 2).sum())
        # the ratio's is linearised
        assert error == pytest.approx(jackknife, rel=1e-9 if statistic == "mean" else 0.1)


def test_sampling_is_unbiased_for_the_exact_values():
    """The mean of 60 sampled runs against the exact one, by its own standard error."""
    distances = random_metric("clusters", 40, np.random.default_rng(1))
    exact = delta_plot(distances)
    rng = np.random.default_rng(2)
    runs = [delta_plot(distances, samples=300, rng=rng) for _ in range(60)]
    for name in ("mean", "ratio"):
        values = np.array([getattr(run, name) for run in runs])
        error = values.std(ddof=1) / np.sqrt(len(values))
        assert abs(values.mean() - getattr(exact, name)) < 4 * error
    histograms = np.mean([run.histogram for run in runs], axis=0)
    np.testing.assert_allclose(histograms, exact.histogram, atol=0.02)


def test_sampled_standard_error_holds_points_and_sampling():
    distances = random_metric("euclidean", 200, np.random.default_rng(1))
    exact = delta_plot(distances)
    fine = delta_plot(distances, samples=20_000)
    rough = [delta_plot(distances, samples=100, rng=np.random.default_rng(i)) for i in range(40)]
    for value, error in (("mean", "standard_error"), ("ratio", "ratio_standard_error")):
        of_points = getattr(exact, error)
        assert getattr(fine, error) == pytest.approx(of_points, rel=0.2)
        expected = np.hypot(of_points, np.std([getattr(run, value) for run in rough]))
        assert np.median([getattr(run, error) for run in rough]) == pytest.approx(expected, rel=0.35)


def test_sums_over_triples_with_all_fourth_points_equal_a_loop():
    rng = np.random.default_rng(4)
    distances = random_metric("any", 9, rng)
    triples = draw_triples(9, 7, rng)
    by_triple, by_point, squares, counted = (
        np.full((7, 3), np.nan),
        np.zeros((3, 9)),
        np.zeros(4),
        np.zeros((20, 4), dtype=np.int64),
    )
    sampled_sums(distances, triples, 1e-12, by_triple, by_point, squares, counted)
    values = np.zeros((3, 7, 9))
    for t, triple in enumerate(triples):
        for fourth in set(range(9)) - set(triple.tolist()):
            four = np.array([*triple, fourth])
            ((gap, spread),) = brute_shares(distances[np.ix_(four, four)])
            values[:, t, fourth] = gap / spread, gap, spread
    np.testing.assert_allclose(by_triple, values.sum(axis=2).T, rtol=1e-12)
    np.testing.assert_allclose(by_point, values.sum(axis=1), rtol=1e-12)
    ratio, gap, spread = values.reshape(3, -1)
    np.testing.assert_allclose(squares, [(ratio**2).sum(), (gap**2).sum(), (spread**2).sum(), gap @ spread], rtol=1e-12)
    # a triple's own three points are no fourth points
    apart = ratio[spread > 0]
    np.testing.assert_array_equal(counted.sum(axis=1), np.histogram(apart, 20, (0, 1))[0])


@pytest.mark.parametrize(("n", "target"), [(30, 1000), (30, 10**9), (12, 1), (3, 5)])
def test_blocks_cover_all_quadruples_once_and_hold_no_more_than_their_target(n, target):
    blocks = triangular_blocks(n, target)
    assert [start for start, _ in blocks] == [0, *(stop for _, stop in blocks[:-1])]
    assert blocks[-1][1] == n
    held = [comb(stop, 4) - comb(start, 4) for start, stop in blocks]
    assert sum(held) == comb(n, 4)
    for (start, stop), many, after in zip(blocks, held, [*held[1:], 0], strict=True):
        assert many <= target or stop == start + 1
        assert not after or many + comb(stop + 1, 4) - comb(stop, 4) > target  # one more would be too many


def test_below_a_millionth_of_a_millionth_of_the_diameter_a_quadruple_is_a_star():
    assert flat_spread(2e5) == pytest.approx(2e-7, rel=1e-12)
    assert 0 < flat_spread(0.0) < 1e-300


def test_large_matrices_are_sampled_and_one_thread_gives_the_same_bits(on_one_thread):
    distances = random_metric("euclidean", EXACT_POINTS + 50, np.random.default_rng(0))
    many = delta_plot(distances, samples=40_000, rng=np.random.default_rng(7))
    one = on_one_thread(lambda: delta_plot(distances, samples=40_000, rng=np.random.default_rng(7)))
    assert not many.exact
    assert (many.mean, many.interval, many.ratio) == (one.mean, one.interval, one.ratio)
    np.testing.assert_array_equal(many.histogram, one.histogram)
    assert many.histogram.sum() == pytest.approx(1.0)


def test_above_256_points_fifty_million_quadruples_are_read_by_default():
    found = delta_plot(random_metric("any", 257, np.random.default_rng(0)))
    assert (found.exact, found.quadruples) == (False, 50_000_000 // 257 * 254)
    assert len(found.histogram) == 50
    assert found.quantile_levels.tolist() == [0.05, 0.25, 0.5, 0.75, 0.95]


def test_triples_are_distinct_and_uniform():
    triples = draw_triples(5, 60_000, np.random.default_rng(0))
    codes, counts = np.unique(triples @ np.array([25, 5, 1]), return_counts=True)
    assert codes.size == 60
    assert ((counts - 1000) ** 2 / 1000).sum() < 110  # chi-square, 59 degrees of freedom


def test_too_few_points_and_samples_are_refused():
    with pytest.raises(ValueError, match="3 points; the four-point condition needs at least 4"):
        delta_plot(np.ones((3, 3)) - np.eye(3))
    with pytest.raises(ValueError, match="samples is 1"):
        delta_plot(np.ones((6, 6)) - np.eye(6), samples=1)
