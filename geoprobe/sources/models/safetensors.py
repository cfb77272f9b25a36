"""Rows of a tensor in a safetensors file, memory-mapped: only the pages asked for are read.

Of the 8-bit floating-point types E4M3 is the variant of machine learning (`float8_e4m3fn`): no infinities, and one bit
pattern of each sign for NaN. E5M2 is an IEEE type cut short.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float32, Int64

from geoprobe.errors import BadDataError
from geoprobe.sources.models.safetensors_header import TensorEntry


def _values(exponent_bits: int, mantissa_bits: int) -> Float32[np.ndarray, " codes"]:
    code = np.arange(256)
    bias = 2 ** (exponent_bits - 1) - 1
    mantissa = (code & (2**mantissa_bits - 1)) / 2**mantissa_bits
    exponent = (code >> mantissa_bits) & (2**exponent_bits - 1)
    subnormal = exponent == 0
    magnitude = np.where(subnormal, mantissa, 1 + mantissa) * 2.0 ** (np.where(subnormal, 1, exponent) - bias)
    values: np.ndarray = np.where(code < 128, magnitude, -magnitude).astype(np.float32)
    return values


def _e4m3() -> Float32[np.ndarray, " codes"]:
    table = _values(4, 3)
    table[[0x7F, 0xFF]] = np.nan
    return table


def _e5m2() -> Float32[np.ndarray, " codes"]:
    table = _values(5, 2)
    table[[0x7C, 0xFC]] = np.inf, -np.inf
    table[[0x7D, 0x7E, 0x7F, 0xFD, 0xFE, 0xFF]] = np.nan
    return table


#: Name in a safetensors header to the float32 value of each byte.
FLOAT8_VALUES: dict[str, Float32[np.ndarray, " codes"]] = {"F8_E4M3": _e4m3(), "F8_E5M2": _e5m2()}
#: Element types that hold values, and the numpy type of their bytes.
FLOATS: dict[str, np.dtype[Any]] = {
    "F64": np.dtype("<f8"),
    "F32": np.dtype("<f4"),
    "F16": np.dtype("<f2"),
    "BF16": np.dtype("<u2"),
    **dict.fromkeys(FLOAT8_VALUES, np.dtype("u1")),
}
#: Element types that mean nothing without a scale.
INTEGERS: dict[str, np.dtype[Any]] = {"I8": np.dtype("i1"), "U8": np.dtype("u1")}
#: Element types of packed numbers, and of the rows that tokens have.
_WORDS: dict[str, np.dtype[Any]] = {"U32": np.dtype("<u4"), "I32": np.dtype("<i4"), "I64": np.dtype("<i8")}
_STORED = FLOATS | INTEGERS | _WORDS


@dataclass(frozen=True, eq=False)
class SafetensorsRows:
    """Rows of one matrix, memory-mapped."""

    path: Path
    entry: TensorEntry

    def __post_init__(self) -> None:
        if self.entry.dtype not in _STORED or len(self.entry.shape) != 2:
            raise BadDataError(
                f"{self.path}: the embedding is stored as {self.entry.dtype}, which cannot be read.",
                f"Readable types: {', '.join(FLOATS | INTEGERS)}. Use the model's unquantised checkpoint.",
            )

    @property
    def shape(self) -> tuple[int, int]:
        """(V, d)."""
        return (self.entry.shape[0], self.entry.shape[1])

    @property
    def dtype(self) -> str:
        """The stored element type."""
        return self.entry.dtype

    @property
    def stored(self) -> np.ndarray:
        """(V, d) the stored elements, memory-mapped; BF16 and F8 as their bits."""
        kind = _STORED[self.entry.dtype]
        if 0 in self.entry.shape:
            return np.empty(self.shape, dtype=kind)  # nothing can be mapped
        return np.memmap(self.path, dtype=kind, mode="r", offset=self.entry.start, shape=self.shape)

    def read(self, start: int, stop: int) -> Float32[np.ndarray, "rows d"]:
        """Rows start to stop (exclusive) in float32."""
        return to_float32(self.stored[start:stop], self.entry.dtype)

    def take(self, indices: Int64[np.ndarray, " rows"]) -> Float32[np.ndarray, "rows d"]:
        """The rows of these indices in float32."""
        return to_float32(self.stored[indices], self.entry.dtype)


def to_float32(stored: np.ndarray, dtype: str) -> Float32[np.ndarray, "..."]:
    """Stored elements as values."""
    if dtype == "BF16":
        # bfloat16 is the upper half of a float32
        return (stored.astype(np.uint32) << np.uint32(16)).view(np.float32)
    if dtype in FLOAT8_VALUES:
        return np.asarray(FLOAT8_VALUES[dtype][stored])
    with np.errstate(over="ignore"):  # what float32 cannot hold is infinite, and said to be so in the report
        return np.asarray(stored, dtype=np.float32)


def read_array(path: Path, entry: TensorEntry) -> Float32[np.ndarray, "..."]:
    """A small tensor of any shape, such as a quantised matrix's scales, in float32."""
    if entry.dtype not in _STORED:
        raise BadDataError(f"{path}: scales stored as {entry.dtype} cannot be read.", "Use an unquantised checkpoint.")
    stored = np.fromfile(path, dtype=np.uint8, count=entry.stop - entry.start, offset=entry.start)
    return to_float32(stored.view(_STORED[entry.dtype]).reshape(entry.shape), entry.dtype)
