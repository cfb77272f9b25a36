"""A GGUF file of a hub repository: its header and single tensors by range, kept between runs."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from jaxtyping import Int64

from geoprobe.files import write_whole
from geoprobe.sources.models.gguf import GgufFile, GgufRows, gguf_rows, joined, part_names
from geoprobe.sources.models.gguf_header import GgufHeader, MoreBytes, check_magic, parse_gguf_header
from geoprobe.sources.models.hub import HubRepository, kept_name
from geoprobe.sources.models.hub_ranges import HubFile

#: Bytes of a header that are asked for first, and at the least each time: a vocabulary's take some millions.
_FIRST, _LEAST = 1 << 14, 1 << 13

Listener = Callable[[int, int], None] | None


@dataclass(frozen=True, eq=False)
class HubGguf(GgufFile):
    """A GGUF file on the hub, or the parts of one, of which the tensors asked for are fetched.

    `progress` is called with (bytes here, bytes in all) while one is.
    """

    repository: HubRepository | None = None
    progress: Listener = None
    _sampled: set[str] = field(default_factory=set, repr=False)

    def rows(self, name: str) -> GgufRows:
        """A matrix, all its bytes fetched first where they are not here."""
        path, tensor = self.tensors[name]
        size = self._size(name)
        kept = self._kept(name, "rows" if name in self._sampled else "bin")
        if not (kept.is_file() and kept.stat().st_size == size):
            self._seed(path, tensor.start, size, kept)
            HubFile(self._home, path.as_posix()).download(tensor.start, tensor.start + size, kept, self.progress)
        return gguf_rows(path, tensor, name, kept, 0, size)

    def fetch_rows(self, name: str, rows: Int64[np.ndarray, " n"]) -> None:
        """Fetch these rows, sorted, of a matrix: then `rows` gives it with the others as zeros."""
        whole = self._kept(name, "bin")
        if whole.is_file() and whole.stat().st_size == self._size(name):
            return
        path, tensor = self.tensors[name]
        extent = (tensor.shape[1], self.row_bytes(name))
        target = self._kept(name, "rows")
        HubFile(self._home, path.as_posix()).download_rows(tensor.start, extent, rows, target, self.progress)
        self._sampled.add(name)

    def row_bytes(self, name: str) -> int:
        """Bytes of a matrix's row."""
        return self._size(name) // max(self.tensors[name][1].shape[1], 1)

    def shape_of(self, name: str) -> tuple[int, ...]:
        """A tensor's shape."""
        return self.tensors[name][1].shape[::-1]

    @property
    def _home(self) -> HubRepository:
        assert self.repository is not None
        return self.repository

    def _size(self, name: str) -> int:
        """Bytes of a matrix."""
        path, tensor = self.tensors[name]
        rows = gguf_rows(path, tensor, name, path, tensor.start, 1 << 62)
        return rows.extent[0] * rows.extent[1] * rows.stored_type.itemsize

    def _kept(self, name: str, suffix: str) -> Path:
        path, tensor = self.tensors[name]
        whole = f"{path.as_posix()}\0{name}"
        return self._home.kept(f"{kept_name(name, whole)}.{tensor.start}.{suffix}")

    def _seed(self, path: Path, start: int, size: int, kept: Path) -> None:
        """Begin a tensor's file with what came of it behind the header."""
        part, content = kept.with_name(f"{kept.name}.part"), _kept_header(self._home, path.as_posix()).read_bytes()[8:]
        if len(content) > start and not part.exists():
            write_whole({part: content[start : start + size]})


def open_hub_gguf(repository: HubRepository, file: str, progress: Listener = None) -> HubGguf:
    """Read the header of a GGUF file on the hub, or of all parts of a split one, and nothing else of them."""
    paths = part_names(Path(file))
    whole = joined(paths, [_header(repository, path.as_posix()) for path in paths])
    return HubGguf(whole.path, whole.metadata, whole.tensors, repository, progress)


def _kept_header(repository: HubRepository, file: str) -> Path:
    return repository.kept(f"{kept_name(file, file)}.header")


def _header(repository: HubRepository, file: str) -> GgufHeader:
    """One file's header: by a few requests, or from what is kept."""
    where, kept = f"{repository.name}/{file}", _kept_header(repository, file)
    if kept.is_file():
        content = kept.read_bytes()
        with suppress(MoreBytes):  # cut by somebody: fetched anew
            return parse_gguf_header(content[8:], int.from_bytes(content[:8], "little"), where)
    remote = HubFile(repository, file)
    content, size = remote.read(0, 4)
    check_magic(content, where)
    wanted = _FIRST
    while True:
        stop = min(size, max(wanted, len(content) + _LEAST))
        content += remote.read(len(content), stop)[0]
        try:
            header = parse_gguf_header(content, size, where)
        except MoreBytes as more:
            wanted = more.wanted
            continue
        write_whole({kept: size.to_bytes(8, "little") + content})
        return header
