"""How large a value of a parquet column may be, and whether its pages unpack to what they can hold.

A page of a kilobyte may unpack to gigabytes, and a value of a dictionary may stand in any number of rows: pyarrow
allocates both before anything can be looked at. Page headers say it, in Thrift's compact protocol.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any

#: Thrift's compact types: true, false, byte, three widths of integers, double, bytes, list, set, map, struct.
_TRUE, _FALSE, _BYTE, _I16, _I32, _I64, _DOUBLE, _BYTES, _LIST, _SET, _MAP, _STRUCT = range(1, 13)
#: Fields of a page header: what it is, sizes unpacked and packed, and the headers of two versions of data pages.
_KIND, _UNPACKED, _PACKED, _DATA, _DATA_2 = 1, 2, 3, 5, 8
#: Where those two say their encoding.
_ENCODING = {_DATA: 2, _DATA_2: 4}
_DICTIONARY_PAGE, _DELTA_BYTE_ARRAY = 2, 7
_HEADER_BYTES, _DEEPEST = 1 << 16, 16
#: Bytes of rows that may all hold one value, which the file holds once.
_BATCH_BYTES = 1 << 26
#: Rows that a file may have however small it is; more where it has a byte for each.
_FEW_ROWS = 1 << 24
#: A page unpacks to this many times its size at most, beyond what is little in any case.
_RATIO, _LITTLE = 1_000, 1 << 26


def rows_at_a_time(stream: Any, metadata: Any, columns: Iterable[str], most: int) -> int:
    """How many rows of these columns, `most` at the most, take memory that is bounded, whatever they hold.

    `stream` is the file, open for bytes and sought in; `metadata` what pyarrow has read of its end.

    Raises ValueError where a page header cannot be read, a page unpacks to over a thousand times its size, or the file
    has more rows than bytes.
    """
    size = stream.seek(0, os.SEEK_END)
    if metadata.num_rows > max(_FEW_ROWS, size):
        raise ValueError(f"it claims {metadata.num_rows:,} rows in {size:,} bytes")
    return max(1, min(most, _BATCH_BYTES // max(_largest_shared_value(stream, metadata, columns), 1)))


def nested_texts(metadata: Any, size: int) -> list[str]:
    """Paths of the texts inside lists, of which one row may hold one stored value any number of times.

    Read as a dictionary, row group by row group, such a value is in memory once, and `text_bytes` tells what it takes.

    Raises ValueError where such a column has more values than the file has bytes, values of a fixed length that no text
    has, or an encoding that cannot be read so.
    """
    found = []
    for place in range(metadata.num_columns):
        column = metadata.schema.column(place)
        if not column.max_repetition_level:
            continue
        chunks = [metadata.row_group(group).column(place) for group in range(metadata.num_row_groups)]
        values = sum(chunk.num_values for chunk in chunks)
        if values > max(_FEW_ROWS, size):
            raise ValueError(f"it claims {values:,} values of {column.path} in {size:,} bytes")
        if column.physical_type == "FIXED_LEN_BYTE_ARRAY" and column.length > _HEADER_BYTES:
            raise ValueError(f"values of {column.path} have {column.length:,} bytes each")
        if any("DELTA_BYTE_ARRAY" in chunk.encodings for chunk in chunks):
            raise ValueError(f"{column.path} is in DELTA_BYTE_ARRAY, which is not read inside lists: write it as PLAIN")
        if column.physical_type == "BYTE_ARRAY":
            found.append(column.path)
    return found


def text_bytes(batch: Any) -> int:
    """Bytes of the texts of a batch's columns that were read as dictionaries, each as often as it stands there."""
    import pyarrow as pa
    from pyarrow import compute

    total, waiting = 0, list(batch.columns)
    while waiting:
        array = waiting.pop()
        if pa.types.is_dictionary(array.type):
            lengths = compute.binary_length(array.dictionary).fill_null(0).cast(pa.int64())
            total += compute.sum(lengths.take(array.indices.drop_null())).as_py() or 0
        elif pa.types.is_struct(array.type):
            waiting += array.flatten()
        elif pa.types.is_map(array.type):
            first, last = array.offsets[0].as_py(), array.offsets[-1].as_py()
            waiting += [part.slice(first, last - first) for part in (array.keys, array.items)]
        elif pa.types.is_nested(array.type):  # lists
            waiting.append(array.flatten())
    return total


