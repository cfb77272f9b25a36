"""The header of a GGUF file, read in one pass and never beyond the file's own size.

The `gguf` package's reader makes several numpy objects of every string, which takes seconds for a vocabulary and
allocates what a damaged file claims; its tables of types and its dequantisation are used as they are.
"""

from __future__ import annotations

import math
import mmap
import struct
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from geoprobe.errors import BadDataError

_STRING, _ARRAY = 8, 9
_SCALARS: dict[int, np.dtype[Any]] = {
    kind: np.dtype(name)
    for kind, name in {
        0: "u1", 1: "i1", 2: "<u2", 3: "<i2", 4: "<u4", 5: "<i4", 6: "<f4", 7: "?", 10: "<u8", 11: "<i8", 12: "<f8",
    }.items()
}  # fmt: skip
_VERSIONS = (2, 3)
_MAX_DIMENSIONS = 4
#: What one string or array may claim, however large the file: the largest vocabularies have under a million tokens.
_MAX_STRING_BYTES = 1 << 26
_MAX_ITEMS = 1 << 24
#: Bytes of a header: those of the largest vocabularies take 20 million.
_MAX_HEADER_BYTES = 1 << 28
_LENGTH = struct.Struct("<Q")
#: Share of what a header's rest is thought to take that is fetched at a time.
_CAUTION = 0.95


@dataclass(frozen=True)
class GgufTensor:
    """A tensor's row length first shape, its type's number, and where its bytes start in the file."""

    shape: tuple[int, ...]
    kind: int
    start: int


@dataclass(frozen=True)
class GgufHeader:
    """Metadata as plain values, and every tensor's place."""

    metadata: dict[str, Any]
    tensors: dict[str, GgufTensor]


class MoreBytes(Exception):
    """A header goes on behind the bytes that are here: `wanted` bytes from the file's start on come next.

    That is no more than the header has, as far as can be told.
    """

    def __init__(self, wanted: int) -> None:
        super().__init__(f"{wanted:,} bytes are wanted")
        self.wanted = wanted


class _Cursor:
    """A place in a file's bytes that cannot be moved beyond their end, of which only the first may be here."""

    def __init__(self, data: mmap.mmap | bytes, size: int) -> None:
        self.data, self.size, self.at = data, size, 0
        self.here = min(len(data), size)

    def take(self, count: int) -> int:
        """Step over `count` bytes and say where they start."""
        if count > self.here - self.at:
            if count > self.size - self.at:
                raise ValueError(f"{count:,} bytes are claimed at byte {self.at:,} of {self.size:,}")
            raise MoreBytes(self.at + count)
        start = self.at
        self.at += count
        return start

    def number(self, kind: str) -> Any:
        return struct.unpack_from(kind, self.data, self.take(struct.calcsize(kind)))[0]

    def string(self) -> str:
        return self.strings(1)[0]

    def strings(self, count: int) -> list[str]:
        # one loop with nothing called in it but what must be: a vocabulary and its merges are 100,000 strings and more
        data, here, at = self.data, self.here, self.at
        found: list[str] = []
        for _ in range(count):
            if here - at < 8:
                raise self._strings_go_on(at, 0, len(found), count)
            (length,) = _LENGTH.unpack_from(data, at)
            at += 8
            if length > here - at or length > _MAX_STRING_BYTES:
                raise self._strings_go_on(at, length, len(found), count)
            found.append(data[at : at + length].decode("utf-8"))
            at += length
        self.at = at
        return found

    def _strings_go_on(self, at: int, length: int, found: int, count: int) -> Exception:
        """What to raise at a string of `length` that ends beyond what is here."""
        if length > min(self.size - at, _MAX_STRING_BYTES):
            return ValueError(f"a string of {length:,} bytes is claimed at byte {at:,} of {self.size:,}")
        if length == 0 and self.size - at < 8:
            return ValueError(f"8 bytes are claimed at byte {at:,} of {self.size:,}")
        # those behind are taken to be as long as those before, or a little shorter
        behind = int((count - found - 1) * (at - self.at) / found * _CAUTION) if found else 0
        return MoreBytes(at + max(length, 8) + behind)

    def value(self, kind: int) -> Any:
        if kind == _STRING:
            return self.string()
        if kind == _ARRAY:
            inner, count = self.number("<I"), self.number("<Q")
            if count > min(_MAX_ITEMS, self.size - self.at):  # an item takes a byte at the least
                raise ValueError(f"{count:,} items are claimed at byte {self.at:,} of {self.size:,}")
            if inner == _STRING:
                return self.strings(count)
            dtype = self.scalar(inner)
            start = self.take(count * dtype.itemsize)
            return np.frombuffer(self.data, dtype, count, start).tolist()
        dtype = self.scalar(kind)
        return np.frombuffer(self.data, dtype, 1, self.take(dtype.itemsize))[0].item()

    def scalar(self, kind: int) -> np.dtype[Any]:
        if kind not in _SCALARS:
            raise ValueError(f"value type {kind} is unknown")
        return _SCALARS[kind]


