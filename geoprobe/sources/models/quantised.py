"""Quantised checkpoints: what their embedding is stored as, and its values.

Most schemes leave the embedding as it was. Where one does not, a matrix of 8-bit numbers has its scales in a tensor
beside it: one number, one a row, one a group of columns or one a block of both.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float32, Int64

from geoprobe.errors import BadDataError
from geoprobe.sources.models.checkpoint import Checkpoint, StoredRows
from geoprobe.sources.models.grouped import packed_rows, shared_rows
from geoprobe.sources.models.safetensors import FLOAT8_VALUES, INTEGERS

#: Ends of scales' names beside ``….weight``, and what the stored number times the scale is divided by.
_SCALES: dict[str, float] = {
    "weight_scale": 1.0,  # compressed-tensors, fbgemm, ModelOpt
    "weight_scale_inv": 1.0,  # DeepSeek's FP8: the name notwithstanding, a factor
    "SCB": 127.0,  # bitsandbytes' 8 bits: the largest magnitude of each row
}
_ZERO_POINT = "weight_zero_point"
#: Types of numbers that scales are for; one of more bits is a value by itself, whatever is beside it.
_SCALED = frozenset((*INTEGERS, *FLOAT8_VALUES))
#: Ends that only a packed matrix has, and whose they are.
_PACKED = {
    "qweight": "GPTQ or AWQ",
    "weight_packed": "compressed-tensors, packed",
    "weight.absmax": "bitsandbytes, 4 bits",
    "weight._data": "quanto",
    "scales": "MLX",
}


@dataclass(frozen=True, eq=False)
class ScaledRows:
    """Rows of a quantised matrix of 8-bit numbers: (stored - zero) x scale, by blocks."""

    rows: StoredRows
    scale: Float32[np.ndarray, "r c"]
    zero: Float32[np.ndarray, "r c"] | None
    block: tuple[int, int]

    @property
    def shape(self) -> tuple[int, int]:
        """(V, d)."""
        return self.rows.shape

    @property
    def dtype(self) -> str:
        """The stored element type."""
        return self.rows.dtype

    @property
    def stored(self) -> np.ndarray:
        """(V, d) the stored elements, memory-mapped."""
        return self.rows.stored

    def read(self, start: int, stop: int) -> Float32[np.ndarray, "rows d"]:
        """Rows start to stop (exclusive) in float32."""
        values = self.rows.read(start, stop)
        return self._scaled(values, np.arange(start, start + len(values)))

    def take(self, indices: Int64[np.ndarray, " rows"]) -> Float32[np.ndarray, "rows d"]:
        """The rows of these indices in float32."""
        return self._scaled(self.rows.take(indices), indices)

    def _scaled(
        self, values: Float32[np.ndarray, "rows d"], indices: Int64[np.ndarray, " rows"]
    ) -> Float32[np.ndarray, "rows d"]:
        with np.errstate(over="ignore", invalid="ignore"):  # from a damaged scale; the report says so
            if self.zero is not None:
                values = values - self._spread(self.zero, indices)
            return np.asarray(values * self._spread(self.scale, indices), dtype=np.float32)

    def _spread(
        self, of: Float32[np.ndarray, "r c"], indices: Int64[np.ndarray, " rows"]
    ) -> Float32[np.ndarray, "..."]:
        mine = of[indices // self.block[0]]
        return mine if of.shape[1] == 1 else np.repeat(mine, self.block[1], axis=1)[:, : self.shape[1]]


def scheme(config: Mapping[str, Any]) -> str | None:
    """What a configuration says of quantisation, such as ``gptq, 4 bits``; None for a checkpoint that is not."""
    described = config.get("quantization_config", config.get("quantization"))
    if not isinstance(described, Mapping):
        return None
    method = str(described.get("quant_method", described.get("quant_algo", "unnamed method")))
    flags = [f"{bits} bits" for bits in (4, 8) if described.get(f"load_in_{bits}bit") is True]
    bits = described.get("bits", described.get("w_bit"))
    return ", ".join([method, *([f"{bits} bits"] if bits is not None else flags)])


def refuse_packed(names: frozenset[str], config: Mapping[str, Any], where: str) -> None:
    """Say so where the embedding is there in a packed form only."""
    for name in sorted(names):
        for end, method in _PACKED.items():
            if name.endswith(f".{end}") and "embed" in name and f"{name.removesuffix(end)}weight" not in names:
                raise _unreadable(where, name, "packed", scheme(config) or method)


def dequantised(
    checkpoint: Checkpoint, name: str, config: Mapping[str, Any], where: str
) -> tuple[StoredRows, tuple[str, ...]]:
    """Open a matrix as values, applying its scales where it has any, with notes of how the checkpoint is quantised."""
    base, stated = name.removesuffix("weight"), scheme(config)
    by_mlx = packed_rows(checkpoint, name, config, where)
    if by_mlx is not None:
        return by_mlx[0], (by_mlx[1],)
    for packed, method in _PACKED.items():
        if f"{base}{packed}" in checkpoint.names():
            raise _unreadable(where, name, "packed", stated or method)
    rows = checkpoint.rows(name)
    shared = shared_rows(checkpoint, name, rows)
    if shared is not None:
        return shared[0], (shared[1],)
    if rows.dtype in ("U32", "I32", "I64"):
        raise _unreadable(where, name, rows.dtype, stated or "no scheme is stated")
    end = next((end for end in _SCALES if f"{base}{end}" in checkpoint.names()), None)
    if end is not None and rows.dtype in _SCALED:
        return _scaled(checkpoint, rows, base, end, config, where)
    if rows.dtype in INTEGERS:
        raise _unreadable(where, name, rows.dtype, stated or "no scheme is stated, and there are no scales beside it")
    notes = []
    if end is not None:
        notes.append(f"The embedding is stored as {rows.dtype}, and {base}{end} beside it is not applied.")
    if stated is not None:
        notes.append(f"The checkpoint is quantised ({stated}); its embedding is not: it is stored as {rows.dtype}.")
    return rows, tuple(notes)


def _scaled(
    checkpoint: Checkpoint, rows: StoredRows, base: str, end: str, config: Mapping[str, Any], where: str
) -> tuple[ScaledRows, tuple[str, ...]]:
    companion, zero = f"{base}{end}", f"{base}{_ZERO_POINT}"
    scale = _matrix(checkpoint.array(companion), rows.shape, where, companion) / np.float32(_SCALES[end])
    zeros = _matrix(checkpoint.array(zero), scale.shape, where, zero) if zero in checkpoint.names() else None
    if zeros is not None and zeros.shape != scale.shape:
        raise BadDataError(
            f"{where}: {zero} of shape {zeros.shape} is not of {companion}'s, {scale.shape}.",
            "The checkpoint is damaged: download it again.",
        )
    block = _block(scale.shape, rows.shape, config, where, companion)
    note = f"The embedding is stored as {rows.dtype} and multiplied by {companion}, one for {_words(block)}."
    return ScaledRows(rows, scale, zeros, block), (note,)


def _matrix(values: np.ndarray, shape: tuple[int, int], where: str, name: str) -> Float32[np.ndarray, "r c"]:
    if values.ndim > 2 or values.size == 0:
        raise BadDataError(f"{where}: {name} of shape {values.shape} cannot scale {shape}.", "Use another checkpoint.")
    # one number a tensor, or one a row
    return np.ascontiguousarray(values.reshape(1, 1) if values.size == 1 else values.reshape(len(values), -1))


def _block(
    scales: tuple[int, ...], shape: tuple[int, int], config: Mapping[str, Any], where: str, name: str
) -> tuple[int, int]:
    described = config.get("quantization_config")
    stated = described.get("weight_block_size") if isinstance(described, Mapping) else None
    stated = stated if isinstance(stated, list) and len(stated) == 2 else [None, None]
    rows, columns = map(_side, scales, shape, stated)
    if rows is None or columns is None:
        raise BadDataError(
            f"{where}: {name} of shape {scales[0]}×{scales[1]} cannot scale {shape[0]:,}×{shape[1]:,}.",
            "The checkpoint is damaged, or of a scheme unknown here: use an unquantised one.",
        )
    return rows, columns


def _side(parts: int, extent: int, stated: object) -> int | None:
    """How many rows or columns share a scale: what is stated, else what divides evenly, else FP8's customary 128."""
    if parts == extent or parts == 1:
        return extent // parts
    even = extent // parts if extent % parts == 0 else 128
    return next((s for s in (stated, even) if isinstance(s, int) and s > 0 and -(-extent // s) == parts), None)


def _words(block: tuple[int, int]) -> str:
    return f"{block[0]:,} row{'s' * (block[0] > 1)} of {block[1]:,} columns"


def _unreadable(where: str, name: str, stored: str, method: str) -> BadDataError:
    return BadDataError(
        f"{where}: the embedding {name} is itself quantised ({stored}; {method}), in a form that cannot be read.",
        "Scan the unquantised checkpoint that it was made from, or its GGUF file.",
    )
