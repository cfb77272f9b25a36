"""Zipf–Mandelbrot's fit against a general optimiser and known truths, and what the split is for."""

import numpy as np
import pytest
from scipy.optimize import minimize

from geoprobe.stats.powerlaw import rank_frequency
from geoprobe.stats.powerlaw.rank_frequency import fit_zipf_mandelbrot
from geoprobe.stats.powerlaw.rank_kernels import rank_sums


def sample(rng, s, q, types, tokens):
    weights = (np.arange(1, types + 1) + q) ** -s
    return rng.multinomial(tokens, weights / weights.sum())


def test_loglikelihood_and_slopes_match_the_definition():
    frequencies = np.array([40, 22, 10, 9, 3, 0, 1])

    def value(s, t):
        weights = (np.arange(1, 8) + np.expm1(t)) ** -s
        return float(np.dot(frequencies, np.log(weights / weights.sum())))

    found = rank_sums(frequencies, 1.3, np.expm1(0.7))
    h = 1e-6
    assert found[0] == pytest.approx(value(1.3, 0.7), rel=1e-12)
    assert found[1] == pytest.approx((value(1.3 + h, 0.7) - value(1.3 - h, 0.7)) / (2 * h), rel=1e-6)
    assert found[2] == pytest.approx((value(1.3, 0.7 + h) - value(1.3, 0.7 - h)) / (2 * h), rel=1e-6)


@pytest.mark.parametrize(("s", "q"), [(1.0, 2.7), (1.3, 10.0), (0.8, 0.0), (2.0, 50.0)])
def test_maximum_matches_a_general_optimiser_and_the_truth(s, q):
    rng = np.random.default_rng(3)
    frequencies = sample(rng, s, q, 3000, 400_000)
    found_s, found_q, value, (error_s, error_q), limit = fit_zipf_mandelbrot(frequencies)
    assert limit is None
    assert abs(found_s - s) < 4 * error_s
    assert abs(found_q - q) < 4 * error_q
    ranks = np.arange(1, 3001)

    def loss(p):
        weights = (ranks + np.expm1(p[1])) ** -p[0]
        return -float(np.dot(frequencies, np.log(weights / weights.sum()))) if p[1] > -5 else np.inf

    best = minimize(loss, [found_s * 1.1, np.log1p(found_q) + 0.1], method="Nelder-Mead", options={"fatol": 1e-7})
    assert -best.fun <= value + 1e-5


@pytest.mark.parametrize("tokens", [2_000_000, 20_000_000])
def test_a_maximum_is_found_whatever_the_number_of_tokens(tokens):
    for seed in range(5):
        rng = np.random.default_rng(seed)
        found = rank_frequency(sample(rng, 1.0, 2.7, 49_152, tokens), rng=rng)
        assert found.limit is None
        assert found.s == pytest.approx(1.0, abs=0.01)


def test_the_bias_of_s_is_what_the_notes_say():
    fits = []
    for seed in range(6):
        rng = np.random.default_rng(seed)
        fits.append(rank_frequency(sample(rng, 1.0, 2.7, 49_152, 155_000), rng=rng).s)
    assert np.mean(fits) == pytest.approx(1.024, abs=0.004)


def test_errors_match_the_spread_over_samples():
    rng = np.random.default_rng(5)
    fits = [fit_zipf_mandelbrot(sample(rng, 1.1, 3.0, 500, 50_000)) for _ in range(200)]
    assert np.std([f[0] for f in fits]) == pytest.approx(np.mean([f[3][0] for f in fits]), rel=0.2)
    assert np.std([f[1] for f in fits]) == pytest.approx(np.mean([f[3][1] for f in fits]), rel=0.2)


def test_split_shows_equal_types_as_flat_where_own_ranks_would_fall():
    counts = np.random.default_rng(6).poisson(20, 2000)
    # ranked by themselves, equally frequent types span a factor of four
    assert counts.max() > 4 * counts.min()
    found = rank_frequency(counts, rng=1)
    top = found.frequency[:20].mean()
    assert top == pytest.approx(10, rel=0.2)
    bulk = found.frequency[found.types > 20]
    assert bulk == pytest.approx(10, rel=0.1)


def test_bins_account_for_every_type_and_token_of_the_second_half():
    counts = np.random.default_rng(2).zipf(1.8, 4000)
    found = rank_frequency(counts, rng=3)
    assert found.types.sum() == found.n_ranks
    assert np.dot(found.types, found.frequency) == pytest.approx(found.n_tokens)
    assert np.dot(found.types, found.fitted) == pytest.approx(found.n_tokens)
    np.testing.assert_allclose(found.ranks[:20], np.arange(1, 21))
    assert (np.diff(found.ranks) > 0).all()
    weights = (np.arange(1, found.n_ranks + 1) + found.q) ** -found.s
    chances = weights / weights.sum()
    np.testing.assert_allclose(found.fitted[:20], found.n_tokens * chances[:20])
    starts = np.cumsum([0, *found.types[:-1]])
    np.testing.assert_allclose(found.fitted, found.n_tokens * np.add.reduceat(chances, starts) / found.types)
    logs = np.add.reduceat(np.log(np.arange(1, found.n_ranks + 1)), starts)
    np.testing.assert_allclose(found.ranks, np.exp(logs / found.types))
    # twenty bins of equal width in log rank to a tenfold one, rounded to whole ranks
    ends = starts[21:-1] / starts[20:-2]
    assert np.median(ends) == pytest.approx(10 ** (1 / 20), rel=0.03)
    assert 0.9 < found.token_share <= 1
    assert found.s > 0.5


def test_same_seed_gives_the_same_split():
    counts = np.random.default_rng(2).zipf(1.8, 400)
    assert rank_frequency(counts, rng=3).s == rank_frequency(counts, rng=3).s
    assert rank_frequency(counts, rng=3).s != rank_frequency(counts, rng=4).s


def test_frequencies_without_a_finite_shift_are_flagged():
    # exponential decay by rank is the limit of shift and exponent growing together
    frequencies = np.round(1e6 * 0.9 ** np.arange(60)).astype(np.int64)
    *_, errors, limit = fit_zipf_mandelbrot(frequencies)
    assert limit is not None
    assert np.isnan(errors).all()


@pytest.mark.parametrize("seed", range(20))
def test_flat_frequencies_give_numbers_or_a_reason(seed):
    rng = np.random.default_rng(seed)
    for counts in (rng.poisson(30, 4000), np.r_[np.full(500, 7), 8], rng.poisson(2, 60) + 1):
        found = rank_frequency(counts, rng=seed)
        assert np.isfinite([found.s, found.q, found.loglikelihood]).all()
        assert np.isnan(found.s_se_asymptotic) == (found.limit is not None)


def test_too_small_a_corpus_is_an_error():
    with pytest.raises(ValueError, match="too few to rank"):
        rank_frequency([1, 2, 0, 0], rng=1)
    counts = np.array([1, 1, 1, 2])
    lopsided = next(seed for seed in range(500) if (np.random.default_rng(seed).binomial(counts, 0.5) == counts).all())
    with pytest.raises(ValueError, match="shows 4 types and the other 0 tokens of theirs: too few to rank"):
        rank_frequency(counts, rng=lopsided)
