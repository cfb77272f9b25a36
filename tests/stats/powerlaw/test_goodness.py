"""The bootstrap p against a plain reimplementation, its definition and published values."""

import numpy as np
import pytest
from scipy.stats import binom, ks_2samp

from geoprobe.stats.powerlaw import fit, goodness_of_fit


def test_null_distribution_matches_a_plain_semiparametric_bootstrap():
    rng = np.random.default_rng(21)
    counts = np.r_[rng.integers(1, 8, 700), np.floor(7.5 * rng.random(800) ** (-1 / 1.2) + 0.5)].astype(np.int64)
    found = goodness_of_fit(counts, replicates=400, rng=1)
    xmin, alpha = found.fit.xmin, found.fit.alpha
    body = counts[counts < xmin]
    plain = []
    for _ in range(400):
        in_tail = rng.random(counts.size) < found.fit.n_tail / counts.size
        # zeta variables from 1, kept where they reach xmin, are the law from xmin up
        law = np.empty(0, np.int64)
        while law.size < in_tail.sum():
            drawn = rng.zipf(alpha, 20_000)
            law = np.r_[law, drawn[(drawn >= xmin) & (drawn < 2**53)]]
        sample = np.where(in_tail, law[np.cumsum(in_tail) - 1], rng.choice(body, counts.size))
        plain.append(fit(sample))
    assert ks_2samp(found.null_distribution, [f.ks for f in plain]).pvalue > 1e-3
    assert ks_2samp(found.null_alpha, [f.alpha for f in plain]).pvalue > 1e-3
    assert ks_2samp(found.null_xmin, [f.xmin for f in plain]).pvalue > 1e-3


def test_pvalue_is_the_share_of_replicates_at_least_as_far():
    counts = np.random.default_rng(4).zipf(2.1, 3000)
    found = goodness_of_fit(counts, replicates=150, rng=3)
    assert found.null_distribution.shape == (150,)
    assert found.pvalue == np.mean(found.null_distribution >= found.statistic)
    assert found.statistic == fit(counts).ks
    assert 0 < found.pvalue < 1
    # the binomial deviation of the share
    assert found.pvalue_se == pytest.approx(binom(150, found.pvalue).std() / 150)


def test_result_does_not_depend_on_the_number_of_threads(on_one_thread):
    counts = np.random.default_rng(4).zipf(1.9, 3000)
    many = goodness_of_fit(counts, replicates=50, rng=8)
    one = on_one_thread(lambda: goodness_of_fit(counts, replicates=50, rng=8))
    np.testing.assert_array_equal(many.null_distribution, one.null_distribution)
    np.testing.assert_array_equal(many.null_alpha, one.null_alpha)


def test_geometric_counts_are_rejected_and_zeta_counts_are_not():
    rng = np.random.default_rng(12)
    assert goodness_of_fit(rng.geometric(0.05, 5000), replicates=200, rng=1, xmin=1).pvalue < 0.01
    assert goodness_of_fit(rng.zipf(2.3, 5000), replicates=200, rng=1, xmin=1).pvalue > 0.01


def test_fixed_xmin_is_held_in_the_replicates():
    counts = np.random.default_rng(4).zipf(2.1, 3000)
    found = goodness_of_fit(counts, replicates=40, rng=3, xmin=3)
    assert (found.null_xmin == 3).all()
    assert found.fit.xmin == 3


def test_few_distinct_values_are_inconclusive():
    assert "distinct values" in (goodness_of_fit([1, 1, 1, 2, 2, 3, 5], replicates=20, rng=0).inconclusive or "")


def test_no_replicates_is_an_error():
    with pytest.raises(ValueError, match="replicates is 0"):
        goodness_of_fit(np.arange(1, 30), replicates=0)
