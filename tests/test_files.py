import os
import socket
from pathlib import Path

import pytest

from geoprobe.errors import AccessError, BadDataError, GeoprobeError
from geoprobe.files import check_folder, check_not_sparse, folder_name, read_small, what_is_at, write_whole


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
