import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from builders import scan_inputs

from geoprobe.data import Prompts, ScanInputs
from geoprobe.diagnostics.hyperbolicity.analyzer import HyperbolicityAnalyzer
from geoprobe.diagnostics.hyperbolicity.result import HyperbolicityResult

RNG = np.random.default_rng


def texts_of_all_words(n_words: int, n_texts: int, length: int, seed: int = 0) -> list[str]:
    rng = RNG(seed)
    return [" ".join(f"w{row}" for row in rng.permutation(n_words)[:length]) for _ in range(n_texts)]


def run(vectors: np.ndarray, texts: list[str], **options: Any) -> HyperbolicityResult:
    words = [f"w{row}" for row in range(len(vectors) - 1)]
    inputs = scan_inputs(texts, words=words, vectors=vectors.astype(np.float32))
    return HyperbolicityAnalyzer(**{"replicates": 49, "draws": 79, "nested_sets": 2, "shown": "off", **options}).run(
        inputs, RNG(0)
    )


def slow_relative_delta(points: np.ndarray) -> float:
    """2δ/diameter from the first point, straight from the four-point definition."""
    gaps = np.linalg.norm(points[:, None] - points[None], axis=2)
    products = 0.5 * (gaps[0][:, None] + gaps[0][None] - gaps)
    best = 0.0
    for x in range(len(points)):
        for y in range(len(points)):
            for z in range(len(points)):
                best = max(best, min(products[x, y], products[y, z]) - products[x, z])
    return float(2 * best / gaps.max())


def slow_holland(points: np.ndarray) -> float:
    """Mean of (d1 - d2) / (d1 - d3) over all quadruples, straight from the definition."""
    from itertools import combinations

    gaps = np.linalg.norm(points[:, None] - points[None], axis=2)
    shares = []
    for i, j, k, m in combinations(range(len(points)), 4):
        d3, d2, d1 = sorted((gaps[i, j] + gaps[k, m], gaps[i, k] + gaps[j, m], gaps[i, m] + gaps[j, k]))
        shares.append((d1 - d2) / (d1 - d3))
    return float(np.mean(shares))


def test_every_prompts_delta_and_holland_match_the_definitions() -> None:
    vectors = RNG(5).standard_normal((31, 6)).astype(np.float32)
    result = run(vectors, texts_of_all_words(30, 12, 9))
    words = [f"w{row}" for row in range(30)]
    ids = scan_inputs(texts_of_all_words(30, 12, 9), words=words, vectors=vectors).prompts[0].ids
    deltas = [slow_relative_delta(vectors[each].astype(np.float64)) for each in ids]
    hollands = [slow_holland(vectors[each].astype(np.float64)) for each in ids]
    np.testing.assert_allclose([prompt.delta for prompt in result.prompts], deltas, atol=1e-9)
    np.testing.assert_allclose([prompt.holland for prompt in result.prompts], hollands, atol=1e-9)
    assert result.delta is not None
    assert result.delta.mean == pytest.approx(np.mean(deltas))
    assert result.delta.sd == pytest.approx(np.std(deltas, ddof=1))
    assert result.corpora[0].holland == pytest.approx(np.mean(hollands))


def test_gaussian_embeddings_are_at_their_own_null() -> None:
    result = run(RNG(1).standard_normal((201, 64)), texts_of_all_words(200, 60, 20))
    assert result.delta is not None
    assert result.delta.mean == pytest.approx(result.delta.null.mean, rel=0.05)


def test_the_papers_delta_of_a_plane_in_a_wide_space_is_above_its_null_and_no_evidence() -> None:
    # its distances do not concentrate, so δ is larger than a 64-dimensional cloud's
    vectors = np.zeros((201, 64))
    vectors[:, :2] = RNG(3).standard_normal((201, 2))
    result = run(vectors, texts_of_all_words(200, 40, 20))
    assert result.delta is not None
    assert result.delta.null.mean is not None
    assert result.delta.mean > result.delta.null.mean
    assert "no evidence" in result.verdict.reason


def test_the_papers_delta_of_points_on_a_line_is_zero_and_below_its_null() -> None:
    vectors = np.zeros((201, 8))
    vectors[:, 0] = RNG(2).standard_normal(201)
    result = run(vectors, texts_of_all_words(200, 40, 20))
    assert result.delta is not None
    assert result.delta.mean == pytest.approx(0, abs=1e-6)
    assert result.delta.null.pvalue == 1 / 50
    assert "below its null" in result.verdict.reason


def test_the_null_of_delta_has_a_vector_for_each_distinct_token() -> None:
    vectors = RNG(4).standard_normal((11, 32))
    repeated = run(vectors, [" ".join(["w0 w1 w2 w3 w4 w5"] * 10)] * 12)
    assert {(prompt.tokens, prompt.distinct) for prompt in repeated.prompts} == {(60, 6)}
    once = run(vectors, ["w0 w1 w2 w3 w4 w5"] * 12)
    assert repeated.delta is not None
    assert once.delta is not None
    assert repeated.delta.null.distribution == once.delta.null.distribution
    assert repeated.delta.mean == pytest.approx(once.delta.mean)
    assert repeated.corpora[0].holland == pytest.approx(once.corpora[0].holland)


