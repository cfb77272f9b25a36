import numpy as np
import pytest
from builders import scan_inputs
from scipy import stats

from geoprobe.analyzers.norms import NormsAnalyzer, NormsResult
from geoprobe.analyzers.norms_associations import HELD, KENDALL, PEARSON, SEEN, SPEARMAN, WHOLE, Association
from geoprobe.analyzers.paper import WORD_GROUPS
from geoprobe.data import EmbeddingTable, ScanInputs, TokenCounts


def made(norms: np.ndarray, counts: np.ndarray, words: list[str] | None = None) -> ScanInputs:
    """Inputs with these norms and counts, directions random; row 0 is the special token."""
    rng = np.random.default_rng(0)
    directions = rng.standard_normal((norms.size, 8))
    vectors = (directions / np.linalg.norm(directions, axis=1, keepdims=True) * norms[:, None]).astype(np.float32)
    names = words or [f"w{number}" for number in range(norms.size - 1)]
    base = scan_inputs(["a"], words=names, vectors=vectors)
    return ScanInputs(base.embedding, (TokenCounts("c", "0", counts.astype(np.int64), 1),), base.prompts)


def run(norms: np.ndarray, counts: np.ndarray, words: list[str] | None = None) -> NormsResult:
    return NormsAnalyzer(replicates=199).run(made(norms, counts, words), np.random.default_rng(0))


COUNTS = np.concatenate([[0], np.random.default_rng(4).zipf(1.6, size=999)])
FALLING = 3 - 0.2 * np.log1p(COUNTS)


def test_norms_that_fall_with_frequency_are_supported() -> None:
    result = run(FALLING, COUNTS)
    assert result.verdict.label == "supported"
    assert result.estimate.value == pytest.approx(-1, abs=0.05)  # float32 breaks the ties of equal counts
    assert result.null.pvalue == 2 / 200


def test_norms_that_rise_with_frequency_contradict() -> None:
    assert run(1 + 0.1 * np.log1p(COUNTS), COUNTS).verdict.label == "contradicted"


def test_norms_that_do_not_follow_are_not_supported() -> None:
    rng = np.random.default_rng(8)
    verdicts = [run(1 + rng.random(COUNTS.size), COUNTS).verdict for _ in range(10)]
    assert sum(verdict.label == "not supported" for verdict in verdicts) >= 7  # 95% in the long run
    assert "interval with 0" in verdicts[-1].reason


def test_norms_that_hardly_vary_are_no_signal_however_well_they_follow() -> None:
    result = run(1.03 - 0.0005 * np.log1p(COUNTS), COUNTS)
    assert result.verdict.label == "not supported"
    assert "No signal" in result.verdict.reason


def test_a_relation_that_bends_at_the_head_is_weak_and_says_where() -> None:
    rng = np.random.default_rng(2)
    counts = np.concatenate([[0], rng.zipf(1.5, size=2999)])
    level = np.log1p(counts)
    bend = np.log(50)
    norms = 3 - 0.3 * np.minimum(level, bend) + 0.3 * np.maximum(level - bend, 0) + 0.1 * rng.random(3000)
    result = run(norms, counts)
    assert result.verdict.label == "weak"
    assert "it bends" in result.verdict.reason
    assert result.curve is not None
    assert result.curve.bent
    assert result.curve.turn_kind == "lowest"
    assert 25 <= (result.curve.turn or 0) <= 100
    assert 10 <= result.curve.run[0] <= 200


def test_word_groups_out_of_order_make_it_weak() -> None:
    words = [word for group in WORD_GROUPS for word in group]
    names = words + [f"w{number}" for number in range(998 - len(words) + 1)]
    norms = FALLING.copy()
    for position, _word in enumerate(words, start=1):
        norms[position] = 4.0 - 0.05 * position  # function words longest
    result = run(norms, COUNTS, names)
    assert [group.mean for group in result.groups] == sorted((g.mean for g in result.groups), reverse=True)  # type: ignore[type-var]
    assert "word groups do not rise" in result.verdict.reason


def test_rho_matches_scipy_over_the_seen_tokens() -> None:
    rng = np.random.default_rng(3)
    norms = 2 + rng.random(COUNTS.size)
    counts = np.where(rng.random(COUNTS.size) < 0.5, COUNTS, 0)
    result = run(norms, counts)
    seen = counts > 0
    assert result.n_seen == seen.sum()
    expected = stats.spearmanr(counts[seen], norms.astype(np.float32)[seen]).statistic
    assert result.estimate.value == pytest.approx(expected, abs=1e-3)
    assert result.estimate.interval is not None


def test_classes_hold_every_seen_token_once() -> None:
    result = run(FALLING, COUNTS)
    assert sum(found.n for found in result.classes) == result.n_seen
    assert result.classes[0].low == result.classes[0].high == 1
    second = (COUNTS >= 2) & (COUNTS <= 4)
    assert result.classes[1].mean == pytest.approx(FALLING[second].mean(), rel=1e-6)
    assert result.classes[1].sd == pytest.approx(FALLING[second].std(ddof=1), rel=1e-4)


