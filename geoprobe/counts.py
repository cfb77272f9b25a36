"""Count corpora by a model's tokenizer, to a file that scans and other counts can use."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from geoprobe.errors import UsageError
from geoprobe.progress import ProgressListener, SilentListener
from geoprobe.reading import corpus_note
from geoprobe.sources.corpora import open_corpus
from geoprobe.sources.counting import count_tokens
from geoprobe.sources.counts_file import Counts, merge_counts, read_counts
from geoprobe.sources.models.loading import open_tokenizer


def count(
    model: str | Path,
    corpora: Sequence[str | Path],
    *,
    field: str | None = None,
    data: str | Path | None = None,
    revision: str | None = None,
    engine: str = "local",
    offline: bool = False,
    progress: ProgressListener | None = None,
) -> Counts:
    """Count corpora by a model's tokenizer; of a hub model nothing else is fetched. Options are a scan's."""
    if not corpora:
        raise UsageError("No corpus was given.", "Give one or more by --corpus; `geoprobe corpora` lists names.")
    opened = [open_corpus(str(name), field=field, data=data, offline=offline) for name in corpora]
    listener = progress or SilentListener()
    listener.step("tokenizer")
    tokenizer = open_tokenizer(model, revision=revision, offline=offline)
    counted = []
    for corpus in opened:
        listener.step(f"count {corpus.name}")
        counts, _ = count_tokens(
            tokenizer,
            corpus,
            rows=tokenizer.size,
            max_prompts=0,
            engine=engine,
            progress=lambda documents: listener.advance(documents, None),
        )
        counted.append(Counts.of(counts, corpus_note(corpus.note, counts)))
    return merge_counts(counted, [corpus.name for corpus in opened])


def merge(files: Sequence[str | Path]) -> Counts:
    """Add up counts files by one tokenizer."""
    if len(files) < 2:
        raise UsageError(f"{len(files)} counts file was given to merge.", "Give two or more.")
    return merge_counts([read_counts(file) for file in files], [str(file) for file in files])
