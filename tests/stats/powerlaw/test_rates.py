"""Laws of rates seen through Poisson counts, against closed forms, numerical integrals and samples of known sources."""

import math

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.optimize import minimize
from scipy.stats import poisson

from geoprobe.stats.powerlaw.rates import (
    CountClasses,
    RateLaw,
    fit_bent,
    fit_broken,
    fit_exponential,
    fit_power,
    probabilities,
)
from geoprobe.stats.powerlaw.source_kernels import AT, BEND, BETA, HIGH, KINK, LOW, maximise


def counts_of(rates: np.ndarray, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).poisson(rates)


def zipf_mandelbrot(s: float, q: float, ranks: int, tokens: float) -> np.ndarray:
    shares = (np.arange(1, ranks + 1) + q) ** -s
    return tokens * shares / shares.sum()


def law(beta: float, low: float, high: float, bend: float = 0.0) -> RateLaw:
    return RateLaw(np.array([beta, low, high, bend, 0.0, high]), math.nan)


def test_chances_of_classes_are_scipys_poisson_probabilities() -> None:
    classes = CountClasses.of(3, 500)
    rates = np.exp(classes.y)[:, None]
    ends = np.append(classes.edges[1:] - 1, 10**9)
    expected = np.where(
        ends == classes.edges,
        poisson.pmf(classes.edges, rates),
        poisson.cdf(ends, rates) - poisson.cdf(classes.edges - 1, rates),
    )
    np.testing.assert_allclose(classes.chances, expected, atol=1e-12)


@pytest.mark.parametrize("beta", [0.4, 0.7, 0.95])
def test_an_endless_vocabulary_gives_sibuyas_distribution(beta: float) -> None:
    classes = CountClasses.of(1, 100_000)
    found = probabilities(classes, law(beta, -60.0, classes.cells[-1]))
    # p(k) is as Γ(k - β) / k!; the share of those counted once, β, is but nearly reached at the deepest cut
    expected = [math.exp(math.lgamma(k - beta) - math.lgamma(k + 1)) for k in range(2, 6)]
    np.testing.assert_allclose(found[1:5] / found[1], np.divide(expected, expected[0]), rtol=1e-3)
    assert found[0] == pytest.approx(beta, abs=0.02)


def test_a_lognormal_between_cuts_is_its_numerical_integral() -> None:
    classes = CountClasses.of(1, 200)
    beta, low, high, bend = 0.3, -1.5, 4.0, 0.25

    def mass(k: int) -> float:
        return quad(lambda y: math.exp(-beta * y - bend * y * y / 2) * poisson.pmf(k, math.exp(y)), low, high)[0]

    seen = quad(lambda y: math.exp(-beta * y - bend * y * y / 2) * -math.expm1(-math.exp(y)), low, high)[0]
    found = probabilities(classes, law(beta, low, high, bend))
    np.testing.assert_allclose(found[:5], [mass(k) / seen for k in range(1, 6)], rtol=5e-3)


@pytest.mark.parametrize(
    ("s", "q", "ranks", "tokens"),
    [(1.0, 2.7, 50_000, 155_000), (1.1, 0.0, 1_000_000, 10**6), (0.9, 5.0, 20_000, 10**6)],
)
def test_the_exponent_of_an_exact_zipf_mandelbrot_text_is_recovered(
    s: float, q: float, ranks: int, tokens: int
) -> None:
    found = []
    for seed in range(5):
        counts = counts_of(zipf_mandelbrot(s, q, ranks, tokens), seed)
        classes = CountClasses.of(1, int(counts.max()))
        found.append(1 / fit_power(classes, classes.tally(counts)).beta)
    assert np.mean(found) == pytest.approx(s, abs=0.01)


