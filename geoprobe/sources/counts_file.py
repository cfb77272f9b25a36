"""Counts of a corpus as a parquet file: saved, read, and added up."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from jaxtyping import Int64

from geoprobe.data import TokenCounts
from geoprobe.errors import AccessError, BadDataError, NotFoundError, UsageError
from geoprobe.files import what_is_at, write_whole
from geoprobe.sources.counting import combined_sha256
from geoprobe.sources.models.vocabulary import MAX_TOKENS

#: The key in the file's metadata, and the version of what is under it.
_KEY, _VERSION = b"geoprobe.counts", 1
_COLUMNS = ("token", "count", "documents")
_MAX_METADATA = 1 << 24
_MAX_COUNT = 1 << 62
_BATCH_ROWS = 1 << 16


@dataclass(frozen=True)
class CountedCorpus:
    """A corpus that was counted: its name, the hash of its documents, and its size."""

    name: str
    sha256: str
    n_documents: int
    n_tokens: int
    n_continued: int = 0
    note: str = ""


@dataclass(frozen=True)
class _Header:
    version: int
    tokenizer: str
    corpora: tuple[CountedCorpus, ...]


@dataclass(frozen=True, eq=False)
class Counts:
    """Counts of one or several corpora by one tokenizer (its hash), of the tokens that occur, ascending by id."""

    corpora: tuple[CountedCorpus, ...]
    tokenizer: str
    tokens: Int64[np.ndarray, " types"]
    counts: Int64[np.ndarray, " types"]
    document_counts: Int64[np.ndarray, " types"]

    @classmethod
    def of(cls, counted: TokenCounts, note: str = "") -> Counts:
        """Of a corpus that was counted here."""
        if counted.document_counts is None or not counted.tokenizer:
            raise UsageError(
                f"The counts of {counted.corpus} name no tokenizer or documents.", "Count the corpus again."
            )
        tokens = np.flatnonzero(counted.counts).astype(np.int64)
        corpus = CountedCorpus(
            counted.corpus, counted.sha256, counted.n_documents, counted.n_tokens, counted.n_continued, note
        )
        return cls((corpus,), counted.tokenizer, tokens, counted.counts[tokens], counted.document_counts[tokens])

    def expanded(self, rows: int, tokenizer: str, where: str) -> TokenCounts:
        """The counts of every row of an embedding table; the tokens of single documents are not known."""
        if tokenizer != self.tokenizer:
            raise BadDataError(
                f"{where} was counted by another tokenizer ({self.tokenizer[:12]}…) than the model's "
                f"({tokenizer[:12]}…).",
                "Count the corpus again by: geoprobe count MODEL --corpus CORPUS --out FILE",
            )
        if self.tokens[-1] >= rows:
            raise BadDataError(
                f"{where} counts token {self.tokens[-1]:,}, but the embedding has {rows:,} rows.",
                "Counts and weights are of different models: check where each came from.",
            )
        counts, documents = np.zeros((2, rows), dtype=np.int64)
        counts[self.tokens], documents[self.tokens] = self.counts, self.document_counts
        return TokenCounts(
            corpus=" + ".join(corpus.name for corpus in self.corpora),
            sha256=combined_sha256([bytes.fromhex(corpus.sha256) for corpus in self.corpora]),
            counts=counts,
            n_documents=sum(corpus.n_documents for corpus in self.corpora),
            document_counts=documents,
            tokenizer=self.tokenizer,
            n_continued=sum(corpus.n_continued for corpus in self.corpora),
        )


def merge_counts(parts: Sequence[Counts], names: Sequence[str]) -> Counts:
    """Add up counts by one tokenizer, at least one; a corpus in two of them would be counted twice, and is an error."""
    first = parts[0]
    seen: dict[str, str] = {}
    for part, name in zip(parts, names, strict=True):
        if part.tokenizer != first.tokenizer:
            raise BadDataError(
                f"{names[0]} and {name} were counted by different tokenizers "
                f"({first.tokenizer[:12]}… and {part.tokenizer[:12]}…).",
                "Counts add up only within one tokenizer: count the corpora again by one model.",
            )
        for corpus in part.corpora:
            if corpus.sha256 in seen:
                raise BadDataError(
                    f"The corpus {corpus.name} is in {seen[corpus.sha256]} and in {name}, and would be counted twice.",
                    "Leave one of them out.",
                )
            seen[corpus.sha256] = name
    total = sum(int(part.counts.sum()) for part in parts)
    if total > _MAX_COUNT:
        raise BadDataError(
            f"The counts of {', '.join(names)} add up to {total:,} tokens, more than the {_MAX_COUNT:,} of any corpus.",
            "Find the file that claims so many.",
        )
    tokens, places = np.unique(np.concatenate([part.tokens for part in parts]), return_inverse=True)
    totals = np.zeros((2, tokens.size), dtype=np.int64)
    np.add.at(totals[0], places, np.concatenate([part.counts for part in parts]))
    np.add.at(totals[1], places, np.concatenate([part.document_counts for part in parts]))
    corpora = tuple(corpus for part in parts for corpus in part.corpora)
    return Counts(corpora, first.tokenizer, tokens, totals[0], totals[1])


def counts_file_path(path: str | Path) -> Path:
    """The path of a counts file to write."""
    file = Path(path)
    if file.suffix.lower() != ".parquet":
        raise UsageError(f"A counts file is parquet, and {file.name!r} is not called so.", "Name it .parquet.")
    return file


def save_counts(path: str | Path, counts: Counts) -> None:
    """Write a counts file, whole or not at all; the same counts give the same bytes."""
    import pyarrow as pa
    from pyarrow import parquet

    file = counts_file_path(path)
    header = asdict(_Header(_VERSION, counts.tokenizer, counts.corpora))
    schema = pa.schema([(name, pa.int64()) for name in _COLUMNS], metadata={_KEY: json.dumps(header).encode()})
    buffer = io.BytesIO()
    table = pa.table([counts.tokens, counts.counts, counts.document_counts], schema=schema)
    parquet.write_table(table, buffer, compression="zstd")
    write_whole({file: buffer.getvalue()})


def read_counts(path: str | Path) -> Counts:
    """Read a counts file; nothing that it says of itself is believed before it is checked."""
    from pyarrow import ArrowException, parquet

    file = Path(path)
    if what_is_at(file) != "file":
        raise NotFoundError(f"There is no counts file at {file}.", "Make one by: geoprobe count MODEL --out FILE")
    try:
        with file.open("rb") as stream, parquet.ParquetFile(stream, pre_buffer=False, buffer_size=1 << 16) as opened:
            header = _read_header(file, opened.metadata.metadata or {})
            names, types = opened.schema_arrow.names, [str(kind) for kind in opened.schema_arrow.types]
            if tuple(names) != _COLUMNS or set(types) != {"int64"}:
                raise _bad(file, f"its columns are {', '.join(names[:9])}, not {', '.join(_COLUMNS)} of int64")
            tokens, counts, documents = _read_columns(file, opened)
    except PermissionError as error:
        raise AccessError(f"{file} may not be read.", "Check its permissions.") from error
    except (ArrowException, OSError) as error:
        if isinstance(error, BadDataError):
            raise
        raise _bad(file, f"it is not a parquet file: {error}") from error
    if not tokens.size:
        raise _bad(file, "it counts nothing")
    total, stated = int(counts.sum()), sum(corpus.n_tokens for corpus in header.corpora)
    if total != stated:
        raise _bad(file, f"its counts add up to {total:,}, and it states {stated:,} tokens")
    n_documents = sum(corpus.n_documents for corpus in header.corpora)
    if documents.max() > n_documents or (documents > counts).any():
        raise _bad(file, "a token is in more documents than there are, or than it has occurrences")
    return Counts(header.corpora, header.tokenizer, tokens, counts, documents)


def _read_header(file: Path, metadata: dict[bytes, bytes]) -> _Header:
    stated = metadata.get(_KEY)
    if stated is None:
        raise _bad(file, f"its metadata has no {_KEY.decode()}")
    if len(stated) > _MAX_METADATA:
        raise _bad(file, f"its metadata takes {len(stated):,} bytes")
    try:
        header = msgspec.json.decode(stated, type=_Header)
        sound = bool(header.corpora) and all(len(bytes.fromhex(corpus.sha256)) == 32 for corpus in header.corpora)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise _bad(file, f"its metadata cannot be read: {error}") from error
    if header.version != _VERSION:
        raise _bad(file, f"it has version {header.version}, and this geoprobe reads {_VERSION}")
    if not sound or any(min(corpus.n_documents, corpus.n_tokens, corpus.n_continued) < 0 for corpus in header.corpora):
        raise _bad(file, "its metadata names no corpus, or one with an impossible hash or size")
    return header


def _read_columns(file: Path, opened: Any) -> np.ndarray:
    """(3, types) tokens, counts and document counts, checked batch by batch."""
    parts: list[np.ndarray] = []
    last, total = -1, 0
    for batch in opened.iter_batches(batch_size=_BATCH_ROWS, use_threads=False):
        if any(column.null_count for column in batch.columns):
            raise _bad(file, "it has empty cells")
        part = np.stack([np.asarray(column) for column in batch.columns])
        if not part.size:
            continue
        if part[0, 0] <= last or (np.diff(part[0]) <= 0).any() or part[0, -1] >= MAX_TOKENS:
            raise _bad(file, f"its tokens do not ascend, or go beyond {MAX_TOKENS:,}")
        if part[1:].min() <= 0 or part[1].max() > _MAX_COUNT - total:
            raise _bad(file, "it has counts that are not positive, or too large to add up")
        last, total = int(part[0, -1]), total + int(part[1].astype(object).sum())
        if total > _MAX_COUNT:
            raise _bad(file, "it has counts that are not positive, or too large to add up")
        parts.append(part)
    return np.concatenate(parts, axis=1) if parts else np.zeros((3, 0), dtype=np.int64)


def _bad(file: Path, why: str) -> BadDataError:
    return BadDataError(
        f"{file} is not a counts file: {why}.", "Make it again by: geoprobe count MODEL --corpus CORPUS --out FILE"
    )
