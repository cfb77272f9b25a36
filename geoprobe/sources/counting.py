"""Counting: one pass over a corpus gives its token counts and its prompts, on one machine or many."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator

import numpy as np

from geoprobe.data import Documents, Prompts, TokenCounts
from geoprobe.errors import BadDataError, UsageError, meant
from geoprobe.sources.corpora import Corpus
from geoprobe.sources.models.tokenizer import Tokenizer
from geoprobe.sources.tally import KEPT_TOKENS, Prompt, Tally, TallyOptions, tally_part

ENGINES = ("local", "ray")


def count_tokens(
    tokenizer: Tokenizer,
    corpus: Corpus,
    *,
    rows: int,
    max_prompts: int,
    seed: int | None = None,
    engine: str = "local",
    progress: Callable[[int], None] | None = None,
) -> tuple[TokenCounts, Prompts]:
    """Count a corpus's tokens in the `rows` of an embedding table, and keep documents as prompts.

    Prompts are cut to their first 2,048 tokens. With a seed, they are a uniform sample of documents in random order;
    without it, the first in order. The engine ``ray`` counts on a Ray cluster, ``local`` on every core of this machine;
    the result is the same. `progress` is called with the number of documents counted so far.
    """
    if engine not in ENGINES:
        raise UsageError(f"There is no engine {engine!r}.", f"{meant(engine, ENGINES)}There are: {', '.join(ENGINES)}.")
    options = TallyOptions(rows, max_prompts, seed)
    if engine == "ray":
        from geoprobe.sources.ray_engine import ray_tallies

        tallies = ray_tallies(tokenizer, corpus, options, progress)
    else:
        tallies = _local_tallies(tokenizer, corpus, options, progress)
    return _added_up(corpus.name, tokenizer.sha256, tallies, options)


def _local_tallies(
    tokenizer: Tokenizer, corpus: Corpus, options: TallyOptions, progress: Callable[[int], None] | None
) -> Iterator[Tally]:
    before = 0

    def advance(documents: int) -> None:
        if progress is not None:
            progress(before + documents)

    for number, part in enumerate(corpus.parts):
        tally = tally_part(tokenizer, part, number, options, advance)
        before += tally.n_documents
        yield tally


def _added_up(
    name: str, tokenizer: str, tallies: Iterator[Tally], options: TallyOptions
) -> tuple[TokenCounts, Prompts]:
    counts = np.zeros(options.rows, dtype=np.int64)
    document_counts = np.zeros(options.rows, dtype=np.int64)
    digests: list[bytes] = []
    kept: list[Documents] = []
    prompts: list[Prompt] = []
    documents = tokens = continued = 0
    for tally in tallies:
        counts += tally.counts
        document_counts += tally.document_counts
        digests.append(tally.sha256)
        documents += tally.n_documents
        continued += tally.n_continued
        prompts = sorted([*prompts, *tally.prompts], key=lambda prompt: prompt[:3])[: options.max_prompts]
        tokens += tally.n_tokens
        if tokens <= KEPT_TOKENS:
            kept += tally.kept
        else:
            kept.clear()
    if not tokens:
        raise BadDataError(f"The corpus {name} holds no text.", "Check the file, and the column named by --field.")
    whole = _together(kept) if tokens <= KEPT_TOKENS else None
    sha256 = combined_sha256(digests)
    counted = TokenCounts(name, sha256, counts, documents, whole, document_counts, tokenizer, continued)
    return counted, Prompts(name, tuple(prompt.ids for prompt in prompts))


def combined_sha256(digests: list[bytes]) -> str:
    """Of parts in their order: one part's own, or that of all their hashes."""
    return digests[0].hex() if len(digests) == 1 else hashlib.sha256(b"".join(digests)).hexdigest()


def _together(parts: list[Documents]) -> Documents:
    lengths = np.concatenate([np.diff(part.starts) for part in parts])
    return Documents(np.concatenate([part.ids for part in parts]), np.concatenate([[0], np.cumsum(lengths)]))
