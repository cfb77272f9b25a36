"""From names of a model and corpora to what the diagnostics look at."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from geoprobe.data import EmbeddingTable, Prompts, ScanInputs, TokenCounts
from geoprobe.errors import UsageError
from geoprobe.files import escaped_name
from geoprobe.progress import Steps
from geoprobe.report.scan import CorpusFacts
from geoprobe.sources.corpora import Corpus, open_corpus
from geoprobe.sources.counting import count_tokens
from geoprobe.sources.counts_file import Counts, merge_counts, read_counts
from geoprobe.sources.models.architectures import depth
from geoprobe.sources.models.loading import open_model
from geoprobe.sources.models.opened import OpenedModel
from geoprobe.sources.models.states import check_layers, open_states
from geoprobe.sources.sampling import QUICK_BYTES, sample_note, sample_weights

_KEPT_PROMPTS = 1000


@dataclass(frozen=True)
class ScanRequest:
    """What to read, each as `geoprobe.scan` takes it."""

    model: str | Path
    corpora: Sequence[str | Path]
    counts: Sequence[str | Path]
    field: str | None
    data: str | Path | None
    engine: str
    tensor: str | None
    tokenizer: str | Path | None
    quick: bool
    needs: frozenset[str]
    revision: str | None
    offline: bool
    seed: int
    layers: tuple[int, ...] = ()


def generator(seed: int, name: str) -> np.random.Generator:
    """The randomness of one part of a run, keyed by name: it draws the same numbers whatever other parts there are."""
    return np.random.default_rng([seed, zlib.crc32(name.encode())])


def read_inputs(request: ScanRequest, steps: Steps) -> tuple[ScanInputs, tuple[CorpusFacts, ...]]:
    """Open the model, count the corpora, read counts files: the diagnostics' inputs, and facts for the report."""
    # what can be wrong with names and small files is found before anything large is read
    opened = [
        open_corpus(str(name), field=request.field, data=request.data, offline=request.offline)
        for name in request.corpora
    ]
    files = [str(file) for file in request.counts]
    read = merge_counts([read_counts(file) for file in files], files) if files else None
    with steps.timed("model"):
        model = open_model(
            request.model,
            tensor=request.tensor,
            tokenizer=request.tokenizer,
            revision=request.revision,
            offline=request.offline,
            progress=steps.progress.advance,
        )
        # before anything large is read, by what the configuration says
        if (blocks := depth(model.config)) is not None:
            check_layers(request.layers, blocks, str(request.model))
        table = None if request.quick else model.table()
    states = None
    if "states" in request.needs:
        with steps.timed("weights"):
            states = open_states(request.model, revision=request.revision, offline=request.offline)
    counted = [_count(model, corpus, request, steps) for corpus in opened]
    facts = [_facts(corpus.note, counts) for corpus, (counts, _) in zip(opened, counted, strict=True)]
    if read is not None:
        where = ", ".join(escaped_name(Path(file).name) for file in files)
        counts = _expanded(read, model, facts, where)
        counted.append((counts, Prompts(counts.corpus, ())))
        facts.append(_facts(f"Counts read from {where}.", counts))
    corpora, prompts = tuple(counts for counts, _ in counted), tuple(prompts for _, prompts in counted)
    if table is None:
        with steps.timed("sample"):
            table = _sampled(model, corpora, prompts, generator(request.seed, "sample"))
    return ScanInputs(table, corpora, prompts, states), tuple(facts)


def _count(model: OpenedModel, corpus: Corpus, request: ScanRequest, steps: Steps) -> tuple[TokenCounts, Prompts]:
    with steps.timed(f"count {corpus.name}"):
        return count_tokens(
            model.tokenizer,
            corpus,
            rows=model.shape[0],
            # a sample of the rows is made from prompts, too
            max_prompts=_KEPT_PROMPTS if request.quick or request.needs & {"prompts", "states"} else 0,
            seed=request.seed,
            engine=request.engine,
            progress=lambda documents: steps.progress.advance(documents, None),
        )


def _expanded(read: Counts, model: OpenedModel, facts: Sequence[CorpusFacts], where: str) -> TokenCounts:
    if {fact.sha256 for fact in facts} & {corpus.sha256 for corpus in read.corpora}:
        raise UsageError(f"A corpus is in {where} too, and would be counted twice.", "Leave one of them out.")
    return read.expanded(model.shape[0], model.tokenizer.sha256, where)


def _sampled(
    model: OpenedModel, corpora: Sequence[TokenCounts], prompts: Sequence[Prompts], rng: np.random.Generator
) -> EmbeddingTable:
    """A few megabytes of the table's rows, or all of a table that is no larger."""
    rows, budget = model.shape[0], QUICK_BYTES // model.row_bytes
    if budget >= rows:
        return model.table()
    total = np.sum([corpus.counts for corpus in corpora], axis=0)
    table = model.sample(sample_weights(total, prompts, budget, rng))
    source = replace(table.source, notes=(sample_note(table, total), *table.source.notes))
    return replace(table, source=source)


def _facts(note: str, counts: TokenCounts) -> CorpusFacts:
    shown = corpus_note(note, counts)
    return CorpusFacts(counts.corpus, counts.sha256, counts.n_documents, counts.n_tokens, counts.n_types, shown)


def corpus_note(note: str, counts: TokenCounts) -> str:
    """What a reader should know of a corpus, with what only counting shows."""
    if not counts.n_continued:
        return note
    cut = f"{counts.n_continued:,} of the documents go on from the one before: longer texts were cut."
    return f"{note} {cut}".strip()
