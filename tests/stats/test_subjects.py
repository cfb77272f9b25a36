"""Influences against the jackknife, subjects where they were made, and the design effect against fresh corpora."""

from itertools import pairwise

import numpy as np
import pytest
from scipy import stats

from geoprobe.stats.subjects import spearman_influence, subject_effect, subjects_of


def corpus(
    rng: np.random.Generator, subjects: int, *, types: int = 600, documents: int = 150, length: int = 60
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Ids, starts, and the subject of each type: a document is of one subject, half of its tokens of all types."""
    subject = rng.integers(subjects, size=types)
    weights = 1 / (rng.permutation(types) + 3.0)
    popular = rng.dirichlet(np.ones(subjects))
    texts = []
    for _ in range(documents):
        own = weights * (subject == rng.choice(subjects, p=popular)) + 1e-12
        texts.append(rng.choice(types, length, p=(own / own.sum() + weights / weights.sum()) / 2))
    return np.concatenate(texts), np.arange(documents + 1) * length, subject


@pytest.mark.parametrize("ties", [False, True])
def test_influences_match_the_jackknife_of_scipys_coefficient(ties: bool) -> None:
    rng = np.random.default_rng(0)
    x = rng.standard_normal(200)
    y = 0.5 * x + rng.standard_normal(200)
    if ties:
        x = np.round(np.exp(2 * x)).clip(1)
    whole = stats.spearmanr(x, y).statistic
    kept = ~np.eye(200, dtype=bool)
    jackknife = np.array([199 * (whole - stats.spearmanr(x[rest], y[rest]).statistic) for rest in kept])
    influence = spearman_influence(x, y)
    # ties also change the spread of ranks, which the influence leaves out
    assert np.corrcoef(influence, jackknife)[0, 1] > (0.9 if ties else 0.95)
    assert influence.mean() == pytest.approx(0, abs=1e-12)


def test_without_a_relation_the_mean_square_of_influences_is_that_of_permutations() -> None:
    rng = np.random.default_rng(1)
    x, y = rng.zipf(1.5, 3000), rng.standard_normal(3000)
    assert (spearman_influence(x, y) ** 2).mean() == pytest.approx(1, abs=0.1)


def test_types_of_one_subject_lie_in_one_direction() -> None:
    rng = np.random.default_rng(2)
    ids, starts, subject = corpus(rng, 6)
    rows = np.flatnonzero(np.bincount(ids, minlength=600) >= 5)
    directions = subjects_of(ids, starts, rows, rng)
    assert 3 <= directions.shape[1] <= 8
    cosines = np.einsum("nk,mk->nm", directions, directions) ** 2
    same = subject[rows][:, None] == subject[rows]
    assert cosines[same].mean() > 3 * cosines[~same].mean()


def test_documents_like_samples_of_one_urn_have_no_subjects_and_no_effect() -> None:
    rng = np.random.default_rng(3)
    weights = 1 / np.arange(3, 603)
    ids = rng.choice(600, 9000, p=weights / weights.sum())
    rows = np.unique(ids)
    directions = subjects_of(ids, np.arange(151) * 60, rows, rng)
    assert directions.shape[1] == 0
    assert subject_effect(rng.standard_normal(rows.size), directions) == 1


def test_the_effect_is_that_of_fresh_corpora_whose_subjects_carry_frequency_and_norm() -> None:
    variances, values = [], []
    for seed in range(30):
        rng = np.random.default_rng(seed)
        ids, starts, subject = corpus(rng, 20, types=3000, documents=250)
        counts = np.bincount(ids, minlength=3000)
        rows = np.flatnonzero(counts)
        norms = (0.7 * rng.standard_normal(20)[subject] + rng.standard_normal(3000))[rows]
        values.append(stats.spearmanr(counts[rows], norms).statistic)
        effect = subject_effect(spearman_influence(counts[rows], norms), subjects_of(ids, starts, rows, rng))
        variances.append((1 / rows.size, effect / rows.size))
    independent, clustered = np.sqrt(np.mean(variances, axis=0))
    spread = np.sqrt(np.mean(np.square(values)))
    assert independent < 0.75 * spread
    assert clustered == pytest.approx(spread, rel=0.35)


def test_the_same_seed_gives_the_same_subjects_and_many_documents_are_sampled() -> None:
    ids, starts, _ = corpus(np.random.default_rng(4), 6, documents=2100, length=20)
    rows = np.unique(ids)
    first, again = (subjects_of(ids, starts, rows, np.random.default_rng(5)) for _ in range(2))
    np.testing.assert_array_equal(first, again)
    assert np.allclose(np.linalg.norm(first, axis=1).round(6) % 1, 0)  # of length 1, or not known


@pytest.mark.parametrize("ties", [False, True])
def test_influences_are_their_definition_pair_by_pair(ties: bool) -> None:
    rng = np.random.default_rng(6)
    x, y = rng.integers(0, 6 if ties else 10**6, (2, 25))
    first, second = ((stats.rankdata(side) - 0.5) / 25 - 0.5 for side in (x, y))
    raw = first * second
    for one in range(25):
        for other in range(25):
            raw[one] += ((x[other] > x[one]) + (x[other] == x[one]) / 2) * second[other] / 25
            raw[one] += ((y[other] > y[one]) + (y[other] == y[one]) / 2) * first[other] / 25
    expected = (raw - raw.mean()) / np.std(first) / np.std(second)
    np.testing.assert_allclose(spearman_influence(x, y), expected, atol=1e-12)


def test_subjects_are_numpys_singular_vectors_of_the_deviations_from_independence() -> None:
    rng = np.random.default_rng(7)
    ids, starts, _ = corpus(rng, 4, types=90, documents=30, length=80)
    rows = np.setdiff1d(np.unique(ids), [3, 50])  # others are not looked at
    counts = np.array([np.bincount(ids[a:b], minlength=90)[rows] for a, b in pairwise(starts)])
    expected = counts.sum(axis=1, keepdims=True) * counts.sum(axis=0) / counts.sum()
    _, sizes, right = np.linalg.svd((counts - expected) / np.sqrt(expected), full_matrices=False)
    subjects = sizes > 1.05 * (np.sqrt(30) + np.sqrt(rows.size))
    assert 1 <= subjects.sum() < 10
    directions = right[subjects].T * sizes[subjects]
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    found = subjects_of(ids, starts, rows, rng)
    assert found.shape == directions.shape
    np.testing.assert_allclose(found @ found.T, directions @ directions.T, atol=1e-6)  # up to signs


def test_the_effect_is_the_sum_over_pairs_weighted_by_squared_cosines() -> None:
    rng = np.random.default_rng(8)
    influence = rng.standard_normal(12) + 3
    subjects = rng.standard_normal((12, 3))
    subjects /= np.linalg.norm(subjects, axis=1, keepdims=True)
    subjects[[2, 7]] = 0  # of unknown subject: each for itself
    pairs = sum(
        influence[i] * influence[j] * (float(i == j) if not subjects[i].any() else (subjects[i] @ subjects[j]) ** 2)
        for i in range(12)
        for j in range(12)
    )
    assert subject_effect(influence, subjects) == pytest.approx(pairs / (influence @ influence), abs=1e-4)
    assert subject_effect(np.array([1.0, -1.0]), np.ones((2, 1))) == 1  # never below that of independent types
    assert subject_effect(np.zeros(2), np.ones((2, 1))) == 1
