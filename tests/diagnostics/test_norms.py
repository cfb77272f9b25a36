from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from builders import scan_inputs
from scipy import stats

from geoprobe.data import ArrayRows, EmbeddingTable, ScanInputs, TokenCounts
from geoprobe.diagnostics.norms.analyzer import NormsAnalyzer
from geoprobe.diagnostics.norms.correlations import CONTROLLED, KENDALL, PEARSON, SEEN, SPEARMAN, WHOLE, Correlation
from geoprobe.diagnostics.norms.distances import FROM_MEAN, FROM_MEDIAN, NORM
from geoprobe.diagnostics.norms.result import NormsResult
from geoprobe.diagnostics.paper import WORD_GROUPS


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
    assert "with an interval from" in verdicts[-1].reason


def test_the_number_of_documents_makes_no_relation_of_a_chance_over_tokens() -> None:
    """Many documents say a small ρ to three digits: unrelated norms must pass for such all the same."""
    rng = np.random.default_rng(1)
    words = [f"w{number}" for number in range(300)]
    likely = 1 / np.arange(1, 301)
    texts = [" ".join(rng.choice(words, 60, p=likely / likely.sum())) for _ in range(1000)]
    excluded = labels = 0
    for seed in range(10):
        vectors = np.random.default_rng(seed).standard_normal((301, 8)).astype(np.float32)
        result = NormsAnalyzer(replicates=199, bootstrap=40).run(
            scan_inputs(texts, words=words, vectors=vectors), np.random.default_rng(seed)
        )
        assert result.estimate.interval is not None
        assert result.null.pvalue is not None
        excluded += not result.estimate.interval.low <= 0 <= result.estimate.interval.high
        labels += result.verdict.label != "not supported"
        if result.null.pvalue > 0.05:
            assert result.verdict.label == "not supported"
            assert "with an interval from" in result.verdict.reason or "permuted ones" in result.verdict.reason
    assert excluded <= 2  # documents alone would have called four of them a relation
    assert labels <= 2


def test_tokens_that_all_occur_equally_often_are_no_question_of_norms() -> None:
    result = run(FALLING, np.where(COUNTS > 0, 3, 0))
    assert result.verdict.label == "inconclusive"
    assert result.verdict.reason == "All tokens seen occur equally often. Give a larger corpus."


def test_rows_of_no_token_are_in_no_number() -> None:
    counts = COUNTS.copy()
    made_up = made(FALLING, counts)
    tokens = tuple("" if row % 10 == 3 else token for row, token in enumerate(made_up.embedding.tokens))
    inputs = replace(made_up, embedding=replace(made_up.embedding, tokens=tokens))
    result = NormsAnalyzer(replicates=199).run(inputs, np.random.default_rng(0))
    seen = sum(bool(token) and count > 0 for token, count in zip(tokens, counts, strict=True))
    assert result.n_seen == seen == result.associations[0].n == sum(each.n for each in result.classes)


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
    assert result.curve is not None
    assert result.curve.non_monotone
    assert result.curve.direction == "falling"
    assert 10 <= result.curve.run[0] <= 200
    assert (
        f"not monotone (a monotone relation is ruled out, p = 0.001): {result.curve.describe_run()}"
        in result.verdict.reason
    )
    assert result.curve.describe_run().startswith("norms rise from ")


@pytest.mark.parametrize("sign", [1, -1])
def test_a_hump_and_a_bowl_follow_frequency_in_no_one_direction(sign: int) -> None:
    rng = np.random.default_rng(3)
    counts = np.concatenate([[0], rng.zipf(1.4, size=3999)])
    level = np.log1p(np.minimum(counts, 10_000))
    middle = np.median(level)
    result = run(3 + sign * 0.3 * np.abs(level - middle) + 0.3 * rng.random(4000), counts)
    assert result.curve is not None
    assert result.curve.non_monotone
    assert result.verdict.label in ("not supported", "weak")
    assert "not monotone" in result.verdict.reason