def _largest_shared_value(stream: Any, metadata: Any, columns: Iterable[str]) -> int:
    """Bytes of the largest value of these columns that may stand in many rows and be stored once; 0 without such."""
    wanted, largest = tuple(columns), 0
    for group in range(metadata.num_row_groups):
        row_group = metadata.row_group(group)
        for place in range(row_group.num_columns):
            column = row_group.column(place)
            path = column.path_in_schema
            if any(path == name or path.startswith(f"{name}.") for name in wanted):
                largest = max(largest, _of_chunk(stream, column))
    return largest


def _of_chunk(stream: Any, column: Any) -> int:
    at, largest = column.data_page_offset, 0
    if column.has_dictionary_page and 0 < column.dictionary_page_offset < at:
        at = column.dictionary_page_offset
    end = at + column.total_compressed_size
    while at < end:
        stream.seek(at)
        page, length = _header(stream.read(_HEADER_BYTES))
        unpacked, packed = page.get(_UNPACKED), page.get(_PACKED)
        if type(unpacked) is not int or type(packed) is not int or min(unpacked, packed) < 0:
            raise ValueError(f"the page at byte {at:,} says no size")
        if unpacked > max(_LITTLE, _RATIO * packed):
            raise ValueError(f"the page at byte {at:,} unpacks from {packed:,} to {unpacked:,} bytes")
        stated = [(page.get(header), field) for header, field in _ENCODING.items()]
        prefixes = any(isinstance(own, dict) and own.get(field) == _DELTA_BYTE_ARRAY for own, field in stated)
        if page.get(_KIND) == _DICTIONARY_PAGE or prefixes:
            largest = max(largest, unpacked)
        at += length + packed
    return largest


def _header(content: bytes) -> tuple[dict[int, Any], int]:
    """A page header's numbers by their fields, and its length."""
    reader = _Reader(content)
    try:
        return reader.struct(_DEEPEST), reader.at
    except IndexError:
        raise ValueError("a page header is cut short or too long") from None


class _Reader:
    """Reads Thrift's compact protocol from a header's bytes."""

    def __init__(self, content: bytes) -> None:
        self.content, self.at = content, 0

    def struct(self, deep: int) -> dict[int, Any]:
        found: dict[int, Any] = {}
        field = 0
        while kind := self.byte():
            field = field + (kind >> 4) if kind >> 4 else self.integer()
            found[field] = self.value(kind & 15, deep)
        return found

    def value(self, kind: int, deep: int) -> Any:
        if not deep:
            raise ValueError("a page header is nested too deep")
        if kind in (_TRUE, _FALSE):
            return kind == _TRUE
        if kind == _BYTE:
            return self.byte()
        if kind in (_I16, _I32, _I64):
            return self.integer()
        if kind in (_DOUBLE, _BYTES):
            skipped = 8 if kind == _DOUBLE else self.unsigned()
            self.at += skipped
            return None
        if kind in (_LIST, _SET):
            size = self.byte()
            count = size >> 4 if size >> 4 < 15 else self.unsigned()
            for _ in range(min(count, len(self.content))):  # an item takes a byte at the least
                self.byte() if size & 15 in (_TRUE, _FALSE) else self.value(size & 15, deep - 1)
            return None
        if kind == _STRUCT:
            return self.struct(deep - 1)
        raise ValueError(f"a page header holds type {kind}")

    def byte(self) -> int:
        self.at += 1
        return self.content[self.at - 1]

    def unsigned(self) -> int:
        value = shift = 0
        while shift < 70:
            byte = self.byte()
            value |= (byte & 127) << shift
            if byte < 128:
                return value
            shift += 7
        raise ValueError("a page header holds a number of over ten bytes")

    def integer(self) -> int:
        value = self.unsigned()
        return (value >> 1) ^ -(value & 1)
