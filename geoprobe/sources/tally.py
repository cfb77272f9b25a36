"""A running tally of one part of a corpus: what is added up, what is hashed, and what is kept."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from jaxtyping import Int64

from geoprobe.data import Documents
from geoprobe.errors import BadDataError
from geoprobe.sources.corpora import Continued, Part
from geoprobe.sources.models.tokenizer import Tokenizer

#: Characters encoded at a time: enough for every core, little for memory.
BATCH_CHARACTERS = 2_000_000
#: Documents encoded at a time.
BATCH_DOCUMENTS = 50_000
#: Tokens of a corpus kept document by document (4 bytes each); a larger corpus is counted only.
KEPT_TOKENS = 5_000_000
#: Tokens kept of one prompt.
PROMPT_TOKENS = 2048


@dataclass(frozen=True)
class TallyOptions:
    """What is counted and kept: V rows, how many prompts, and the seed of their sample (None keeps the first)."""

    rows: int
    max_prompts: int
    seed: int | None


class Prompt(NamedTuple):
    """A document kept as a prompt; those with the lowest (priority, part, place) of a corpus are its sample."""

    priority: float
    part: int
    place: int
    ids: np.ndarray


@dataclass(eq=False)
class Tally:
    """What was found so far in one part of a corpus, by its number there."""

    options: TallyOptions
    part: int
    counts: Int64[np.ndarray, " v"] = field(init=False)
    document_counts: Int64[np.ndarray, " v"] = field(init=False)
    n_documents: int = 0
    n_tokens: int = 0
    n_continued: int = 0
    sha256: bytes = b""
    kept: list[Documents] = field(default_factory=list)
    prompts: list[Prompt] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.counts = np.zeros(self.options.rows, dtype=np.int64)
        self.document_counts = np.zeros(self.options.rows, dtype=np.int64)
        # keyed by part, so that a part's sample does not depend on where or after what it is counted
        seed = self.options.seed
        self._rng = None if seed is None else np.random.default_rng([seed, self.part])
        self._digest = hashlib.sha256()

    def add(self, texts: Sequence[str], encoded: Documents) -> None:
        """Add the next documents."""
        for text in texts:
            data = text.encode()
            self._digest.update(len(data).to_bytes(8, "little") + data)
        ids, rows = encoded.ids, self.options.rows
        self.counts += np.bincount(ids, minlength=rows)
        documents = np.repeat(np.arange(len(encoded)), np.diff(encoded.starts))
        pairs = np.sort(documents * rows + ids)  # several times faster here than the hashing of np.unique
        once = pairs[np.diff(pairs, prepend=-1) > 0] % rows
        self.document_counts += np.bincount(once, minlength=rows)
        self._sample(encoded)
        self.n_documents += len(texts)
        self.n_tokens += ids.size
        self.n_continued += sum(isinstance(text, Continued) for text in texts)
        if self.n_tokens <= KEPT_TOKENS:
            self.kept.append(encoded)
        else:
            self.kept.clear()

    def finish(self) -> Tally:
        """The tally without what only adding needs, so that it can be sent elsewhere."""
        self.sha256 = self._digest.digest()
        del self._digest, self._rng
        self._prune()
        return self

    def _sample(self, encoded: Documents) -> None:
        wanted = self.options.max_prompts
        if self._rng is None:
            room = wanted - len(self.prompts)
            priorities, candidates = np.zeros(len(encoded)), np.arange(min(room, len(encoded)))
        else:
            # those with the lowest of independent uniform numbers are a sample without replacement
            priorities = self._rng.random(len(encoded))
            bound = max((prompt.priority for prompt in self.prompts), default=1.0)
            full = len(self.prompts) >= wanted
            candidates = np.flatnonzero(priorities < bound) if full else np.arange(len(encoded))
        for place in candidates:
            start, stop = encoded.starts[place : place + 2]
            ids = encoded.ids[start : min(stop, start + PROMPT_TOKENS)].astype(np.int64)
            self.prompts.append(Prompt(float(priorities[place]), self.part, self.n_documents + int(place), ids))
        if len(self.prompts) > 2 * wanted:
            self._prune()

    def _prune(self) -> None:
        self.prompts = sorted(self.prompts, key=lambda prompt: prompt[:3])[: self.options.max_prompts]


def tally_part(
    tokenizer: Tokenizer,
    part: Part,
    number: int,
    options: TallyOptions,
    progress: Callable[[int], None] | None = None,
) -> Tally:
    """Count one part from its first document to its last, reading and adding up while the cores encode."""
    tally = Tally(options, number)

    def add(texts: list[str], encoding: Future[Documents]) -> None:
        tally.add(texts, encoding.result())
        if progress is not None:
            progress(tally.n_documents)

    with ThreadPoolExecutor(max_workers=1) as encoder:
        ahead: tuple[list[str], Future[Documents]] | None = None
        for texts in batches(part()):
            before, ahead = ahead, (texts, encoder.submit(encode, tokenizer, texts, options.rows))
            if before is not None:
                add(*before)
        if ahead is not None:
            add(*ahead)
    return tally.finish()


def encode(tokenizer: Tokenizer, texts: Sequence[str], rows: int) -> Documents:
    """The texts' tokens, one document after another."""
    encoded = tokenizer.encode(texts)
    ids = np.concatenate(encoded).astype(np.int32)
    if ids.size and ids.max() >= rows:
        raise _homeless(tokenizer, int(ids.max()), rows)
    return Documents(ids, np.cumsum([0, *map(len, encoded)], dtype=np.int64))


def _homeless(tokenizer: Tokenizer, row: int, rows: int) -> BadDataError:
    token = str(tokenizer.backend.id_to_token(row))[:60]
    if row in tokenizer.added:
        return BadDataError(
            f"The text holds {token!r}, id {row:,}, a token added to the tokenizer without a row: the embedding has "
            f"{rows:,}.",
            "Take it out of the text, or give the weights that it was added to.",
        )
    return BadDataError(
        f"The tokenizer gives id {row:,} ({token!r}), but the embedding has {rows:,} rows.",
        "Tokenizer and weights are of different models: check where each came from.",
    )


def batches(documents: Iterator[str]) -> Iterator[list[str]]:
    """Documents in lists of some `BATCH_CHARACTERS`."""
    batch: list[str] = []
    characters = 0
    for text in documents:
        batch.append(text)
        characters += len(text)
        if characters >= BATCH_CHARACTERS or len(batch) >= BATCH_DOCUMENTS:
            yield batch
            batch, characters = [], 0
    if batch:
        yield batch
