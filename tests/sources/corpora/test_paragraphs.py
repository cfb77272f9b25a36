import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from geoprobe.sources.corpora import Continued, corpus, open_corpus, paragraphs, streams
from geoprobe.sources.corpora.corpus import bounded


def documents(path: Path, content: str) -> list[str]:
    path.write_text(content, encoding="utf-8", newline="")
    return list(open_corpus(str(path)).documents())


@given(st.text(alphabet="ab \n\t", max_size=60), st.integers(1, 9))
def test_paragraphs_equal_a_split_at_blank_lines(
    tmp_path_factory: pytest.TempPathFactory, content: str, block: int
) -> None:
    stripped = re.sub(r"(?m)^[ \t]+$", "", content)
    expected = [part.strip("\n") for part in re.split(r"\n\n+", stripped) if part.strip("\n")]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(streams, "BLOCK_BYTES", block)
        assert documents(tmp_path_factory.getbasetemp() / "property.txt", content) == expected


@pytest.mark.parametrize("block", [7, 1000])
def test_a_long_line_is_cut_at_a_space_and_nothing_is_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, block: int
) -> None:
    for module in (corpus, paragraphs):
        monkeypatch.setattr(module, "MAX_DOCUMENT", 50)
    monkeypatch.setattr(streams, "BLOCK_BYTES", block)
    line = " ".join(f"{number:03}" for number in range(200))
    found = documents(tmp_path / "a.txt", f"short\n\n{line}\nmore\n\nshort")
    assert "".join(found) == f"short{line}\nmoreshort"
    assert max(map(len, found)) <= 50
    assert all(re.fullmatch(r"(\d{3} )+", part) for part in found[1:-2])
    assert [isinstance(part, Continued) for part in found] == [False, False, *[True] * (len(found) - 3), False]
    assert [len(part) for part in documents(tmp_path / "a.txt", "x" * 120)] == [50, 50, 20]


@given(st.text(alphabet="ab ", max_size=80))
def test_records_are_cut_as_text_is(content: str) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(corpus, "MAX_DOCUMENT", 10)
        found = list(bounded([content]))
    assert "".join(found) == content
    assert max(map(len, found)) <= 10
    assert [isinstance(part, Continued) for part in found] == [False] + [True] * (len(found) - 1)
