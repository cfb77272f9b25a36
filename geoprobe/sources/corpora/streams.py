"""Bytes to text: files and standard input, compressed or not, decoded block by block with the place of every fault."""

from __future__ import annotations

import codecs
import sys
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from geoprobe.errors import AccessError, BadDataError, GeoprobeError, NotFoundError

#: File suffix to the codec's name in pyarrow, which finds a file that was cut short and reads frames in a row.
COMPRESSIONS = {".gz": "gzip", ".zst": "zstd"}
#: Characters of the longest line or record that is read as one.
LONGEST_RECORD = 16_000_000
STDIN = "standard input"
BLOCK_BYTES = 1 << 20
#: What is packed unpacks to this many times its size at most, beyond what is little in any case: text packs to a tenth,
#: the same text over and over to a hundredth.
_RATIO, _LITTLE = 1_000, 1 << 22


@runtime_checkable
class Readable(Protocol):
    """Bytes that are read in order: a file's, standard input's, or unpacked ones."""

    def read(self, size: int = -1, /) -> bytes:
        """The next bytes, at most `size` of them; none at the end."""


class Unpacked:
    """How much has been unpacked of a file, which is refused when that cannot be its content."""

    def __init__(self, where: str) -> None:
        self._where, self._unpacked = where, 0

    def add(self, size: int, packed: int) -> None:
        """Count bytes that were unpacked, of so many packed ones in all; over a thousand times as much is an error."""
        self._unpacked += size
        if self._unpacked > max(_LITTLE, _RATIO * packed):
            raise BadDataError(
                f"{self._where} unpacks from {packed:,} bytes to {self._unpacked:,} and more.",
                "No text is packed so: it was made to fill memory or a disk.",
            )


class _Counted:
    """A packed stream, and how many bytes of it were read."""

    def __init__(self, raw: Readable) -> None:
        self._raw, self.count = raw, 0
        self.closed = False

    def read(self, size: int = -1, /) -> bytes:
        block = self._raw.read(size)
        self.count += len(block)
        return block

    def close(self) -> None:
        self.closed = True  # the file is its owner's to close


class _Unpacking:
    """An unpacked stream that ends by an error where it cannot be a file's content."""

    def __init__(self, stream: Any, packed: _Counted, where: str) -> None:
        self._stream, self._packed, self._unpacked = stream, packed, Unpacked(where)

    def read(self, size: int = -1, /) -> bytes:
        block: bytes = self._stream.read(size)
        self._unpacked.add(len(block), self._packed.count)
        return block


@dataclass(frozen=True)
class Source:
    """A file, or standard input, and how its bytes are packed.

    `where` is what errors call it, the suffix that of the content's format, such as ``.jsonl``. Standard input has no
    path, and can be read once.
    """

    where: str
    suffix: str
    compression: str | None
    path: Path | None

    @classmethod
    def of(cls, name: str, path: Path | None) -> Source:
        """By the suffixes of a file's name."""
        suffixes = [suffix.lower() for suffix in Path(name).suffixes]
        compression = COMPRESSIONS.get(suffixes[-1]) if suffixes else None
        if compression:
            suffixes.pop()
        # absolute, since a worker elsewhere has another working folder
        opened = None if path is None else path.absolute()
        return cls(STDIN if path is None else str(path), suffixes[-1] if suffixes else "", compression, opened)

    @contextmanager
    def open(self) -> Iterator[Readable]:
        """The content's bytes, unpacked as they are read."""
        with self._raw() as raw:
            if self.compression is None:
                yield raw
                return
            import pyarrow as pa

            packed = _Counted(raw)
            stream = pa.CompressedInputStream(pa.PythonFile(packed, "r"), self.compression)
            try:
                yield _Unpacking(stream, packed, self.where)
            except OSError as error:
                if isinstance(error, GeoprobeError):
                    raise
                raise BadDataError(
                    f"{self.where} is not a whole {self.compression} file: {error}.",
                    "It may have been cut short: fetch or make it again.",
                ) from error

    @contextmanager
    def seekable(self) -> Iterator[Any]:
        """The same for a format that is read from its end; what cannot be sought is copied to a temporary file."""
        if self.path is not None and self.compression is None:
            with self.open() as stream:
                yield stream
            return
        with tempfile.TemporaryFile() as copy:
            with self.open() as stream:
                while block := stream.read(BLOCK_BYTES):
                    copy.write(block)
            copy.seek(0)
            yield copy

    @contextmanager
    def _raw(self) -> Iterator[Readable]:
        if self.path is None:
            yield _take_stdin()
            return
        try:
            file = self.path.open("rb")
        except PermissionError as error:
            raise AccessError(f"{self.where} may not be read.", "Check its permissions.") from error
        except FileNotFoundError as error:
            raise NotFoundError(f"{self.where} is no longer there.", "Give the path of a corpus.") from error
        with file:
            yield file


