import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from geoprobe.stats.resampling import (
    bootstrap_mean,
    bootstrap_ratio_of_groups,
    draw_until_clear,
    monte_carlo_pvalue,
    monte_carlo_test,
    student_mean,
)


def test_bootstrap_interval_matches_the_normal_theory_of_a_large_sample() -> None:
    rng = np.random.default_rng(0)
    values = rng.exponential(size=4000)
    low, high = bootstrap_mean(values, rng, replicates=4000)
    expected = stats.norm.interval(0.95, values.mean(), values.std(ddof=1) / np.sqrt(values.size))
    np.testing.assert_allclose([low, high], expected, atol=0.003)


def test_bootstrap_intervals_cover_the_mean() -> None:
    rng = np.random.default_rng(1)
    inside = 0
    for _ in range(600):
        low, high = bootstrap_mean(rng.standard_normal(60) + 3, rng, replicates=400)
        inside += low <= 3 <= high
    assert 0.91 <= inside / 600 <= 0.98


def test_an_interval_of_grouped_values_is_that_of_the_groups_means_by_normal_theory() -> None:
    rng = np.random.default_rng(2)
    level = np.repeat(rng.standard_normal(500), 8)
    values, groups = level + 0.1 * rng.standard_normal(4000), np.repeat(rng.permutation(500), 8)
    low, high = bootstrap_ratio_of_groups(values, np.ones(4000), groups, rng) or (0.0, 0.0)
    means = values.reshape(500, 8).mean(axis=1)
    expected = stats.norm.interval(0.95, means.mean(), means.std(ddof=1) / np.sqrt(500))
    np.testing.assert_allclose([low, high], expected, atol=0.01)


def test_one_group_or_nothing_to_divide_by_has_no_interval() -> None:
    rng, ones = np.random.default_rng(0), np.ones(4)
    assert bootstrap_ratio_of_groups(ones, ones, np.zeros(4, dtype=np.int64), rng) is None
    assert bootstrap_ratio_of_groups(ones, 0 * ones, np.arange(4), rng) is None


@pytest.mark.parametrize("n", [5, 10, 20])
def test_simulated_intervals_of_few_values_cover_the_mean(n: int) -> None:
    rng = np.random.default_rng(n)
    inside = 0
    for _ in range(1000):
        low, high = bootstrap_mean(rng.standard_normal(n) + 3, rng, replicates=400)
        inside += low <= 3 <= high
    assert 0.93 <= inside / 1000 <= 0.97


def test_an_interval_of_few_values_is_nearly_students_by_scipy() -> None:
    values = stats.norm.ppf((np.arange(12) + 0.5) / 12)
    found = bootstrap_mean(values, np.random.default_rng(3), replicates=20_000, level=0.9)
    expected = stats.ttest_1samp(values, 0).confidence_interval(0.9)
    np.testing.assert_allclose(found, expected, rtol=0.04)


def test_one_value_has_no_interval() -> None:
    with pytest.raises(ValueError, match="values has 1 entries"):
        bootstrap_mean(np.ones(1), np.random.default_rng(0))


@given(st.lists(st.integers(-3, 3), min_size=1, max_size=40), st.integers(-4, 4))
def test_pvalues_match_a_count_by_hand(null: list[int], observed: int) -> None:
    array = np.array(null, dtype=np.float64)
    less = (1 + sum(value <= observed for value in null)) / (1 + len(null))
    greater = (1 + sum(value >= observed for value in null)) / (1 + len(null))
    assert monte_carlo_pvalue(float(observed), array, "less") == less
    assert monte_carlo_pvalue(float(observed), array, "greater") == greater
    assert monte_carlo_pvalue(float(observed), array, "two-sided") == min(1, 2 * min(less, greater))


def test_what_is_not_a_number_makes_no_pvalue_smaller_counted_by_hand() -> None:
    null = np.array([np.nan, 1.0, 2.0, 3.0, np.nan, np.nan, np.nan, np.nan, np.nan])
    assert monte_carlo_pvalue(1.5, null, "less") == 8 / 10
    assert monte_carlo_pvalue(1.5, null, "greater") == 9 / 10
    assert monte_carlo_pvalue(9.0, null, "greater") == 7 / 10
    for alternative in ("less", "greater", "two-sided"):
        assert np.isnan(monte_carlo_pvalue(np.nan, np.arange(9.0), alternative))


