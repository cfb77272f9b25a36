import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from geoprobe.stats.correlation import (
    Correlation,
    average_ranks,
    codes_of,
    correlation_matrix,
    fisher_interval,
    partial_correlation,
    permutation_null,
    spearman,
)
from geoprobe.stats.rank_kernels import tau_b
from geoprobe.stats.resampling import monte_carlo_pvalue
from geoprobe.stats.weighted import effective_size, weighted_spearman


def kendall(x: np.ndarray, y: np.ndarray) -> Correlation:
    (first, levels), (second, others) = codes_of(x), codes_of(y)
    tau = float(tau_b(first, levels.size, second, others.size))
    return Correlation(tau, *fisher_interval(tau, x.size, "kendall"), 0.95, x.size)


def pearson(x: np.ndarray, y: np.ndarray) -> Correlation:
    r = float(correlation_matrix(np.stack([x, y]))[0, 1])
    return Correlation(r, *fisher_interval(r, x.size, "pearson"), 0.95, x.size)


def partial_spearman(x: np.ndarray, y: np.ndarray, covariates: np.ndarray) -> float:
    ranks = np.stack([average_ranks(column) for column in (x, y, *covariates.T)])
    return partial_correlation(correlation_matrix(ranks), 0, 1, list(range(2, len(ranks))))


@given(st.lists(st.integers(-5, 5), min_size=1, max_size=60))
def test_ranks_match_scipy_with_ties(values: list[int]) -> None:
    np.testing.assert_array_equal(average_ranks(np.array(values)), stats.rankdata(values))


@pytest.mark.parametrize("n", [5, 50, 5000])
@pytest.mark.parametrize("ties", [True, False])
def test_rho_matches_scipy(n: int, ties: bool) -> None:
    rng = np.random.default_rng(n)
    x = rng.standard_normal(n)
    y = 0.4 * x + rng.standard_normal(n)
    if ties:
        x, y = np.round(x), np.round(y)
    assert spearman(x, y).value == pytest.approx(stats.spearmanr(x, y).statistic, abs=1e-12)


@pytest.mark.parametrize("correlation", [-0.8, -0.4, 0.0, 0.6])
def test_intervals_cover_the_rho_of_a_gaussian_copula_in_closed_form(correlation: float) -> None:
    rng = np.random.default_rng(7)
    truth = 6 / np.pi * np.arcsin(correlation / 2)  # Spearman's ρ of a Gaussian copula (Kruskal 1958)
    covered = 0
    for _ in range(1000):
        x = rng.standard_normal(100)
        y = correlation * x + np.sqrt(1 - correlation**2) * rng.standard_normal(100)
        found = spearman(x, y)
        covered += found.low <= truth <= found.high
    assert 0.92 <= covered / 1000 <= 0.98


def test_a_perfect_relation_is_one() -> None:
    found = spearman(np.arange(10.0), np.arange(10.0) ** 3)
    assert (found.value, found.low, found.high) == (1.0, 1.0, 1.0)


def test_a_constant_side_has_no_correlation() -> None:
    assert np.isnan(spearman(np.ones(10), np.arange(10.0)).value)


def test_the_permutation_null_has_the_exact_variance() -> None:
    rng = np.random.default_rng(0)
    null = permutation_null(rng.standard_normal(50), rng.standard_normal(50), 4000, rng)
    assert null.mean() == pytest.approx(0, abs=0.01)
    assert null.var() == pytest.approx(1 / 49, rel=0.08)  # 1/(n-1), exact under exchangeability


def test_the_weighted_permutation_null_is_the_weighted_rho_of_each_shuffle() -> None:
    rng = np.random.default_rng(1)
    x, y, weights = rng.zipf(1.8, 80), np.round(rng.standard_normal(80), 1), rng.gamma(0.5, size=80)
    found = permutation_null(x, y, 30, np.random.default_rng(2), weights=weights)
    again = np.random.default_rng(2)
    expected = [weighted_spearman(x, again.permutation(y), weights).value for _ in range(30)]
    np.testing.assert_allclose(found, expected, atol=1e-12)


def test_with_unequal_weights_five_in_a_hundred_simulated_samples_without_a_relation_are_rejected() -> None:
    rng = np.random.default_rng(3)
    rejected = 0
    for _ in range(250):
        x = rng.exponential(size=150)
        weights = np.where(x > 0.1, 1.0, 20.0) * (1 + x)
        y = rng.standard_normal(150)
        rho = weighted_spearman(x, y, weights).value
        null = permutation_null(x, y, 99, rng, weights=weights)
        rejected += monte_carlo_pvalue(rho, null, "two-sided") <= 0.05
    assert effective_size(weights) < 100
    assert rejected <= stats.binom.ppf(0.999, 250, 0.05)
    assert rejected >= stats.binom.ppf(0.001, 250, 0.05)


def test_pairs_must_be_finite_and_of_one_length() -> None:
    with pytest.raises(ValueError, match="y holds 1 values that are NaN"):
        spearman(np.arange(3.0), np.array([1.0, np.nan, 2.0]))
    with pytest.raises((ValueError, TypeError)):
        spearman(np.arange(3.0), np.arange(4.0))


def test_partial_rho_matches_the_closed_form_for_one_covariate() -> None:
    rng = np.random.default_rng(5)
    z = rng.standard_normal(400)
    x, y = z + rng.standard_normal(400), np.exp(z) + rng.standard_normal(400)
    xy, xz, yz = (stats.spearmanr(*pair).statistic for pair in ((x, y), (x, z), (y, z)))
    expected = (xy - xz * yz) / np.sqrt((1 - xz**2) * (1 - yz**2))
    assert partial_spearman(x, y, z[:, None]) == pytest.approx(expected, abs=1e-12)