class _Once:
    """Standard input, and whether it was read."""

    taken: Any = None


def _take_stdin() -> Readable:
    if sys.stdin is None:
        raise GeoprobeError("Standard input is closed.", "Give it something to read, or name a file.")
    if _Once.taken is sys.stdin:
        raise GeoprobeError(
            "Standard input was read already, and can be read once.", "Save it to a file to use it again."
        )
    _Once.taken = sys.stdin
    return sys.stdin.buffer


def decoded(stream: Readable, where: str) -> Iterator[str]:
    """A stream's text, block by block; a byte that is not UTF-8, or NUL, is an error with its place."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    before = 0
    while True:
        block = bytes(stream.read(BLOCK_BYTES))
        start = before - len(decoder.getstate()[0])
        try:
            text = decoder.decode(block, final=not block)
        except UnicodeDecodeError as error:
            raise BadDataError(
                f"{where} is not UTF-8 text: byte {start + error.start:,} is 0x{error.object[error.start]:02x}.",
                "Convert it to UTF-8, or give the file that was meant.",
            ) from error
        if (nul := text.find("\x00")) >= 0:
            raise BadDataError(
                f"{where} is not text: it holds NUL bytes, the first at byte {start + len(text[:nul].encode()):,}.",
                "Give the file that was meant.",
            )
        if text:
            yield text.removeprefix("\ufeff") if start == 0 else text
        if not block:
            return
        before += len(block)


def line_pieces(blocks: Iterable[str], longest: int) -> Iterator[tuple[str, bool]]:
    """Lines without their ends, and whether the line ends there: one longer than `longest` comes in pieces.

    Where a line is cut depends on its text alone, not on the blocks.
    """
    pending: list[str] = []
    size = 0
    for block in _newlines(blocks):
        *whole, last = block.split("\n")
        for line in whole:
            if pending:
                line = "".join([*pending, line])
                pending, size = [], 0
            while len(line) > longest:
                yield line[:longest], False
                line = line[longest:]
            yield line, True
        pending.append(last)
        size += len(last)
        if size > longest:
            rest = "".join(pending)
            while len(rest) > longest:
                yield rest[:longest], False
                rest = rest[longest:]
            pending, size = [rest], len(rest)
    if size:
        yield "".join(pending), True


def _newlines(blocks: Iterable[str]) -> Iterator[str]:
    r"""The same text with ``\n`` for ``\r\n`` and ``\r``."""
    pending = ""
    for block in blocks:
        text = pending + block
        pending = "\r" if text.endswith("\r") else ""
        text = text.removesuffix("\r")
        yield text.replace("\r\n", "\n").replace("\r", "\n") if "\r" in text else text
    if pending:
        yield "\n"


def lines(blocks: Iterable[str], where: str) -> Iterator[str]:
    """Whole lines without their ends; one longer than `LONGEST_RECORD` is an error."""
    for number, (line, ended) in enumerate(line_pieces(blocks, LONGEST_RECORD), start=1):
        if not ended:
            raise BadDataError(
                f"{where}, line {number:,}, is longer than {LONGEST_RECORD:,} characters.",
                "Give one record a line; a text without records can be named .txt.",
            )
        yield line


def joined_lines(blocks: Iterable[str], where: str) -> Iterator[str]:
    r"""Lines with ``\n`` at their ends, as the csv module takes them."""
    for line in lines(blocks, where):
        yield line + "\n"