@pytest.mark.parametrize("sigma", [1.5, 2.0, 2.5])
def test_the_bend_of_lognormal_rates_is_one_over_their_variance(sigma: float) -> None:
    rates = np.exp(np.random.default_rng(1).normal(1.0, sigma, 30_000))
    counts = counts_of(rates, 2)
    classes = CountClasses.of(1, int(counts.max()))
    types = classes.tally(counts)
    power = fit_power(classes, types)
    bent = fit_bent(classes, types, power)
    assert bent.bend == pytest.approx(1 / sigma**2, rel=0.1)
    assert bent.loglikelihood > power.loglikelihood + 50
    fixed = fit_bent(classes, types, bent, bend=bent.bend)
    assert fixed.loglikelihood == pytest.approx(bent.loglikelihood, abs=0.05)


def test_a_break_between_two_power_laws_is_found() -> None:
    ranks = np.arange(1, 100_001.0)
    shares = np.where(ranks < 1000, 1 / ranks, 1000 / ranks**2)
    rates = 10**6 * shares / shares.sum()
    counts = counts_of(rates, 3)
    classes = CountClasses.of(1, int(counts.max()))
    types = classes.tally(counts)
    broken = fit_broken(classes, types, fit_power(classes, types))
    assert broken.parameters[AT] == pytest.approx(math.log(rates[999]), abs=0.3)
    assert broken.beta == pytest.approx(1 / 2, abs=0.05)
    assert broken.beta + broken.parameters[KINK] == pytest.approx(1.0, abs=0.1)


def test_rates_exponential_in_rank_have_no_exponent() -> None:
    counts = counts_of(2000 * np.exp(-np.arange(20_000) / 500), 4)
    classes = CountClasses.of(1, int(counts.max()))
    types = classes.tally(counts)
    power = fit_power(classes, types)
    assert power.beta == pytest.approx(0.0, abs=0.05)
    assert power.loglikelihood - fit_exponential(classes, types, power).loglikelihood < 2


@pytest.mark.parametrize("free", [[BETA, LOW, HIGH], [BETA, LOW, HIGH, BEND], [BETA, LOW, HIGH, KINK, AT]])
@pytest.mark.parametrize("seed", [5, 6])
def test_the_simplex_goes_the_way_of_scipys(free: list[int], seed: int) -> None:
    """Nelder and Mead's moves from the same simplex, by scipy, over a likelihood written from the definition."""
    counts = counts_of(np.exp(np.random.default_rng(seed).normal(0.5, 1.6, 1500)), seed)
    classes = CountClasses.of(1, int(counts.max()))
    types = classes.tally(counts)
    top = math.log(counts.max())
    base = np.array([0.7, -2.0, top, 0.02, 0.2, 0.4 * top]) * np.isin(np.arange(6), [*free, AT])
    steps = np.array([0.2, 1.5, -0.4, 0.03, 0.3, 0.5])

    def cost(point: np.ndarray) -> float:
        at = base.copy()
        at[free] = point
        at[LOW] = max(at[LOW], classes.cells[0])
        bottom, room = max(at[LOW], 0.0), 0.15 * (at[HIGH] - max(at[LOW], 0.0))
        outside = at[HIGH] > classes.cells[-1] or at[LOW] > at[HIGH] - 0.05 or np.abs(at[[BETA, BEND, KINK]]).max() > 30
        if outside or (at[KINK] and not bottom + room <= at[AT] <= at[HIGH] - room):
            return 1e300
        chances = probabilities(classes, RateLaw(at, math.nan))[types > 0]
        return -float(types[types > 0] @ np.log(chances))

    start = base[free]
    simplex = np.vstack([start, start + np.diag(steps[free])])
    options = {"initial_simplex": simplex, "xatol": 2e-3, "fatol": 1e-3, "maxiter": 250 * len(free)}
    peer = minimize(cost, start, method="Nelder-Mead", options=options)
    found, value = maximise(
        np.array(free),
        base,
        steps,
        types,
        *(classes.cells, classes.y, classes.weights, classes.chances),
        classes.bands,
        1,
    )
    np.testing.assert_allclose(found[free], peer.x, rtol=1e-6, atol=1e-6)
    assert value == pytest.approx(-peer.fun, rel=1e-10)
    rest = np.setdiff1d(np.arange(6), free)
    np.testing.assert_array_equal(found[rest], base[rest])
