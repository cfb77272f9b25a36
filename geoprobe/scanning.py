"""Scan a model: load its embedding, count corpora, run the diagnostics, and report."""

from __future__ import annotations

import platform
import time
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from geoprobe import __version__
from geoprobe.analyzers.base import BUILTIN, Analyzer, analyzer_type
from geoprobe.data import EmbeddingTable, Prompts, ScanInputs, TokenCounts
from geoprobe.errors import UsageError
from geoprobe.report.document import CorpusFacts, ModelFacts, Report
from geoprobe.sources.corpora import PYTHON_DOCS, Corpus, open_corpus
from geoprobe.sources.counting import count_tokens
from geoprobe.sources.models import open_model
from geoprobe.sources.opened import OpenedModel
from geoprobe.sources.sampling import QUICK_BYTES, sample_note, sample_weights

__all__ = ["Progress", "scan"]

#: What computes the numbers, and so belongs into the provenance.
_PACKAGES = ("numpy", "scipy", "numba", "tokenizers", "gguf")
_KEPT_PROMPTS = 1000


class Progress(Protocol):
    """Told of a scan's steps, so that a terminal can show them."""

    def step(self, name: str) -> None:
        """A step begins."""

    def advance(self, done: int, total: int | None) -> None:
        """The step has done so much, of so much where that is known."""


class _Silent:
    def step(self, name: str) -> None:
        pass

    def advance(self, done: int, total: int | None) -> None:
        pass


def scan(
    model: str | Path,
    corpora: str | Path | Sequence[str | Path] | None = None,
    *,
    seed: int = 0,
    analyzers: Sequence[str | Analyzer] | None = None,
    field: str | None = None,
    tensor: str | None = None,
    tokenizer: str | Path | None = None,
    quick: bool = False,
    revision: str | None = None,
    offline: bool = False,
    progress: Progress | None = None,
) -> Report:
    """Scan a model's token embeddings.

    Parameters
    ----------
    model : str or Path
        ``demo``, a folder or file of weights (safetensors, GGUF, PyTorch, word vectors), or a hub id.
    corpora : str, Path or sequence of them, optional
        Files of text, JSON, JSONL, CSV or parquet, or ``python-docs``, which is the default.
    seed : int
        Of all randomness: the same inputs and seed give the same report.
    analyzers : sequence of str or Analyzer, optional
        Diagnostics by name, or with options of their own; all the built-in ones by default.
    field : str, optional
        The column of the corpora that holds the text.
    tensor : str, optional
        The embedding's tensor, where geoprobe should not choose.
    tokenizer : str or Path, optional
        The tokenizer, where it is not beside the weights: a folder, a ``tokenizer.json``, or a list of words.
    quick : bool
        Read a sample of the embedding's rows (4 MB), stratified by frequency, and the tokens of a few prompts: a first
        look at a large remote model, with the sampling error in the report's notes.
    revision : str, optional
        Branch, tag or commit of a hub model.
    offline : bool
        Ask no network.
    progress : Progress, optional
        Told of each step.

    Returns
    -------
    Report

    Raises
    ------
    GeoprobeError
        One of its subclasses, with what is wrong and what to do next.

    Examples
    --------
    >>> import geoprobe
    >>> report = geoprobe.scan("demo")  # doctest: +SKIP
    >>> report["norms"].to_frame()  # doctest: +SKIP
    """
    if seed < 0:
        raise UsageError(f"The seed is {seed}.", "Give a whole number of at least 0.")
    chosen = [_analyzer(each) for each in (BUILTIN if analyzers is None else analyzers)]
    opened = [open_corpus(str(name), field=field) for name in _listed(corpora)]
    told = progress or _Silent()
    timings: dict[str, float] = {}

    with _timed("model", timings, told):
        opened_model = open_model(
            model, tensor=tensor, tokenizer=tokenizer, revision=revision, offline=offline, progress=told.advance
        )
        rows, _ = opened_model.shape
        whole = None if quick else opened_model.table()
    counted = []
    for corpus in opened:
        with _timed(f"count {corpus.name}", timings, told):
            counted.append(
                count_tokens(
                    opened_model.tokenizer,
                    corpus,
                    rows=rows,
                    max_prompts=_KEPT_PROMPTS,
                    progress=lambda documents: told.advance(documents, None),
                )
            )
    counts, prompts = tuple(counts for counts, _ in counted), tuple(prompts for _, prompts in counted)
    if whole is None:
        with _timed("sample", timings, told):
            whole = _sampled(opened_model, counts, prompts, _generator(seed, "sample"))
    inputs = ScanInputs(whole, counts, prompts)
    results = {}
    for analyzer in chosen:
        with _timed(analyzer.name, timings, told):
            results[analyzer.name] = analyzer.run(inputs, _generator(seed, analyzer.name))
    return Report(
        model=_model_facts(inputs.embedding),
        corpora=tuple(_corpus_facts(corpus, counts) for corpus, counts in zip(opened, inputs.corpora, strict=True)),
        seed=seed,
        options={analyzer.name: _options(analyzer) for analyzer in chosen},
        versions=_versions(),
        results=results,
        timings=timings,
    )


