"""Scan a model: read it, count corpora, run the diagnostics, and report."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, cast

from geoprobe.data import EmbeddingTable
from geoprobe.diagnostics.base import BUILTIN, Analyzer, check, make_analyzer, needs_of, still_holds, with_layers
from geoprobe.errors import GeoprobeError, UsageError
from geoprobe.files import escaped_name, folder_name
from geoprobe.progress import ProgressListener, Steps
from geoprobe.reading import ScanRequest, generator, read_inputs
from geoprobe.report.formats import read_json
from geoprobe.report.scan import ModelFacts, Report
from geoprobe.sources.corpora import PYTHON_DOCS
from geoprobe.sources.models.resolve import resolve_model
from geoprobe.sources.models.unchanged import FileStates
from geoprobe.sources.sampling import QUICK_SCAN
from geoprobe.stats.threads import one_blas_thread
from geoprobe.versions import versions_of

#: What computes the numbers, and so belongs into the provenance.
_PACKAGES = ("numpy", "scipy", "numba", "tokenizers", "gguf")


def scan(
    model: str | Path,
    corpora: str | Path | Sequence[str | Path] | None = None,
    *,
    seed: int = 0,
    analyzers: str | Analyzer | Sequence[str | Analyzer] | None = None,
    layers: int | str | Sequence[int | str] = (),
    counts: str | Path | Sequence[str | Path] | None = None,
    field: str | None = None,
    data: str | Path | None = None,
    engine: str = "local",
    tensor: str | None = None,
    tokenizer: str | Path | None = None,
    quick: bool = False,
    name: str | None = None,
    revision: str | None = None,
    offline: bool = False,
    progress: ProgressListener | None = None,
    resume: str | Path | None = None,
) -> Report:
    """Scan a model's token embeddings.

    Parameters
    ----------
    model : str or Path
        ``demo``, a folder or file of weights (safetensors, GGUF, PyTorch, word vectors), or a hub id.
    corpora : str, Path or sequence of them, optional
        Files of text, JSON, JSONL, CSV or parquet, folders of them, or sets by name or hub id (``geoprobe corpora``
        lists names); ``python-docs`` where neither corpora nor counts are given.
    seed : int
        Of all randomness: the same inputs and seed give the same report.
    analyzers : str, Analyzer or sequence of them, optional
        Diagnostics by name, with options of their own as ``hyperbolicity:shown=off,draws=99`` or as objects; all the
        built-in ones by default.
    layers : int, str or sequence of them
        Layers whose hidden states are measured as well, 0 (the embedding) to the number of blocks, or ``final``: by the
        chosen diagnostics that look at layers or, where none does, by ``states``. This runs the model, and so reads all
        its weights and needs PyTorch.
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
    tokenizer : str or Path, optional
        The tokenizer, where it is not beside the weights: a folder, a ``tokenizer.json``, or a list of words.
    quick : bool
        Read a sample of the embedding's rows (4 MB), stratified by frequency, and the tokens of a few prompts: a first
        look at a large remote model, with the sampling error in the report's notes.
    name : str, optional
        What the report calls the model; by default its hub id, or its folder's or file's own name.
    revision : str, optional
        Branch, tag or commit of a hub model.
    offline : bool
        Ask no network.
    progress : ProgressListener, optional
        Called at each step.
    resume : str or Path, optional
        A report's folder, or a folder of those: a report there of the same tensor, texts, options, seed and versions
        is opened, as a scan would give it again.

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
    if isinstance(analyzers, str | Analyzer):
        analyzers = (analyzers,)
    if isinstance(layers, int | str):
        layers = (layers,)
    numbers = tuple(_layer(layer) for layer in layers)
    chosen = with_layers([_analyzer(analyzer) for analyzer in (BUILTIN if analyzers is None else analyzers)], numbers)
    check(chosen)
    files = _as_sequence(counts)
    request = ScanRequest(
        model=model,
        corpora=_listed(corpora, bool(files)),
        counts=files,
        field=field,
        data=data,
        engine=engine,
        tensor=tensor,
        tokenizer=tokenizer,
        quick=quick,
        needs=needs_of(chosen),
        revision=revision,
        offline=offline,
        seed=seed,
        layers=numbers,
    )
    steps = Steps(progress)
    files_before = FileStates.of(resolve_model(model, revision=revision).files)
    inputs, facts = read_inputs(request, steps)
    report = Report(
        model=_model_facts(inputs.embedding, name),
        corpora=facts,
        seed=seed,
        options={analyzer.name: _options(analyzer) for analyzer in chosen},
        versions=versions_of(_PACKAGES),
        results={},
        command=_command(
            inputs.embedding.source.model,
            {
                "--corpus": [fact.name for fact in facts[: len(request.corpora)]],
                "--counts": [escaped_name(Path(file).name) for file in files],
                "--analyzer": analyzers,
                "--layer": layers,
                "--field": field,
                "--tensor": tensor,
                "--tokenizer": escaped_name(Path(tokenizer).name) if tokenizer is not None else None,
                "--quick": quick,
                "--name": name,
                "--revision": revision,
                "--seed": seed,
            },
        ),
    )
    if resume is not None and (made := _made(report, Path(resume), chosen)) is not None:
        return made
    results = {}
    with one_blas_thread():
        for analyzer in chosen:
            with steps.timed(analyzer.name):
                results[analyzer.name] = analyzer.run(inputs, generator(seed, analyzer.name))
    files_before.check()
    return replace(report, results=results, timings=steps.timings)


