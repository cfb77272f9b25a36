"""The header of a safetensors file: where each tensor's bytes are.

It is parsed here and not by the `safetensors` library, which gives numpy no bfloat16 and no byte offsets: the former is
most models' type, the latter are what a range request to the hub needs. Whatever a header claims is checked against the
file's size before anything is allocated for it.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from geoprobe.errors import BadDataError

#: Bits of an element of each type that the format knows.
BITS: dict[str, int] = {
    "BOOL": 8, "U8": 8, "I8": 8, "F8_E4M3": 8, "F8_E5M2": 8, "F8_E8M0": 8, "F4": 4, "F6_E2M3": 6, "F6_E3M2": 6,
    "U16": 16, "I16": 16, "F16": 16, "BF16": 16, "U32": 32, "I32": 32, "F32": 32, "U64": 64, "I64": 64, "F64": 64,
    "C64": 64,
}  # fmt: skip
#: The format's own bound on a header, so that a lying length cannot allocate more.
MAX_HEADER_BYTES = 100_000_000
_MAX_DIMENSIONS = 16


@dataclass(frozen=True)
class TensorEntry:
    """One tensor of a file: element type, shape and the bytes it occupies, from the start of the file."""

    dtype: str
    shape: tuple[int, ...]
    start: int
    stop: int


def read_header(path: Path) -> dict[str, TensorEntry]:
    """Read the header of a local file."""
    size = path.stat().st_size
    with path.open("rb") as file:
        prefix = file.read(8)
        length = header_length(prefix, size, str(path))
        header = file.read(length)
    return parse_header(header, size, str(path))


def header_length(prefix: bytes, size: int, where: str) -> int:
    """The header's length from a file's first 8 bytes, checked against the file's size."""
    length = int.from_bytes(prefix, "little") if len(prefix) == 8 else -1
    if not 2 <= length <= min(size - 8, MAX_HEADER_BYTES):
        raise BadDataError(
            f"{where} is not a safetensors file: its first 8 bytes give a header of {length:,} bytes, "
            f"the file has {size:,}.",
            "Is it another format, a Git LFS pointer, or an unfinished download?",
        )
    return length


def parse_header(header: bytes, size: int, where: str) -> dict[str, TensorEntry]:
    """Parse the JSON header, checking that each tensor fills its shape, lies in the file and overlaps no other."""
    begin = 8 + len(header)
    try:
        raw = json.loads(header, object_pairs_hook=_without_duplicates)
        entries = {name: _entry(value, begin) for name, value in raw.items() if name != "__metadata__"}
    except (ValueError, TypeError, KeyError, IndexError, AttributeError, OverflowError, RecursionError) as error:
        raise BadDataError(
            f"{where} has a header that is not the JSON of a safetensors file ({error}).",
            "Download the file again.",
        ) from error
    for name, entry in entries.items():
        _check_entry(name, entry, begin=begin, size=size, where=where)
    _check_overlaps(entries, where)
    return entries


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    mapping = dict(pairs)
    if len(mapping) < len(pairs):
        (twice, _), *_ = Counter(name for name, _ in pairs).most_common(1)
        raise ValueError(f"{twice!r} is there twice")
    return mapping


def _entry(value: Any, begin: int) -> TensorEntry:
    shape, offsets = value["shape"], value["data_offsets"]
    numbers = [*shape, *offsets]
    if len(offsets) != 2 or len(shape) > _MAX_DIMENSIONS or not all(map(_is_size, numbers)):
        raise ValueError(f"a shape and two offsets cannot be {shape!r} and {offsets!r}"[:200])
    return TensorEntry(str(value["dtype"]), tuple(shape), begin + offsets[0], begin + offsets[1])


def _is_size(number: Any) -> bool:
    return type(number) is int and abs(number) < 1 << 63


def _check_entry(name: str, entry: TensorEntry, *, begin: int, size: int, where: str) -> None:
    if not begin <= entry.start <= entry.stop <= size:
        raise BadDataError(
            f"{where} ends at byte {size:,}, but its tensor {name!r} lies at {entry.start:,} to {entry.stop:,}.",
            "The file is truncated: download it again.",
        )
    bits = BITS.get(entry.dtype)
    if bits is not None and (
        min(entry.shape, default=0) < 0 or math.prod(entry.shape) * bits != (entry.stop - entry.start) * 8
    ):
        raise BadDataError(
            f"{where}: tensor {name!r} of shape {entry.shape} and type {entry.dtype} cannot fill "
            f"{entry.stop - entry.start:,} bytes.",
            "The header is damaged: download the file again.",
        )


def _check_overlaps(entries: dict[str, TensorEntry], where: str) -> None:
    filled = sorted(((entry.start, entry.stop, name) for name, entry in entries.items() if entry.stop > entry.start))
    for (_, stop, first), (start, _, second) in pairwise(filled):
        if start < stop:
            raise BadDataError(
                f"{where}: its tensors {first!r} and {second!r} overlap at byte {start:,}.",
                "The header is damaged: download the file again.",
            )
