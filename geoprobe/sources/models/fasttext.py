"""fastText's models: a word's vector is the mean of its own row and of the rows of its pieces, which are hashed.

The layout and the hash are those of Bojanowski et al. (2017) and of the library that they published.
"""

from __future__ import annotations

import mmap
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float32, Int64

from geoprobe.errors import BadDataError, GeoprobeError, UsageError
from geoprobe.sources.models.vocabulary import MAX_TOKENS
from geoprobe.sources.models.word_vectors import WordVectors

#: How such a file begins.
MAGIC = (793712314).to_bytes(4, "little")
#: The file's beginning: its magic number and version, thirteen settings, and five sizes of its dictionary.
_SETTINGS = struct.Struct("<4s13id3i2q")
#: What follows a word: how often it was seen, and whether it is a label. A matrix begins with its rows and columns.
_COUNT, _MATRIX = struct.Struct("<qb"), struct.Struct("<2q")
#: Bytes of the shortest entry.
_LEAST = 10
#: Versions of the layout; in the older one classifiers have no pieces, whatever their settings say.
_VERSIONS, _WITHOUT_PIECES = (11, 12), (11, 3)
#: Bytes of a word, and letters of a piece.
_LONGEST_WORD, _LONGEST_PIECE = 1 << 10, 64
#: Numbers added up for all words: of the largest models that fastText offers, 2 x 10^10.
_MOST_ADDED = 1 << 38
#: Letters of words that are cut at once, and numbers that are added at once.
_LETTERS, _NUMBERS = 1 << 16, 1 << 22
#: A word of which fastText makes no pieces.
_END_OF_LINE = b"</s>"


