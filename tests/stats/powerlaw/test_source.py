"""Whether counts are a sample of a power-law source: known sources, and the parts of the rule."""

import dataclasses
import math

import numpy as np
import pytest
from scipy.special import xlogy
from scipy.stats import power_divergence

from geoprobe.stats.powerlaw import SourceTest, assess_source
from geoprobe.stats.powerlaw.rates import CountClasses, fit_bent, fit_broken, fit_exponential, fit_power, probabilities
from geoprobe.stats.powerlaw.source import BENT_BETTER, BROKEN_BETTER, CRITICAL, _distance, _groups


def zipf_text(s: float, q: float, ranks: int, tokens: int, seed: int) -> np.ndarray:
    shares = (np.arange(1, ranks + 1) + q) ** -s
    return np.random.default_rng(seed).multinomial(tokens, shares / shares.sum())


def lognormal_text(sigma: float, types: int, tokens: int, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    rates = np.exp(rng.normal(0, sigma, types))
    return rng.multinomial(tokens, rates / rates.sum())


def test_an_exact_zipf_mandelbrot_text_is_supported_over_all_its_types() -> None:
    found = assess_source(zipf_text(1.0, 2.7, 50_000, 150_000, 0), rng=0)
    (test,) = found.tests
    assert found.label == "supported"
    assert (test.least, test.type_share, test.token_share) == (1, 1.0, 1.0)
    assert test.s == pytest.approx(1.0, abs=0.02)
    assert test.drift_low < test.drift < test.drift_high


def test_a_lognormal_text_is_contradicted_or_not_supported_and_named() -> None:
    found = assess_source(lognormal_text(2.0, 20_000, 200_000, 1), rng=0)
    assert found.label in ("contradicted", "not supported")
    assert "log-normal" in found.tests[0].rivals
    assert [test.least for test in found.tests] == [2**i for i in range(len(found.tests))]


def test_a_power_law_above_rarer_types_that_are_missing_is_weak_from_a_count_up() -> None:
    # ranks beyond 2,000 occur a tenth as often as the law of the others says
    shares = 1.0 / np.arange(1, 40_001)
    shares[2000:] /= 10
    counts = np.random.default_rng(2).multinomial(300_000, shares / shares.sum())
    found = assess_source(counts, rng=0)
    assert found.label in ("weak", "supported")
    assert found.tests[-1].least > 1
    assert found.tests[-1].token_share > 0.5


def test_rates_exponential_in_rank_are_named() -> None:
    rates = np.exp(-np.arange(20_000) / 500)
    found = assess_source(np.random.default_rng(3).poisson(400 * rates), rng=0)
    assert "exponential" in found.tests[0].rivals
    assert found.label == "contradicted"


def test_too_little_data_is_inconclusive() -> None:
    assert assess_source(np.arange(50), rng=0).label == "inconclusive"
    assert assess_source(np.repeat([1, 2, 3], 200), rng=0).tests == ()


def test_p_is_the_same_from_the_same_seed_and_near_the_chi_squared_one() -> None:
    counts = zipf_text(1.1, 1.0, 20_000, 50_000, 4)
    first, again = (assess_source(counts, rng=5).tests[0] for _ in range(2))
    assert first == again or dataclasses.astuple(first) == dataclasses.astuple(again)
    asymptotic = assess_source(counts, replicates=0).tests[0]
    assert first.pvalue == pytest.approx(asymptotic.pvalue, abs=0.15)
    assert first.statistic == asymptotic.statistic


BASE = SourceTest(1, 500, 1.0, 1.0, 1.0, 10.0, 0.5, 0.0, 0.0, 100.0, 0.1, -0.2, 0.4)


@pytest.mark.parametrize(
    ("changes", "rivals"),
    [
        ({}, ()),
        ({"bent": BENT_BETTER + 0.1}, ("log-normal",)),
        ({"bent": BENT_BETTER + 0.1, "drift": -0.1}, ("steepening",)),
        ({"broken": BROKEN_BETTER + 0.1}, ("double power law",)),
        ({"exponential": CRITICAL - 0.1}, ("exponential",)),
        ({"exponential": -50.0}, ("exponential",)),
    ],
)
def test_rivals_are_named_at_their_critical_values(changes: dict[str, float], rivals: tuple[str, ...]) -> None:
    test = dataclasses.replace(BASE, **changes)
    assert test.rivals == rivals
    assert test.holds == (not rivals)


def test_a_drift_is_excluded_by_both_ends_of_its_interval() -> None:
    assert BASE.steady(0.5)
    assert not BASE.steady(0.4)
    assert not dataclasses.replace(BASE, drift_low=-math.inf).steady(0.5)
    assert not dataclasses.replace(BASE, pvalue=0.04).holds


def test_groups_are_the_smallest_that_lead_one_to_expect_five_types_counted_from_the_top() -> None:
    expected = np.array([40.0, 12.0, 4.0, 3.0, 1.0, 5.0, 2.0, 2.9, 0.2])
    # from the end 0.2 + 2.9 + 2 and 5 reach five, then 1 + 3 + 4; what is left at the start joins the last
    assert _groups(expected).tolist() == [0, 1, 2, 5, 6]
    assert _groups(np.array([2.0, 4.0, 6.0, 7.0])).tolist() == [0, 2, 3]
    assert _groups(np.array([2.0, 2.0, 6.0])).tolist() == [0]


def test_the_distance_is_scipys_likelihood_ratio_of_the_groups() -> None:
    rng = np.random.default_rng(6)
    expected = rng.uniform(2, 30, 12)
    types = rng.multinomial(round(expected.sum()), expected / expected.sum()).astype(float)
    types[4:6] = 0  # a group without a type adds nothing
    groups = np.array([0, 2, 4, 6, 9])
    seen, likely = np.add.reduceat(types, groups), np.add.reduceat(expected, groups)
    ratio = power_divergence(seen, likely * seen.sum() / likely.sum(), lambda_="log-likelihood").statistic
    scale = 2 * seen.sum() * np.log(seen.sum() / likely.sum())  # scipy wants equal sums
    assert _distance(types, expected, groups) == pytest.approx(ratio + scale)


@pytest.mark.parametrize("bent", [False, True])
def test_ratios_are_of_multinomial_likelihoods_and_the_drifts_interval_ends_where_one_falls_by_its_quantile(
    bent: bool,
) -> None:
    # with few enough types a mild bend is no rival, and its interval is sought
    counts = lognormal_text(3.0, 400, 3_000, 5) if bent else zipf_text(1.0, 2.7, 50_000, 8_000, 7)
    test = assess_source(counts, replicates=0).tests[0]
    assert not test.rivals
    classes = CountClasses.of(1, int(counts.max()))
    types = classes.tally(counts)
    power = fit_power(classes, types)
    bend = fit_bent(classes, types, power)
    extent = power.high - max(power.low, 0.0)

    def loglikelihood(law: object) -> float:
        return float(xlogy(types, probabilities(classes, law)).sum())  # type: ignore[arg-type]

    best = loglikelihood(power)
    assert test.bent == pytest.approx(2 * (loglikelihood(bend) - best), abs=1e-6)
    assert test.broken == pytest.approx(2 * (loglikelihood(fit_broken(classes, types, power)) - best), abs=1e-6)
    exponential = loglikelihood(fit_exponential(classes, types, power))
    assert test.exponential == pytest.approx(2 * (best - exponential), abs=1e-6)
    assert test.drift == pytest.approx(bend.bend * extent)
    assert test.drift_low < test.drift < test.drift_high
    for end in (test.drift_low, test.drift_high):
        fixed = loglikelihood(fit_bent(classes, types, bend, bend=end / extent))
        assert 2 * (loglikelihood(bend) - fixed) == pytest.approx(3.841, abs=0.15)
