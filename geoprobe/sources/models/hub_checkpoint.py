"""The safetensors of a hub repository: headers and single tensors by range, kept between runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
from jaxtyping import Float32, Int64

from geoprobe.errors import BadDataError
from geoprobe.files import write_whole
from geoprobe.sources.models.architectures import embedding_by_name
from geoprobe.sources.models.checkpoint import INDEX, weight_map
from geoprobe.sources.models.hub import HubRepository, kept_name
from geoprobe.sources.models.hub_ranges import HubFile
from geoprobe.sources.models.safetensors import SafetensorsRows, read_array
from geoprobe.sources.models.safetensors_header import TensorEntry, header_length, parse_header, read_header

_SINGLE = "model.safetensors"


@dataclass(frozen=True, eq=False)
class HubCheckpoint:
    """A hub repository's tensors, of which those asked for are fetched.

    The shard of the tensor `wanted`, which the user named, has its header read. `progress` is called with (bytes here,
    bytes in all) while a tensor is fetched.
    """

    repository: HubRepository
    wanted: str | None = None
    progress: Callable[[int, int], None] | None = None
    _headers: dict[str, dict[str, TensorEntry]] = field(default_factory=dict, repr=False)
    _sampled: set[str] = field(default_factory=set, repr=False)

    @cached_property
    def _shards(self) -> dict[str, str] | None:
        index = self.repository.small_file(INDEX)
        shards = None if index is None else weight_map(index)
        if shards is not None and _SINGLE not in shards.values() and self._there(_SINGLE):
            return None  # one whole file goes before an index that may be an old one, as in transformers
        return shards

    def names(self) -> frozenset[str]:
        """Name of every tensor, by the index."""
        return frozenset(self._header(_SINGLE) if self._shards is None else self._shards)

    def shapes(self) -> Mapping[str, tuple[int, ...]]:
        """Shapes of the shard that holds the embedding where names tell which it is, else of all shards."""
        if self._shards is None:
            files = [_SINGLE]
        else:
            known = self.wanted if self.wanted in self._shards else embedding_by_name(self._shards)
            files = sorted(set(self._shards.values())) if known is None else [self._shards[known]]
        return {name: entry.shape for file in files for name, entry in self._header(file).items()}

    def shape_of(self, name: str) -> tuple[int, ...]:
        """A tensor's shape, the header of its shard read for it where need be."""
        return self._entry(name).shape

    def row_bytes(self, name: str) -> int:
        """Bytes of a matrix's row."""
        entry = self._entry(name)
        return (entry.stop - entry.start) // max(entry.shape[0], 1)

    def file(self, name: str) -> str:
        """The file that holds a tensor."""
        return _SINGLE if self._shards is None else self._shards[name]

    def rows(self, name: str) -> SafetensorsRows:
        """A matrix, all its bytes fetched first where they are not here."""
        return SafetensorsRows(*self._whole(name))

    def array(self, name: str) -> Float32[np.ndarray, "..."]:
        """A small tensor of any shape."""
        return read_array(*self._whole(name))

    def fetch_rows(self, name: str, rows: Int64[np.ndarray, " n"]) -> None:
        """Fetch these rows, sorted, of a matrix: then `rows` gives it with the others as zeros."""
        entry = self._entry(name)
        if self._here(name, entry) is not None:
            return
        target = self._kept(name, entry, "rows")
        file = HubFile(self.repository, self.file(name))
        file.download_rows(entry.start, (entry.shape[0], self.row_bytes(name)), rows, target, self.progress)
        self._sampled.add(name)

    def _whole(self, name: str) -> tuple[Path, TensorEntry]:
        entry = self._entry(name)
        here = self._here(name, entry)
        if here is None:
            target = self._kept(name, entry, "bin")
            HubFile(self.repository, self.file(name)).download(entry.start, entry.stop, target, self.progress)
            here = target, TensorEntry(entry.dtype, entry.shape, 0, entry.stop - entry.start)
        return here

    def _here(self, name: str, entry: TensorEntry) -> tuple[Path, TensorEntry] | None:
        cached = self.repository.cached(self.file(name))
        if cached is not None:
            return cached, entry
        kept = self._kept(name, entry, "rows" if name in self._sampled else "bin")
        if kept.is_file() and kept.stat().st_size == entry.stop - entry.start:
            return kept, TensorEntry(entry.dtype, entry.shape, 0, entry.stop - entry.start)
        return None

    def _kept(self, name: str, entry: TensorEntry, suffix: str) -> Path:
        safe = kept_name(name, f"{self.file(name)}\0{name}")
        return self.repository.kept(f"{safe}.{entry.start}-{entry.stop}.{suffix}")

    def _kept_header(self, file: str) -> Path:
        return self.repository.kept(f"{kept_name(file, file)}.header")

    def _there(self, file: str) -> bool:
        return self._kept_header(file).is_file() or self.repository.has(file)

    def _entry(self, name: str) -> TensorEntry:
        header = self._header(self.file(name))
        if name not in header:
            raise BadDataError(
                f"{self.repository.name}: the index puts {name!r} into {self.file(name)}, which does not hold it.",
                "Tell the repository's owner.",
            )
        return header[name]

    def _header(self, file: str) -> dict[str, TensorEntry]:
        """One file's header: by two small requests, or from what is kept."""
        if file not in self._headers:
            cached = self.repository.cached(file)
            self._headers[file] = read_header(cached) if cached is not None else self._remote_header(file)
        return self._headers[file]

    def _remote_header(self, file: str) -> dict[str, TensorEntry]:
        where, kept = f"{self.repository.name}/{file}", self._kept_header(file)
        if not kept.is_file():
            remote = HubFile(self.repository, file)
            prefix, size = remote.read(0, 8)
            length = header_length(prefix, size, where)
            header, _ = remote.read(8, 8 + length)
            parse_header(header, size, where)  # what is damaged is not kept
            write_whole({kept: size.to_bytes(8, "little") + header})
        content = kept.read_bytes()
        return parse_header(content[8:], int.from_bytes(content[:8], "little"), where)
