"""Files: what is at a path that a user gave, and files written whole or not at all."""

from __future__ import annotations

import os
import signal
import stat
import tempfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any, Literal

from geoprobe.errors import AccessError, BadDataError, GeoprobeError

_OTHER = "Choose another folder by --out."
_SIGNALS = (signal.SIGINT, signal.SIGTERM)
#: In a folder while files are put in place there.
_LOCK = ".geoprobe.lock"
#: How temporary files' names end.
_PART = ".geoprobe-part"
#: Seconds between two looks at a lock that another process has.
_POLL = 0.01
#: Seconds after which a lock on a folder is none: what is written there takes a second.
_PATIENCE = 30.0
#: What a path may lead to that is read without end, or that waits for somebody.
_ENDLESS = {stat.S_IFIFO: "a pipe", stat.S_IFSOCK: "a socket", stat.S_IFCHR: "a device", stat.S_IFBLK: "a device"}
#: A file whose bytes are for the most part nowhere: this share at the most is stored, of more than what is little.
_STORED, _LITTLE, _MOST_EXTENTS = 1 / 64, 1 << 26, 1 << 16


def given_path(name: str | Path) -> Path:
    """A path as a user wrote it, with the home folder in place of ``~`` where there is such a user."""
    try:
        return Path(name).expanduser()
    except RuntimeError:
        return Path(name)


def escaped_name(name: str) -> str:
    """A file's name as text, the same on a system of any encoding: bytes that are no UTF-8 as their escapes."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")


def folder_name(model: str) -> str:
    """A folder's name for what a user calls a model: nothing that a path could be made of, no longer than a name."""
    kept = "".join(c if c.isalnum() or c in "-_." else "--" for c in model)
    return kept.encode()[-200:].decode(errors="ignore").strip(".") or "model"


def what_is_at(path: Path) -> Literal["file", "folder", "nothing"]:
    """What a path leads to: nothing where there could be none, such as under a name too long, or links in a circle.

    A pipe or a device, which may have no end, is an error, and a folder that may not be looked into.
    """
    try:
        mode = path.stat().st_mode
    except PermissionError as error:
        raise AccessError(f"{path} may not be read.", "Check the permissions of the folders that hold it.") from error
    except (OSError, ValueError):  # a NUL in a name is a ValueError
        return "nothing"
    if endless := _ENDLESS.get(stat.S_IFMT(mode)):
        raise BadDataError(f"{path} is {endless}, and not a file.", "Save what it gives to a file, and name that.")
    return "folder" if stat.S_ISDIR(mode) else "file"


def read_small(path: Path, limit: int) -> bytes:
    """The bytes of a file that is small, if it is what its name says: whatever it claims, at most `limit` are read."""
    check_small(path, limit)
    with path.open("rb") as file:
        return file.read(limit)


def check_small(path: Path, limit: int) -> None:
    """Refuse what is larger than a file of its kind can be, or no file."""
    if what_is_at(path) == "file" and (size := path.stat().st_size) > limit:
        raise BadDataError(
            f"{path} has {size:,} bytes, and no file of its kind has over {limit:,}.",
            "Give the file that was meant, or download it again.",
        )


def check_not_sparse(path: Path) -> None:
    """Refuse a large file that is hardly stored: read, it would take the memory that it claims.

    It is one of which less than a 64th is anywhere; file systems that do not say count as having all.
    """
    whole = path.stat()
    if whole.st_size <= _LITTLE or getattr(whole, "st_blocks", 1 << 62) * 512 > whole.st_size * _STORED:
        return
    stored = at = 0
    with path.open("rb") as file:
        for _ in range(_MOST_EXTENTS):
            try:
                start = os.lseek(file.fileno(), at, os.SEEK_DATA)
                at = os.lseek(file.fileno(), start, os.SEEK_HOLE)
            except (AttributeError, OSError):  # no such question on this system; or no data behind this place
                break
            stored += at - start
            if stored > whole.st_size * _STORED:
                return
    if at:
        raise BadDataError(
            f"{path} claims {whole.st_size:,} bytes, of which {stored:,} are stored.",
            "It was made to fill memory, or its download did not end: download it again.",
        )