def test_prompts_with_a_row_that_is_not_finite_are_left_out_and_counted() -> None:
    vectors = RNG(4).standard_normal((51, 8))
    texts = texts_of_all_words(50, 40, 10)
    vectors[1] = np.nan  # the row of w0
    result = run(vectors, texts)
    held = sum("w0" in text.split() for text in texts)
    assert 0 < held < 30
    assert result.n_not_finite == held
    assert f"{held} prompts hold a token whose row is NaN" in result.warnings[0]


def test_prompts_of_special_tokens_alone_are_inconclusive() -> None:
    from geoprobe.data import EmbeddingTable

    base = scan_inputs(texts_of_all_words(50, 12, 10), words=[f"w{row}" for row in range(50)])
    special = np.ones(base.embedding.size, dtype=np.bool_)
    table = EmbeddingTable(base.embedding.vectors, base.embedding.tokens, special, base.embedding.source)
    result = HyperbolicityAnalyzer().run(ScanInputs(table, base.corpora, base.prompts), RNG(0))
    assert result.verdict.label == "inconclusive"
    assert "Only 0 ordinary tokens were seen" in result.verdict.reason


def test_short_prompts_are_left_out_and_long_ones_cut() -> None:
    vectors = RNG(4).standard_normal((51, 8))
    texts = [*texts_of_all_words(50, 10, 30), "w1", "w1 w1 w1 w1 w1", "w1 w2 w3"]
    result = run(vectors, texts, max_tokens=20)
    assert (result.n_short, result.n_cut) == (3, 10)
    assert {prompt.tokens for prompt in result.prompts} == {20}
    assert result.warnings == (
        "3 prompts have fewer than 4 distinct tokens and were left out.",
        "10 prompts were cut to their first 20 tokens.",
    )


def test_only_the_first_prompts_of_each_corpus_are_measured() -> None:
    base = scan_inputs(texts_of_all_words(50, 30, 10), words=[f"w{row}" for row in range(50)])
    inputs = ScanInputs(base.embedding, base.corpora * 2, (base.prompts[0], Prompts("second", base.prompts[0].ids)))
    result = HyperbolicityAnalyzer(prompts=12, replicates=9, draws=79, nested_sets=2, shown="off").run(inputs, RNG(0))
    assert [(corpus.corpus, corpus.n_prompts) for corpus in result.corpora] == [("made-up", 12), ("second", 12)]
    assert result.corpora[0].mean == result.corpora[1].mean


def test_values_of_the_paper_protocol_on_the_demo_model(demo: Path, shared_datasets: Path, tmp_path: Path) -> None:
    """Relative δ of the first 150 prompts, mean ± sd, as measured with the paper's own script."""
    from geoprobe.scanning import scan

    analyzer = HyperbolicityAnalyzer(replicates=19, tested=4, draws=79, nested_sets=2, shown="off")
    names = ("gsm8k", "mawps", "SVAMP", "AQuA")
    files = [tmp_path / name / "test.json" for name in names]
    for name, file in zip(names, files, strict=True):
        file.parent.mkdir()
        file.write_text(json.dumps(json.loads((shared_datasets / name / "test.json").read_text())[:150]))
    result = scan("demo", files, analyzers=[analyzer])["hyperbolicity"]
    assert isinstance(result, HyperbolicityResult)
    expected = {"gsm8k": (0.195, 0.026), "mawps": (0.186, 0.027), "SVAMP": (0.190, 0.028), "AQuA": (0.193, 0.026)}
    nulls = {"gsm8k": 0.113, "mawps": 0.106, "SVAMP": 0.107, "AQuA": 0.116}
    for corpus in result.corpora:
        name = corpus.corpus.split("/")[0]
        assert (round(corpus.mean, 3), round(corpus.sd, 3)) == expected[name]
        # Gaussian vectors of the same shape; spread norms alone lower it further
        assert 0.7 * nulls[name] < corpus.null_mean < nulls[name]
        if name == "gsm8k":
            assert corpus.holland == pytest.approx(0.312, abs=0.004)
    assert "no evidence" in result.verdict.reason


def test_tokens_that_all_coincide_are_a_result_and_no_crash() -> None:
    result = run(np.ones((61, 8)), texts_of_all_words(60, 20, 12), shown="full", other_draws=3, fit_draws=3)
    assert result.verdict.label == "not supported"
    assert result.tree is not None
    assert result.tree.fits == ()


def test_what_decides_nothing_can_be_left_out_and_changes_no_other_number() -> None:
    vectors, texts = RNG(6).standard_normal((61, 12)), texts_of_all_words(60, 15, 12)
    full = run(vectors, texts, shown="full", other_draws=3, fit_draws=2)
    off = run(vectors, texts)
    assert full.tree is not None
    assert off.tree is not None
    assert full.tree.others
    assert {fit.subject for fit in full.tree.fits} == {"random tokens", "prompt tokens"}
    assert full.token_map is not None
    assert off == replace(full, tree=replace(full.tree, others=(), fits=()), token_map=None)
    titles = {table.title for table in off.tables() if table.rows}
    assert {table.title for table in full.tables() if table.rows} - titles == {
        "The same by T and under other metrics",
        "Embedded in few dimensions",
    }
