"""Matrices whose rows are stored apart from their values: MLX's packed integers, and Model2Vec's shared rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float32, Int64

from geoprobe.errors import BadDataError
from geoprobe.sources.models.checkpoint import Checkpoint, StoredRows, stored_shape

_WORD_BITS = 32
#: Numbers of a table that is made of fewer stored ones.
_MAX_VALUES = 1 << 30
#: Bits of a number that fill 32 without a rest, as MLX packs them.
_BITS = (2, 4, 8)


@dataclass(frozen=True, eq=False)
class PackedRows:
    """Rows of MLX's affine quantisation: numbers of some bits, lowest first in 32, each scale x number + bias.

    Stored are (V, d x bits / 32) words, with a scale and bias for each group of columns.
    """

    rows: StoredRows
    scale: Float32[np.ndarray, "v groups"]
    bias: Float32[np.ndarray, "v groups"]
    bits: int

    @property
    def shape(self) -> tuple[int, int]:
        """(V, d)."""
        return (self.rows.shape[0], self.rows.shape[1] * _WORD_BITS // self.bits)

    @property
    def dtype(self) -> str:
        """Bits of a stored number."""
        return f"U{self.bits}"

    @property
    def stored(self) -> np.ndarray:
        """(V, words) as stored."""
        return self.rows.stored

    def read(self, start: int, stop: int) -> Float32[np.ndarray, "rows d"]:
        """Rows start to stop (exclusive) in float32."""
        return self._values(self.stored[start:stop], np.arange(start, min(stop, self.shape[0])))

    def take(self, indices: Int64[np.ndarray, " rows"]) -> Float32[np.ndarray, "rows d"]:
        """The rows of these indices in float32."""
        return self._values(self.stored[indices], indices)

    def _values(self, words: np.ndarray, indices: Int64[np.ndarray, " rows"]) -> Float32[np.ndarray, "rows d"]:
        shifts = np.arange(0, _WORD_BITS, self.bits, dtype=np.uint32)
        numbers = (np.asarray(words)[:, :, None] >> shifts) & np.uint32((1 << self.bits) - 1)
        group = self.shape[1] // self.scale.shape[1]
        grouped = numbers.reshape(len(words), -1, group).astype(np.float32)
        with np.errstate(over="ignore", invalid="ignore"):  # from a damaged scale; the report says so
            values = grouped * self.scale[indices][:, :, None] + self.bias[indices][:, :, None]
        return np.asarray(values.reshape(len(words), -1), dtype=np.float32)


@dataclass(frozen=True, eq=False)
class SharedRows:
    """Rows (n, d) that tokens share, each token with a weight of its own."""

    rows: StoredRows
    row: Int64[np.ndarray, " v"]
    weight: Float32[np.ndarray, " v"] | None

    @property
    def shape(self) -> tuple[int, int]:
        """(V, d)."""
        return (len(self.row), self.rows.shape[1])

    @property
    def dtype(self) -> str:
        """The stored element type."""
        return self.rows.dtype

    @property
    def stored(self) -> np.ndarray:
        """(V, d) as stored, a row a token."""
        stored: np.ndarray = np.asarray(self.rows.stored)[self.row]
        return stored

    def read(self, start: int, stop: int) -> Float32[np.ndarray, "rows d"]:
        """Rows start to stop (exclusive) in float32."""
        return self.take(np.arange(start, min(stop, len(self.row))))

    def take(self, indices: Int64[np.ndarray, " rows"]) -> Float32[np.ndarray, "rows d"]:
        """The rows of these indices in float32."""
        values = self.rows.take(self.row[indices])
        return values if self.weight is None else np.asarray(values * self.weight[indices, None], dtype=np.float32)


def packed_rows(
    checkpoint: Checkpoint, name: str, config: Mapping[str, Any], where: str
) -> tuple[PackedRows, str] | None:
    """MLX's rows of a matrix with scales and biases beside it, and how they are stored; None for any other."""
    described = _packing(checkpoint, name, config)
    if described is None:
        return None
    bits, group = described
    base = name.removesuffix("weight")
    rows, words = stored_shape(checkpoint, name)
    width = words * _WORD_BITS // bits if bits in _BITS else 0
    expected = (rows, width // group) if width and width % group == 0 else ()
    scale, bias = checkpoint.array(f"{base}scales"), checkpoint.array(f"{base}biases")
    if scale.shape != expected or bias.shape != expected:
        raise BadDataError(
            f"{where}: the embedding {name} is itself quantised (MLX, {bits} bits in groups of {group}), and its "
            "scales do not fit.",
            "Scan the unquantised checkpoint that it was made from, or its GGUF file.",
        )
    note = f"The embedding is stored in {bits} bits by MLX, with a scale and a bias for {group} columns of a row."
    return PackedRows(checkpoint.rows(name), scale, bias, bits), note


def _packing(checkpoint: Checkpoint, name: str, config: Mapping[str, Any]) -> tuple[int, int] | None:
    """Bits of a number and columns of a group, as the configuration states them of a matrix that MLX has packed."""
    base = name.removesuffix("weight")
    if not {f"{base}scales", f"{base}biases"} <= checkpoint.names():
        return None
    described = config.get("quantization", config.get("quantization_config"))
    described = described if isinstance(described, Mapping) else {}
    own = described.get(base.rstrip("."))
    stated = own if isinstance(own, Mapping) else described
    bits, group = stated.get("bits", 4), stated.get("group_size", 64)
    return (bits, group) if type(bits) is int and type(group) is int and bits > 0 and group > 0 else (0, 0)


def shared_rows(checkpoint: Checkpoint, name: str, rows: StoredRows) -> tuple[SharedRows, str] | None:
    """Model2Vec's rows by token, where several tokens share one; None for any other matrix."""
    if name != "embeddings" or "mapping" not in checkpoint.names():
        return None
    row = checkpoint.array("mapping").astype(np.int64)
    weight = checkpoint.array("weights") if "weights" in checkpoint.names() else None
    wrong = row.ndim != 1 or not row.size or row.min() < 0 or row.max() >= rows.shape[0]
    if wrong or (weight is not None and weight.shape != row.shape):
        raise BadDataError(
            f"The rows that {checkpoint.file(name)} gives to tokens are not rows of its {rows.shape[0]:,}.",
            "The model is damaged: download it again.",
        )
    if row.size * rows.shape[1] > _MAX_VALUES:
        raise BadDataError(
            f"{checkpoint.file(name)} gives {row.size:,} tokens rows of {rows.shape[1]:,} numbers, more than are held.",
            "No model of static vectors is so large: get it from its owner.",
        )
    note = f"{len(row):,} tokens share {rows.shape[0]:,} stored rows, each times a weight of its token."
    return SharedRows(rows, row, weight), note


def row_extent(checkpoint: Checkpoint, name: str, config: Mapping[str, Any]) -> tuple[int, int]:
    """(V, d) of a matrix as values, without reading it."""
    rows, width = stored_shape(checkpoint, name)
    if name == "embeddings" and "mapping" in checkpoint.names():
        return stored_shape(checkpoint, "mapping")[0], width
    described = _packing(checkpoint, name, config)
    return (rows, width) if described is None or not described[0] else (rows, width * _WORD_BITS // described[0])
