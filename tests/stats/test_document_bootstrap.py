import numpy as np
import pytest
from scipy import stats

from geoprobe.stats.correlation import spearman
from geoprobe.stats.document_bootstrap import around, document_bootstrap


def rho_with(values: np.ndarray):
    def statistics(counts: np.ndarray) -> np.ndarray:
        seen = (counts > 0) & np.isfinite(values)
        return np.array([spearman(counts[seen], values[seen]).value, float(seen.sum())])

    return statistics


def test_it_matches_counting_by_hand() -> None:
    rng = np.random.default_rng(9)
    documents = [rng.integers(0, 30, size=rng.integers(5, 40)) for _ in range(25)]
    values = rng.standard_normal(30)
    values[3] = np.nan
    starts = np.cumsum([0, *map(len, documents)])
    drawn = document_bootstrap(np.concatenate(documents), starts, 30, rho_with(values), 20, np.random.default_rng(10))
    for again, (rho, n) in zip(np.random.default_rng(10).spawn(20), drawn, strict=True):
        picked = [documents[i] for i in again.integers(25, size=25)]
        counts = np.bincount(np.concatenate(picked), minlength=30)
        seen = (counts > 0) & np.isfinite(values)
        assert n == seen.sum()
        assert rho == pytest.approx(stats.spearmanr(counts[seen], values[seen]).statistic, abs=1e-12)


def bursty_corpus(rng: np.random.Generator, topics: np.ndarray, documents: int) -> tuple[np.ndarray, np.ndarray]:
    texts = [
        rng.choice(topics.shape[1], size=60, p=topics[topic]) for topic in rng.integers(len(topics), size=documents)
    ]
    return np.concatenate(texts), np.cumsum([0, *map(len, texts)])


def test_it_has_the_spread_of_fresh_corpora() -> None:
    rng = np.random.default_rng(11)
    topics = rng.dirichlet(np.full(300, 0.05), size=40)
    values = rng.standard_normal(300)
    fresh, errors = [], []
    for _ in range(60):
        ids, starts = bursty_corpus(rng, topics, 80)
        fresh.append(rho_with(values)(np.bincount(ids, minlength=300))[0])
        errors.append(document_bootstrap(ids, starts, 300, rho_with(values), 30, rng)[:, 0].std(ddof=1))
    assert np.mean(errors) == pytest.approx(np.std(fresh, ddof=1), rel=0.4)


@pytest.mark.slow
@pytest.mark.parametrize("correlation", [-0.7, -0.3, 0.0])
def test_intervals_cover_on_a_gaussian_copula_of_rate_and_value(correlation: float) -> None:
    """Tokens' rates are lognormal and joined to their values by a Gaussian copula; documents are bursty.

    What is covered is the mean over fresh corpora, known from 400 of them: it differs from the copula's own ρ by what
    counting loses.
    """
    rng = np.random.default_rng(17)
    rates, noise = rng.standard_normal((2, 400))
    values = correlation * rates + np.sqrt(1 - correlation**2) * noise
    weights = np.exp(rates)
    topics = rng.dirichlet(20 * weights / weights.sum() * 10, size=60)
    measure = rho_with(values)
    fresh = [measure(np.bincount(bursty_corpus(rng, topics, 100)[0], minlength=400))[0] for _ in range(400)]
    truth = np.mean(fresh)
    covered = 0
    for _ in range(300):
        ids, starts = bursty_corpus(rng, topics, 100)
        value = measure(np.bincount(ids, minlength=400))[0]
        low, high = around(value, document_bootstrap(ids, starts, 400, measure, 60, rng)[:, 0])
        covered += low <= truth <= high
    assert 0.91 <= covered / 300 <= 0.99


def test_an_interval_lies_around_its_value_and_needs_most_resamples() -> None:
    drawn = np.tanh(0.1 * np.random.default_rng(0).standard_normal(1000) - 2)
    low, high = around(0.5, drawn)
    assert np.arctanh([low, high]) == pytest.approx(np.arctanh(0.5) + np.array([-1.96, 1.96]) * 0.1, abs=0.01)
    low, high = around(0.5, np.append(drawn, 1.0))  # a resample may agree entirely
    assert low < 0.5 < high
    drawn[:600] = np.nan
    assert np.isnan(around(0.5, drawn)).all()
    assert around(1.0, drawn[600:]) == (1.0, 1.0)
