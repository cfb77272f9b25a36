import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from geoprobe import files
from geoprobe.errors import AccessError, BadDataError, GeoprobeError
from geoprobe.files import check_folder, check_not_sparse, file_lock, folder_name, read_small, what_is_at, write_whole


@pytest.mark.parametrize(
    ("name", "folder"),
    [("demo", "demo"), ("meta-llama/Llama-3", "meta-llama--Llama-3"), ("../..", "--"), ("", "model"), ("a b", "a--b")],
)
def test_a_folder_name_cannot_lead_elsewhere(name: str, folder: str) -> None:
    assert folder_name(name) == folder


@pytest.mark.parametrize("letter", ["x", "語", "😀", "/"])
def test_a_folder_name_is_no_longer_than_file_systems_take(tmp_path: Path, letter: str) -> None:
    (tmp_path / f"{folder_name(letter * 5000)}-finetune").mkdir()


def test_every_file_is_written_with_its_folders(tmp_path: Path) -> None:
    write_whole({tmp_path / "a" / "x": b"1", tmp_path / "b" / "c" / "y": b"2"})
    assert (tmp_path / "a" / "x").read_bytes() == b"1"
    assert (tmp_path / "b" / "c" / "y").read_bytes() == b"2"


@pytest.mark.parametrize("name", ["x" * 255, "語" * 85, "\udcff" * 255])
def test_a_file_may_have_as_long_a_name_as_file_systems_take(tmp_path: Path, name: str) -> None:
    write_whole({tmp_path / name: b"1"})
    assert (tmp_path / name).read_bytes() == b"1"


def test_a_failure_leaves_the_old_files_and_no_rest(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"old")
    (tmp_path / "taken").write_bytes(b"a file where a folder should be")
    with pytest.raises(GeoprobeError, match="cannot be written"):
        write_whole({tmp_path / "a": b"new", tmp_path / "taken" / "b": b"new"})
    assert (tmp_path / "a").read_bytes() == b"old"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "taken"]


def test_a_content_that_fails_to_be_written_leaves_no_rest(tmp_path: Path) -> None:
    with pytest.raises(TypeError):
        write_whole({tmp_path / "a": b"fine", tmp_path / "b": "not bytes"})  # type: ignore[dict-item]
    assert list(tmp_path.iterdir()) == []


def test_a_target_that_is_a_folder_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    with pytest.raises(GeoprobeError, match="a is a folder, where a file is to be written"):
        write_whole({tmp_path / "a": b"x"})


