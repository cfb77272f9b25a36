"""Drawn histograms against the probabilities they should have."""

import numpy as np
import pytest
from scipy.special import zeta
from scipy.stats import chisquare

from geoprobe.stats.powerlaw.sampling_kernels import (
    compact,
    draw_power_law,
    draw_semiparametric,
    draw_tail,
    head_hazards,
    head_length,
    resample,
)
from geoprobe.stats.powerlaw.sorting_kernels import sort

DRAWS = 40_000


def exact(alpha, xmin, cells):
    """Probabilities of xmin, xmin + 1, ... and, last, of everything beyond."""
    at = np.arange(xmin, xmin + cells)
    return np.r_[at**-alpha, zeta(alpha, xmin + cells)] / zeta(alpha, xmin)


def binned(values, counts, xmin, cells):
    index = np.minimum(np.asarray(values) - xmin, cells).astype(np.int64)
    return np.bincount(index, weights=counts, minlength=cells + 1)


def tail(rng, n, alpha, xmin, hazards):
    values, counts = np.empty(hazards.size + n), np.empty(hazards.size + n, np.int64)
    size = draw_tail(rng, n, alpha, xmin, hazards, values, counts)
    return values[:size], counts[:size]


@pytest.mark.parametrize("size", [0, 1, 2, 3, 10, 1000])
@pytest.mark.parametrize("ties", [True, False])
def test_sorted_values_are_numpys(size, ties):
    rng = np.random.default_rng(size)
    values = rng.zipf(1.5, size) if ties else rng.standard_normal(size)
    expected = np.sort(values)
    sort(values)
    np.testing.assert_array_equal(values, expected)


@pytest.mark.parametrize(("alpha", "xmin"), [(1.1, 1), (1.5, 3), (2.0, 1), (2.5, 50), (6.0, 1), (6.0, 20)])
def test_single_draws_follow_the_exact_probabilities(alpha, xmin):
    rng = np.random.default_rng(4)
    values = [draw_power_law(rng, alpha, float(xmin)) for _ in range(DRAWS)]
    cells = 4 if alpha == 6.0 else 15
    observed = binned(values, np.ones(DRAWS), xmin, cells)
    assert chisquare(observed, DRAWS * exact(alpha, xmin, cells)).pvalue > 1e-4


@pytest.mark.parametrize(("alpha", "xmin"), [(1.3, 1), (1.9, 5), (2.5, 1), (4.0, 30)])
def test_tail_histogram_follows_the_exact_probabilities(alpha, xmin):
    length = head_length(DRAWS, alpha, float(xmin))
    hazards = head_hazards(alpha, float(xmin), length)
    rng = np.random.default_rng(9)
    values, counts = tail(rng, DRAWS, alpha, float(xmin), hazards)
    assert counts.sum() == DRAWS
    assert (np.diff(values) > 0).all()
    # bins on both sides of the end of the binomial head
    observed = binned(values, counts, xmin, length + 10)
    expected = DRAWS * exact(alpha, xmin, length + 10)
    groups = np.unique(np.r_[np.searchsorted(-expected, -25.0), length, length + 5])
    groups = np.unique(np.r_[np.arange(0, groups[0], max(1, groups[0] // 30)), groups])
    assert chisquare(np.add.reduceat(observed, groups), np.add.reduceat(expected, groups)).pvalue > 1e-4


def test_resample_has_the_moments_of_a_multinomial():
    counts = np.array([50, 0, 30, 15, 5])
    rng = np.random.default_rng(2)
    rows = np.empty((8000, 5), np.int64)
    for row in rows:
        resample(rng, 100, counts, row)
    assert (rows.sum(axis=1) == 100).all()
    p = counts / 100
    np.testing.assert_allclose(rows.mean(axis=0), 100 * p, atol=4 * np.sqrt(100 * 0.25 / 8000))
    np.testing.assert_allclose(np.cov(rows.T), 100 * (np.diag(p) - np.outer(p, p)), atol=1.5)


def test_semiparametric_sample_mixes_the_body_and_the_law():
    body, weights = np.array([1.0, 2.0, 4.0]), np.array([300, 100, 100])
    hazards = head_hazards(2.2, 6.0, head_length(500, 2.2, 6.0))
    rng = np.random.default_rng(6)
    totals = np.zeros(7)
    for _ in range(400):
        values, counts = draw_semiparametric(rng, 1000, 500, body, weights, 2.2, 6.0, hazards)
        assert counts.sum() == 1000
        totals += binned(np.minimum(values, 7), counts, 1, 6)
    expected = np.array([300, 100, 0, 100, 0, 500 * 6**-2.2 / zeta(2.2, 6), 0.0]) * 400
    expected[6] = 400 * 1000 - expected.sum()
    assert totals[2] == totals[4] == 0
    kept = expected > 0
    assert chisquare(totals[kept], expected[kept]).pvalue > 1e-4


@pytest.mark.parametrize(("n", "alpha", "xmin"), [(1000, 2.0, 1), (50_000, 1.7, 3), (2, 2.0, 1), (1000, 3.5, 40)])
def test_the_head_is_the_values_expected_at_least_twice_by_scipy(n, alpha, xmin):
    length = head_length(n, alpha, float(xmin))
    expected = n * np.arange(xmin, xmin + length + 1.0) ** -alpha / zeta(alpha, xmin)
    assert (expected[:-1] >= 2).all()
    assert expected[-1] < 2


def test_histograms_have_no_empty_entries():
    values, counts = np.empty(4), np.empty(4, np.int64)
    size = compact(np.array([1.0, 2.0, 5.0, 9.0]), np.array([0, 3, 0, 2]), values, counts)
    assert (values[:size].tolist(), counts[:size].tolist()) == ([2.0, 9.0], [3, 2])
    hazards = head_hazards(3.0, 2.0, 40)
    for seed in range(20):
        values, counts = tail(np.random.default_rng(seed), 60, 3.0, 2.0, hazards)
        assert (counts > 0).all()
        assert counts.sum() == 60
        assert (np.diff(values) > 0).all()
