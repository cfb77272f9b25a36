"""Tables of word vectors: the text of GloVe and word2vec, word2vec's binary format, and arrays with a list of words."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from io import BufferedIOBase
from pathlib import Path

import numpy as np
from jaxtyping import Float32

from geoprobe.data import ArrayRows
from geoprobe.errors import BadDataError
from geoprobe.sources.models.checkpoint import StoredRows
from geoprobe.sources.models.vocabulary import MAX_TOKENS

#: A line longer than this is no vector of a word.
_MAX_LINE = 1 << 20
_MAX_VALUES = 1 << 30
_BLOCK_LINES = 10_000
#: Bytes of a word.
_LONGEST_WORD = 1 << 12
#: Numbers as text are packed to a third, never to a hundredth: what unpacks to more is no such file.
_MOST_UNPACKED, _SMALL = 100, 1 << 26
_TYPES = {"float16": "F16", "float32": "F32", "float64": "F64"}


@dataclass(frozen=True, eq=False)
class StoredArray(ArrayRows):
    """Rows of a numpy array, memory-mapped where it is a file."""

    @property
    def stored(self) -> np.ndarray:
        """(V, d) as stored."""
        return self.array


@dataclass(frozen=True, eq=False)
class WordVectors:
    """One matrix, and the file it is of: a checkpoint of a single tensor."""

    source: str
    vectors: StoredRows

    def shapes(self) -> Mapping[str, tuple[int, ...]]:
        """The one matrix's shape."""
        return {"vectors": self.vectors.shape}

    def names(self) -> frozenset[str]:
        """The one name."""
        return frozenset(self.shapes())

    def file(self, name: str) -> str:
        """The file."""
        return self.source

    def rows(self, name: str) -> StoredRows:
        """The matrix."""
        return self.vectors

    def array(self, name: str) -> Float32[np.ndarray, "..."]:
        """The matrix whole."""
        return self.vectors.read(0, self.vectors.shape[0])


def read_array_file(path: Path) -> WordVectors:
    """Map a ``.npy`` file."""
    try:
        matrix = np.lib.format.open_memmap(path, mode="r")  # `np.load` opens other kinds of file too
    except (ValueError, OSError, EOFError) as error:
        raise BadDataError(f"{path} is not a numpy array: {error}.", "Save it by numpy.save.") from error
    if matrix.ndim != 2 or matrix.dtype.name not in _TYPES:
        raise BadDataError(
            f"{path} holds an array of shape {matrix.shape} and type {matrix.dtype}, not a matrix of floats.",
            "Save a matrix, a row a token.",
        )
    return WordVectors(path.name, StoredArray(matrix, _TYPES[matrix.dtype.name]))


def read_word_vectors(path: Path) -> tuple[WordVectors, tuple[str, ...]]:
    """Read words and vectors, a line each: GloVe's text or word2vec's, which begins with two counts; also ``.gz``.

    They are float32 in memory, as text cannot be mapped.
    """
    words: list[str] = []
    blocks: list[np.ndarray] = []
    rows: list[np.ndarray] = []
    dimension, last = 0, None
    try:
        with _opened(path) as file:
            for number, line in enumerate(_lines(file, path), start=1):
                text = line.decode("utf-8")
                fields = (text.removeprefix("\ufeff") if number == 1 else text).rstrip().split(" ")
                if number == 1 and len(fields) == 2 and all(map(_is_count, fields)):
                    dimension, last = int(fields[1]), int(fields[0]) + 1
                    continue
                dimension = dimension or len(fields) - 1
                # a few of GloVe's words hold spaces themselves
                words.append(" ".join(fields[:-dimension]))
                rows.append(_vector(fields[-dimension:], dimension, words[-1], path, number))
                if len(words) * dimension > _MAX_VALUES or len(words) > MAX_TOKENS:
                    raise BadDataError(
                        f"{path} holds over {_MAX_VALUES:,} numbers or {MAX_TOKENS:,} words.",
                        "Save them as .npy or safetensors, or the more frequent ones alone.",
                    )
                if len(rows) == _BLOCK_LINES:
                    blocks.append(np.stack(rows))
                    rows = []
    except (UnicodeDecodeError, gzip.BadGzipFile, zlib.error, EOFError) as error:
        raise BadDataError(f"{path} is not a text file of word vectors: {error}.", "Download it again.") from error
    if rows:
        blocks.append(np.stack(rows))
    if not blocks or (last is not None and len(words) != last - 1):
        claimed = "" if last is None else f", and its first line says {last - 1:,}"
        raise BadDataError(f"{path} holds {len(words):,} word vectors{claimed}.", "Download it again.")
    return WordVectors(path.name, StoredArray(np.concatenate(blocks))), tuple(words)


