import gzip
import io
import json
import os
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from geoprobe.errors import AccessError, BadDataError, GeoprobeError, UsageError
from geoprobe.sources.corpora import open_corpus, streams
from geoprobe.sources.corpora.streams import decoded, line_pieces

PACKERS: dict[str, Callable[[bytes], bytes]] = {
    ".gz": gzip.compress,
    ".zst": lambda content: pa.compress(content, codec="zstd", asbytes=True),
}
LINES = "\n".join(json.dumps({"text": f"document {number} of many"}) for number in range(5000)).encode()


def documents(path: Path | str) -> list[str]:
    return list(open_corpus(str(path)).documents())


def test_a_compressed_file_reads_as_its_content(tmp_path: Path) -> None:
    from pyarrow import parquet

    table = io.BytesIO()
    parquet.write_table(pa.table({"text": ["One?", "Two?"]}), table)
    contents = {
        "a.txt": b"One?\n\nTwo?",
        "a.json": b'["One?", "Two?"]',
        "a.jsonl": b'"One?"\n"Two?"',
        "a.csv": b"text\nOne?\nTwo?\n",
        "a.parquet": table.getvalue(),
    }
    for suffix, pack in PACKERS.items():
        for name, content in contents.items():
            path = tmp_path / (name + suffix)
            path.write_bytes(pack(content))
            assert documents(path) == ["One?", "Two?"], path
            # frames in a row, as `cat` of two compressed files gives
            if name == "a.txt":
                path.write_bytes(pack(content) + pack(b"\n\nThree?"))
                assert documents(path) == ["One?", "Two?", "Three?"]


@pytest.mark.parametrize("suffix", PACKERS)
@pytest.mark.parametrize("damage", [lambda data: data[:-5], lambda data: b"not packed" + data, lambda data: data[:9]])
def test_a_damaged_compressed_file_is_bad_data(tmp_path: Path, suffix: str, damage: Callable[[bytes], bytes]) -> None:
    path = tmp_path / f"a.jsonl{suffix}"
    path.write_bytes(damage(PACKERS[suffix](LINES)))
    with pytest.raises(BadDataError, match=r"a.jsonl.* is not a whole (gzip|zstd) file"):
        documents(path)


def test_a_byte_that_is_no_text_is_named_by_its_place_in_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streams, "BLOCK_BYTES", 7)
    path = tmp_path / "a.txt"
    for before in range(20):
        path.write_bytes("ü".encode() * before + b"\xfcber")
        with pytest.raises(BadDataError, match=f"byte {2 * before} is 0xfc"):
            documents(path)
        path.write_bytes(b"\xef\xbb\xbf" + "ü".encode() * before + b"\x00")
        with pytest.raises(BadDataError, match=f"NUL bytes, the first at byte {2 * before + 3}"):
            documents(path)
    path.write_bytes("ü".encode()[:1])
    with pytest.raises(BadDataError, match="byte 0 is 0xc3"):
        documents(path)


@given(st.lists(st.text(alphabet="ab\r\n", max_size=5)), st.integers(1, 4))
def test_lines_equal_the_standard_librarys_universal_newlines(blocks: list[str], longest: int) -> None:
    text = "".join(blocks)
    expected = [line.removesuffix("\n") for line in io.StringIO(io.StringIO(text, newline=None).read())]
    found = [""]
    for piece, ended in line_pieces(blocks, longest):
        assert len(piece) <= longest
        found[-1] += piece
        if ended:
            found.append("")
    assert found[:-1] == expected
    assert list(line_pieces([text], longest)) == list(line_pieces(blocks, longest))


def test_a_line_or_cell_beyond_all_bounds_is_bad_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "LONGEST_RECORD", 100)
    path = tmp_path / "a.jsonl"
    path.write_text('{"text": "x"}\n{"text": "' + "x" * 200)
    with pytest.raises(BadDataError, match=r"line 2, is longer than 100 characters"):
        documents(path)
    path = tmp_path / "a.csv"
    path.write_text("text\n" + "x" * 200)
    with pytest.raises(BadDataError, match=r"line 2, is longer than 100 characters"):
        documents(path)


def test_every_block_is_decoded_once_and_none_is_kept() -> None:
    content = io.BytesIO(b"x" * (3 * streams.BLOCK_BYTES))
    assert [len(block) for block in decoded(content, "x")] == [streams.BLOCK_BYTES] * 3


class Stdin:
    def __init__(self, content: bytes) -> None:
        self.buffer = io.BytesIO(content)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("-", b"One?\n\nTwo?"),
        ("-.jsonl", b'"One?"\n"Two?"'),
        ("-.json.gz", gzip.compress(b'["One?", "Two?"]', mtime=0)),
    ],
)
def test_standard_input_is_read_once(monkeypatch: pytest.MonkeyPatch, name: str, content: bytes) -> None:
    monkeypatch.setattr("sys.stdin", Stdin(content))
    corpus = open_corpus(name)
    assert corpus.name == "standard input"
    assert list(corpus.documents()) == ["One?", "Two?"]
    with pytest.raises(GeoprobeError, match="read already"):
        list(corpus.documents())
    with pytest.raises(UsageError, match=r"is a \.docx file, which cannot be read"):
        open_corpus("-.docx")


def test_parquet_on_standard_input_is_sought_in_a_copy(monkeypatch: pytest.MonkeyPatch) -> None:
    from pyarrow import parquet

    table = io.BytesIO()
    parquet.write_table(pa.table({"text": ["One?"]}), table)
    monkeypatch.setattr("sys.stdin", Stdin(table.getvalue()))
    assert documents("-.parquet") == ["One?"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read_is_said(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("x")
    path.chmod(0)
    with pytest.raises(AccessError, match="may not be read"):
        documents(path)