def test_a_folder_that_may_not_be_written_is_no_access(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied", str(tmp_path))  # root may write anywhere, so it is said here

    monkeypatch.setattr("tempfile.mkstemp", refuse)
    with pytest.raises(AccessError, match="may not be written"):
        write_whole({tmp_path / "a": b"x"})


def test_new_files_are_readable_by_others(tmp_path: Path) -> None:
    write_whole({tmp_path / "a": b"x"})
    assert (tmp_path / "a").stat().st_mode & 0o444 == 0o444


def test_a_folder_is_checked_before_anything_is_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_bytes(b"")
    check_folder(tmp_path / "new" / "deep")
    assert not (tmp_path / "new").exists()
    with pytest.raises(GeoprobeError, match="file is a file"):
        check_folder(tmp_path / "file" / "deep")
    monkeypatch.setattr("os.access", lambda *_: False)  # root may write anywhere
    with pytest.raises(AccessError, match="may not be written"):
        check_folder(tmp_path / "new")


def test_pipes_sockets_and_devices_are_no_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # a socket's name is short
    os.mkfifo("pipe")
    with socket.socket(socket.AF_UNIX) as opened:
        opened.bind("socket")
        for name, what in (("pipe", "a pipe"), ("socket", "a socket"), (os.devnull, "a device")):
            with pytest.raises(BadDataError, match=f"is {what}, and not a file"):
                what_is_at(Path(name))
            with pytest.raises(BadDataError, match=f"is {what}, and not a file"):
                read_small(Path(name), 9)


def test_links_in_a_circle_lead_to_nothing(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to(tmp_path / "b")
    (tmp_path / "b").symlink_to(tmp_path / "a")
    assert what_is_at(tmp_path / "a") == "nothing"


def test_a_small_file_is_read_to_its_bound(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"12345")
    assert read_small(tmp_path / "a", 5) == b"12345"
    with pytest.raises(BadDataError, match="has 5 bytes, and no file of its kind has over 4"):
        read_small(tmp_path / "a", 4)


def test_files_with_holes_are_refused_by_how_much_is_stored(tmp_path: Path) -> None:
    path, size = tmp_path / "a", 1 << 30
    path.write_bytes(b"begin")
    os.truncate(path, size)
    if path.stat().st_blocks * 512 > size // 2:
        pytest.skip("this file system stores holes")
    with pytest.raises(BadDataError, match="claims 1,073,741,824 bytes, of which"):
        check_not_sparse(path)
    with path.open("r+b") as file:  # a 32nd is stored, in pieces
        for place in range(0, size, size // 32):
            file.seek(place)
            file.write(bytes(range(256)) * (size // 1024 // 256))
    check_not_sparse(path)
    os.truncate(path, 1 << 20)
    check_not_sparse(path)


@pytest.mark.parametrize("kind", ["LOCK_SH", "LOCK_EX"])
def test_a_lock_that_is_never_given_back_stops_nobody(
    tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    fcntl = pytest.importorskip("fcntl")
    monkeypatch.setattr(files, "_PATIENCE", 0.1)
    with (tmp_path / ".geoprobe.lock").open("w") as held:  # as whoever may read it can
        fcntl.flock(held, getattr(fcntl, kind))
        write_whole({tmp_path / "a": b"new"})
    assert (tmp_path / "a").read_bytes() == b"new"


def test_a_lock_is_its_owners_alone(tmp_path: Path) -> None:
    with file_lock(tmp_path / "a.lock"):
        assert (tmp_path / "a.lock").stat().st_mode & 0o077 == 0
    assert not (tmp_path / "a.lock").exists()


@pytest.mark.parametrize("what", ["link", "pipe", "folder"])
def test_what_stands_in_a_locks_place_is_left_alone(tmp_path: Path, what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "_PATIENCE", 0.1)
    (tmp_path / "precious").write_bytes(b"precious")
    lock = tmp_path / "out" / ".geoprobe.lock"
    lock.parent.mkdir()
    if what == "folder":
        lock.mkdir()
    elif what == "pipe":
        os.mkfifo(lock)
    else:
        lock.symlink_to(tmp_path / "precious")
    write_whole({lock.parent / "a": b"new"})
    assert (lock.parent / "a").read_bytes() == b"new"
    assert (tmp_path / "precious").read_bytes() == b"precious"


def test_what_a_killed_process_left_is_removed_by_the_next_and_nothing_else(tmp_path: Path) -> None:
    """Killed between writing its files and putting them in place."""
    out = tmp_path / "out"
    code = (
        "import os, pathlib, signal, sys, geoprobe.files as files\n"
        "pathlib.Path.replace = lambda *_: os.kill(os.getpid(), signal.SIGKILL)\n"
        "files.write_whole({pathlib.Path(sys.argv[1]) / name: b'half' for name in ('a', 'b')})"
    )
    done = subprocess.run([sys.executable, "-c", code, str(out)], check=False, timeout=60)
    assert done.returncode == -signal.SIGKILL
    left = sorted(path.name for path in out.iterdir())
    assert len(left) == 3  # two files and the lock, whose names begin with a dot
    assert all(name.startswith(".") for name in left)
    (out / ".b.mine").write_bytes(b"mine")
    write_whole({out / "a": b"new"})
    assert sorted(path.name for path in out.iterdir()) == [".b.mine", "a"]


def test_files_of_one_who_writes_are_not_removed_where_nothing_can_be_locked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fcntl = pytest.importorskip("fcntl")
    monkeypatch.setattr(files, "_PATIENCE", 0.1)
    part = tmp_path / ".a.12345678.geoprobe-part"
    part.write_bytes(b"half")
    with (tmp_path / ".geoprobe.lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        write_whole({tmp_path / "a": b"new"})
    assert part.exists()
    write_whole({tmp_path / "a": b"new"})
    assert not part.exists()
