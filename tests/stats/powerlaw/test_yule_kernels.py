"""Gamma functions of the Yule-Simon law against mpmath and scipy."""

import mpmath
import pytest
from scipy.special import digamma, polygamma

from geoprobe.stats.powerlaw.yule_kernels import log_gamma_ratio, polygammas


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
