from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

from geoprobe.errors import BadDataError
from geoprobe.sources.corpora.streams import Source
from geoprobe.sources.corpora.tables import parquet_rows

ROWS = [
    {
        "messages": [
            {"role": "user", "content": f"größer {row} " * (row % 50)},
            {"role": "assistant", "content": None},
        ],
        "lists": [["x", None], []] if row % 5 else None,
        "numbers": [row, 2],
        "text": f"t{row % 3}",
    }
    for row in range(900)
]


def table() -> pa.Table:
    maps = pa.array([[("k", "v" * row)] if row % 7 else None for row in range(900)], pa.map_(pa.string(), pa.string()))
    return pa.Table.from_pylist(ROWS).append_column("map", maps)


def read(path: Path) -> list[Any]:
    return list(parquet_rows(Source.of(path.name, path), None, whole=True))


@pytest.mark.parametrize(
    "options",
    [
        {"row_group_size": 250},
        {"dictionary_pagesize_limit": 1000, "data_page_size": 500},
        {"use_dictionary": False},
        {"use_dictionary": ["text"]},
        {"data_page_version": "2.0", "compression": "zstd"},
    ],
)
def test_rows_with_lists_are_those_that_were_written(options: dict[str, Any], tmp_path: Path) -> None:
    parquet.write_table(table(), tmp_path / "a.parquet", **options)
    assert read(tmp_path / "a.parquet") == table().to_pylist()


def written(path: Path, times: int) -> Path:
    """A row with a list of one text that is stored once and packs little."""
    text = np.random.default_rng(0).bytes(100_000).hex()
    texts = pa.DictionaryArray.from_arrays(pa.array([0] * times, pa.int32()), pa.array([text]))
    column = pa.ListArray.from_arrays(pa.array([0, times], pa.int32()), texts)
    parquet.write_table(pa.table({"messages": column}), path, dictionary_pagesize_limit=1 << 28, store_schema=False)
    return path


def test_a_text_that_is_stored_once_and_stands_in_a_list_ten_thousand_times_is_not_written_out(tmp_path: Path) -> None:
    (few,) = read(written(tmp_path / "few.parquet", 30))
    assert len(few["messages"]) == 30
    with pytest.raises(BadDataError, match="has a row whose lists hold 2,000,000,000 bytes of text"):
        read(written(tmp_path / "many.parquet", 10_000))


@pytest.mark.parametrize(
    ("column", "options", "message"),
    [
        (pa.array([[0] * 60_000]), {}, "claims 60,000 values"),
        (pa.array([[b"a" * 70_000]], pa.list_(pa.binary(70_000))), {}, "70,000 bytes each"),
        (
            pa.array([["a"]]),
            {"use_dictionary": False, "column_encoding": {"c.list.element": "DELTA_BYTE_ARRAY"}},
            "not read inside lists",
        ),
    ],
)
def test_lists_that_cannot_be_bounded_are_refused(
    column: pa.Array, options: dict[str, Any], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("geoprobe.sources.parquet_pages._FEW_ROWS", 1000)
    parquet.write_table(pa.table({"c": column}), tmp_path / "a.parquet", **options)
    with pytest.raises(BadDataError, match=message):
        read(tmp_path / "a.parquet")
