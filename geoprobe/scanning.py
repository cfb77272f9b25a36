"""Scan a model: load its embedding, count corpora, run the diagnostics, and report."""

from __future__ import annotations

import platform
import shlex
import time
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from geoprobe import __version__
from geoprobe.analyzers.base import BUILTIN, Analyzer, analyzer_type
from geoprobe.analyzers.states import StatesAnalyzer
from geoprobe.data import EmbeddingTable, Prompts, ScanInputs, TokenCounts
from geoprobe.errors import UsageError
from geoprobe.report.document import CorpusFacts, ModelFacts, Report
from geoprobe.sources.corpora import PYTHON_DOCS, open_corpus
from geoprobe.sources.counting import count_tokens
from geoprobe.sources.counts_file import merge_counts, read_counts
from geoprobe.sources.models import load_model
from geoprobe.sources.states import open_states

__all__ = ["Progress", "Silent", "corpus_note", "scan"]

#: What computes the numbers, and so belongs into the provenance.
_PACKAGES = ("numpy", "scipy", "numba", "tokenizers", "gguf")
_KEPT_PROMPTS = 1000


class Progress(Protocol):
    """Told of a scan's steps, so that a terminal can show them."""

    def step(self, name: str) -> None:
        """A step begins."""

    def advance(self, done: int, total: int | None) -> None:
        """The step has done so much, of so much where that is known."""


class Silent:
    """Tells nobody."""

    def step(self, name: str) -> None:
        """A step begins."""

    def advance(self, done: int, total: int | None) -> None:
        """The step has done so much."""


def scan(
    model: str | Path,
    corpora: str | Path | Sequence[str | Path] | None = None,
    *,
    seed: int = 0,
    analyzers: Sequence[str | Analyzer] | None = None,
    layers: Sequence[int | str] = (),
    counts: str | Path | Sequence[str | Path] | None = None,
    field: str | None = None,
    data: str | Path | None = None,
    engine: str = "local",
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
        Files of text, JSON, JSONL, CSV or parquet, folders of them, or sets by name or hub id (``geoprobe corpora``
        lists names); ``python-docs`` where neither corpora nor counts are given.
    seed : int
        Of all randomness: the same inputs and seed give the same report.
    analyzers : sequence of str or Analyzer, optional
        Diagnostics by name, or with options of their own; all the built-in ones by default.
    layers : sequence of int or str
        Layers whose hidden states are measured as well, 0 (the embedding) to the number of blocks, or ``final``. This
        alone runs the model, and so reads all its weights and needs PyTorch.
    counts : str, Path or sequence of them, optional
        Counts files that ``geoprobe count`` wrote. They hold no prompts: what needs prompts needs a corpus too.
    field : str, optional
        The column of the corpora that holds the text.
    data : str or Path, optional
        Folder of local sets; by default what GEOPROBE_DATA names.
    engine : {"local", "ray"}
        Where corpora are counted: this machine, or the Ray cluster that RAY_ADDRESS names.
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
    if layers:
        chosen.append(StatesAnalyzer(layers=tuple(_layer(each) for each in layers)))
    files = _as_sequence(counts)
    opened = [open_corpus(str(name), field=field, data=data, offline=offline) for name in _listed(corpora, bool(files))]
    read = merge_counts([read_counts(file) for file in files], [str(file) for file in files]) if files else None
    told = progress or Silent()
    timings: dict[str, float] = {}

    with _timed("model", timings, told):
        loaded = load_model(model, tensor=tensor, revision=revision, offline=offline, progress=told.advance)
    states = None
    if any(analyzer.name == StatesAnalyzer.name for analyzer in chosen):
        with _timed("weights", timings, told):
            states = open_states(model, revision=revision, offline=offline)
    counted = []
    for corpus in opened:
        with _timed(f"count {corpus.name}", timings, told):
            counted.append(
                count_tokens(
                    loaded.tokenizer,
                    corpus,
                    rows=loaded.embedding.size,
                    max_prompts=_KEPT_PROMPTS,
                    seed=seed,
                    engine=engine,
                    progress=lambda documents: told.advance(documents, None),
                )
            )
    facts = [_corpus_facts(corpus.note, each) for corpus, (each, _) in zip(opened, counted, strict=True)]
    if read is not None:
        where = ", ".join(Path(file).name for file in files)
        twice = {fact.sha256 for fact in facts} & {corpus.sha256 for corpus in read.corpora}
        if twice:
            raise UsageError(f"A corpus is in {where} too, and would be counted twice.", "Leave one of them out.")
        expanded = read.expanded(loaded.embedding.size, loaded.tokenizer.sha256, where)
        counted.append((expanded, Prompts(expanded.corpus, ())))
        facts.append(_corpus_facts(f"Counts read from {where}.", expanded))
    inputs = ScanInputs(
        loaded.embedding, tuple(counts for counts, _ in counted), tuple(prompts for _, prompts in counted), states
    )
    results = {}
    for analyzer in chosen:
        with _timed(analyzer.name, timings, told):
            results[analyzer.name] = analyzer.run(inputs, _generator(seed, analyzer.name))
    return Report(
        model=_model_facts(loaded.embedding),
        corpora=tuple(facts),
        seed=seed,
        options={analyzer.name: _options(analyzer) for analyzer in chosen},
        versions=_versions(),
        results=results,
        command=_command(
            loaded.embedding.source.model,
            {
                "--corpus": [corpus.name for corpus in opened],
                "--analyzer": analyzers,
                "--counts": [Path(file).name for file in files],
                "--layer": layers,
                "--field": field,
                "--tensor": tensor,
                "--revision": revision,
                "--seed": seed,
            },
        ),
        timings=timings,
    )


def _command(model: str, options: Mapping[str, str | int | Sequence[object] | None]) -> str:
    """The command line that makes the report again; empty where none does."""
    words = ["geoprobe", "scan", model]
    for option, value in options.items():
        for each in (value,) if isinstance(value, str | int) else value or ():
            if not isinstance(each, str | int):
                return ""  # a diagnostic with options of its own, which no command line gives
            words += [option, str(each)]
    return shlex.join(words)


def _as_sequence(given: str | Path | Sequence[str | Path] | None) -> Sequence[str | Path]:
    if given is None:
        return ()
    return (given,) if isinstance(given, str | Path) else tuple(given)


def _listed(corpora: str | Path | Sequence[str | Path] | None, counts: bool) -> Sequence[str | Path]:
    if corpora is None:
        return () if counts else (PYTHON_DOCS,)
    listed = _as_sequence(corpora)
    if not listed:
        raise UsageError("No corpus was given.", f"Give at least one, or None for {PYTHON_DOCS}.")
    return listed


def _layer(asked: int | str) -> int:
    if asked == "final":
        return -1
    try:
        return int(asked)
    except ValueError as error:
        raise UsageError(f"The layer is {asked!r}.", "Give a whole number, or `final`.") from error


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


def _corpus_facts(note: str, counts: TokenCounts) -> CorpusFacts:
    return CorpusFacts(
        counts.corpus, counts.sha256, counts.n_documents, counts.n_tokens, counts.n_types, corpus_note(note, counts)
    )


def corpus_note(note: str, counts: TokenCounts) -> str:
    """What a reader should know of a corpus, with what only counting shows."""
    if not counts.n_continued:
        return note
    cut = f"{counts.n_continued:,} of the documents go on from the one before: longer texts were cut."
    return f"{note} {cut}".strip()


def _versions() -> dict[str, str]:
    found = {"geoprobe": __version__, "python": platform.python_version()}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:  # vendored or frozen installs carry no metadata
            found[package] = "unknown"
    return found