def check_folder(folder: Path) -> None:
    """Refuse a folder that could not be written in, before the work whose result is to go there; makes nothing."""
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

    All are written under temporary names beside their targets first, and renamed when every one is complete. Another
    process that writes into the same folders waits until that is done, so that the files of a folder are of one run;
    Ctrl-C, or half a minute, ends the waiting, and what is being written is finished first. Only a machine or process
    that is killed between two renames leaves some of each; what one has left of its temporary files is removed. Missing
    folders are made.
    """
    for target in contents:
        if what_is_at(target) == "folder":
            raise GeoprobeError(f"{target} is a folder, where a file is to be written.", f"Move it away. {_OTHER}")
    made: list[Path] = []
    try:
        for folder in {target.parent for target in contents}:
            _make_folder(folder, made)
        with file_lock(*(target.parent / _LOCK for target in contents), patience=_PATIENCE) as locked, _uninterrupted():
            for folder in {target.parent for target in contents} if locked else ():
                _clear(folder)
            _replace(contents)
            made.clear()
    except PermissionError as error:
        raise AccessError(f"{error.filename} may not be written.", _OTHER) from error
    except OSError as error:
        raise GeoprobeError(
            f"{error.filename or 'A report file'} cannot be written: {error.strerror}.",
            f"{_OTHER.removesuffix('.')}; what was there before is untouched.",
        ) from error
    finally:
        for folder in reversed(made):
            with suppress(OSError):  # another process may have put something there
                folder.rmdir()


def _clear(folder: Path) -> None:
    """Remove the temporary files of a process that was killed: nobody else writes in this folder now."""
    for path in folder.glob(f".*{_PART}"):
        if path.is_symlink() or path.is_file():
            with suppress(OSError):  # another user's
                path.unlink()


def _replace(contents: Mapping[Path, bytes]) -> None:
    """Write every file beside its target, then put all in place."""
    pending: dict[Path, Path] = {}
    try:
        for target, content in contents.items():
            beginning = target.name.encode(errors="replace")[:100].decode(errors="ignore")  # a name is of bytes
            handle, name = tempfile.mkstemp(_PART, f".{beginning}.", target.parent)
            pending[target] = Path(name)
            with os.fdopen(handle, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            Path(name).chmod(0o644 & ~_umask())
        for target, part in pending.items():
            part.replace(target)
    finally:
        for part in pending.values():
            part.unlink(missing_ok=True)


def _make_folder(folder: Path, made: list[Path]) -> None:
    """Make a folder and those above it, and note those that were not there before, the outermost first."""
    made += reversed([place for place in (folder, *folder.parents) if not place.exists()])
    folder.mkdir(parents=True, exist_ok=True)


@contextmanager
def _uninterrupted() -> Iterator[None]:
    """Put Ctrl-C and a request to end off until the block is done."""
    received: list[int] = []
    before: dict[signal.Signals, Any] = {}
    if threading.current_thread() is threading.main_thread():  # others are not interrupted, and may not ask
        before = {number: signal.getsignal(number) for number in _SIGNALS if callable(signal.getsignal(number))}
    for number in before:
        signal.signal(number, lambda number, _: received.append(number))
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        if received:
            signal.raise_signal(received[0])


@contextmanager
def file_lock(*paths: Path, patience: float | None = None) -> Iterator[bool]:
    """Wait until no other process has any of these lock files, and have them; they are removed afterwards.

    Where files cannot be locked, nothing is, and so after `patience` seconds: whoever may read a folder could lock a
    file in it that others may open, and never let go. Those made here only their owner may open. It says whether all
    are locked.
    """
    from filelock import FileLock

    locked = 0
    with ExitStack() as stack:
        for path in sorted(set(paths)):  # in one order, so that no two wait for each other
            lock = FileLock(path, timeout=-1 if patience is None else patience, mode=0o600, poll_interval=_POLL)
            with suppress(OSError):
                lock.acquire()
                stack.callback(lock.release)
                stack.callback(_remove, path)
                locked += 1
        yield locked == len(set(paths))


def _remove(path: Path) -> None:
    """Remove a lock file before it is released: one who has opened it looks whether it is still there."""
    with suppress(OSError):
        path.unlink()


def _umask() -> int:
    current = os.umask(0)
    os.umask(current)
    return current