def _sampled(
    model: OpenedModel, counts: Sequence[TokenCounts], prompts: Sequence[Prompts], rng: np.random.Generator
) -> EmbeddingTable:
    rows, budget = model.shape[0], QUICK_BYTES // model.row_bytes
    if budget >= rows:
        return model.table()
    total = np.sum([corpus.counts for corpus in counts], axis=0)
    table = model.sample(sample_weights(total, prompts, budget, rng))
    source = replace(table.source, notes=(sample_note(table, total), *table.source.notes))
    return replace(table, source=source)


def _listed(corpora: str | Path | Sequence[str | Path] | None) -> Sequence[str | Path]:
    if corpora is None:
        return (PYTHON_DOCS,)
    listed = (corpora,) if isinstance(corpora, str | Path) else tuple(corpora)
    if not listed:
        raise UsageError("No corpus was given.", f"Give at least one, or None for {PYTHON_DOCS}.")
    return listed


def _analyzer(chosen: str | Analyzer) -> Analyzer:
    if isinstance(chosen, str):
        made: Analyzer = analyzer_type(chosen)()
        return made
    if not isinstance(chosen, Analyzer):
        raise UsageError(f"{chosen!r} is no diagnostic.", "Give names, or objects with name, result and run.")
    return chosen


def _generator(seed: int, name: str) -> np.random.Generator:
    # keyed by name: a diagnostic draws the same numbers whichever others run
    return np.random.default_rng([seed, zlib.crc32(name.encode())])


def _options(analyzer: Any) -> dict[str, Any]:
    return asdict(analyzer) if hasattr(analyzer, "__dataclass_fields__") else {}


@contextmanager
def _timed(name: str, timings: dict[str, float], progress: Progress) -> Iterator[None]:
    progress.step(name)
    start = time.perf_counter()
    yield
    timings[name] = time.perf_counter() - start


def _model_facts(table: EmbeddingTable) -> ModelFacts:
    return ModelFacts(
        source=table.source,
        rows=table.size,
        dimension=table.dimension,
        special=int(table.special.sum()),
        unnamed=sum(not token for token in table.tokens),
        tied=table.tied,
        lookup_scale=table.lookup_scale,
    )


def _corpus_facts(corpus: Corpus, counts: TokenCounts) -> CorpusFacts:
    return CorpusFacts(corpus.name, counts.sha256, counts.n_documents, counts.n_tokens, counts.n_types, corpus.note)


def _versions() -> dict[str, str]:
    found = {"geoprobe": __version__, "python": platform.python_version()}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:  # vendored or frozen installs carry no metadata
            found[package] = "unknown"
    return found
