from pathlib import Path

import pytest

from geoprobe.errors import AccessError, GeoprobeError
from geoprobe.files import check_folder, folder_name, write_whole


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
