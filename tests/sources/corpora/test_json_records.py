import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from geoprobe.errors import BadDataError
from geoprobe.sources.corpora import json_records, streams
from geoprobe.sources.corpora.json_records import json_list
from geoprobe.sources.corpora.streams import Source

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
RECORDS = st.lists(st.text() | st.dictionaries(st.text(), VALUES, max_size=4), max_size=6)


def read(path: Path, content: str) -> list[object]:
    path.write_bytes(content.encode("utf-8", "surrogatepass"))
    return list(json_list(Source.of(path.name, path)))


@given(RECORDS, st.sampled_from([None, 1, "\t"]), st.booleans(), st.integers(1, 40))
def test_records_equal_the_standard_librarys_whatever_the_blocks(
    tmp_path_factory: pytest.TempPathFactory, records: list[object], indent: object, ascii_only: bool, block: int
) -> None:
    text = json.dumps(records, indent=indent, ensure_ascii=ascii_only)  # type: ignore[arg-type]
    if "\x00" in text or any("\ud800" <= character <= "\udfff" for character in text):
        return
    path = tmp_path_factory.getbasetemp() / "property.json"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(streams, "BLOCK_BYTES", block)
        assert read(path, text) == json.loads(text)
        assert read(path, json.dumps({"version": 1.5, "data": records, "more": [1, [2]]})) == records


@pytest.mark.parametrize("number", ["1.5", "1e+5", "-12", "0.25E-2", "12345", "true"])
def test_a_number_that_a_block_ends_in_is_read_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: str
) -> None:
    for block in range(1, 25):
        monkeypatch.setattr(streams, "BLOCK_BYTES", block)
        content = f'{{"version": {number}, "data": [{{"x": {number}}}, "a"]}}'
        assert read(tmp_path / "a.json", content) == [{"x": json.loads(number)}, "a"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('[{"text": "x"},\n{"text": y}]', r"Expecting value: line 2 column 10\."),
        ('[{"text": "x"}\n\n {"text": "y"}]', r"Expecting ',': line 3 column 2\."),
        ('[{"text": "x"}', r"Expecting ',': line 1 column 15\."),
        ('["a", "b"] "c"', r"Extra data: line 1 column 12\."),
        ('{"text": "x"}\n{"text": "y"}', r"Extra data: line 2 column 1\.\nOne JSON object a line\? Then name"),
        ('{"a" 1}', r"Expecting ':': line 1 column 6\."),
        ("{1: 2}", r"double quotes: line 1 column 3\."),
        ('["\\q"]', r"Invalid \\escape: line 1 column 3\."),
        ('["open', r"Unterminated string starting at: line 1 column 2\."),
        ("[" + "[" * 200_000, r"recursion.*line 1 column 2\."),
        ("[" + "1" * 5000 + "]", r"line 1 column 2\."),
        ("", r"Expecting value: line 1 column 1\."),
    ],
)
@pytest.mark.parametrize("block", [3, 1 << 20])
def test_a_fault_has_its_line_and_column_whatever_the_blocks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: str, message: str, block: int
) -> None:
    if len(content) < 1000:
        monkeypatch.setattr(streams, "BLOCK_BYTES", block)
    with pytest.raises(BadDataError, match=message):
        read(tmp_path / "a.json", content)


def test_what_was_read_is_let_go_and_a_record_may_be_as_long_as_is_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_records, "LONGEST_RECORD", 1000)
    held = 0

    def blocks() -> Iterator[str]:
        yield "["
        for _ in range(1000):
            yield json.dumps("x" * 100) + ","
        yield '"' + "y" * 900 + '"'
        yield ',"' + "z" * 400
        while True:
            yield "z" * 400

    reader = json_records._Reader(blocks(), "endless.json")
    items = reader.items()
    for _ in range(1000):
        assert len(next(items)) == 100
        held = max(held, len(reader._text))
    assert held < 300
    assert len(next(items)) == 900
    with pytest.raises(BadDataError, match=r"endless.json, line 1: a record is longer than 1,000 characters"):
        next(items)
