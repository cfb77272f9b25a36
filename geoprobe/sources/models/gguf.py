"""Rows of the matrices in a GGUF file, memory-mapped; quantised rows are dequantised as read, by the `gguf` package."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float32, Int64

from geoprobe.errors import BadDataError, NotFoundError
from geoprobe.sources.models.checkpoint import by_name
from geoprobe.sources.models.gguf_header import GgufHeader, GgufTensor, read_gguf_header

#: Types whose elements numpy knows; all others are rows of quantised blocks, mapped as bytes.
_PLAIN: dict[str, np.dtype[Any]] = {"F64": np.dtype("<f8"), "F32": np.dtype("<f4"), "F16": np.dtype("<f2")}
_SPLIT = re.compile(r"(?P<stem>.+)-(?P<number>\d{5})-of-(?P<count>\d{5})(?P<suffix>\.gguf)", re.IGNORECASE)


@dataclass(frozen=True, eq=False)
class GgufRows:
    """Rows of one matrix, memory-mapped in their quantised blocks.

    `start` is in bytes; `extent` is in stored elements (bytes, where quantised), `width` the row length d in values;
    `kind` is a ``gguf.GGMLQuantizationType``.
    """

    path: Path
    start: int
    extent: tuple[int, int]
    stored_type: np.dtype[Any]
    kind: Any
    width: int

    @property
    def stored(self) -> np.ndarray:
        """(V, extent) as stored, memory-mapped."""
        if 0 in self.extent:
            return np.empty(self.extent, dtype=self.stored_type)  # nothing can be mapped
        return np.memmap(self.path, dtype=self.stored_type, mode="r", offset=self.start, shape=self.extent)

    @property
    def shape(self) -> tuple[int, int]:
        """(V, d)."""
        return (self.extent[0], self.width)

    @property
    def dtype(self) -> str:
        """The quantisation type, such as ``Q8_0``."""
        return str(self.kind.name)

    def read(self, start: int, stop: int) -> Float32[np.ndarray, "rows d"]:
        """Rows start to stop (exclusive) in float32."""
        return self._dequantize(self.stored[start:stop])

    def take(self, indices: Int64[np.ndarray, " rows"]) -> Float32[np.ndarray, "rows d"]:
        """The rows of these indices in float32."""
        return self._dequantize(self.stored[indices])

    def _dequantize(self, blocks: np.ndarray) -> Float32[np.ndarray, "rows d"]:
        import gguf

        if len(blocks) == 0:
            return np.empty((0, self.width), dtype=np.float32)
        # what float32 cannot hold, or a damaged scale makes of it, is infinite or NaN, and said to be so in the report
        with np.errstate(over="ignore", invalid="ignore"):
            if self.kind.name in _PLAIN:
                return np.asarray(blocks, dtype=np.float32)
            return np.asarray(gguf.dequantize(blocks, self.kind), dtype=np.float32)


@dataclass(frozen=True, eq=False)
class GgufFile:
    """An opened GGUF file, or the parts of one that was split: its path is the first's."""

    path: Path
    metadata: Mapping[str, Any]
    tensors: Mapping[str, tuple[Path, GgufTensor]]

    def shapes(self) -> Mapping[str, tuple[int, ...]]:
        """Shape of every tensor, rows first."""
        return {name: tensor.shape[::-1] for name, (_, tensor) in self.tensors.items()}

    def names(self) -> frozenset[str]:
        """Name of every tensor."""
        return frozenset(self.tensors)

    def file(self, name: str) -> str:
        """The file that holds a tensor."""
        return self.tensors[name][0].name

    def rows(self, name: str) -> GgufRows:
        """A matrix, memory-mapped."""
        path, tensor = self.tensors[name]
        return gguf_rows(path, tensor, name, path, tensor.start, path.stat().st_size)

    def array(self, name: str) -> Float32[np.ndarray, "..."]:
        """A matrix whole; GGUF keeps scales inside its blocks, so nothing smaller is asked for."""
        rows = self.rows(name)
        return rows.read(0, rows.shape[0])


def gguf_rows(where: Path, tensor: GgufTensor, name: str, stored: Path, start: int, size: int) -> GgufRows:
    """Rows of a tensor of the file `where`, whose bytes begin at `start` of the file `stored`, of `size` bytes."""
    import gguf

    width, rows = tensor.shape
    try:
        kind = gguf.GGMLQuantizationType(tensor.kind)
        block, block_bytes = gguf.GGML_QUANT_SIZES[kind]
        if kind.name not in _PLAIN:
            gguf.dequantize(np.zeros((1, block_bytes), np.uint8), kind)
    except (ValueError, KeyError, NotImplementedError) as error:
        called = kind.name if isinstance(error, NotImplementedError) else tensor.kind
        raise BadDataError(
            f"{where}: tensor {name!r} has type {called}, which the gguf package cannot read.",
            "Update the gguf package, or use a file of another quantisation.",
        ) from error
    row_bytes = width // block * block_bytes
    if width % block or start + rows * row_bytes > size:
        raise BadDataError(
            f"{where} is a damaged GGUF file: its tensor {name!r} of shape {rows:,}×{width:,} does not fit.",
            "Download it again.",
        )
    dtype = _PLAIN.get(kind.name)
    if dtype is None:
        return GgufRows(stored, start, (rows, row_bytes), np.dtype(np.uint8), kind, width)
    return GgufRows(stored, start, (rows, width), dtype, kind, width)


def open_gguf(path: Path) -> GgufFile:
    """Read the header of a GGUF file, or of all parts of a split one, whichever of them is named."""
    paths = _parts(path)
    return joined(paths, [read_gguf_header(part) for part in paths])


def joined(paths: Sequence[Path], headers: Sequence[GgufHeader]) -> GgufFile:
    """A file of the headers of its parts."""
    parts = zip(paths, (header.tensors for header in headers), strict=True)
    tensors = by_name(parts, "The parts are of different files: download them again.")
    count, stated = headers[0].metadata.get("split.count", 1), headers[0].metadata.get("split.tensors.count")
    if isinstance(count, int) and count > len(paths) and stated != len(tensors):
        raise NotFoundError(
            f"{paths[0]} is one of {count} parts, and the others are not beside it under the names that llama.cpp "
            "gives.",
            f"Put all parts into one folder, named as NAME-00001-of-{count:05}.gguf.",
        )
    # only the first part holds more than its own number
    return GgufFile(paths[0], headers[0].metadata, tensors)


def is_whole_or_first(path: Path) -> bool:
    """Whether a file's name is not that of a later part of a split one."""
    matched = _SPLIT.fullmatch(path.name)
    return matched is None or int(matched["number"]) <= 1


def part_names(path: Path) -> list[Path]:
    """All parts of a split file, whichever of them is named; the file itself where its name is not a part's."""
    matched = _SPLIT.fullmatch(path.name)
    count = 0 if matched is None else int(matched["count"])
    if matched is None or not 1 <= int(matched["number"]) <= count:
        return [path]
    return [
        path.with_name(f"{matched['stem']}-{number:05}-of-{count:05}{matched['suffix']}")
        for number in range(1, count + 1)
    ]


def _parts(path: Path) -> list[Path]:
    paths = part_names(path)
    missing = [part.name for part in paths if not part.is_file()]
    if missing and len(paths) > 1:
        stem = path.name[: -len("-00001-of-00002.gguf")]
        raise NotFoundError(
            f"{path.parent} lacks {len(missing)} of the {len(paths)} parts of {stem}: {', '.join(missing[:4])}.",
            "Put all parts into one folder.",
        )
    return paths
