"""Whether files are still those that were opened: a report must not have one file's hash and another one's numbers."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from geoprobe.errors import BadDataError


@dataclass(frozen=True)
class FileStates:
    """Files and what told each from another when it was looked at: device, inode, size and time of change."""

    states: tuple[tuple[Path, tuple[int, ...] | None], ...]

    @classmethod
    def of(cls, paths: Iterable[Path]) -> FileStates:
        """As they are now; the time at which a state was read is not among what is compared."""
        return cls(tuple((path, _state(path)) for path in paths))

    def check(self) -> None:
        """Refuse what was read of files that have been written or replaced since."""
        for path, before in self.states:
            if _state(path) != before:
                raise BadDataError(
                    f"{path} was changed or replaced while it was read.", "Wait until it is whole, and scan it again."
                )


def _state(path: Path) -> tuple[int, ...] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns
