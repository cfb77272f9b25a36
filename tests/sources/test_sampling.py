from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from builders import make_model, scan_inputs

import geoprobe
from geoprobe import reading
from geoprobe.data import ArrayRows, EmbeddingTable, ModelSource, Prompts, SampledRows, ScanInputs
from geoprobe.diagnostics.hyperbolicity.analyzer import HyperbolicityAnalyzer
from geoprobe.diagnostics.hyperbolicity.points import draw_rows, drawable
from geoprobe.diagnostics.norms.analyzer import NormsAnalyzer
from geoprobe.sources.sampling import sample_note, sample_weights

V, BUDGET = 4000, 300
COUNTS = np.r_[(20_000 / np.arange(1, 1501)).astype(np.int64), np.zeros(V - 1500, np.int64)]
PROMPTS = (Prompts("one", tuple(np.arange(k, k + 12) for k in range(0, 900, 9))),)
SOURCE = ModelSource("tiny", "Tiny", "llama", "f", "embed", "F32", "0" * 64)


def weights(seed: int = 0, budget: int = BUDGET) -> np.ndarray:
    return sample_weights(COUNTS, PROMPTS, budget, np.random.default_rng(seed))


def sampled(vectors: np.ndarray, drawn: np.ndarray) -> EmbeddingTable:
    names = tuple(f"w{row}" for row in range(len(vectors)))
    rows = SampledRows(ArrayRows(vectors), drawn > 0)
    return EmbeddingTable(rows, names, np.zeros(len(vectors), np.bool_), SOURCE, weights=drawn)


def test_the_sample_is_of_the_budget_and_stands_for_the_whole_table() -> None:
    drawn = weights()
    assert np.count_nonzero(drawn) == BUDGET
    assert drawn.sum() == pytest.approx(V)
    np.testing.assert_array_equal(drawn, weights())


def test_prompts_are_read_whole_and_every_class_is_seen() -> None:
    drawn = weights()
    whole = sum(bool((drawn[ids] > 0).all()) for ids in PROMPTS[0].ids)
    assert whole >= 15
    for low in (0, 1, 2, 4, 8, 16, 32, 64, 128, 1024):
        high = max(1, 2 * low)
        mine = (low <= COUNTS) & (high > COUNTS)
        assert np.count_nonzero(drawn[mine]) >= min(2, mine.sum())


def test_a_budget_of_all_rows_reads_all() -> None:
    np.testing.assert_array_equal(weights(budget=V + 1), np.ones(V))


@pytest.mark.parametrize("budget", [1, 2, 7, 20, 29, 40, 61])
def test_a_sample_of_fewer_rows_than_there_are_classes_stands_for_the_whole_table_too(budget: int) -> None:
    counts = np.r_[2 ** np.arange(20), 2 ** np.arange(20), np.ones(500, np.int64), np.zeros(9000, np.int64)]
    for prompts in ((), PROMPTS):
        drawn = sample_weights(counts, prompts, budget, np.random.default_rng(0))
        assert np.count_nonzero(drawn) == budget
        assert drawn.sum() == pytest.approx(len(counts))


def test_two_large_classes_and_many_small_ones_are_all_seen() -> None:
    counts = np.r_[np.zeros(5000, np.int64), np.ones(5000, np.int64), np.repeat(2 ** np.arange(1, 9), 3)]
    drawn = sample_weights(counts, (), 20, np.random.default_rng(0))
    assert (np.count_nonzero(drawn), drawn.sum()) == (20, pytest.approx(len(counts)))


def test_weighted_totals_are_unbiased_against_the_whole() -> None:
    values = np.log1p(COUNTS) + np.random.default_rng(1).standard_normal(V)
    totals = np.array([weights(seed) @ values for seed in range(300)])
    assert abs(totals.mean() - values.sum()) < 3 * totals.std(ddof=1) / np.sqrt(300)


def test_the_stated_interval_of_the_mean_norm_holds_the_truth_as_often_as_it_says() -> None:
    lengths = 1 + 0.2 * np.log1p(COUNTS) + np.random.default_rng(1).random(V)
    vectors = (lengths[:, None] * np.eye(1, 3)).astype(np.float32)
    held = 0
    for seed in range(200):
        note = sample_note(sampled(vectors, weights(seed)), COUNTS)
        mean, margin = note.partition("mean norm is ")[2].split(" (")[0].split(" ± ")
        held += abs(float(mean) - lengths.mean()) <= float(margin)
    assert 0.9 <= held / 200 <= 0.99