def test_a_positive_relation_that_turns_round_among_the_frequent_is_no_contradiction() -> None:
    rng = np.random.default_rng(5)
    counts = np.concatenate([[0], rng.zipf(1.4, size=3999)])
    level = np.log1p(counts)
    norms = 3 + 0.3 * np.minimum(level, np.log(60)) - 0.3 * np.maximum(level - np.log(60), 0)
    verdict = run(norms + 0.01 * rng.random(norms.size), counts).verdict
    assert verdict.label == "not supported"
    assert verdict.reason.startswith("On the whole, frequent tokens have the larger norms")
    assert "the relation is reversed" in verdict.reason


@pytest.mark.parametrize("sign", [1, -1])
def test_a_relation_too_small_to_speak_of_is_not_supported_however_sure(sign: int) -> None:
    rng = np.random.default_rng(6)
    counts = np.concatenate([[0], rng.zipf(1.4, size=39_999)])
    norms = 3 + 0.04 * sign * np.log1p(np.minimum(counts, 100)) + 0.6 * rng.standard_normal(40_000).clip(-3, 3)
    result = run(norms, counts)
    assert result.null.pvalue == 2 / 200
    assert 0.03 < abs(result.estimate.value or 0) < 0.1
    assert result.verdict.label == "not supported"
    assert "too small to speak of" in result.verdict.reason


def with_word_groups(slope: float) -> NormsResult:
    """Norms that fall with frequency, but for the paper's words, whose norms have a slope from word to word."""
    words = [word for group in WORD_GROUPS for word in group]
    names = words + [f"w{number}" for number in range(998 - len(words) + 1)]
    norms = FALLING.copy()
    for position, _word in enumerate(words, start=1):
        norms[position] = 3.0 + slope * position
    return run(norms, COUNTS, names)


def test_word_groups_in_reverse_order_speak_against_it() -> None:
    result = with_word_groups(-0.05)
    assert [group.mean for group in result.groups] == sorted((g.mean for g in result.groups), reverse=True)  # type: ignore[type-var]
    assert result.group_order is not None
    assert result.group_order.rho < -0.9
    assert "word groups run the other way" in result.verdict.reason


def test_the_order_of_word_groups_is_a_test_word_by_word() -> None:
    result = with_word_groups(0.05)
    words = [(position, norm) for position, group in enumerate(result.groups) for _, norm, _ in group.words]
    assert result.group_order is not None
    assert result.group_order.rho == pytest.approx(stats.spearmanr(*zip(*words, strict=True)).statistic)
    assert (result.group_order.n, result.group_order.pvalue) == (len(words), 2 / 200)
    assert "word groups" not in result.verdict.reason
    assert run(FALLING, COUNTS).group_order is None  # no words of theirs


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

    table = EmbeddingTable(ArrayRows(array), inputs.embedding.tokens, inputs.embedding.special, inputs.embedding.source)
    result = NormsAnalyzer(replicates=19).run(
        ScanInputs(table, inputs.corpora, inputs.prompts), np.random.default_rng(0)
    )
    assert result.n_not_finite == 2
    assert result.warnings == ("Tokens whose vector holds NaN or infinity, left out: 2 (rows 5, 6).",)
    assert result.n_seen == 997


def test_half_precision_norms_do_not_overflow() -> None:

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


def correlation(result: NormsResult, name: str, coefficient: str = SPEARMAN) -> Correlation:
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
        assert correlation(result, name, coefficient).value == pytest.approx(value, abs=2e-3)


def test_a_relation_that_turns_round_among_the_frequent_is_said() -> None:
    rng = np.random.default_rng(5)
    counts = np.concatenate([[0], rng.zipf(1.4, size=3999)])
    level = np.log1p(counts)
    norms = 3 - 0.3 * np.minimum(level, np.log(60)) + 0.3 * np.maximum(level - np.log(60), 0)
    result = run(norms + 0.01 * rng.random(norms.size), counts)
    assert result.verdict.label == "weak"
    assert "tokens seen at least 10 times the relation is reversed" in result.verdict.reason


