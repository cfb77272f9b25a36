import numpy as np
import pytest
from scipy import integrate, stats
from scipy.optimize import minimize_scalar

from geoprobe.stats.radial import RadialFit, fit_radial, radial_bootstrap, radial_goodness, zeta_on_interval


def drawn(zeta: float, low: float, high: float, n: int, rng: np.random.Generator) -> np.ndarray:
    """By scipy's truncated exponential: of high - r where ζ > 0, of r - low where ζ < 0."""
    width = high - low
    away = stats.truncexpon.rvs(b=abs(zeta) * width, scale=1 / abs(zeta), size=n, random_state=rng)
    return high - away if zeta > 0 else low + away


@pytest.mark.parametrize("zeta", [-40.0, -2.0, 1e-7, 0.5, 3.0, 200.0])
def test_the_rate_gives_the_mean_by_quadrature(zeta: float) -> None:
    low, high = 1.0, 3.0
    weight = lambda r: np.exp(zeta * (r - (high if zeta > 0 else low)))  # noqa: E731
    mass = integrate.quad(weight, low, high, epsabs=1e-13, epsrel=1e-12, limit=500)[0]
    mean = integrate.quad(lambda r: r * weight(r), low, high, epsabs=1e-13, epsrel=1e-12, limit=500)[0] / mass
    assert zeta_on_interval(mean, low, high) == pytest.approx(zeta, rel=1e-5, abs=1e-5)


def test_the_fit_maximises_the_likelihood_of_scipys_truncated_exponential() -> None:
    radii = drawn(2.5, 1, 3, 500, np.random.default_rng(0))
    fitted = fit_radial(radii)
    assert fitted is not None

    def loss(zeta: float) -> float:
        width = (radii.max() - radii.min()) * (1 + 1e-9)
        return -stats.truncexpon.logpdf(radii.max() - radii, b=zeta * width, scale=1 / zeta).sum()

    assert fitted.zeta == pytest.approx(minimize_scalar(loss, bounds=(0.5, 6), method="bounded").x, abs=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("zeta", [-1.5, 4.0])
def test_intervals_cover_and_the_test_of_fit_has_its_size(zeta: float) -> None:
    rng = np.random.default_rng(1)
    covered, pvalues = 0, []
    for _ in range(100):
        radii = drawn(zeta, 1, 3, 200, rng)
        fitted = fit_radial(radii)
        assert fitted is not None
        error = radial_bootstrap(radii, 40, rng).std(ddof=1)
        covered += abs(fitted.zeta - zeta) <= 1.96 * error
        pvalues.append(radial_goodness(fitted, 39, rng))
    assert covered >= 86  # of 100
    assert 0.02 <= np.mean(np.array(pvalues) <= 0.1) <= 0.2


def test_a_true_law_passes_and_normal_radii_do_not() -> None:
    rng = np.random.default_rng(2)
    law, bell = fit_radial(drawn(4.0, 1, 3, 1000, rng)), fit_radial(2 + 0.2 * rng.standard_normal(1000))
    assert law is not None
    assert bell is not None
    assert radial_goodness(law, 99, rng) > 0.05
    assert radial_goodness(bell, 99, rng) == 0.01
    assert radial_bootstrap(np.ones(20), 3, rng).tolist() == pytest.approx([np.nan] * 3, nan_ok=True)


@pytest.mark.parametrize("zeta", [-3.0, 1e-12, 2.0])
def test_the_distance_from_the_fit_is_scipys_kolmogorov_smirnov_statistic(zeta: float) -> None:
    radii = 1 + 2 * np.random.default_rng(3).beta(2, 2, 60)
    if abs(zeta) < 1:  # symmetric radii have a flat law
        radii = np.concatenate([radii, radii.min() + radii.max() - radii])
    elif zeta < 0:
        radii = 4 - radii**0.5
    fitted = fit_radial(radii)
    assert fitted is not None
    assert (fitted.low, fitted.high, fitted.n) == (radii.min(), radii.max(), radii.size)
    width = fitted.high - fitted.low
    law = stats.uniform(fitted.low, width)
    if abs(fitted.zeta) > 1e-6:
        away = stats.truncexpon(b=abs(fitted.zeta) * width, scale=1 / abs(fitted.zeta))
        rising = fitted.zeta > 0
        cdf = (lambda r: away.sf(fitted.high - r)) if rising else (lambda r: away.cdf(r - fitted.low))
    else:
        cdf = law.cdf
    assert fitted.ks == pytest.approx(stats.kstest(radii, cdf).statistic, abs=1e-9)


@pytest.mark.parametrize("zeta", [-8.0, 0.0, 1e-12, 5.0])
def test_p_of_the_fit_is_the_share_of_scipys_samples_that_lie_as_far_from_their_own(zeta: float) -> None:
    low, high, n, rng = 1.0, 3.0, 40, np.random.default_rng(4)
    distances = []
    for _ in range(400):
        again = fit_radial(rng.uniform(low, high, n) if abs(zeta) < 1e-9 else drawn(zeta, low, high, n, rng))
        assert again is not None
        distances.append(again.ks)
    for level in (0.3, 0.8):
        fitted = RadialFit(zeta, low, high, float(np.quantile(distances, level)), n)
        assert radial_goodness(fitted, 499, rng) == pytest.approx(1 - level, abs=0.1)


def test_resampled_rates_scatter_as_those_of_fresh_samples() -> None:
    rng = np.random.default_rng(5)
    fresh = [fit_radial(drawn(3.0, 1, 3, 400, rng)) for _ in range(200)]
    again = radial_bootstrap(drawn(3.0, 1, 3, 400, rng), 200, rng)
    assert again.std(ddof=1) == pytest.approx(np.std([each.zeta for each in fresh if each], ddof=1), rel=0.25)


def test_radii_that_are_equal_or_too_few_have_no_law() -> None:
    assert fit_radial(np.ones(50)) is None
    assert fit_radial(np.array([1.0, 2.0])) is None
