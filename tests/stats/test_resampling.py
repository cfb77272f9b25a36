import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from geoprobe.stats.resampling import bootstrap_mean, bootstrap_ratio_of_groups, monte_carlo_pvalue


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