def test_a_relation_made_by_the_tokens_text_vanishes_when_that_is_held() -> None:
    rng = np.random.default_rng(6)
    words = [" " * (row % 2) + f"w{row}" for row in range(1999)]
    space = np.concatenate([[0], [row % 2 for row in range(1999)]])
    counts = np.where(space == 1, rng.integers(50, 500, 2000), rng.integers(1, 50, 2000))
    counts[0] = 0
    result = run(3 - space + 0.2 * rng.random(2000), counts, words)
    assert result.estimate.value is not None
    assert result.estimate.value < -0.5
    assert abs(correlation(result, CONTROLLED).value) < 0.1
    held = {each.trait: each.held for each in result.confounds}
    assert abs(held["starts a word"] or 0) < 0.1
    assert "little of it is left once traits of the text are controlled for" in result.verdict.reason


def test_the_interval_is_over_documents_where_they_are_known(zipf_texts: list[str]) -> None:
    known = NormsAnalyzer(replicates=19, bootstrap=50).run(scan_inputs(zipf_texts), np.random.default_rng(0))
    assert known.estimate.interval is not None
    assert known.estimate.interval.method == "two-way: types, those of one subject together, and documents"
    assert known.subject_effect is not None
    assert known.subject_effect >= 1
    assert known.estimate.interval.low < (known.estimate.value or 0) < known.estimate.interval.high
    unknown = run(FALLING + np.random.default_rng(1).random(COUNTS.size), COUNTS)
    assert unknown.estimate.interval is not None
    assert "tokens taken as independent" in unknown.estimate.interval.method


def test_partial_coefficients_and_their_order_match_pingouin() -> None:
    pingouin = pytest.importorskip("pingouin")
    import pandas as pd

    from geoprobe.diagnostics.norms.token_traits import TOKEN_ID, token_traits

    rng = np.random.default_rng(20)
    words = [("" if row % 3 else " ") + "ab"[row % 2] * (row % 7) + f"w{row}" for row in range(999)]
    norms = (2 + rng.random(1000) - 0.1 * np.log1p(COUNTS)).astype(np.float32).astype(np.float64)
    result = run(norms, COUNTS, words)
    inputs = made(norms, COUNTS, words)
    seen = np.flatnonzero(COUNTS)
    names, traits = token_traits(inputs.embedding, seen)
    columns = {f"t{place}": traits[:, place] for place in range(len(names)) if np.ptp(traits[:, place]) > 0}
    lengths = inputs.embedding.row_statistics.norms[seen]
    frame = pd.DataFrame({"x": COUNTS[seen], "y": lengths, **columns})
    written = [column for column in columns if names[int(column[1:])] != TOKEN_ID]

    def partial(covariates: list[str]) -> float:
        return float(pingouin.partial_corr(frame, "x", "y", covariates, method="spearman")["r"].item())

    assert correlation(result, CONTROLLED).value == pytest.approx(partial(written), abs=1e-6)
    held = {confound.trait: confound.held for confound in result.confounds}
    assert held == pytest.approx({names[int(column[1:])]: partial([column]) for column in columns}, abs=1e-6)


def test_a_cloud_off_the_origin_can_turn_the_relation_round() -> None:
    """Frequent tokens close to the origin but far from the mean vector: both are said."""
    rng = np.random.default_rng(21)
    counts = np.concatenate([[0], rng.zipf(1.5, size=1999)])
    level = np.minimum(np.log1p(counts), 5)
    vectors = 0.05 * rng.standard_normal((2000, 8))
    vectors[:, 0] += 4 - 0.5 * level
    base = scan_inputs(["a"], words=[f"w{row}" for row in range(1999)], vectors=vectors.astype(np.float32))
    inputs = ScanInputs(base.embedding, (TokenCounts("c", "0", counts, 1),), base.prompts)
    result = NormsAnalyzer(replicates=19).run(inputs, np.random.default_rng(0))
    found = {each.name: each for each in result.distances}
    assert (found[NORM].rho or 0) < -0.9
    assert (found[FROM_MEAN].rho or 0) < (found[FROM_MEDIAN].rho or 0) + 0.5
    wide = vectors.astype(np.float32).astype(np.float64)
    from_mean = np.linalg.norm(wide - wide.mean(axis=0), axis=1)[counts > 0]
    assert found[FROM_MEAN].mean == pytest.approx(from_mean.mean(), rel=1e-6)
    expected = stats.spearmanr(counts[counts > 0], from_mean).statistic
    assert found[FROM_MEAN].rho == pytest.approx(expected, abs=1e-3)


