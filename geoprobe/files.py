"""Files written whole or not at all."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from pathlib import Path

from geoprobe.errors import AccessError, GeoprobeError

__all__ = ["check_folder", "write_whole"]


def check_folder(folder: Path) -> None:
    """Refuse a folder that could not be written in, before the work whose result is to go there; makes nothing.

    Raises
    ------
    AccessError
        When it, or the folder that it would be made in, may not be written.
    GeoprobeError
        When it is a file, or below one.
    """
    for place in (folder, *folder.absolute().parents):
        if place.is_dir():
            if not os.access(place, os.W_OK | os.X_OK):
                raise AccessError(f"{folder} may not be written.", "Choose another folder by --out.")
            return
        if os.path.lexists(place):
            raise GeoprobeError(f"{folder} cannot be written: {place} is a file.", "Choose another folder by --out.")


def write_whole(contents: Mapping[Path, bytes]) -> None:
    """Write files so that each path holds its old content or the new one, never a part.

    All are written under temporary names beside their targets first, and renamed when every one is complete.

    Parameters
    ----------
    contents : mapping of Path to bytes
        Target to content; missing folders are made.

    Raises
    ------
    AccessError
        When a folder may not be written.
    GeoprobeError
        When the disk is full, or a target is a folder.
    """
    pending: dict[Path, Path] = {}
    try:
        for target, content in contents.items():
            target.parent.mkdir(parents=True, exist_ok=True)
            handle, name = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
            pending[target] = Path(name)
            with os.fdopen(handle, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            Path(name).chmod(0o644 & ~_umask())
        for target, part in pending.items():
            part.replace(target)
    except PermissionError as error:
        raise AccessError(f"{error.filename} may not be written.", "Choose another folder by --out.") from error
    except OSError as error:
        raise GeoprobeError(
            f"{error.filename or 'A report file'} cannot be written: {error.strerror}.",
            "Choose another folder by --out; what was there before is untouched.",
        ) from error
    finally:
        for part in pending.values():
            part.unlink(missing_ok=True)


def _umask() -> int:
    current = os.umask(0)
    os.umask(current)
    return current
