"""Files: what is at a path that a user gave, and files written whole or not at all."""

from __future__ import annotations

import os
import signal
import stat
import sys
import tempfile
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any, Literal

from geoprobe.errors import AccessError, GeoprobeError

if sys.platform != "win32":
    import fcntl

__all__ = ["alone", "check_folder", "folder_name", "given_path", "shown_name", "what_is_at", "write_whole"]

_OTHER = "Choose another folder by --out."
_SIGNALS = (signal.SIGINT, signal.SIGTERM)


def given_path(name: str | Path) -> Path:
    """A path as a user wrote it, with the home folder in place of ``~`` where there is such a user."""
    try:
        return Path(name).expanduser()
    except RuntimeError:
        return Path(name)


def shown_name(name: str) -> str:
    """A file's name as text, the same on a system of any encoding: bytes that are no UTF-8 as their escapes."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")


def folder_name(model: str) -> str:
    """A folder's name for what a user calls a model: nothing that a path could be made of, no longer than a name."""
    kept = "".join(c if c.isalnum() or c in "-_." else "--" for c in model)
    return kept.encode()[-200:].decode(errors="ignore").strip(".") or "model"


def what_is_at(path: Path) -> Literal["file", "folder", "nothing"]:
    """What a path leads to: nothing where there could be none, such as under a name too long for a file.

    Raises
    ------
    AccessError
        When a folder on the way may not be looked into.
    """
    try:
        mode = path.stat().st_mode
    except PermissionError as error:
        raise AccessError(f"{path} may not be read.", "Check the permissions of the folders that hold it.") from error
    except (OSError, ValueError):  # a NUL in a name is a ValueError
        return "nothing"
    return "folder" if stat.S_ISDIR(mode) else "file"


def check_folder(folder: Path) -> None:
    """Refuse a folder that could not be written in, before the work whose result is to go there; makes nothing.

    Raises
    ------
    AccessError
        When it, or the folder that it would be made in, may not be written.
    GeoprobeError
        When it is a file, or below one, or could not be made.
    """
    for place in (folder, *folder.absolute().parents):
        try:
            mode = place.stat().st_mode
        except PermissionError as error:
            raise AccessError(f"{folder} may not be written.", _OTHER) from error
        except (FileNotFoundError, NotADirectoryError):
            if place.is_symlink():
                raise GeoprobeError(f"{folder} cannot be written: {place} is a link to nothing.", _OTHER) from None
            continue
        except OSError as error:
            raise GeoprobeError(f"{folder} cannot be written: {error.strerror}.", _OTHER) from error
        if not stat.S_ISDIR(mode):
            raise GeoprobeError(f"{folder} cannot be written: {place} is a file.", _OTHER)
        if not os.access(place, os.W_OK | os.X_OK):
            raise AccessError(f"{folder} may not be written.", _OTHER)
        return


def write_whole(contents: Mapping[Path, bytes]) -> None:
    """Write files so that each path holds its old content or the new one, never a part.

    All are written under temporary names beside their targets first, and renamed when every one is complete. Ctrl-C
    waits until that is done, and so does another process that writes into the same folders, so that the files of a
    folder are of one run. Only a machine or process that is killed between two renames leaves some of each.

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
    for target in contents:
        if what_is_at(target) == "folder":
            raise GeoprobeError(f"{target} is a folder, where a file is to be written.", f"Move it away. {_OTHER}")
    pending: dict[Path, Path] = {}
    made: list[Path] = []
    with _undisturbed():
        try:
            for target, content in contents.items():
                made += _make_folder(target.parent)
                beginning = target.name.encode(errors="replace")[:100].decode(errors="ignore")  # a name is of bytes
                handle, name = tempfile.mkstemp(prefix=f".{beginning}.", dir=target.parent)
                pending[target] = Path(name)
                with os.fdopen(handle, "wb") as file:
                    file.write(content)
                    file.flush()
                    os.fsync(file.fileno())
                Path(name).chmod(0o644 & ~_umask())
            with alone(target.parent for target in contents):
                for target, part in pending.items():
                    part.replace(target)
            made.clear()
        except PermissionError as error:
            raise AccessError(f"{error.filename} may not be written.", _OTHER) from error
        except OSError as error:
            raise GeoprobeError(
                f"{error.filename or 'A report file'} cannot be written: {error.strerror}.",
                f"{_OTHER.removesuffix('.')}; what was there before is untouched.",
            ) from error
        finally:
            for part in pending.values():
                part.unlink(missing_ok=True)
            for folder in reversed(made):
                with suppress(OSError):  # another process may have put something there
                    folder.rmdir()


def _make_folder(folder: Path) -> list[Path]:
    """Make a folder and those above it; those that were not there before, the outermost first."""
    missing = [place for place in (folder, *folder.parents) if not place.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    return missing[::-1]


@contextmanager
def _undisturbed() -> Iterator[None]:
    """Hold back Ctrl-C and a request to end until the block is done."""
    held: list[int] = []
    before: dict[signal.Signals, Any] = {}
    if threading.current_thread() is threading.main_thread():  # others are not interrupted, and may not ask
        before = {each: signal.getsignal(each) for each in _SIGNALS if callable(signal.getsignal(each))}
    for each in before:
        signal.signal(each, lambda number, _: held.append(number))
    try:
        yield
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)
        if held:
            signal.raise_signal(held[0])


@contextmanager
def alone(places: Iterable[Path]) -> Iterator[None]:
    """Wait for others that hold one of these folders or files, and hold them; a file that is not there is made."""
    with ExitStack() as stack:
        if sys.platform != "win32":
            for place in sorted(set(places)):  # in one order, so that no two wait for each other
                with suppress(OSError):  # a file system without locks, or a folder that may be written and not read
                    handle = os.open(place, os.O_RDONLY | (0 if place.is_dir() else os.O_CREAT), 0o644)
                    stack.callback(os.close, handle)
                    fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def _umask() -> int:
    current = os.umask(0)
    os.umask(current)
    return current