def _made(report: Report, folder: Path, analyzers: Sequence[Analyzer]) -> Report | None:
    """A report at or in the folder that is this one with its results."""
    wanted = _circumstances(report)
    for saved in (folder / "scan.json", *sorted(folder.glob("*/scan.json"))):
        try:
            made = Report.load(saved)
        except GeoprobeError:
            continue  # none, or another version's
        if _circumstances(made) == wanted and still_holds(analyzers, made.results):
            return made
    return None


def _circumstances(report: Report) -> dict[str, Any]:
    """All that a report's results follow from, as it is saved."""
    saved: dict[str, Any] = json.loads(replace(report, results={}).to_json())
    saved["model"]["source"].pop("path")  # one folder may be written in several ways
    return saved


def report_folder(name: str, sha256: str, base: Path = Path("reports")) -> Path:
    """Where a model's report goes by default: a folder of its own, where one of its name holds another model's scan."""
    folder = base / folder_name(name)
    saved = folder / "scan.json"
    try:
        model = cast("Any", read_json(saved, "scan.json"))["model"]["source"]
        sampled = any(str(note).startswith(QUICK_SCAN) for note in model["notes"])
        other = model["sha256"] != sha256 and not sampled
    except (OSError, ValueError, LookupError, TypeError, RecursionError):
        return folder
    return folder.with_name(f"{folder.name}-{sha256[:8]}") if other else folder


def _command(model: str, options: Mapping[str, str | int | bool | Sequence[object] | None]) -> str:
    """The command line that makes the report again, paths by their ends; empty where none does."""
    words = ["geoprobe", "scan", model]
    for option, value in options.items():
        if isinstance(value, bool):
            words += [option] if value else []
            continue
        for word in (value,) if isinstance(value, str | int) else value or ():
            if not isinstance(word, str | int):
                return ""  # a diagnostic with options of its own, which no command line gives
            words += [option, str(word)]
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
        return make_analyzer(chosen)
    if not isinstance(chosen, Analyzer):
        raise UsageError(f"{chosen!r} is no diagnostic.", "Give names, or objects with name, result and run.")
    return chosen


def _options(analyzer: Any) -> dict[str, Any]:
    return asdict(analyzer) if hasattr(analyzer, "__dataclass_fields__") else {}


def _model_facts(table: EmbeddingTable, name: str | None) -> ModelFacts:
    return ModelFacts(
        source=table.source if name is None else replace(table.source, name=name),
        rows=table.size,
        dimension=table.dimension,
        special=int(table.special.sum()),
        unnamed=int((~table.named).sum()),
        tied=table.tied,
        lookup_scale=table.lookup_scale,
    )
