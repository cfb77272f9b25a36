from pathlib import Path

import pytest

from geoprobe.errors import BadDataError
from geoprobe.sources.corpora import open_corpus


def test_a_folder_is_every_readable_file_below_it_in_order(tmp_path: Path) -> None:
    files = {
        "b.txt": "b",
        "a/z.jsonl": '{"text": "az"}',
        "a/deep/a.csv": "question\nada",
        ".git/config.txt": "hidden",
        "a/.hidden.txt": "hidden",
        "paper.pdf": "%PDF",
        "a/Makefile": "all:",
    }
    for name, content in files.items():
        (tmp_path / "corpus" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "corpus" / name).write_text(content)
    (tmp_path / "corpus" / "loop").symlink_to(tmp_path / "corpus", target_is_directory=True)
    corpus = open_corpus(str(tmp_path / "corpus"))
    assert corpus.name == "corpus"
    assert list(corpus.documents()) == ["ada", "az", "b"]
    assert [list(part()) for part in corpus.parts] == [["ada"], ["az"], ["b"]]
    assert (
        corpus.note
        == "3 files. Left out, of a kind that cannot be read: a/Makefile, paper.pdf. Left out, links to folders: loop."
    )


def test_a_fault_in_a_folder_names_the_file(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("fine")
    (tmp_path / "b.json").write_text("[")
    with pytest.raises(BadDataError, match=r"b\.json is not JSON"):
        list(open_corpus(str(tmp_path)).documents())
