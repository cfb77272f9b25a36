import json
from pathlib import Path

import pytest

from geoprobe.errors import BadDataError, GeoprobeError, NotFoundError, UsageError
from geoprobe.sources.corpora import open_corpus
from geoprobe.sources.corpora.readers import file_records


def documents(path: Path | str, field: str | None = None) -> list[str]:
    return list(open_corpus(str(path), field=field).documents())


def write(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def parquet(path: Path, **columns: list[object]) -> Path:
    import pyarrow as pa
    from pyarrow import parquet as pq

    pq.write_table(pa.table(columns), path)
    return path


RECORDS = [{"instruction": "One?", "answer": "1"}, {"instruction": "Two?", "answer": "2"}]


def test_every_format_gives_the_same_documents(tmp_path: Path) -> None:
    files = [
        write(tmp_path / "a.txt", "One?\n\n\nTwo?\n"),
        write(tmp_path / "a.json", json.dumps(RECORDS)),
        write(tmp_path / "b.json", json.dumps({"data": RECORDS})),
        write(tmp_path / "c.json", json.dumps(["One?", "Two?"])),
        write(tmp_path / "a.jsonl", "\n".join(map(json.dumps, RECORDS)) + "\n\n"),
        write(tmp_path / "a.csv", "answer,instruction\n1,One?\n2,Two?\n"),
        write(tmp_path / "a.tsv", "answer\tinstruction\n1\tOne?\n2\tTwo?\n"),
        parquet(tmp_path / "a.parquet", instruction=["One?", "Two?"], answer=["1", "2"]),
    ]
    for file in files:
        assert documents(file) == ["One?", "Two?"], file


def test_a_byte_order_mark_is_no_text(tmp_path: Path) -> None:
    assert documents(write(tmp_path / "a.txt", b"\xef\xbb\xbfOne?")) == ["One?"]


def test_paragraphs_keep_their_lines(tmp_path: Path) -> None:
    assert documents(write(tmp_path / "a.md", "a\nb\n \n\nc")) == ["a\nb", "c"]


def test_the_first_known_field_is_taken_and_another_on_demand(tmp_path: Path) -> None:
    record = {"prompt": "p", "text": "t", "body": "b"}
    path = write(tmp_path / "a.json", json.dumps([record]))
    assert documents(path) == ["t"]
    assert documents(path, "body") == ["b"]


def test_empty_records_are_left_out(tmp_path: Path) -> None:
    path = write(tmp_path / "a.json", json.dumps([{"text": ""}, {"text": None}, {"text": "x"}]))
    assert documents(path) == ["x"]


def test_lone_surrogates_become_replacement_characters(tmp_path: Path) -> None:
    assert documents(write(tmp_path / "a.json", '[{"text": "a\\ud800b"}]')) == ["a\ufffdb"]


def test_python_docs_are_the_same_english_each_time() -> None:
    first = documents("python-docs")
    assert first == documents("python-docs")
    assert len(first) > 50
    assert sum(map(len, first)) > 300_000
    assert "CPython" in open_corpus("python-docs").note


def test_the_name_of_a_file_shows_its_folder_and_no_more(tmp_path: Path) -> None:
    folder = tmp_path / "gsm8k"
    folder.mkdir()
    assert open_corpus(str(write(folder / "test.json", "[]"))).name == "gsm8k/test.json"


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.json", "{", r"a.json is not JSON: .*line 1 column 2"),
        ("a.json", "3", "holds int, not a list"),
        ("a.json", "[1]", "not a list of objects or strings"),
        ("a.json", "[" * 100_000, "is not JSON"),
        ("a.json", '[{"body": "x"}]', "none of the fields instruction, question, text, prompt; it has body"),
        ("a.json", '[{"text": "x"}, {"body": "y"}]', "record 2 has no field 'text'; it has body"),
        ("a.json", '[{"text": 3}]', "field 'text' of record 1 holds int, not text"),
        ("a.jsonl", '{"text": "x"}\n{"text": ', "line 2, is not JSON"),
        ("a.jsonl", "[1, 2]", "line 1, holds list"),
        ("a.txt", b"caf\xe9", "not UTF-8 text: byte 3 .* 0xe9"),
        ("a.txt", b"a\x00b", "holds NUL bytes"),
        ("a.csv", b"\xff\xfe", "not UTF-8 text"),
        ("a.csv", 'text\n"unclosed', "is not CSV"),
        ("a.csv", "text\nHello, world\nok\n", "line 2, has 2 cells under a header of 1"),
        ("a.csv", "id,text\n1,x\n\n2\n", "line 4, has 1 cells under a header of 2"),
        ("a.csv", "text,text\none,two\n", "has two columns named 'text'"),
        ("a.parquet", b"PAR1 but not really", "is not a parquet file"),
    ],
)
def test_a_file_that_is_not_what_its_name_says_is_bad_data(
    tmp_path: Path, name: str, content: str | bytes, message: str
) -> None:
    path = write(tmp_path / name, content)
    with pytest.raises(BadDataError, match=message):
        documents(path)


def test_a_parquet_file_without_the_field_says_what_it_has(tmp_path: Path) -> None:
    path = parquet(tmp_path / "a.parquet", body=["x"], rest=["y"])
    with pytest.raises(BadDataError, match="it has body, rest"):
        documents(path)
    with pytest.raises(BadDataError, match="no field 'nope'; it has body, rest"):
        documents(path, "nope")


def test_a_parquet_file_with_the_field_twice_is_bad_data(tmp_path: Path) -> None:
    import pyarrow as pa
    from pyarrow import parquet as pq

    table = pa.table([["one"], ["two"], ["3"], ["4"]], names=["text", "text", "n", "n"])
    pq.write_table(table, tmp_path / "a.parquet")
    with pytest.raises(BadDataError, match="has two columns named 'text'"):
        documents(tmp_path / "a.parquet")
    pq.write_table(table.select([0, 2, 3]), tmp_path / "a.parquet")
    assert documents(tmp_path / "a.parquet") == ["one"]
    with pytest.raises(BadDataError, match="has two columns named 'n'"):
        list(file_records(tmp_path / "a.parquet"))


@pytest.mark.parametrize(
    ("name", "kind", "message"),
    [
        ("missing.json", NotFoundError, "There is no corpus .*missing.json"),
        ("", NotFoundError, "is a folder without a file that can be read; it has 1 others"),
        ("a.docx", UsageError, "is a .docx file, which cannot be read"),
    ],
)
def test_what_cannot_be_a_corpus_is_said(tmp_path: Path, name: str, kind: type[GeoprobeError], message: str) -> None:
    write(tmp_path / "a.docx", "x")
    with pytest.raises(kind, match=message):
        open_corpus(str(tmp_path / name))