def read_gguf_header(path: Path) -> GgufHeader:
    """Read a file's metadata and tensor table."""
    size = path.stat().st_size
    with path.open("rb") as file:
        check_magic(file.read(4), str(path))
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            return parse_gguf_header(data, size, str(path))


def check_magic(begin: bytes, where: str) -> None:
    """Refuse what does not begin with GGUF's four bytes."""
    if begin != b"GGUF":
        raise BadDataError(
            f"{where} is not a GGUF file: it begins with {begin!r}, not b'GGUF'.",
            "Is it another format, a Git LFS pointer, or an unfinished download?",
        )


def parse_gguf_header(data: mmap.mmap | bytes, size: int, where: str) -> GgufHeader:
    """Parse the header in a file's bytes, or in its first ones, checked against the file's whole size.

    Raises `MoreBytes` where it goes on behind these.
    """
    try:
        return _read(_Cursor(data, min(size, _MAX_HEADER_BYTES)), size)
    except (ValueError, struct.error, OverflowError, MemoryError) as error:
        raise BadDataError(f"{where} is a damaged GGUF file: {error}.", "Download it again.") from error


def _read(cursor: _Cursor, size: int) -> GgufHeader:
    cursor.take(4)
    version = cursor.number("<I")
    if version not in _VERSIONS:
        raise ValueError(f"version {version} is not one of {', '.join(map(str, _VERSIONS))} in little-endian order")
    n_tensors, n_values = cursor.number("<Q"), cursor.number("<Q")
    metadata: dict[str, Any] = {}
    for _ in range(n_values):
        key = cursor.string()
        if key in metadata:
            raise ValueError(f"the key {key[:80]!r} is there twice")
        metadata[key] = cursor.value(cursor.number("<I"))
    found: dict[str, tuple[tuple[int, ...], int, int]] = {}
    for _ in range(n_tensors):
        name, dimensions = cursor.string(), cursor.number("<I")
        if name in found:
            raise ValueError(f"the tensor {name[:80]!r} is there twice")
        if dimensions > _MAX_DIMENSIONS:
            raise ValueError(f"tensor {name!r} claims {dimensions} dimensions")
        shape = tuple(cursor.number("<Q") for _ in range(dimensions))
        if 0 in shape:
            raise ValueError(f"the tensor {name[:80]!r} has the shape {shape}, and no element")
        found[name] = (shape, cursor.number("<I"), cursor.number("<Q"))
    alignment = metadata.get("general.alignment", 32)
    if not isinstance(alignment, int) or alignment < 1:
        raise ValueError(f"general.alignment is {alignment!r}")
    begin = -(-cursor.at // alignment) * alignment
    tensors = {name: GgufTensor(shape, kind, begin + at) for name, (shape, kind, at) in found.items()}
    _check_places(tensors, size)
    return GgufHeader(metadata, tensors)


def _check_places(tensors: dict[str, GgufTensor], size: int) -> None:
    """Refuse tensors beyond the file's end or sharing bytes, as far as the sizes of their types are known."""
    from gguf import GGML_QUANT_SIZES

    sizes: dict[int, tuple[int, int]] = {int(kind): size for kind, size in GGML_QUANT_SIZES.items()}
    spans = []
    for name, tensor in tensors.items():
        block, block_bytes = sizes.get(tensor.kind, (1, 0))
        spans.append((tensor.start, tensor.start + math.prod(tensor.shape) // block * block_bytes, name))
    spans = sorted(span for span in spans if span[1] > span[0])
    for start, stop, name in spans:
        if stop > size:
            raise ValueError(f"the tensor {name[:80]!r} lies at {start:,} to {stop:,} of {size:,} bytes")
    for (_, stop, first), (start, _, second) in pairwise(spans):
        if start < stop:
            raise ValueError(f"the tensors {first[:80]!r} and {second[:80]!r} overlap at byte {start:,}")
