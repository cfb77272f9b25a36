"""Corpora that cannot be counted."""

from __future__ import annotations

import gzip
import json

import pyarrow as pa
from bad_inputs.case import Case, circle, pipe
from pyarrow import parquet

__all__ = ["CORPORA"]


def corpus(name: str, content: bytes, code: int, says: str, more: str = "") -> Case:
    return Case(f"scan tiny --corpus {name}{more}", code, says, {name: content})


def column(**columns: list[object]) -> bytes:
    sink = pa.BufferOutputStream()
    parquet.write_table(pa.table(columns), sink)
    return sink.getvalue().to_pybytes()


CORPORA: dict[str, Case] = {
    "no such corpus": Case("scan tiny --corpus nowhere.txt", 3, "There is no corpus 'nowhere.txt'"),
    "a home that nobody has": Case("scan tiny --corpus ~nobody-here/a.txt", 3, "There is no corpus"),
    "no name of a corpus": Case("scan tiny --corpus ''", 2, "The name of the corpus is empty"),
    "a corpus's name too long": Case(f"scan tiny --corpus {'x' * 5000}", 3, "There is no corpus"),
    "a corpus of another kind": corpus("a.docx", b"PK", 2, "is a .docx file, which cannot be read"),
    "a corpus of no kind": corpus("README", b"x", 2, "suffixless file"),
    "standard input of another kind": Case("scan tiny --corpus -.docx", 2, "is a .docx file, which cannot be read"),
    "standard input of nothing": Case("scan tiny --corpus -", 5, "holds no text"),
    "standard input twice": Case("scan tiny --corpus - --corpus -", 5, "holds no text"),
    "a folder of no text": Case("scan tiny --corpus f", 3, "f", {"f/a.pdf": b"%PDF"}),
    "a set offline": Case("scan tiny --corpus gsm8k --offline", 3, "the network is switched off"),
    "a set in no data folder": Case("scan tiny --corpus gsm8k --data nowhere", 3, "There is no data folder"),
    "a data folder's name too long": Case(
        f"scan tiny --corpus gsm8k --data {'x' * 5000}", 3, "There is no data folder"
    ),
    "a split that is not there": Case(
        "scan tiny --corpus gsm8k:dev --data d", 3, "no file for the split 'dev'", {"d/gsm8k/test.json": b"[]"}
    ),
    "a corpus that is a pipe": Case("scan tiny --corpus p.txt", 5, "is a pipe, and not a file", make=pipe("p.txt")),
    "a corpus that is a device": Case("scan tiny --corpus /dev/zero", 5, "is a device, and not a file"),
    "a corpus that is a link to itself": Case("scan tiny --corpus p.txt", 3, "no corpus", make=circle("p.txt")),
    "a folder of a pipe": Case("scan tiny --corpus f", 3, "without a file that can be read", make=pipe("f/p.txt")),
    "a set of a pipe": Case("scan tiny --corpus gsm8k --data d", 3, "without a file", make=pipe("d/gsm8k/test.json")),
    "text of no bytes": corpus("a.txt", b"", 5, "holds no text"),
    "text of spaces": corpus("a.txt", b" \n\n\t\n", 5, "holds no text"),
    "text in utf-16": corpus("a.txt", "the of".encode("utf-16"), 5, "is not UTF-8 text"),
    "text in latin-1": corpus("a.txt", b"the \xfc", 5, "byte 4 is 0xfc"),
    "text with nul": corpus("a.txt", b"the \0 of", 5, "NUL bytes"),
    "json of no bytes": corpus("a.json", b"", 5, "is not JSON"),
    "json cut short": corpus("a.json", b'[{"text": "the"}, {"te', 5, "is not JSON"),
    "json of nothing": corpus("a.json", b"[]", 5, "holds no text"),
    "json of a number": corpus("a.json", b"7", 5, "holds int, not a list"),
    "json of numbers": corpus("a.json", b"[1, 2]", 5, "holds int, not a list"),
    "json nested deep": corpus("a.json", b'[{"text": ' + b"[" * 100_000, 5, "is not JSON"),
    "json and more": corpus("a.json", b'["the"] "of"', 5, "Extra data"),
    "json with a number of 5,000 digits": corpus("a.json", b'[{"text": ' + b"9" * 5000 + b"}]", 5, "is not JSON"),
    "lines that are not json": corpus("a.jsonl", b'{"text": "the"}\nof\n', 5, "line 2, is not JSON"),
    "lines of lists": corpus("a.jsonl", b"[]\n", 5, "holds list, not an object"),
    "no such field": corpus("a.jsonl", b'{"text": "the"}', 5, "has no field 'charm'", " --field charm"),
    "a field of nothing": corpus("a.jsonl", b'{"text": "the"}', 5, "has no field ''", " --field ''"),
    "no field that is known": corpus("a.jsonl", b'{"body": "the"}', 5, "has none of the fields"),
    "a field that later records lack": corpus("a.jsonl", b'{"text": "the"}\n{}\n', 5, "record 2 has no field 'text'"),
    "a field of numbers": corpus("a.jsonl", b'{"text": 7}', 5, "holds int, not text"),
    "a field of lists": corpus("a.jsonl", b'{"text": ["the"]}', 5, "holds list, not text"),
    "csv with an open quote": corpus("a.csv", b'text\n"the', 5, "is not CSV"),
    "csv with an unquoted comma": corpus("a.csv", b"text\nthe, of\n", 5, "line 2, has 2 cells under a header of 1"),
    "csv with a short row": corpus("a.csv", b"id,text\n1,the\n2\n", 5, "line 3, has 1 cells under a header of 2"),
    "csv with a column twice": corpus("a.csv", b"text,text\nthe,of\n", 5, "has two columns named 'text'"),
    "csv of a header": corpus("a.csv", b"text\n", 5, "holds no text"),
    "csv without a known column": corpus("a.csv", b"body\nthe\n", 5, "has none of the fields"),
    "parquet that is none": corpus("a.parquet", b"PAR1PAR1", 5, "is not a parquet file"),
    "parquet cut short": corpus("a.parquet", column(text=["the"])[:-9], 5, "is not a parquet file"),
    "parquet of numbers": corpus("a.parquet", column(text=[1, 2]), 5, "holds int, not text"),
    "parquet without a known column": corpus("a.parquet", column(body=["the"]), 5, "has none of the fields"),
    "a gzip that is none": corpus("a.txt.gz", b"the of", 5, "is not a whole gzip file"),
    "a gzip cut short": corpus("a.txt.gz", gzip.compress(b"the of " * 999, mtime=0)[:-9], 5, "not a whole gzip file"),
    "a zstd that is none": corpus("a.jsonl.zst", b"the of", 5, "is not a whole zstd file"),
    "a record without end": corpus("a.jsonl", json.dumps({"text": "x" * 16_000_001}).encode(), 5, "is longer than"),
    "words the model has none of": Case(
        "scan v.txt --corpus a.txt", 5, "holds no text", {"v.txt": b"the 1 2\nof 3 4\n", "a.txt": b"zzz zzz"}
    ),
}