def is_binary_word2vec(path: Path) -> bool:
    """Whether a file begins as word2vec's binary format does: with two counts on a line."""
    with path.open("rb") as file:
        fields = file.readline(64).split()
    return len(fields) == 2 and all(field.isdigit() for field in fields)


def read_binary_word2vec(path: Path) -> tuple[WordVectors, tuple[str, ...]]:
    """Read word2vec's binary format: two counts on a line, then each word, a space and its float32 numbers."""
    size = path.stat().st_size
    with path.open("rb") as file:
        count, dimension = map(int, file.readline(64).split())
        width = 4 * dimension
        if not dimension > 0 or not count > 0 or count * (width + 2) > size or count * dimension > _MAX_VALUES:
            raise BadDataError(
                f"{path} holds {size:,} bytes, and its first line says {count:,} words of {dimension:,} numbers.",
                "Download it again.",
            )
        vectors = np.empty((count, dimension), dtype=np.float32)
        words = []
        for row in range(count):
            word = b""
            while (letter := file.read(1)) not in (b" ", b"") and len(word) < _LONGEST_WORD:
                word += letter if letter != b"\n" or word else b""
            content = file.read(width)
            if letter != b" " or len(content) < width:
                raise BadDataError(
                    f"{path} holds {row:,} whole word vectors, and its first line says {count:,}.", "Download it again."
                )
            words.append(word.decode("utf-8", errors="replace"))
            vectors[row] = np.frombuffer(content, dtype="<f4")
    return WordVectors(path.name, StoredArray(vectors)), tuple(words)


def _is_count(field: str) -> bool:
    # `isdigit` alone takes "²", and `int` refuses what is longer than any file
    return field.isascii() and field.isdigit() and len(field) < 19


def _vector(fields: list[str], dimension: int, word: str, path: Path, number: int) -> Float32[np.ndarray, " d"]:
    try:
        with np.errstate(over="ignore"):  # what float32 cannot hold is infinite, and said to be so in the report
            vector = np.array(list(map(float, fields)), dtype=np.float32)
    except ValueError:
        vector = np.empty(0, np.float32)
    if len(vector) != dimension or dimension < 1 or not word:
        raise BadDataError(
            f"{path}, line {number:,}, is not a word and {max(dimension, 1):,} numbers.",
            "Each line holds a word and its vector, separated by spaces.",
        )
    return vector


def _lines(file: BufferedIOBase, path: Path) -> Iterator[bytes]:
    left = max(path.stat().st_size * _MOST_UNPACKED, _SMALL)
    while line := file.readline(_MAX_LINE):
        left -= len(line)
        if left < 0:
            raise BadDataError(f"{path} unpacks to over {_MOST_UNPACKED} times its size.", "It holds no word vectors.")
        if len(line) == _MAX_LINE:
            raise BadDataError(f"{path} has a line of over {_MAX_LINE:,} bytes.", "It is no file of word vectors.")
        if line.strip():
            yield line


@contextmanager
def _opened(path: Path) -> Iterator[BufferedIOBase]:
    if path.suffix.lower() == ".gz":
        with gzip.open(path) as unpacked:
            yield unpacked
    else:
        with path.open("rb") as plain:
            yield plain