def test_partial_rho_of_two_covariates_matches_the_inverse_of_the_rank_correlation_matrix() -> None:
    rng = np.random.default_rng(6)
    columns = rng.standard_normal((300, 4)) @ rng.standard_normal((4, 4))
    precision = np.linalg.inv(stats.spearmanr(columns).statistic)
    expected = -precision[0, 1] / np.sqrt(precision[0, 0] * precision[1, 1])
    assert partial_spearman(columns[:, 0], columns[:, 1], columns[:, 2:]) == pytest.approx(expected, abs=1e-12)


def test_a_covariate_that_makes_the_relation_takes_it_away() -> None:
    rng = np.random.default_rng(7)
    z = rng.standard_normal(5000)
    x, y = z + rng.standard_normal(5000), z + rng.standard_normal(5000)
    assert spearman(x, y).value > 0.4
    # ranks of a normal are not linear in it, so a little is left
    assert abs(partial_spearman(x, y, z[:, None])) < 0.05


def test_a_side_that_a_covariate_explains_has_no_partial_rho_and_constant_covariates_do_nothing() -> None:
    x, y = np.arange(50.0), np.random.default_rng(8).standard_normal(50)
    assert np.isnan(partial_spearman(x, y, np.stack([x**3, y], axis=1)))
    assert partial_spearman(x, y, np.ones((50, 2))) == pytest.approx(stats.spearmanr(x, y).statistic)


@pytest.mark.parametrize("n", [2, 3, 20, 700, 20_000])
@pytest.mark.parametrize("ties", ["none", "counts", "both"])
def test_kendall_matches_scipy(n: int, ties: str) -> None:
    rng = np.random.default_rng(n)
    x = rng.zipf(1.5, n) if ties != "none" else rng.permutation(n)
    y = rng.standard_normal(n) - 0.1 * np.log(x + 1)
    y = np.round(y) if ties == "both" else y
    expected = stats.kendalltau(x, y).statistic
    assert kendall(x, y).value == pytest.approx(expected, abs=1e-12, nan_ok=True)


def test_kendall_of_a_constant_side_and_of_one_pair_is_nan() -> None:
    assert np.isnan(kendall(np.ones(10), np.arange(10.0)).value)
    assert np.isnan(kendall(np.ones(1), np.ones(1)).value)


def test_pearson_and_its_interval_match_scipy() -> None:
    rng = np.random.default_rng(12)
    x = rng.standard_normal(300)
    y = x + rng.standard_normal(300)
    expected = stats.pearsonr(x, y)
    found = pearson(x, y)
    assert found.value == pytest.approx(expected.statistic, abs=1e-12)
    assert (found.low, found.high) == pytest.approx(tuple(expected.confidence_interval(0.95)), abs=1e-9)


@pytest.mark.parametrize("correlation", [-0.6, 0.0, 0.3])
@pytest.mark.parametrize("kind", ["kendall", "pearson"])
def test_intervals_cover_the_value_of_a_gaussian_copula(kind: str, correlation: float) -> None:
    rng = np.random.default_rng(13)
    # Kendall's in closed form: Greiner's relation
    truth = correlation if kind == "pearson" else 2 / np.pi * np.arcsin(correlation)
    measure = {"kendall": kendall, "pearson": pearson}[kind]
    covered = 0
    for _ in range(1000):
        x = rng.standard_normal(100)
        y = correlation * x + np.sqrt(1 - correlation**2) * rng.standard_normal(100)
        found = measure(x, y)
        covered += found.low <= truth <= found.high
    assert 0.925 <= covered / 1000 <= 0.98


def test_partial_rho_matches_pingouin() -> None:
    pingouin = pytest.importorskip("pingouin")
    import pandas as pd

    rng = np.random.default_rng(14)
    columns = np.round(rng.standard_normal((400, 5)) @ rng.standard_normal((5, 5)), 1)
    frame = pd.DataFrame(columns, columns=list("xyabc"))
    expected = pingouin.partial_corr(frame, x="x", y="y", covar=["a", "b", "c"], method="spearman")["r"].item()
    assert partial_spearman(columns[:, 0], columns[:, 1], columns[:, 2:]) == pytest.approx(expected, abs=1e-9)


def test_covariates_that_repeat_each_other_hold_no_more_than_one() -> None:
    rng = np.random.default_rng(15)
    x, y, z = rng.standard_normal((3, 200))
    once = partial_spearman(x, y + z, z[:, None])
    assert partial_spearman(x, y + z, np.stack([z, -z, 2 * z], axis=1)) == pytest.approx(once, abs=1e-9)


@pytest.mark.parametrize(
    ("kind", "error"),
    [
        ("pearson", (1 / 17) ** 0.5),
        ("spearman", ((1 + 0.3**2 / 2) / 17) ** 0.5),
        ("kendall", (0.437 / 16) ** 0.5),
    ],
)
def test_intervals_are_those_of_the_published_errors_of_fishers_z(kind: str, error: float) -> None:
    """Fisher (1925) and Fieller, Hartley and Pearson (1957), with Bonett and Wright's (2000) error of Spearman's."""
    low, high = fisher_interval(0.3, 20, kind)
    expected = np.tanh(np.arctanh(0.3) + np.array([-1, 1]) * stats.norm.ppf(0.975) * error)
    assert (low, high) == pytest.approx(tuple(expected), rel=1e-12)
    assert fisher_interval(0.3, 22, kind, held=2) == pytest.approx((low, high))
