"""Checkpoints that are whole: one counts only once everything in it is on the disk."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

__all__ = ["clear_checkpoints", "last_checkpoint", "seal"]

_MARK = "complete"


def seal(checkpoint: Path) -> None:
    """Say that a checkpoint is whole, after all its files have reached the disk."""
    for path in sorted(checkpoint.rglob("*")):
        if path.is_file():
            _flush(path)
    mark = checkpoint / _MARK
    mark.touch()
    _flush(mark)
    _flush(checkpoint)


def last_checkpoint(folder: Path) -> Path | None:
    """The last whole checkpoint in a run's folder; what was being written when a run was killed is passed over."""
    whole = [path for path in folder.glob("checkpoint-*") if (path / _MARK).is_file()]
    return max(whole, key=lambda path: int(path.name.rpartition("-")[2]), default=None)


def clear_checkpoints(folder: Path) -> None:
    """Remove a finished run's checkpoints: its adapter is saved."""
    for path in folder.glob("checkpoint-*"):
        shutil.rmtree(path)


def _flush(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