def test_a_look_up_factor_scales_norms_and_changes_no_rank() -> None:
    inputs = made(2 + np.random.default_rng(22).random(1000), COUNTS)
    scaled = ScanInputs(replace(inputs.embedding, lookup_scale=24.0), inputs.corpora, inputs.prompts)
    found = {each.name: each for each in NormsAnalyzer(replicates=19).run(scaled, np.random.default_rng(0)).distances}
    before, after = found[NORM], found["norm after the look-up factor"]
    assert after.mean == pytest.approx(24 * before.mean)
    assert after.rho == before.rho


def test_an_untied_output_matrix_is_measured_beside() -> None:
    inputs = made(FALLING, COUNTS)
    output = inputs.embedding.vectors.read(0, 1000) * 7
    output[3, 3] = np.nan
    untied = replace(inputs.embedding, output=ArrayRows(output[:990]), tied=False)
    result = NormsAnalyzer(replicates=19).run(
        ScanInputs(untied, inputs.corpora, inputs.prompts), np.random.default_rng(0)
    )
    found = {each.name: each for each in result.distances}
    assert found[f"output matrix: {NORM}"].n == 988  # 990 rows, less the special and the spoilt one
    assert found[f"output matrix: {NORM}"].mean == pytest.approx(7 * FALLING[1:].mean(), rel=0.01)
    assert result.warnings == (
        "The output matrix has 990 rows, the embedding 1,000.",
        "Rows of the output matrix that hold NaN or infinity, left out: 1.",
    )


@pytest.mark.parametrize("scale", [1.0, 25.3])
def test_norms_like_those_of_gemma_3_give_no_signal(scale: float) -> None:
    """All between 1.028 and 1.035, whatever factor comes after look-up."""
    rng = np.random.default_rng(23)
    counts = np.concatenate([[0], rng.zipf(1.6, size=3999)])
    norms = np.clip(1.0315 - 0.0003 * np.log1p(counts) + 0.001 * rng.standard_normal(4000), 1.028, 1.035)
    inputs = made(norms, counts)
    scaled = ScanInputs(replace(inputs.embedding, lookup_scale=scale), inputs.corpora, inputs.prompts)
    result = NormsAnalyzer(replicates=19).run(scaled, np.random.default_rng(0))
    assert (result.estimate.value or 0) < -0.05  # what one coefficient would have said
    assert result.verdict.label == "not supported"
    assert result.verdict.reason.startswith("No signal: norms hardly vary (0.1")


def spoilt(rows: dict[int, float], *, unnamed: int = 0, twins: tuple[int, ...] = ()) -> NormsResult:
    inputs = made(FALLING, COUNTS)
    array = inputs.embedding.vectors.read(0, 1000).copy()
    for row, value in rows.items():
        array[row] = value
    for row in twins:
        array[row] = array[twins[0]]
    tokens = (*inputs.embedding.tokens[: 1000 - unnamed], *[""] * unnamed)
    counts = np.where(np.arange(1000) < 1000 - unnamed, COUNTS, 0)
    table = replace(inputs.embedding, vectors=ArrayRows(array), tokens=tokens)
    return NormsAnalyzer(replicates=19).run(
        ScanInputs(table, (TokenCounts("c", "0", counts, 1),), inputs.prompts), np.random.default_rng(0)
    )


def test_rows_of_zeros_are_kept_counted_and_named() -> None:
    result = spoilt({4: 0.0, 5: 0.0})
    assert result.n_zero == 2
    assert result.n_seen == 999
    assert result.low == 0
    assert result.warnings == ("Tokens whose vector is zero: 2 (rows 4, 5).",)
    assert {each.row for each in result.unusual.listed[:2]} == {4, 5}


def test_rows_beyond_the_tokenizer_are_counted_and_stay_out_of_the_vocabulary() -> None:
    result = spoilt({}, unnamed=30)
    assert result.n_unnamed == 30
    assert correlation(result, WHOLE).n == 970
    assert result.unusual.references == 30
    named = "970, 971, 972, 973, 974, 975, 976, 977, 978, 979, …"
    assert result.warnings == (f"Rows that no token has: 30 (rows {named}).",)


