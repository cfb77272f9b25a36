"""The data that flow through a scan: an embedding table, token counts, and prompts.

V is the number of vocabulary rows, d the embedding width.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Bool, Float32, Float64, Int32, Int64, Shaped

if TYPE_CHECKING:
    from geoprobe.stats.rows import RowStatistics

__all__ = [
    "ArrayRows",
    "Documents",
    "EmbeddingTable",
    "HiddenStates",
    "MappedRows",
    "ModelSource",
    "Prompts",
    "Rows",
    "SampledRows",
    "ScanInputs",
    "TokenCounts",
    "native_reader",
]

#: Rows, and numbers, read at a time when a whole table is passed over: bounds memory, whatever V and d are.
BLOCK_ROWS, BLOCK_VALUES = 4096, 1 << 22


@runtime_checkable
class Rows(Protocol):
    """A matrix that is read in row blocks: memory-mapped, quantised or in memory; several threads may read at once."""

    @property
    def shape(self) -> tuple[int, int]:
        """(V, d)."""

    @property
    def dtype(self) -> str:
        """The stored element type, such as ``BF16`` or ``Q8_0``."""

    def read(self, start: int, stop: int) -> Float32[np.ndarray, "rows d"]:
        """Rows start to stop (exclusive) in float32."""

    def take(self, indices: Int64[np.ndarray, " rows"]) -> Float32[np.ndarray, "rows d"]:
        """The rows of these indices in float32."""


@runtime_checkable
class MappedRows(Rows, Protocol):
    """Rows whose stored elements are at hand too: a pass over them need not convert what it only looks at once."""

    @property
    def stored(self) -> Shaped[np.ndarray, "v _"]:
        """The elements as stored, memory-mapped; BF16 as its bits in uint16."""


def native_reader(rows: Rows) -> Callable[[int, int], Shaped[np.ndarray, "rows d"]]:
    """What reads rows start to stop (exclusive) without conversion if they are float32 or bfloat16 (its bits).

    Rows of any other type are read as float32.
    """
    if isinstance(rows, MappedRows) and rows.dtype in _NATIVE:
        stored = rows.stored.view(np.ndarray)  # mapped once for all blocks
        if stored.shape == rows.shape and stored.dtype == _NATIVE[rows.dtype]:
            # a tensor may start at any byte of its file
            return lambda start, stop: np.require(stored[start:stop], requirements=["C", "A"])
    return lambda start, stop: np.ascontiguousarray(rows.read(start, stop))


_NATIVE = {"F32": np.dtype(np.float32), "BF16": np.dtype(np.uint16)}


@dataclass(frozen=True, eq=False)
class ArrayRows:
    """Rows of a matrix held in memory or memory-mapped with a numpy element type."""

    array: np.ndarray
    dtype: str = "F32"

    @property
    def shape(self) -> tuple[int, int]:
        """(V, d)."""
        return (self.array.shape[0], self.array.shape[1])

    def read(self, start: int, stop: int) -> Float32[np.ndarray, "rows d"]:
        """Rows start to stop (exclusive) in float32."""
        return _as_float32(self.array[start:stop])

    def take(self, indices: Int64[np.ndarray, " rows"]) -> Float32[np.ndarray, "rows d"]:
        """The rows of these indices in float32."""
        return _as_float32(self.array[indices])


def _as_float32(array: np.ndarray) -> Float32[np.ndarray, "rows d"]:
    with np.errstate(over="ignore"):  # what float32 cannot hold is infinite, and said to be so in the report
        return np.asarray(array, dtype=np.float32)


@dataclass(frozen=True, eq=False)
class SampledRows:
    """A matrix of which some rows are at hand, and asked for; the others read as NaN."""

    rows: Rows
    at_hand: Bool[np.ndarray, " v"]

    @property
    def shape(self) -> tuple[int, int]:
        """(V, d)."""
        return self.rows.shape

    @property
    def dtype(self) -> str:
        """The stored element type."""
        return self.rows.dtype

    def read(self, start: int, stop: int) -> Float32[np.ndarray, "rows d"]:
        """Rows start to stop (exclusive) in float32."""
        return self.take(np.arange(*slice(start, stop).indices(self.shape[0])))

    def take(self, indices: Int64[np.ndarray, " rows"]) -> Float32[np.ndarray, "rows d"]:
        """The rows of these indices in float32."""
        found = np.full((len(indices), self.shape[1]), np.nan, dtype=np.float32)
        here = self.at_hand[indices]
        found[here] = self.rows.take(indices[here])
        return found


@dataclass(frozen=True)
class ModelSource:
    """Where an embedding table came from, for the report and for repeating the run.

    Parameters
    ----------
    model : str
        What the user asked for: ``demo``, a path's last part or a hub id.
    name : str
        What the model calls itself.
    architecture : str
        As stated by its configuration; ``unknown`` where it states none.
    file, tensor, dtype : str
        The file read, the tensor in it and the type of its elements as stored.
    sha256 : str
        Of the tensor's bytes as stored.
    revision : str or None
        The commit of a hub model.
    notes : tuple of str
        What the reader had to decide, such as which of several tensors is the embedding.
    path : str or None
        Where the files are, as the user wrote it; None for a model by name.
    """

    model: str
    name: str
    architecture: str
    file: str
    tensor: str
    dtype: str
    sha256: str
    revision: str | None = None
    notes: tuple[str, ...] = ()
    path: str | None = None


@dataclass(frozen=True, eq=False)
class EmbeddingTable:
    """A model's input embedding, a row a token.

    Parameters
    ----------
    vectors : Rows
        (V, d), in the stored type, as stored: no look-up scale is applied.
    tokens : tuple of str
        (V,) the text of each row; ``""`` for a row that no token has.
    special : array of bool
        (V,) control tokens, byte tokens' carriers excepted.
    source : ModelSource
        Where it came from.
    tied : bool or None
        Whether the output matrix is the same one; None if unknown.
    lookup_scale : float
        The factor that the model applies after look-up (Gemma's √d), reported and never applied.
    output : Rows or None
        (V, d) the output matrix, where it is another one and at hand.
    weights : array of float or None
        (V,) of a sampled table: how many rows of the table each row that was read stands for, 0 for those that were
        not, which are NaN. None where all rows are at hand.
    """

    vectors: Rows
    tokens: tuple[str, ...]
    special: Bool[np.ndarray, " v"]
    source: ModelSource
    tied: bool | None = None
    lookup_scale: float = 1.0
    output: Rows | None = None
    weights: Float64[np.ndarray, " v"] | None = None

    @property
    def size(self) -> int:
        """V, the number of rows."""
        return self.vectors.shape[0]

    @property
    def dimension(self) -> int:
        """The embedding width d."""
        return self.vectors.shape[1]

    def blocks(self) -> Iterator[tuple[int, Float32[np.ndarray, "rows d"]]]:
        """Pass over the table once: (index of the first row, rows)."""
        rows = max(1, min(BLOCK_ROWS, BLOCK_VALUES // max(self.dimension, 1)))
        for start in range(0, self.size, rows):
            yield start, self.vectors.read(start, min(start + rows, self.size))

    def at_hand(self, rows: Int64[np.ndarray, " n"]) -> Bool[np.ndarray, " n"]:
        """Which of these rows were read: all, unless the table is a sample."""
        return np.ones(len(rows), dtype=np.bool_) if self.weights is None else self.weights[rows] > 0

    @cached_property
    def rows_at_hand(self) -> Bool[np.ndarray, " v"]:
        """(V,) which rows were read."""
        return self.at_hand(np.arange(self.size))

    @cached_property
    def named(self) -> Bool[np.ndarray, " v"]:
        """(V,) which rows have a token."""
        return np.array([bool(token) for token in self.tokens], dtype=np.bool_)

    @cached_property
    def row_statistics(self) -> RowStatistics:
        """Norms and mean of the rows; one pass over the table, made once."""
        return _statistics(self.vectors)

    @cached_property
    def output_statistics(self) -> RowStatistics | None:
        """The same of the output matrix, where it is another one and at hand."""
        return None if self.output is None else _statistics(self.output)

    @property
    def finite(self) -> Bool[np.ndarray, " v"]:
        """(V,) which rows are at hand and hold neither NaN nor infinity."""
        return self.row_statistics.finite

    @cached_property
    def _index(self) -> dict[str, int]:
        # the first row of a text is the one a tokenizer produces; later ones are duplicates
        return {token: row for row, token in reversed(list(enumerate(self.tokens)))}

    def find(self, text: str) -> int | None:
        """Row of the token with exactly this text, or None."""
        return self._index.get(text)


def _statistics(rows: Rows) -> RowStatistics:
    from geoprobe.stats.rows import row_statistics

    return row_statistics(native_reader(rows), rows.shape)


@dataclass(frozen=True, eq=False)
class Documents:
    """Tokens of a corpus, document by document: what resampling whole documents needs.

    Parameters
    ----------
    ids : array of int
        (n,) token ids of all documents, one after another.
    starts : array of int
        (documents + 1,) where each document starts, and n last.
    """

    ids: Int32[np.ndarray, " n"]
    starts: Int64[np.ndarray, " documents_and_one"]

    def __len__(self) -> int:
        return len(self.starts) - 1


@dataclass(frozen=True, eq=False)
class TokenCounts:
    """How often each token occurs in a corpus.

    Parameters
    ----------
    corpus : str
        The corpus's name.
    sha256 : str
        Of the corpus's documents.
    counts : array of int
        (V,) occurrences of each token.
    n_documents : int
        Documents counted.
    documents : Documents or None
        The tokens themselves; None for a corpus too large to keep.
    document_counts : array of int or None
        (V,) documents that hold each token; None where unknown.
    tokenizer : str
        Hash of the tokenizer that made the tokens; empty where unknown.
    n_continued : int
        Of the documents, those that go on from the one before: a very long text is cut into several.
    """

    corpus: str
    sha256: str
    counts: Int64[np.ndarray, " v"]
    n_documents: int
    documents: Documents | None = None
    document_counts: Int64[np.ndarray, " v"] | None = None
    tokenizer: str = ""
    n_continued: int = 0

    @property
    def n_tokens(self) -> int:
        """Occurrences in all."""
        return int(self.counts.sum())

    @property
    def n_types(self) -> int:
        """Different tokens seen."""
        return int(np.count_nonzero(self.counts))


@dataclass(frozen=True, eq=False)
class Prompts:
    """Token ids of single documents of one corpus, for prompt-level statistics.

    Parameters
    ----------
    corpus : str
        The corpus's name.
    ids : tuple of array of int
        One array a prompt; where they were sampled, in the order drawn, so that the first n are a sample too.
    """

    corpus: str
    ids: tuple[Int64[np.ndarray, " _"], ...]

    def __len__(self) -> int:
        return len(self.ids)


@runtime_checkable
class HiddenStates(Protocol):
    """A model that can be run, for what lies behind its embedding."""

    @property
    def layers(self) -> int:
        """Transformer blocks: layer 0 is what enters the first, layer `layers` what leaves the model."""

    def read(
        self, prompts: Sequence[Int64[np.ndarray, " _"]], layers: Sequence[int]
    ) -> tuple[tuple[Float32[np.ndarray, "_ d"], ...], ...]:
        """For each layer, for each prompt, the (tokens, d) states."""


@dataclass(frozen=True, eq=False)
class ScanInputs:
    """Everything that an analyzer may look at.

    Parameters
    ----------
    embedding : EmbeddingTable
        The model's input embedding.
    corpora : tuple of TokenCounts
        Counts of each corpus.
    prompts : tuple of Prompts
        Prompts of each corpus, in the same order.
    states : HiddenStates or None
        The model itself, where layers of it were asked for.
    """

    embedding: EmbeddingTable
    corpora: tuple[TokenCounts, ...]
    prompts: tuple[Prompts, ...]
    states: HiddenStates | None = None

    @cached_property
    def counts(self) -> Int64[np.ndarray, " v"]:
        """(V,) occurrences of each token over all corpora."""
        total: np.ndarray = np.stack([corpus.counts for corpus in self.corpora]).sum(axis=0)
        return total

    @cached_property
    def documents(self) -> Documents | None:
        """All corpora's documents together; None unless every corpus kept its own."""
        parts = [corpus.documents for corpus in self.corpora]
        kept = [part for part in parts if part is not None]
        if len(kept) < len(parts):
            return None
        offsets = np.cumsum([0, *(len(part.ids) for part in kept)])
        starts = [part.starts[1:] + offset for part, offset in zip(kept, offsets, strict=False)]
        return Documents(np.concatenate([part.ids for part in kept]), np.concatenate([[0], *starts]))
