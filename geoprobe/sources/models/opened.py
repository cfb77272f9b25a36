"""A model whose embedding has been found and whose tokenizer is loaded, its rows not yet read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from jaxtyping import Float64

from geoprobe.data import EmbeddingTable, ModelSource, Rows, SampledRows
from geoprobe.errors import BadDataError
from geoprobe.sources.models.architectures import lookup_scale, output_by_name, text_configs, vocabulary_size
from geoprobe.sources.models.checkpoint import Checkpoint, RemoteCheckpoint, StoredRows, digest, stored_shape
from geoprobe.sources.models.grouped import row_extent
from geoprobe.sources.models.quantised import dequantised
from geoprobe.sources.models.tokenizer import Tokenizer
from geoprobe.sources.models.vocabulary import MAX_TOKENS

#: Rows compared to see whether an output matrix repeats the embedding.
_COMPARED = 256
#: Columns of the widest table that is read: of today's models, four times the widest.
_MAX_WIDTH = 1 << 17
#: Ends of class names in a configuration of models that have an output matrix, tied where none is stored.
_HEADS = ("ForCausalLM", "LMHeadModel", "ForConditionalGeneration", "ForMaskedLM", "ForPreTraining")


@dataclass(frozen=True, eq=False)
class OpenedModel:
    """What is known of a model before its rows are read.

    `label` is what the user asked for, `name` what the model calls itself, `notes` what had to be decided, `revision`
    the commit of a hub model, and `path` what the user wrote, where that is the path of files here.
    """

    checkpoint: Checkpoint
    tensor: str
    tokenizer: Tokenizer
    config: Mapping[str, Any]
    label: str
    name: str
    notes: tuple[str, ...]
    revision: str | None = None
    path: str | None = None

    @property
    def shape(self) -> tuple[int, int]:
        """(V, d); an empty one, or one larger than any vocabulary's, is an error."""
        count, dimension = row_extent(self.checkpoint, self.tensor, self.config)
        if count > MAX_TOKENS or dimension > _MAX_WIDTH:
            raise BadDataError(
                f"The tensor {self.tensor} of {self.label} has the shape {count:,}×{dimension:,}, and no embedding has "
                f"over {MAX_TOKENS:,} rows or {_MAX_WIDTH:,} columns.",
                "Name another tensor by --tensor.",
            )
        if count == 0 or dimension == 0:
            raise BadDataError(
                f"The tensor {self.tensor} of {self.label} is empty ({count}×{dimension}).", "Name another by --tensor."
            )
        return count, dimension

    def sha256(self) -> str:
        """Hash of the embedding's bytes as stored; fetched first, where it is elsewhere."""
        return digest(self._rows(self.tensor)[0])

    def table(self, *, output: bool = False) -> EmbeddingTable:
        """The whole embedding; fetched first, where it is elsewhere.

        The output matrix of a hub model is fetched only if asked for; a local one is opened in any case, which reads
        nothing.
        """
        rows, quantised = self._rows(self.tensor)
        tied, matrix = self._output(rows, output)
        return self._assemble(rows, rows, quantised, tied=tied, output=matrix)

    def sample(self, weights: Float64[np.ndarray, " v"]) -> EmbeddingTable:
        """The embedding with the rows of non-zero weight at hand; nothing of the others is read."""
        if self.shape[0] != self.checkpoint.shapes()[self.tensor][0]:
            return self.table()  # tokens share rows
        if isinstance(self.checkpoint, RemoteCheckpoint):
            self.checkpoint.fetch_rows(self.tensor, np.flatnonzero(weights))
        rows, quantised = self._rows(self.tensor)
        return self._assemble(rows, SampledRows(rows, weights > 0), quantised, tied=self._tied, weights=weights)

    @property
    def row_bytes(self) -> int:
        """Bytes of a row as stored."""
        if isinstance(self.checkpoint, RemoteCheckpoint):
            return self.checkpoint.row_bytes(self.tensor)
        return int(self.checkpoint.rows(self.tensor).stored[:1].nbytes)

    def _rows(self, name: str) -> tuple[StoredRows, tuple[str, ...]]:
        return dequantised(self.checkpoint, name, self.config, self.label)

    def _assemble(
        self,
        stored: StoredRows,
        vectors: Rows,
        quantised: tuple[str, ...],
        *,
        tied: bool | None,
        output: Rows | None = None,
        weights: Float64[np.ndarray, " v"] | None = None,
    ) -> EmbeddingTable:
        count, dimension = self.shape
        tokens = self.tokenizer.texts(count)
        aligned = alignment_notes(self.tokenizer, tokens, self.config)
        source = ModelSource(
            model=self.label,
            name=self.name,
            architecture=str(self.config.get("model_type", "unknown")),
            file=self.checkpoint.file(self.tensor),
            tensor=self.tensor,
            dtype=stored.dtype,
            sha256=digest(stored, None if weights is None else weights > 0),
            revision=self.revision,
            notes=(*self.notes, *self.tokenizer.notes, *quantised, *aligned),
            path=self.path,
        )
        return EmbeddingTable(
            vectors=vectors,
            tokens=tokens,
            special=self.tokenizer.special(count),
            source=source,
            tied=tied,
            lookup_scale=lookup_scale(self.config, dimension),
            output=output,
            weights=weights,
        )

    @cached_property
    def _output_name(self) -> str | None:
        output = output_by_name(self.checkpoint.names())
        return None if output == self.tensor else output

    def _output(self, rows: Rows, wanted: bool) -> tuple[bool | None, Rows | None]:
        """Whether the output matrix is the embedding, and where it is another one, that."""
        name = self._output_name
        if name is None or (isinstance(self.checkpoint, RemoteCheckpoint) and not wanted):
            return self._tied, None
        if self._shape_of(name) != rows.shape:  # projected from another width, or a head of another kind
            return False, None
        matrix, _ = self._rows(name)
        some = np.linspace(0, rows.shape[0] - 1, min(_COMPARED, rows.shape[0])).astype(np.int64)
        if np.array_equal(rows.take(some), matrix.take(some), equal_nan=True):
            return True, None  # stored twice, as older files are
        return False, matrix

    def _shape_of(self, name: str) -> tuple[int, ...] | None:
        """A matrix's shape as values; None for a tensor that is no matrix."""
        matrix = len(stored_shape(self.checkpoint, name)) == 2
        return row_extent(self.checkpoint, name, self.config) if matrix else None

    @property
    def _tied(self) -> bool | None:
        """Whether the output matrix is the embedding, as far as names and the configuration tell."""
        if self._output_name is not None:
            return False  # what is tied is not stored twice by those who write it today
        heads = self.config.get("architectures")
        stated = [part.get("tie_word_embeddings") for part in text_configs(self.config)]
        if True in stated or False in stated:  # some wrappers state it of their language part alone
            return True in stated
        return True if isinstance(heads, list) and any(str(head).endswith(_HEADS) for head in heads) else None