@dataclass(frozen=True, eq=False)
class FastTextRows:
    """Vectors of words, added up as they are read.

    `spans` is where each word begins and ends in the file, `offset` where the matrix begins, `matrix` its shape, with
    rows of words and then of pieces; `lengths` is of a piece in letters, and `buckets` the rows that pieces have.
    """

    path: Path
    spans: Int64[np.ndarray, "v 2"]
    offset: int
    matrix: tuple[int, int]
    lengths: range
    buckets: int

    @property
    def shape(self) -> tuple[int, int]:
        """(V, d)."""
        return (len(self.spans), self.matrix[1])

    @property
    def dtype(self) -> str:
        """The stored element type."""
        return "F32"

    @property
    def stored(self) -> np.ndarray:
        """(V + buckets, d) the rows of words and of pieces, memory-mapped."""
        return np.memmap(self.path, dtype="<f4", mode="r", offset=self.offset, shape=self.matrix)

    def read(self, start: int, stop: int) -> Float32[np.ndarray, "rows d"]:
        """Rows start to stop (exclusive) in float32."""
        return self.take(np.arange(start, min(stop, self.shape[0])))

    def take(self, indices: Int64[np.ndarray, " rows"]) -> Float32[np.ndarray, "rows d"]:
        """The rows of these indices in float32."""
        stored = self.stored.view(np.ndarray)
        vectors = np.array(stored[indices], dtype=np.float32)
        if not self.lengths:
            return vectors
        spans = self.spans[indices]
        letters = np.cumsum(spans[:, 1] - spans[:, 0] + 2) // _LETTERS
        with self.path.open("rb") as file, np.errstate(over="ignore", invalid="ignore"):
            content = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
            for block in np.split(np.arange(len(indices)), np.flatnonzero(np.diff(letters)) + 1):
                word, row = _pieces([content[start:stop] for start, stop in spans[block]], self.lengths, self.buckets)
                count = np.bincount(word, minlength=len(block))
                for part in _slices(np.cumsum(count), max(1, _NUMBERS // self.shape[1])):
                    firsts = np.flatnonzero(np.diff(word[part], prepend=-1))
                    added = np.add.reduceat(stored[len(self.spans) + row[part]], firsts, axis=0)
                    vectors[block[word[part][firsts]]] += added
                vectors[block] /= (1 + count[:, None]).astype(np.float32)
        return vectors


def _pieces(
    words: list[bytes], lengths: range, buckets: int
) -> tuple[Int64[np.ndarray, " pieces"], Int64[np.ndarray, " pieces"]]:
    """The words' pieces: of which word each is, in their order, and its bucket by the hash FNV-1a of its bytes.

    A piece is some letters of ``<word>``, but neither ``<`` nor ``>`` alone; a letter is a byte with those that follow
    it in UTF-8.
    """
    marked = [b"" if word == _END_OF_LINE else b"<" + word + b">" for word in words]
    sizes = np.array([len(word) for word in marked], dtype=np.int64)
    ends, letters = np.cumsum(sizes), np.frombuffer(b"".join(marked) + b"\0", dtype=np.int8)
    signed = letters.astype(np.uint32)  # with its sign, as a byte is in the published code
    follows = (letters.view(np.uint8) & 0xC0) == 0x80
    first = np.flatnonzero(~follows[:-1])
    word = np.repeat(np.arange(len(words)), sizes)[first]
    at, hashes = first.copy(), np.full(len(first), 2166136261, dtype=np.uint32)
    found: list[tuple[np.ndarray, np.ndarray]] = [(word[:0], at[:0])]
    for length in range(1, lengths.stop):
        more = np.arange(len(at))
        while more.size:
            hashes[more] = (hashes[more] ^ signed[at[more]]) * np.uint32(16777619)
            at[more] += 1
            more = more[follows[at[more]]]
        whole = at == ends[word]
        if length in lengths:
            kept = ~(whole | (first == (ends - sizes)[word])) if length == 1 else np.full(len(at), True)
            found.append((word[kept], (hashes[kept] % np.uint32(buckets)).astype(np.int64)))
        first, word, at, hashes = (array[~whole] for array in (first, word, at, hashes))
    of, bucket = (np.concatenate(arrays) for arrays in zip(*found, strict=True))
    order = np.argsort(of, kind="stable")
    return of[order], bucket[order]


def _slices(ends: Int64[np.ndarray, " words"], most: int) -> Iterator[slice]:
    """The pieces of whole words, at most this many; those of a longer word from its first on.

    So a word's vector is the same in every bit, whatever others are read with it.
    """
    at = 0
    while at < ends[-1]:
        whole = ends[np.searchsorted(ends, at + most, side="right") - 1]
        stop = int(whole) if at < whole <= at + most else at + most
        yield slice(at, stop)
        at = stop


def read_fasttext(path: Path) -> tuple[WordVectors, tuple[str, ...]]:
    """Read a model's words, and where their vectors are; those are added up when they are asked for."""
    try:
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            rows = _rows(path, content)
            words = tuple(content[start:stop].decode("utf-8", errors="replace") for start, stop in rows.spans)
    except GeoprobeError:
        raise
    except (ValueError, struct.error) as error:  # no byte can be mapped, or too few are there
        raise BadDataError(f"{path} is not a whole model of fastText's: {error}.", "Download it again.") from error
    return WordVectors(path.name, rows), words


def _rows(path: Path, content: mmap.mmap) -> FastTextRows:
    values = _SETTINGS.unpack_from(content)
    magic, version, dimension, *_, kind, buckets, shortest, longest, _, _, entries, words, labels, _, kept = values
    if magic != MAGIC or version not in _VERSIONS:
        raise ValueError(f"it begins with {magic!r} and the version {version}")
    if (
        not 0 < words <= MAX_TOKENS
        or labels < 0
        or entries != words + labels
        or entries * _LEAST + 8 * kept > len(content)
    ):
        raise ValueError(f"it says to hold {words:,} words and {labels:,} labels, {entries:,} in all")
    spans, at = _spans(content, entries, words)
    at += 8 * max(kept, 0)  # a table of the pieces that were kept
    (quantised,) = struct.unpack_from("<?", content, at)
    if quantised:
        raise UsageError(
            f"{path} is a quantised model of fastText's, whose numbers are codes of others.",
            "Scan the .bin file that it was made from, or save its vectors as text.",
        )
    rows, columns = _MATRIX.unpack_from(content, at := at + 1)
    pieces = longest > 0 and (version, kind) != _WITHOUT_PIECES
    fits = 0 < columns == dimension and words + buckets * pieces <= rows <= len(content) // (4 * columns)
    if kept >= 0 or not fits or buckets < pieces:
        raise ValueError(f"it says to hold {rows:,} rows of {columns:,} numbers, {buckets:,} of them for pieces")
    lengths = range(max(shortest, 1), longest + 1 if pieces else 0)
    added = (int(np.diff(spans).sum()) + 2 * words) * len(lengths) * columns
    if longest > _LONGEST_PIECE or added > _MOST_ADDED:
        raise ValueError(f"its pieces of up to {longest:,} letters are {added:,} numbers")
    begin, at = at + _MATRIX.size, at + _MATRIX.size + 4 * rows * columns
    _, others, width = struct.unpack_from("<?2q", content, at)  # the output matrix, which is not read
    if at + 17 + 4 * others * width > len(content):
        raise ValueError(f"it holds {len(content):,} bytes, and says to hold {at + 17 + 4 * others * width:,}")
    return FastTextRows(path, spans, begin, (rows, columns), lengths, buckets)


def _spans(content: mmap.mmap, entries: int, words: int) -> tuple[Int64[np.ndarray, "v 2"], int]:
    """Where words begin and end, and the entries do: words, then labels, each with a zero byte, count and kind."""
    spans, at = np.empty((words, 2), dtype=np.int64), _SETTINGS.size
    for entry in range(entries):
        end = content.find(b"\0", at, at + _LONGEST_WORD)
        if end < 0:
            raise ValueError(f"its word {entry:,} does not end")
        if entry < words:
            spans[entry] = at, end
        if _COUNT.unpack_from(content, end + 1)[1] != (entry >= words):
            raise ValueError(f"its words and labels are mixed at {entry:,}")
        at = end + 1 + _COUNT.size
    return spans, at
