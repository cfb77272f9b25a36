"""Tables and corpora at the edges of what numbers can be: every scan answers, warns where it must, and can be drawn."""

import json
import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from builders import FEW, WORDS, word_tokenizer, write_safetensors

import geoprobe
from geoprobe.diagnostics.base import analyzer_type

V, D = 127, 16
NAME = "model.embed_tokens.weight"
GAUSSIAN = np.random.default_rng(0).standard_normal((V, D)).astype(np.float32)


def scanned(model: Path, corpus: Path) -> geoprobe.Report:
    report = geoprobe.scan(model, corpus, analyzers=[analyzer_type(name)(**options) for name, options in FEW.items()])
    assert geoprobe.Report.from_dict(json.loads(report.to_json())) == report  # no number JSON cannot hold
    assert report.render("html")
    return report


def with_rows(*rows: tuple[int | slice, float]) -> np.ndarray:
    array = GAUSSIAN.copy()
    for where, value in rows:
        array[where] = value
    return array


def half(array: np.ndarray) -> np.ndarray:
    return array.astype(np.float16)


TABLES: dict[str, Callable[[], np.ndarray]] = {
    "nan rows": lambda: with_rows((5, np.nan), (slice(40, 60), np.nan)),
    "infinite rows": lambda: with_rows((5, np.inf), (6, -np.inf), (slice(40, 60), np.inf)),
    "nothing but nan": lambda: np.full((V, D), np.nan, np.float32),
    "nothing but zeros": lambda: np.zeros((V, D), np.float32),
    "one finite row": lambda: with_rows((slice(0, 126), np.nan)),
    "denormals": lambda: (GAUSSIAN * 1e-42).astype(np.float32),
    "largest float32": lambda: np.sign(GAUSSIAN) * np.finfo(np.float32).max,
    "smallest and largest": lambda: with_rows((slice(0, 60), 1e-45), (slice(60, 70), 3e38)),
    "fp16 whose norms overflow fp16": lambda: half(np.sign(GAUSSIAN) * 65504),
    "fp16 denormals": lambda: half(GAUSSIAN * 1e-7),
    "all rows alike": lambda: np.ones((V, D), np.float32),
    "two kinds of rows": lambda: np.repeat(GAUSSIAN[:2], [64, 63], axis=0),
    "d = 1": lambda: GAUSSIAN[:, :1].copy(),
    "d = 1, all alike": lambda: np.ones((V, 1), np.float32),
    "d = 2": lambda: GAUSSIAN[:, :2].copy(),
    "one length": lambda: GAUSSIAN / np.linalg.norm(GAUSSIAN, axis=1, keepdims=True),
    "float64 beyond float32": lambda: GAUSSIAN.astype(np.float64) * 1e300,
    "negative zeros": lambda: np.full((V, D), -0.0, np.float32),
}


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize("name", TABLES)
def test_a_table_at_the_edge_is_scanned(model_folder: Path, corpus_file: Path, name: str) -> None:
    write_safetensors(model_folder / "model.safetensors", {NAME: TABLES[name]()})
    report = scanned(model_folder, corpus_file)
    assert list(report.results) == list(FEW)
    assert report["frequency"].estimate.value is not None  # which does not look at the table
    if name in ("nothing but nan", "nothing but zeros", "negative zeros", "all rows alike", "d = 1, all alike"):
        assert report["norms"].verdict.label in ("inconclusive", "not supported")
        assert report["hyperbolicity"].verdict.label in ("inconclusive", "not supported")
    if "nan" in name or name in ("infinite rows", "float64 beyond float32"):
        assert any("NaN" in warning for warning in report["norms"].warnings)


def test_norms_that_overflow_half_precision_are_those_of_float64(model_folder: Path, corpus_file: Path) -> None:
    array = half(np.sign(GAUSSIAN) * 65504)
    write_safetensors(model_folder / "model.safetensors", {NAME: array})
    norms = scanned(model_folder, corpus_file)["norms"].to_frame()
    assert float(norms.loc["norm_mean", "value"]) == pytest.approx(math.sqrt(D) * 65504)


CORPORA = {
    "one token": "the",
    "one document": " ".join(WORDS * 3),
    "one token again and again": "the " * 5000,
    "every token once": " ".join([*WORDS, *(f"word{number}" for number in range(100))]),
    "documents of one token": "\n\n".join(WORDS * 4),
    "unknown words alone": "zzz yyy",
}


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize("name", CORPORA)
def test_a_corpus_at_the_edge_is_scanned(model_folder: Path, tmp_path: Path, name: str) -> None:
    (tmp_path / "a.txt").write_text(CORPORA[name])
    report = scanned(model_folder, tmp_path / "a.txt")
    labels = {result.verdict.label for result in report.results.values()}
    assert "inconclusive" in labels
    assert "supported" not in labels


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize(("rows", "dimension"), [(1, 1), (1, 16), (2, 1), (3, 16)])
def test_a_table_of_a_few_rows_is_scanned(tmp_path: Path, rows: int, dimension: int) -> None:
    folder = tmp_path / "m"
    folder.mkdir()
    word_tokenizer(WORDS[: rows - 1]).save(str(folder / "tokenizer.json"))  # type: ignore[attr-defined]
    write_safetensors(folder / "model.safetensors", {NAME: GAUSSIAN[:rows, :dimension].copy()})
    (tmp_path / "a.txt").write_text("the of and\n\nthe of")
    report = scanned(folder, tmp_path / "a.txt")
    assert report.model.rows == rows
    assert {result.verdict.label for result in report.results.values()} == {"inconclusive"}


def test_an_int8_table_is_scanned_as_its_values(model_folder: Path, corpus_file: Path) -> None:
    scale = (np.abs(GAUSSIAN).max(axis=1, keepdims=True) / 127).astype(np.float32)
    stored = np.rint(GAUSSIAN / scale).astype(np.int8)
    tensors = {NAME: stored, "model.embed_tokens.weight_scale": scale}
    write_safetensors(model_folder / "model.safetensors", tensors)
    report = scanned(model_folder, corpus_file)
    write_safetensors(model_folder / "model.safetensors", {NAME: stored * scale})
    assert report.model.source.dtype == "I8"
    assert report.results == scanned(model_folder, corpus_file).results


@pytest.mark.slow
def test_a_million_duplicates_are_scanned(tmp_path: Path) -> None:
    folder, rows = tmp_path / "m", 1_000_001
    folder.mkdir()
    words = [*WORDS, *(f"w{number}" for number in range(rows - 1 - len(WORDS)))]
    word_tokenizer(words).save(str(folder / "tokenizer.json"))  # type: ignore[attr-defined]
    table = np.repeat(GAUSSIAN[:3, :4], [rows - 100, 50, 50], axis=0)
    write_safetensors(folder / "model.safetensors", {NAME: table})
    rng = np.random.default_rng(1)
    texts = [" ".join(f"w{number}" for number in rng.zipf(1.5, 60) if number < 900_000) for _ in range(60)]
    (tmp_path / "a.txt").write_text("\n\n".join(texts))
    report = scanned(folder, tmp_path / "a.txt")
    assert report.model.rows == rows