def alignment_notes(tokenizer: Tokenizer, tokens: tuple[str, ...], config: Mapping[str, Any]) -> tuple[str, ...]:
    """Say where rows and tokens do not go one to one, a sentence each; `tokens` is (V,), ``""`` for a row of none."""
    rows, ids, added = len(tokens), tokenizer.size, tokenizer.added
    notes = []
    if ids < rows:
        notes.append(f"The last {rows - ids:,} of {rows:,} rows are padding: the tokenizer has {ids:,} ids.")
    gaps = sum(not token for token in tokens[:ids])
    if gaps:
        notes.append(f"Rows before the last token's that belong to no token: {gaps:,}.")
    if ids > rows:
        homeless = range(rows, ids)
        kind = "all of them added ones" if all(row in added for row in homeless) else "some of the trained vocabulary"
        notes.append(
            f"The tokenizer has {ids:,} ids, the embedding {rows:,} rows: tokens without a row: {ids - rows:,}, {kind}."
        )
    plain = sum(not special for row, special in added.items() if row < rows)
    if plain:
        notes.append(f"Tokens added to the trained vocabulary without being special: {plain:,}.")
    stated = vocabulary_size(config)
    if stated is not None and stated != rows:
        notes.append(f"The configuration states {stated:,} vocabulary entries, the embedding has {rows:,} rows.")
    return tuple(notes)
