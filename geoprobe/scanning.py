"""Scan a model: load its embedding, count corpora, run the diagnostics, and report."""

from __future__ import annotations

import platform
import shlex
import time
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from geoprobe import __version__
from geoprobe.analyzers.base import BUILTIN, Analyzer, analyzer_type
from geoprobe.data import EmbeddingTable, ScanInputs, TokenCounts
from geoprobe.errors import UsageError
from geoprobe.report.document import CorpusFacts, ModelFacts, Report
from geoprobe.sources.corpora import PYTHON_DOCS, Corpus, open_corpus
from geoprobe.sources.counting import count_tokens
from geoprobe.sources.models import load_model

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
    revision: str | None = None,
    offline: bool = False,
    progress: Progress | None = None,
) -> Report:
    """Scan a model's token embeddings.

    Parameters
    ----------
    model : str or Path
        ``demo``, a local folder (safetensors and tokenizer), a ``.gguf`` file, or a hub id.
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
        loaded = load_model(model, tensor=tensor, revision=revision, offline=offline, progress=told.advance)
    counted = []
    for corpus in opened:
        with _timed(f"count {corpus.name}", timings, told):
            counted.append(
                count_tokens(
                    loaded.tokenizer,
                    corpus,
                    rows=loaded.embedding.size,
                    max_prompts=_KEPT_PROMPTS,
                    progress=lambda documents: told.advance(documents, None),
                )
            )
    inputs = ScanInputs(
        loaded.embedding, tuple(counts for counts, _ in counted), tuple(prompts for _, prompts in counted)
    )
    results = {}
    for analyzer in chosen:
        with _timed(analyzer.name, timings, told):
            results[analyzer.name] = analyzer.run(inputs, _generator(seed, analyzer.name))
    # files by the ends of their paths, as everywhere in a report; no command line gives a diagnostic options of its own
    command = (
        _command(
            loaded.embedding.source.model,
            corpus=tuple(corpus.name for corpus in opened),
            analyzer=tuple(str(each) for each in analyzers or ()),
            field=field,
            tensor=tensor,
            revision=revision,
            seed=seed,
        )
        if all(isinstance(each, str) for each in analyzers or ())
        else ""
    )
    return Report(
        model=_model_facts(loaded.embedding),
        corpora=tuple(_corpus_facts(corpus, counts) for corpus, counts in zip(opened, inputs.corpora, strict=True)),
        seed=seed,
        options={analyzer.name: _options(analyzer) for analyzer in chosen},
        versions=_versions(),
        results=results,
        command=command,
        timings=timings,
    )


def _command(model: str, **options: Any) -> str:
    """The command line that makes a report again; what is None or False is not said, what is a tuple is repeated."""
    words = ["geoprobe", "scan", model]
    for name, given in options.items():
        for value in given if isinstance(given, tuple) else (given,):
            if value is not None and value is not False:
                words += [f"--{name}"] if value is True else [f"--{name}", str(value)]
    return shlex.join(words)


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
