"""Page headers read by hand, against files whose dictionaries and pages have known sizes."""

import contextlib
import io
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import parquet

from geoprobe.sources.parquet_pages import rows_at_a_time

MEGABYTES_64 = 1 << 26


def rows(table: Any, columns: list[str], **options: Any) -> int:
    file = io.BytesIO()
    parquet.write_table(table, file, **options)
    with parquet.ParquetFile(file) as opened:
        return rows_at_a_time(file, opened.metadata, columns, 256)


@pytest.mark.parametrize("version", ["1.0", "2.0"])
@pytest.mark.parametrize("compression", ["none", "snappy", "gzip", "zstd"])
@pytest.mark.parametrize("statistics", [False, True])
def test_a_dictionary_decides_by_its_size(version: str, compression: str, statistics: bool) -> None:
    values = [f"{number}".ljust(1_000_000, "x") for number in range(3)] * 4  # a dictionary of 3 times 1,000,004 bytes
    options = {"data_page_version": version, "compression": compression, "write_statistics": statistics}
    found = rows(pa.table({"text": values, "n": range(12)}), ["text"], dictionary_pagesize_limit=1 << 28, **options)
    assert found == MEGABYTES_64 // 3_000_012


@pytest.mark.parametrize("encoding", ["PLAIN", "DELTA_LENGTH_BYTE_ARRAY", "DELTA_BYTE_ARRAY"])
def test_values_stored_one_by_one_are_read_many_at_a_time(encoding: str) -> None:
    table = pa.table({"text": [f"text {number}" for number in range(20_000)]})
    assert rows(table, ["text"], use_dictionary=False, column_encoding={"text": encoding}) == 256


def test_prefixes_decide_by_their_page() -> None:
    table = pa.table({"text": ["x" * 2_000_000 + str(number) for number in range(4)]})
    found = rows(table, ["text"], use_dictionary=False, column_encoding={"text": "DELTA_BYTE_ARRAY"})
    assert found == pytest.approx(MEGABYTES_64 // 2_000_000, abs=1)


def test_nested_columns_and_other_columns() -> None:
    table = pa.table({"a": [["x" * 1_000_000] * 3] * 4, "b": ["y"] * 4, "a.b": ["z" * 4_000_000] * 4})
    options = {"dictionary_pagesize_limit": 1 << 28, "row_group_size": 2}
    assert rows(table, ["b"], **options) == 256
    assert rows(table, ["a"], **options) < rows(table, ["b"], **options)
    assert rows(table, ["a.b"], **options) == MEGABYTES_64 // 4_000_004


@pytest.mark.parametrize("place", range(4, 60, 3))
def test_a_damaged_header_gives_a_number_of_rows_or_a_value_error(place: int) -> None:
    file = io.BytesIO()
    parquet.write_table(pa.table({"text": ["the of and to"] * 9}), file)
    with parquet.ParquetFile(file) as opened:
        for value in range(0, 256, 5):
            content = bytearray(file.getvalue())
            content[place] = value
            with contextlib.suppress(ValueError):
                assert 1 <= rows_at_a_time(io.BytesIO(content), opened.metadata, ["text"], 256) <= 256
