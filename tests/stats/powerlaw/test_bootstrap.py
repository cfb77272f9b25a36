"""Bootstrap errors against plain resampling and against the spread over fresh samples."""

import numpy as np
import pytest
from scipy.stats import ks_2samp

from geoprobe.stats.powerlaw import bootstrap, document_bootstrap, fit
from geoprobe.stats.powerlaw.documents import documents


def corpus(rng, size=300, length=60):
    """Documents of one zeta vocabulary in which each repeats its own words."""
    texts = []
    for _ in range(size):
        topic = rng.zipf(1.7, 15)
        texts.append(np.minimum(rng.choice(topic, length), 5000))
    indptr = np.r_[0, np.cumsum([t.size for t in texts])]
    return texts, indptr, np.concatenate(texts)


def test_type_bootstrap_matches_plain_resampling():
    rng = np.random.default_rng(2)
    counts = rng.zipf(2.2, 800)
    found = bootstrap(counts, replicates=400, rng=5)
    plain = [fit(rng.choice(counts, counts.size)) for _ in range(400)]
    assert ks_2samp(found.alpha_distribution, [f.alpha for f in plain]).pvalue > 1e-3
    assert ks_2samp(found.xmin_distribution, [f.xmin for f in plain]).pvalue > 1e-3
    assert found.unit == "types"
    assert found.alpha.estimate == fit(counts).alpha
    assert found.alpha.se == pytest.approx(np.std(found.alpha_distribution, ddof=1))
    np.testing.assert_allclose(
        (found.alpha.low, found.alpha.high), np.quantile(found.alpha_distribution, [0.025, 0.975])
    )
    assert found.xmin.low <= found.xmin.estimate <= found.xmin.high


def test_bootstrap_error_matches_the_spread_over_fresh_samples():
    rng = np.random.default_rng(7)
    spread = np.std([fit(rng.zipf(2.3, 3000), xmin=1).alpha for _ in range(200)])
    found = bootstrap(rng.zipf(2.3, 3000), replicates=400, rng=1, xmin=1)
    assert found.alpha.se == pytest.approx(spread, rel=0.2)
    assert (found.xmin_distribution == 1).all()


def test_document_bootstrap_matches_plain_resampling_of_texts():
    rng = np.random.default_rng(3)
    texts, indptr, ids = corpus(rng)
    found = document_bootstrap(indptr, ids, replicates=200, rng=4)
    plain = []
    for _ in range(200):
        picked = rng.integers(0, len(texts), len(texts))
        plain.append(fit(np.bincount(np.concatenate([texts[i] for i in picked]))))
    assert ks_2samp(found.alpha_distribution, [f.alpha for f in plain]).pvalue > 1e-3
    assert found.unit == "documents"
    assert found.fit.alpha == fit(np.bincount(ids)).alpha


def test_documents_that_repeat_their_words_spread_more_than_shuffled_ones():
    rng = np.random.default_rng(6)
    _, indptr, ids = corpus(rng)
    kept = document_bootstrap(indptr, ids, replicates=200, rng=1, xmin=20)
    shuffled = document_bootstrap(indptr, rng.permutation(ids), replicates=200, rng=1, xmin=20)
    assert kept.alpha.se > 1.3 * shuffled.alpha.se


def test_counts_in_rows_equal_repeated_ids():
    rng = np.random.default_rng(3)
    texts, indptr, ids = corpus(rng, size=60)
    rows = [np.unique(t, return_counts=True) for t in texts]
    starts = np.r_[0, np.cumsum([types.size for types, _ in rows])]
    types = np.concatenate([t for t, _ in rows])
    counts = np.concatenate([c for _, c in rows])
    a = document_bootstrap(indptr, ids, replicates=30, rng=1)
    b = document_bootstrap(starts, types, counts, replicates=30, rng=1)
    np.testing.assert_array_equal(a.alpha_distribution, b.alpha_distribution)
    np.testing.assert_array_equal(documents(starts, types, counts).totals(), np.bincount(ids))


def test_results_do_not_depend_on_the_number_of_threads(on_one_thread):
    rng = np.random.default_rng(3)
    _, indptr, ids = corpus(rng, size=60)

    def draw():
        by_documents = document_bootstrap(indptr, ids, replicates=20, rng=1)
        return by_documents.alpha_distribution, bootstrap(np.bincount(ids), replicates=20, rng=1).alpha_distribution

    np.testing.assert_array_equal(draw(), on_one_thread(draw))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([0, 2, 3], [1, 2]), "indptr ends at 3, ids has 2"),
        (([0, 2, 1, 3], [1, 2, 3]), "never fall"),
        (([1, 2, 3], [1, 2, 3]), "start at 0"),
        (([0, 3], [1, 2, 3]), "at least two"),
        (([0, 1, 3], [1, -2, 3]), "ids holds -2"),
        (([0, 1, 3], [1, 2, 3], [1, -1, 1]), "counts holds -1"),
        (([0, 1, 3], [1.0, 2.0, 3.0]), "ids has shape"),
        (([0, 0, 0], np.zeros(0, dtype=int)), "no document holds a token"),
    ],
)
def test_malformed_rows_are_named_in_the_error(arguments, message):
    with pytest.raises(ValueError, match=message):
        document_bootstrap(*arguments)


@pytest.mark.parametrize("confidence", [0.0, 1.0, 95])
@pytest.mark.usefixtures("unchecked")
def test_confidence_outside_zero_and_one_is_refused(confidence):
    with pytest.raises(ValueError, match="confidence is"):
        bootstrap(np.arange(1, 30), confidence=confidence)
