"""Counts files that cannot be used, and counting that cannot be done."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
from bad_inputs.case import Case, circle, pipe
from pyarrow import parquet

__all__ = ["COUNTS"]

SCAN = "scan tiny --counts bad.parquet"


def counts(
    change: Callable[[dict[str, Any]], object] = lambda header: None, **columns: list[int | None]
) -> Callable[[Path], None]:
    """The good counts file with another header, or other columns."""

    def make(folder: Path) -> None:
        table = parquet.read_table(folder / "good.parquet")
        header = json.loads(table.schema.metadata[b"geoprobe.counts"])
        change(header)
        data = {name: columns.get(name, table.column(name).to_pylist()) for name in table.column_names}
        schema = pa.schema([(name, pa.int64()) for name in data], {b"geoprobe.counts": json.dumps(header).encode()})
        parquet.write_table(pa.table(data, schema=schema), folder / "bad.parquet")

    return make


def corpus(**changed: object) -> Callable[[dict[str, Any]], object]:
    return lambda header: header["corpora"][0].update(changed)


def others(folder: Path) -> None:
    parquet.write_table(pa.table({"token": [1], "n": [2]}), folder / "bad.parquet")


COUNTS: dict[str, Case] = {
    "no such counts": Case(SCAN, 3, "There is no counts file at bad.parquet"),
    "counts' name too long": Case(f"scan tiny --counts {'x' * 5000}", 3, "There is no counts file"),
    "counts that are a folder": Case("scan tiny --counts tiny", 3, "There is no counts file"),
    "counts that are no parquet": Case(SCAN, 5, "is not a parquet file", {"bad.parquet": b"the of"}),
    "counts of no bytes": Case(SCAN, 5, "is not a counts file", {"bad.parquet": b""}),
    "a table that is no counts": Case(SCAN, 5, "its metadata has no geoprobe.counts", make=others),
    "counts of a later version": Case(SCAN, 5, "it has version 9", make=counts(lambda head: head.update(version=9))),
    "counts of no corpus": Case(SCAN, 5, "names no corpus", make=counts(lambda head: head.update(corpora=[]))),
    "counts with a hash that is none": Case(SCAN, 5, "metadata cannot be read", make=counts(corpus(sha256="zz"))),
    "counts with a short hash": Case(SCAN, 5, "an impossible hash", make=counts(corpus(sha256="00"))),
    "counts of fewer documents than none": Case(
        SCAN, 5, "impossible hash or size", make=counts(corpus(n_documents=-1))
    ),
    "counts of another sum": Case(SCAN, 5, "add up to", make=counts(corpus(n_tokens=3))),
    "counts in more documents than there are": Case(SCAN, 5, "in more documents", make=counts(corpus(n_documents=1))),
    "counts below zero": Case(SCAN, 5, "not positive", make=counts(count=[-1] * 10)),
    "counts too large to add": Case(SCAN, 5, "too large to add up", make=counts(count=[1 << 62] * 10)),
    "counts with empty cells": Case(SCAN, 5, "empty cells", make=counts(count=[None] * 10)),
    "tokens out of order": Case(SCAN, 5, "do not ascend", make=counts(token=list(range(10, 0, -1)))),
    "tokens of no vocabulary": Case(SCAN, 5, "go beyond", make=counts(token=[*range(9), 1 << 40])),
    "tokens that the table has no row for": Case(SCAN, 5, "but the embedding has", make=counts(token=[*range(9), 999])),
    "counts by another tokenizer": Case(
        SCAN, 5, "by another tokenizer", make=counts(lambda head: head.update(tokenizer="0" * 64))
    ),
    "a corpus counted twice": Case("scan tiny --counts good.parquet --corpus good.txt", 2, "would be counted twice"),
    "counts given twice": Case("scan tiny --counts good.parquet --counts good.parquet", 5, "would be counted twice"),
    "counts that are a pipe": Case(SCAN, 5, "is a pipe, and not a file", make=pipe("bad.parquet")),
    "counts that are a device": Case("scan tiny --counts /dev/zero", 5, "is a device, and not a file"),
    "counts that are a link to itself": Case(SCAN, 3, "There is no counts file", make=circle("bad.parquet")),
    "merging a pipe": Case(
        "count --merge good.parquet bad.parquet --out c.parquet", 5, "is a pipe", make=pipe("bad.parquet")
    ),
    "counting into a pipe": Case(
        "count tiny --corpus good.txt --out p.parquet", 5, "is a pipe, and not a file", make=pipe("p.parquet")
    ),
    "counting nothing": Case("count tiny --out c.parquet", 2, "No corpus was given"),
    "counting to no parquet": Case("count tiny --corpus good.txt --out c.csv", 2, "is not called so"),
    "counting to nowhere": Case("count tiny --corpus good.txt", 2, "Missing option"),
    "counting into a file": Case("count tiny --corpus good.txt --out good.txt/c.parquet", 1, "good.txt is a file"),
    "counting by two models": Case("count tiny tiny --corpus good.txt --out c.parquet", 2, "2 models were given"),
    "counting by no model": Case("count ./nowhere --corpus good.txt --out c.parquet", 3, "There is no model"),
    "counting empty text": Case("count tiny --corpus a.txt --out c.parquet", 5, "holds no text", {"a.txt": b"\n"}),
    "counting elsewhere": Case("count tiny --corpus good.txt --out c.parquet --engine spark", 2, "no engine 'spark'"),
    "merging one": Case("count --merge good.parquet --out c.parquet", 2, "1 counts file was given"),
    "merging with a corpus": Case(
        "count --merge good.parquet --corpus good.txt --out c.parquet", 2, "Both --merge and"
    ),
    **{
        f"merging with {option}": Case(
            f"count --merge good.parquet good.parquet {option} x --out c.parquet", 2, f"and {option}"
        )
        for option in ("--field", "--data", "--revision", "--engine")
    },
    "merging the same": Case("count --merge good.parquet good.parquet --out c.parquet", 5, "would be counted twice"),
    "merging what is none": Case("count --merge good.parquet good.txt --out c.parquet", 5, "not a parquet file"),
    "merging different tokenizers": Case(
        "count --merge good.parquet bad.parquet --out c.parquet",
        5,
        "by different tokenizers",
        make=counts(lambda head: head.update(tokenizer="0" * 64)),
    ),
}
