"""Named tensors of a model, wherever they are stored, opened without being read."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol, TypeVar, runtime_checkable

import numpy as np
from jaxtyping import Bool, Float32, Int64

from geoprobe.data import BLOCK_ROWS, Rows
from geoprobe.errors import BadDataError, NotFoundError
from geoprobe.files import read_small, what_is_at
from geoprobe.sources.models.safetensors import SafetensorsRows, read_array
from geoprobe.sources.models.safetensors_header import TensorEntry, read_header

T = TypeVar("T")

INDEX = "model.safetensors.index.json"
#: Bytes of the largest configuration or index: that of a model of 60,000 tensors takes 20 million.
_LARGEST_JSON = 1 << 26
#: Bytes of a file's name that file systems take.
_LONGEST_NAME = 255


@runtime_checkable
class StoredRows(Rows, Protocol):
    """Rows that can also be had as stored, for their digest."""

    @property
    def stored(self) -> np.ndarray:
        """(V, ...) the stored elements, not read until indexed; behind those of V, others that these are made of."""


@runtime_checkable
class Checkpoint(Protocol):
    """A model's tensors by name."""

    def shapes(self) -> Mapping[str, tuple[int, ...]]:
        """Shape of every tensor known; of a sharded hub model, those of the shards looked at."""

    def names(self) -> frozenset[str]:
        """Name of every tensor there is."""

    def file(self, name: str) -> str:
        """The file that holds a tensor."""

    def rows(self, name: str) -> StoredRows:
        """A matrix, its rows not yet read."""

    def array(self, name: str) -> Float32[np.ndarray, "..."]:
        """A small tensor of any shape."""


@runtime_checkable
class RemoteCheckpoint(Checkpoint, Protocol):
    """Tensors that are elsewhere: what is asked for is fetched."""

    def fetch_rows(self, name: str, rows: Int64[np.ndarray, " n"]) -> None:
        """Fetch these rows, sorted, of a matrix: then `rows` gives it with the others as zeros."""

    def row_bytes(self, name: str) -> int:
        """Bytes of a matrix's row."""

    def shape_of(self, name: str) -> tuple[int, ...]:
        """A tensor's shape, asked for where need be."""


def stored_shape(checkpoint: Checkpoint, name: str) -> tuple[int, ...]:
    """A tensor's shape, asked for where need be."""
    return checkpoint.shape_of(name) if isinstance(checkpoint, RemoteCheckpoint) else checkpoint.shapes()[name]


@dataclass(frozen=True)
class SafetensorsFiles:
    """The safetensors files of a local checkpoint; no tensor may be in two of them."""

    paths: tuple[Path, ...]

    @cached_property
    def _entries(self) -> dict[str, tuple[Path, TensorEntry]]:
        return by_name((path, read_header(path)) for path in self.paths)

    def shapes(self) -> Mapping[str, tuple[int, ...]]:
        """Shape of every tensor."""
        return {name: entry.shape for name, (_, entry) in self._entries.items()}

    def names(self) -> frozenset[str]:
        """Name of every tensor."""
        return frozenset(self._entries)

    def file(self, name: str) -> str:
        """The file that holds a tensor."""
        return self._entries[name][0].name

    def rows(self, name: str) -> SafetensorsRows:
        """A matrix, memory-mapped."""
        return SafetensorsRows(*self._entries[name])

    def array(self, name: str) -> Float32[np.ndarray, "..."]:
        """A small tensor of any shape."""
        return read_array(*self._entries[name])


def by_name(
    files: Iterable[tuple[Path, Mapping[str, T]]],
    hint: str = "Name one of the files instead of the folder, or remove the other.",
) -> dict[str, tuple[Path, T]]:
    """Every tensor of some files with the file that holds it; one that is in two of them is an error."""
    found: dict[str, tuple[Path, T]] = {}
    for path, tensors in files:
        for name, tensor in tensors.items():
            if name in found:
                raise BadDataError(f"The tensor {name!r} is in both {found[name][0].name} and {path.name}.", hint)
            found[name] = (path, tensor)
    return found


def shard_files(folder: Path, single: str) -> list[Path]:
    """The weight files of a folder by their standard names, as in transformers: none where it has no such files.

    One whole file goes before an index that does not name it and may be an old one.
    """
    index, whole = folder / f"{single}.index.json", folder / single
    if not index.is_file():
        return [whole] if whole.is_file() else []
    paths = [folder / file for file in sorted(set(weight_map(index).values()))]
    if whole.is_file() and whole not in paths:
        return [whole]
    missing = [path.name for path in paths if not path.is_file()]
    if missing:
        raise NotFoundError(
            f"{folder} lacks {len(missing)} of the {len(paths)} files its index names: {', '.join(missing[:4])}.",
            "Download the missing shards.",
        )
    return paths


def weight_map(index: Path) -> dict[str, str]:
    """Tensor name to file name, from an index; one that names a file outside its folder is an error."""
    mapping = read_json(index).get("weight_map")
    if not isinstance(mapping, dict) or not all(isinstance(file, str) for file in mapping.values()):
        raise BadDataError(f"{index} is damaged: it has no weight_map of names to files.", "Download the index again.")
    for file in mapping.values():
        if not _is_file_name(file):
            raise BadDataError(
                f"{index} names the file {file[:100]!r}, which is not in its folder.",
                "An honest index names files beside it: get the model from its owner.",
            )
    return mapping


def _is_file_name(name: str) -> bool:
    try:
        fits = len(os.fsencode(name)) <= _LONGEST_NAME
    except UnicodeEncodeError:  # a lone surrogate
        return False
    return fits and name not in ("", ".", "..") and not any(character in name for character in "\0/\\")


def read_json(path: Path) -> dict[str, Any]:
    """The object in a small JSON file; an empty one where there is no file."""
    if what_is_at(path) != "file":
        return {}
    try:
        config = json.loads(read_small(path, _LARGEST_JSON).decode("utf-8"))
    except BadDataError:
        raise
    except (ValueError, RecursionError) as error:
        raise BadDataError(f"{path} is not JSON: {error}.", "Download the file again.") from error
    if not isinstance(config, dict):
        raise BadDataError(f"{path} holds {type(config).__name__}, not an object.", "Download the file again.")
    return config


def digest(rows: StoredRows, at_hand: Bool[np.ndarray, " v"] | None = None) -> str:
    """SHA-256 of a matrix's bytes as stored, or of those rows that are at hand."""
    found = hashlib.sha256()
    stored = rows.stored if at_hand is None else rows.stored[: len(at_hand)]
    for start in range(0, len(stored), BLOCK_ROWS):
        block = stored[start : start + BLOCK_ROWS]
        chosen = block if at_hand is None else block[at_hand[start : start + BLOCK_ROWS]]
        found.update(np.ascontiguousarray(chosen).reshape(-1).view(np.uint8).data)  # where they are, and not a copy
    return found.hexdigest()
