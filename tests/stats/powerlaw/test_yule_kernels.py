"""Gamma functions of the Yule-Simon law against mpmath and scipy."""

import mpmath
import numpy as np
import pytest
from scipy.special import digamma, polygamma

from geoprobe.stats.powerlaw.yule_kernels import (
    digamma_difference,
    fit_yule,
    log_gamma_ratio,
    polygammas,
    yule_logpmf,
)


@pytest.mark.parametrize("x", [0.3, 1.0, 7.5, 14.9, 15.0, 15.1, 40.0, 1e4, 1e9])
@pytest.mark.parametrize("a", [0.01, 0.8, 1.0, 2.5, 30.0])
def test_log_gamma_ratio_matches_mpmath(x, a):
    with mpmath.workdps(40):
        exact = mpmath.loggamma(mpmath.mpf(x) + mpmath.mpf(a)) - mpmath.loggamma(mpmath.mpf(x))
    assert log_gamma_ratio(x, a) == pytest.approx(float(exact), rel=2e-14, abs=2e-14)


@pytest.mark.parametrize("x", [0.2, 1.0, 3.7, 14.9, 15.0, 16.3, 250.0, 1e6])
def test_polygammas_match_scipy(x):
    first, second = polygammas(x)
    assert first == pytest.approx(digamma(x), rel=3e-14, abs=3e-14)
    assert second == pytest.approx(polygamma(1, x), rel=3e-14, abs=0)


@pytest.mark.parametrize("x", [0.5, 3.0, 40.0, 1e7, 2.0**53])
@pytest.mark.parametrize("m", [0.0, 1.0, 200.0, 1e9])
def test_differences_of_digamma_match_mpmath(x, m):
    with mpmath.workdps(60):
        exact = mpmath.digamma(mpmath.mpf(x) + m) - mpmath.digamma(x)
    assert digamma_difference(x, m) == pytest.approx(float(exact), rel=1e-13)


def exact_logpmf(x, a, q):
    with mpmath.workdps(80):
        a, x, q = mpmath.mpf(a), mpmath.mpf(x), mpmath.mpf(q)
        gammas = mpmath.loggamma(q + a - 1) - mpmath.loggamma(q) + mpmath.loggamma(x) - mpmath.loggamma(x + a)
        return mpmath.log(a - 1) + gammas


@pytest.mark.parametrize(
    ("q", "a"), [(2.0**53 - 300, 7.2e15), (2.0**53 - 300, 9e13), (2.0**49, 3.8e12), (2.0**30, 7.3e6), (9.0, 2.1)]
)
def test_the_law_matches_mpmath_up_to_the_largest_counts(q, a):
    values = q + np.array([0.0, 2.0, 150.0, 299.0])
    exact = [float(exact_logpmf(x, a, q)) for x in values]
    assert yule_logpmf(values, a, q) == pytest.approx(exact, abs=1e-9)


@pytest.mark.parametrize("q", [2.0**53 - 300, 2.0**40, 2.0**20])
def test_the_fit_is_most_likely_by_mpmath_up_to_the_largest_counts(q):
    values, counts = q + np.arange(0.0, 300.0, 7.0), np.ones(43, np.int64)
    fitted = fit_yule(values, counts, 1.0 + q / 150)

    def likelihood(a):
        return sum(exact_logpmf(x, a, q) for x in values)

    assert all(likelihood(fitted) > likelihood(1 + (fitted - 1) * factor) for factor in (0.9999, 1.0001))