def test_drawing_by_weight_reaches_each_row_of_the_table_equally() -> None:
    drawn = weights()
    inputs = ScanInputs(sampled(np.ones((V, 2), np.float32), drawn), (), ())
    rows, rng = np.flatnonzero(drawn), np.random.default_rng(0)
    n = min(100, drawable(inputs, rows))
    hits = np.zeros(V)
    for _ in range(2000):
        chosen = draw_rows(inputs, rows, n, rng)
        assert len(np.unique(chosen)) == n
        hits[chosen] += 1
    expected = 2000 * n * drawn / V
    assert (np.abs(hits - expected) < 5 * np.sqrt(np.maximum(expected, 1))).all()


def test_hyperbolicity_of_a_sampled_table_says_what_was_read(zipf_texts: list[str]) -> None:
    inputs = scan_inputs(zipf_texts)
    table = inputs.embedding
    drawn = sample_weights(inputs.counts, inputs.prompts, 300, np.random.default_rng(0))
    part = replace(table, vectors=SampledRows(table.vectors, drawn > 0), weights=drawn)
    result = HyperbolicityAnalyzer(replicates=19, draws=79, tested=4, tokens=32, shown="off").run(
        replace(inputs, embedding=part), np.random.default_rng(0)
    )
    read = sum(bool((drawn[ids] > 0).all()) for ids in inputs.prompts[0].ids)
    assert any(f"Only {read} of 60 prompts had all their tokens read" in warning for warning in result.warnings)
    assert not any("NaN" in warning for warning in result.warnings)


def test_norms_of_a_sampled_table_stand_for_all_rows_and_blame_no_row_for_not_being_read() -> None:
    rng = np.random.default_rng(5)
    words = [f"w{row}" for row in range(3000)]
    weights = 1 / np.arange(1, 3001)
    texts = [" ".join(rng.choice(words, 200, p=weights / weights.sum())) for _ in range(120)]
    inputs = scan_inputs(texts, words=words)
    # norms fall with frequency among the rare, and rise among the frequent, which the sample has more of
    log = np.log(np.maximum(inputs.counts, 1))
    vectors = rng.standard_normal((len(log), 8)) * np.exp(-0.3 * log + 0.08 * log**2)[:, None]
    whole = scan_inputs(texts, words=words, vectors=vectors.astype(np.float32))
    drawn = sample_weights(whole.counts, (), 500, rng)
    table = replace(whole.embedding, vectors=SampledRows(whole.embedding.vectors, drawn > 0), weights=drawn)
    analyzer = NormsAnalyzer(replicates=999, bootstrap=19)
    full, part = (analyzer.run(each, np.random.default_rng(0)) for each in (whole, replace(whole, embedding=table)))
    assert part.n_not_finite == 0
    assert part.estimate.interval is not None
    assert part.estimate.interval.low <= full.estimate.value <= part.estimate.interval.high
    assert "sample's design" in part.estimate.interval.method
    assert "sample's design" in part.null.model
    # without weights rho has the variance 1 / (n - 1) under exchangeability, with them more
    seen = drawn[(drawn > 0) & (whole.counts > 0)]
    design = np.sqrt(seen.size * (seen**2).sum()) / seen.sum()  # Kish 1965: the square root of the design effect, 1.09
    spread = np.std(part.null.distribution) * np.sqrt(part.n_seen - 1)
    assert spread == pytest.approx(design, abs=0.07)
    assert any("A sample of the rows was read" in warning for warning in part.warnings)
    assert not any("NaN" in warning for warning in part.warnings)


def test_a_quick_scan_of_a_small_table_is_the_whole_scan(model_folder: Path, corpus_file: Path) -> None:
    quick, whole = (geoprobe.scan(model_folder, corpus_file, quick=q, analyzers=["norms"]) for q in (True, False))
    assert quick["norms"].to_dict() == whole["norms"].to_dict()
    assert quick.model.source == whole.model.source


def test_the_command_line_takes_quick_and_says_the_sampling_error(
    run_cli: Callable[..., tuple[int, str, str]], tmp_path: Path, corpus_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "QUICK_BYTES", 4096)  # 64 of 127 rows
    folder = make_model(tmp_path / "m")
    arguments = ("scan", folder, "--corpus", corpus_file, "--analyzer", "norms", "--quick", "--format", "html")
    code, _, _ = run_cli(*arguments, "--out", tmp_path / "out")
    assert code == 0
    assert "Quick scan: 64 of 127 rows were read" in (tmp_path / "out" / "report.html").read_text()