def test_equal_rows_are_counted_and_named() -> None:
    result = spoilt({}, twins=(8, 9, 10))
    assert dict(result.unusual.counts)["equal to another row"] == 3
    assert result.warnings == ("Tokens whose vector equals another token's: 3 (rows 8, 9, 10).",)
    quantities = {row.quantity: row.value for row in result.rows()}
    assert quantities["rows: equal to another row"] == 3


@pytest.mark.parametrize("value", [np.nan, np.inf, 0.0, 1.0])
def test_a_table_that_is_spoilt_throughout_is_inconclusive_or_without_signal(value: float) -> None:
    result = spoilt(dict.fromkeys(range(1000), value))
    assert result.verdict.label in {"inconclusive", "not supported"}
    assert result.estimate.value is None
    assert NormsResult.from_dict(result.to_dict()) == result
    assert result.rows()
    assert [table.name for table in result.tables()][-1] == "unusual"


def test_every_row_with_a_place_is_a_point_of_its_kind() -> None:
    result = spoilt({4: 0.0, 5: np.nan}, unnamed=3)
    once = int(np.flatnonzero(COUNTS == 1)[10])
    points = result.scatter()
    assert points is not None
    unpacked = points.unpack()
    assert unpacked.rows.tolist() == [row for row in range(1000) if row != 5]
    assert "have no place: 1." in points.caption
    kind = dict(zip(unpacked.rows.tolist(), unpacked.groups.tolist(), strict=True))
    names = {row: points.group_names[group] for row, group in kind.items()}
    assert (names[0], names[4], names[once], names[998]) == ("special token", "unusual row", "seen", "row of no token")
    place = dict(zip(unpacked.rows.tolist(), unpacked.x.tolist(), strict=True))
    assert place[0] == pytest.approx(0.5, rel=1e-3)
    assert place[once] == pytest.approx(1, rel=1e-3)


def test_the_link_of_radii_and_counts_holds_where_it_was_made_to() -> None:
    """Counts of exponent γ, and radii of rate 2/(γ - 1): the relation, in units in which it is true."""
    from geoprobe.diagnostics.norms.radial_link import link_radii

    rng = np.random.default_rng(24)
    counts = np.minimum(rng.zipf(2.0, 4000), 10**6)
    place = rng.random(4000)
    for rate, holds, scale in ((2.0, True, 1.0), (6.0, False, 3.0)):
        radii = 5 + np.log(place + (1 - place) * np.exp(-3 * rate)) / rate
        link = link_radii(counts, radii, rng)
        assert link is not None
        assert link.zeta == pytest.approx(rate, rel=0.1)
        assert link.holds is holds
        assert link.scale == pytest.approx(scale, rel=0.15)
        assert link.pvalue > 0.01


def test_on_the_demo_the_coefficients_are_those_of_the_report(demo: Path, shared_datasets: Path) -> None:
    from geoprobe.sources.corpora import open_corpus
    from geoprobe.sources.counting import count_tokens
    from geoprobe.sources.models.loading import open_model

    loaded = open_model("demo")
    corpus = open_corpus(str(shared_datasets / "gsm8k" / "test.json"))
    counted, prompts = count_tokens(loaded.tokenizer, corpus, rows=loaded.table().size, max_prompts=10)
    result = NormsAnalyzer(replicates=99, bootstrap=40).run(
        ScanInputs(loaded.table(), (counted,), (prompts,)), np.random.default_rng(0)
    )
    norms = loaded.table().row_statistics.norms
    seen = counted.counts > 0
    expected = stats.spearmanr(counted.counts[seen], norms[seen]).statistic
    assert result.estimate.value == pytest.approx(expected, abs=1e-9)
    found = {each.name: each for each in result.distances}
    # short rows are frequent, but they lie off the cloud's middle
    assert (found[NORM].high or 0) < 0 < (found[FROM_MEAN].low or 0)
    assert [round(group.mean or 0, 2) for group in result.groups] == [2.80, 2.71, 2.38, 2.41]
    assert all(association.low is not None for association in result.associations)