def test_rows_that_are_not_finite_are_left_out_and_counted() -> None:
    inputs = made(FALLING, COUNTS)
    array = inputs.embedding.vectors.read(0, inputs.embedding.size).copy()
    array[5], array[6, 2] = np.nan, np.inf
    from geoprobe.data import ArrayRows

    table = EmbeddingTable(ArrayRows(array), inputs.embedding.tokens, inputs.embedding.special, inputs.embedding.source)
    result = NormsAnalyzer(replicates=19).run(
        ScanInputs(table, inputs.corpora, inputs.prompts), np.random.default_rng(0)
    )
    assert result.n_not_finite == 2
    assert result.warnings == ("2 rows (5, 6) hold NaN or infinity and were left out.",)
    assert result.n_seen == 997


def test_half_precision_norms_do_not_overflow() -> None:
    from geoprobe.data import ArrayRows

    base = made(FALLING, COUNTS).embedding
    table = EmbeddingTable(
        ArrayRows(np.full((3, 4), 60000, np.float16), "F16"), ("a",) * 3, base.special[:3], base.source
    )
    np.testing.assert_allclose(table.row_statistics.norms, 2 * 60000, rtol=1e-3)


def test_a_words_spelling_with_a_space_comes_first() -> None:
    result = run(
        np.array([1.0, 2.0, 5.0, 7.0] + [1.0] * 60), np.arange(64), ["dog", " dog", "cow", *map(str, range(60))]
    )
    assert [(word, round(norm, 3)) for word, norm, _ in result.groups[3].words] == [(" dog", 5.0), ("cow", 7.0)]
    assert "apple" in result.groups[3].several_tokens


def association(result: NormsResult, name: str, coefficient: str = SPEARMAN) -> Association:
    return next(each for each in result.associations if (each.name, each.coefficient) == (name, coefficient))


def test_coefficients_match_scipy() -> None:
    rng = np.random.default_rng(3)
    norms = (2 + rng.random(COUNTS.size) - 0.1 * np.log1p(COUNTS)).astype(np.float32)
    result = run(norms.astype(np.float64), COUNTS)
    seen = COUNTS > 0
    lengths, counts = norms[seen].astype(np.float64), COUNTS[seen]
    head = counts >= 10
    expected = {
        (SEEN, KENDALL): stats.kendalltau(counts, lengths).statistic,
        (SEEN, PEARSON): stats.pearsonr(np.log(counts), lengths).statistic,
        (WHOLE, SPEARMAN): stats.spearmanr(COUNTS + 1, norms).statistic,
        (WHOLE, KENDALL): stats.kendalltau(COUNTS + 1, norms).statistic,
        (WHOLE, PEARSON): stats.pearsonr(np.log(COUNTS + 1), norms).statistic,
        ("tokens seen at least 10 times", SPEARMAN): stats.spearmanr(counts[head], lengths[head]).statistic,
    }
    for (name, coefficient), value in expected.items():
        assert association(result, name, coefficient).value == pytest.approx(value, abs=2e-3)


def test_a_relation_that_turns_round_among_the_frequent_is_said() -> None:
    rng = np.random.default_rng(5)
    counts = np.concatenate([[0], rng.zipf(1.4, size=3999)])
    level = np.log1p(counts)
    norms = 3 - 0.3 * np.minimum(level, np.log(60)) + 0.3 * np.maximum(level - np.log(60), 0)
    result = run(norms + 0.01 * rng.random(norms.size), counts)
    assert result.verdict.label == "weak"
    assert "tokens seen at least 10 times it is turned round" in result.verdict.reason


def test_a_relation_made_by_the_tokens_text_vanishes_when_that_is_held() -> None:
    rng = np.random.default_rng(6)
    words = [" " * (row % 2) + f"w{row}" for row in range(1999)]
    space = np.concatenate([[0], [row % 2 for row in range(1999)]])
    counts = np.where(space == 1, rng.integers(50, 500, 2000), rng.integers(1, 50, 2000))
    counts[0] = 0
    result = run(3 - space + 0.2 * rng.random(2000), counts, words)
    assert result.estimate.value is not None
    assert result.estimate.value < -0.5
    assert abs(association(result, HELD).value) < 0.1
    held = {each.trait: each.held for each in result.confounds}
    assert abs(held["starts a word"] or 0) < 0.1
    assert "little is left once traits of the text are held" in result.verdict.reason


def test_the_interval_is_over_documents_where_they_are_known(zipf_texts: list[str]) -> None:
    known = NormsAnalyzer(replicates=19, bootstrap=50).run(scan_inputs(zipf_texts), np.random.default_rng(0))
    assert known.estimate.interval is not None
    assert known.estimate.interval.method == "standard error over resampled documents"
    assert known.estimate.interval.low < (known.estimate.value or 0) < known.estimate.interval.high
    unknown = run(FALLING + np.random.default_rng(1).random(COUNTS.size), COUNTS)
    assert unknown.estimate.interval is not None
    assert "tokens taken as independent" in unknown.estimate.interval.method