def test_pvalues_are_uniform_under_the_null() -> None:
    rng = np.random.default_rng(2)
    draws = [monte_carlo_pvalue(rng.standard_normal(), rng.standard_normal(99), "less") for _ in range(2000)]
    assert np.mean(np.array(draws) <= 0.05) == pytest.approx(0.05, abs=0.015)


def test_an_interval_of_a_ratio_is_that_of_its_linear_parts_by_normal_theory() -> None:
    rng = np.random.default_rng(4)
    below = rng.uniform(1, 9, 3000)
    above = 0.5 * below + rng.standard_normal(3000)
    found = bootstrap_ratio_of_groups(above, below, np.arange(3000), rng, replicates=4000, level=0.8)
    ratio = above.sum() / below.sum()
    error = (above - ratio * below).std(ddof=1) / below.mean() / np.sqrt(3000)
    np.testing.assert_allclose(found, stats.norm.interval(0.8, ratio, error), atol=0.1 * error)


@pytest.mark.parametrize("level", [0.5, 0.95])
def test_students_interval_of_a_mean_is_scipys(level: float) -> None:
    values = np.array([1.0, 4.0, 4.5, 9.0])
    expected = stats.ttest_1samp(values, 0).confidence_interval(level)
    assert student_mean(values, level=level) == pytest.approx((expected.low, expected.high))
    assert student_mean(values[:2]) == pytest.approx(stats.ttest_1samp(values[:2], 0).confidence_interval(0.95))
    assert student_mean(values[:1]) is None


def test_a_test_gives_scipys_z_of_the_observed_value_among_the_draws() -> None:
    null = np.array([3.0, 5.0, 4.0, 9.0])
    found = monte_carlo_test(2.0, null, "less")
    assert found.z == pytest.approx(stats.zmap(2.0, null, ddof=1))
    assert (found.observed, found.null_mean, found.null_sd) == (2.0, 5.25, pytest.approx(np.std(null, ddof=1)))
    assert found.pvalue == 1 / 5
    two = monte_carlo_test(2.0, null[:2], "greater")
    assert (two.z, two.pvalue) == (pytest.approx(-2 / np.sqrt(2)), 1.0)
    one = monte_carlo_test(2.0, null[:1], "less")
    assert (one.z, one.null_sd, one.pvalue) == (None, 0.0, 0.5)
    assert monte_carlo_test(2.0, np.full(9, 2.0), "less").z is None


@pytest.mark.parametrize("seed", range(30))
def test_drawing_that_stops_early_rejects_what_all_draws_would_and_draws_no_more_than_a_batch_too_many(
    seed: int,
) -> None:
    """Against the whole null, of which the draws are the first: at the level, above it, and far from it."""
    rng = np.random.default_rng(seed)
    most, batch, level = int(rng.integers(19, 130)), int(rng.integers(1, 30)), float(rng.choice([0.05, 0.1, 0.3]))
    whole = rng.integers(0, 40, most).astype(float)
    observed = float(rng.integers(0, 9))
    sizes: list[int] = []

    def draw(count: int) -> np.ndarray:
        sizes.append(count)
        return whole[sum(sizes) - count : sum(sizes)]

    drawn = draw_until_clear(observed, draw, most, level=level, batch=batch)
    np.testing.assert_array_equal(drawn, whole[: drawn.size])
    rejected = (1 + (whole <= observed).sum()) / (1 + most) <= level
    assert (monte_carlo_pvalue(observed, drawn, "less") <= level) == rejected
    assert all(size == batch for size in sizes[:-1])
    low = np.cumsum(whole <= observed)  # the draw at which no rest could reject any more
    clear = np.flatnonzero((1 + low) / (1 + most) > level)
    needed = int(clear[0]) + 1 if clear.size else most
    assert needed <= drawn.size < needed + batch
    assert drawn.size == min(most, -(-needed // batch) * batch)


def test_by_default_twenty_are_drawn_at_a_time_at_five_percent() -> None:
    assert draw_until_clear(0.0, np.zeros, 199).size == 20
    assert draw_until_clear(0.0, np.ones, 199).size == 199
