"""Vuong's test against its formula and its behaviour on known truths."""

import numpy as np
import pytest
from scipy.special import zeta
from scipy.stats import chi2, norm

from geoprobe.stats.powerlaw import compare, fit
from geoprobe.stats.powerlaw.alternatives import NAMES
from geoprobe.stats.powerlaw.vuong import vuong


def test_rows_come_one_an_alternative_in_a_fixed_order():
    compared = compare(np.random.default_rng(1).zipf(2.0, 3000))
    assert tuple(row.name for row in compared) == NAMES
    assert len(compared) == 5
    assert compared["yule"].name == "yule"
    with pytest.raises(KeyError, match="no alternative is called 'gamma'"):
        compared["gamma"]


def test_tail_is_that_of_the_fit():
    counts = np.r_[np.random.default_rng(1).integers(1, 20, 2000), np.random.default_rng(2).zipf(2.0, 500) * 20]
    found, compared = fit(counts), compare(counts)
    assert (compared.xmin, compared.n_tail) == (found.xmin, found.n_tail)
    assert compared.alpha == pytest.approx(found.alpha, rel=1e-12)
    assert compared.loglikelihood == pytest.approx(found.loglikelihood, abs=1e-7)


def test_statistic_and_pvalue_match_the_formula_on_expanded_counts():
    counts = np.random.default_rng(3).geometric(0.02, 800)
    compared = compare(counts, xmin=2)
    tail = counts[counts >= 2].astype(float)
    row = compared["exponential"]
    alpha, rate = compared.alpha, row.parameters["rate"]
    power = -alpha * np.log(tail) - np.log(zeta(alpha, 2))
    geometric = -rate * (tail - 2) + np.log(-np.expm1(-rate))
    difference = power - geometric
    ratio = difference.sum()
    z = ratio / (np.sqrt(tail.size) * difference.std())
    assert row.loglikelihood_ratio == pytest.approx(ratio, rel=1e-9)
    assert row.statistic == pytest.approx(z, rel=1e-9)
    assert row.pvalue == pytest.approx(2 * norm.sf(abs(z)), rel=1e-6)
    assert row.loglikelihood == pytest.approx(geometric.sum(), abs=1e-7)
    nested = compared["power_law_with_cutoff"]
    assert nested.nested
    assert nested.loglikelihood_ratio <= 0
    assert nested.pvalue == pytest.approx(chi2.sf(2 * abs(nested.loglikelihood_ratio), 1), rel=1e-6)


@pytest.mark.parametrize("shift", [0.0, 0.02, -0.05, 0.1])
def test_moderate_statistics_have_the_normal_law_s_pvalue(shift):
    counts = np.arange(1, 41)
    difference = np.linspace(-1, 1, 40) - np.average(np.linspace(-1, 1, 40), weights=counts) + shift
    found = vuong(difference, counts)
    every = np.repeat(difference, counts)
    z = every.sum() / (np.sqrt(every.size) * every.std())
    assert abs(z) < 7
    assert found.statistic == pytest.approx(z, rel=1e-9, abs=1e-9)
    assert found.pvalue == pytest.approx(2 * norm.sf(abs(z)), rel=1e-8)


@pytest.mark.parametrize("parameters", [2, 3])
def test_laws_are_distinguishable_from_scipys_critical_value_of_the_summed_squares_up(parameters):
    critical = chi2.isf(0.1, parameters)
    for factor, told_apart in ((0.99, False), (1.01, True)):
        spread = np.sqrt(factor * critical / 10)
        found = vuong(np.array([0.3 - spread, 0.3 + spread]), np.array([5, 5]), parameters=parameters)
        assert found.distinguishable == told_apart
        assert found.statistic == pytest.approx(3.0 / np.sqrt(factor * critical))


def test_laws_that_coincide_are_not_distinguishable():
    # far from zero a Yule law and a power law differ by a constant shift of x that the data cannot see
    counts = 500 + np.random.default_rng(3).geometric(0.02, 800)
    row = compare(counts, xmin=501)["yule"]
    assert not row.distinguishable
    assert row.favours == "neither"
    same = vuong(np.full(3, 0.25), np.array([4, 3, 2]))
    assert (same.ratio, same.pvalue, same.distinguishable) == (2.25, 1.0, False)


@pytest.mark.parametrize(
    ("draw", "name", "favours"),
    [
        (lambda rng: rng.geometric(0.01, 5000), "exponential", "alternative"),
        (lambda rng: rng.zipf(2.2, 5000), "exponential", "power law"),
        (lambda rng: np.maximum(1, np.exp(rng.normal(3, 1, 5000)).astype(int)), "lognormal", "alternative"),
        (lambda rng: np.minimum(rng.zipf(1.8, 5000), 300), "power_law_with_cutoff", "alternative"),
    ],
)
def test_the_law_that_made_the_counts_is_favoured(draw, name, favours):
    compared = compare(draw(np.random.default_rng(8)), xmin=1)
    assert compared[name].favours == favours
    assert (name in compared.beaten_by) == (favours == "alternative")


def test_true_power_law_is_seldom_beaten():
    rng = np.random.default_rng(14)
    beaten = [bool(compare(rng.zipf(2.1, 1500), xmin=1).beaten_by) for _ in range(100)]
    # four tests at level 0.1, one-sided and dependent
    assert np.mean(beaten) < 0.2
