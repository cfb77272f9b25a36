import numpy as np
import pytest
from scipy import stats

from geoprobe.stats.correlation import spearman
from geoprobe.stats.document_bootstrap import document_bootstrap, occurrence_bootstrap, variance_between_documents


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


@pytest.mark.parametrize("bootstrap", [document_bootstrap, occurrence_bootstrap])
@pytest.mark.parametrize("ids", [[0, 3], [-1, 0]])
def test_ids_of_no_type_are_refused(bootstrap, ids) -> None:
    with pytest.raises(ValueError, match="but there are 3 types"):
        bootstrap(np.array(ids), np.array([0, 2]), 3, lambda counts: counts, 2, np.random.default_rng(0))


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


def test_occurrences_of_a_type_in_a_document_are_counted_together_by_hand() -> None:
    rng = np.random.default_rng(9)
    documents = [rng.integers(0, 30, size=rng.integers(5, 40)) for _ in range(25)]
    starts = np.cumsum([0, *map(len, documents)])
    drawn = occurrence_bootstrap(
        np.concatenate(documents), starts, 30, lambda counts: counts.astype(float), 20, np.random.default_rng(10)
    )
    cells = [
        (kind, times) for ids in documents for kind, times in zip(*np.unique(ids, return_counts=True), strict=True)
    ]
    for again, counts in zip(np.random.default_rng(10).spawn(20), drawn, strict=True):
        expected = np.zeros(30)
        for (kind, times), weight in zip(cells, again.poisson(1.0, len(cells)), strict=True):
            expected[kind] += times * weight
        np.testing.assert_array_equal(counts, expected)


def test_documents_add_nothing_where_types_are_counted_independently_and_much_where_subjects_carry_norms() -> None:
    rng = np.random.default_rng(12)
    subject = rng.integers(10, size=400)
    weights = np.exp(rng.standard_normal(400))
    added = {}
    for name, values in (("none", rng.standard_normal(400)), ("subjects", rng.standard_normal(10)[subject])):
        texts = []
        for _ in range(60):
            shares = weights * np.where(subject == rng.integers(10), 5.0 if name == "subjects" else 1.0, 1.0)
            texts.append(rng.choice(400, 60, p=shares / shares.sum()))
        corpus = (np.concatenate(texts), np.arange(61) * 60, 400, rho_with(values))
        drawn = [bootstrap(*corpus, 200, rng)[:, 0] for bootstrap in (document_bootstrap, occurrence_bootstrap)]
        added[name] = variance_between_documents(*drawn) / np.arctanh(drawn[1]).var()
    assert added["none"] < 0.3
    assert added["subjects"] > 0.5


def test_what_documents_add_is_known_from_most_resamples_alone() -> None:
    drawn = np.tanh(0.1 * np.random.default_rng(0).standard_normal(1000))
    smaller = np.tanh(np.arctanh(drawn) / 2)
    assert variance_between_documents(drawn, smaller) == pytest.approx(0.0075, rel=0.1)
    assert variance_between_documents(smaller, drawn) == 0
    drawn[:600] = np.nan
    assert np.isnan(variance_between_documents(drawn, smaller))
