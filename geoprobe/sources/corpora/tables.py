"""Tables: CSV, TSV and parquet, a row a record."""

from __future__ import annotations

import csv
import os
from collections import Counter
from collections.abc import Iterator
from typing import Any

from geoprobe.errors import BadDataError
from geoprobe.sources.corpora.fields import Record, find_field
from geoprobe.sources.corpora.streams import LONGEST_RECORD, Source, Unpacked, decoded, joined_lines
from geoprobe.sources.parquet_pages import nested_texts, rows_at_a_time, text_bytes

_BATCH_ROWS = 256
#: Bytes of text in lists of a row, and of rows that are taken at once.
_TEXT_IN_LISTS = 1 << 26


def csv_rows(source: Source) -> Iterator[Record]:
    """Rows under a header, separated by commas, or by tabs in a .tsv; each has as many cells as the header."""
    csv.field_size_limit(LONGEST_RECORD)  # the default of 128 kB refuses long documents
    with source.open() as stream:
        rows = csv.reader(
            joined_lines(decoded(stream, source.where), source.where),
            delimiter="\t" if source.suffix == ".tsv" else ",",
            strict=True,
        )
        try:
            header: list[str] = []
            for row in rows:
                if not row:  # an empty line
                    continue
                if not header:
                    header = row
                    _check_names([name for name in header if name], source.where)
                elif len(row) == len(header):
                    yield dict(zip(header, row, strict=True))
                else:
                    cells = f"{len(row):,} cells under a header of {len(header):,}"
                    raise BadDataError(
                        f"{source.where}, line {rows.line_num:,}, has {cells}.",
                        "Quote text that holds a separator; fill what is missing.",
                    )
        except csv.Error as error:
            raise BadDataError(
                f"{source.where}, line {rows.line_num:,}, is not CSV: {error}.", "Check its quotes and separators."
            ) from error


def parquet_rows(source: Source, field: str | None, *, whole: bool = False) -> Iterator[Record]:
    """The rows' text column, and no other is read; with `whole`, every column."""
    from pyarrow import ArrowException, parquet

    with source.seekable() as stream:
        try:
            # read page by page: a row group may be larger than memory
            nested = nested_texts(parquet.read_metadata(stream), stream.seek(0, os.SEEK_END))
            with parquet.ParquetFile(stream, pre_buffer=False, buffer_size=1 << 16, read_dictionary=nested) as file:
                names = file.schema_arrow.names
                present = dict.fromkeys(names)
                wanted = "" if whole else find_field(present, source.where, field)
                columns = [*present] if whole else [wanted]
                _check_names([name for name in names if name in columns], source.where)
                rows = rows_at_a_time(stream, file.metadata, columns, _BATCH_ROWS)
                size, unpacked = stream.seek(0, os.SEEK_END), Unpacked(source.where)
                # a dictionary is of a row group
                parts = [[group] for group in range(file.num_row_groups)] if nested else [None]
                for part in parts:
                    for batch in file.iter_batches(rows, row_groups=part, columns=columns, use_threads=False):
                        unpacked.add(batch.nbytes, size)
                        yield from _records(batch, source.where) if nested else batch.to_pylist()
        except UnicodeDecodeError as error:
            column = f"column {wanted!r}" if wanted else "a column"
            raise BadDataError(
                f"{source.where} is not UTF-8 text: {column} holds byte 0x{error.object[error.start]:02x}.",
                "Write the column again as UTF-8.",
            ) from error
        except BadDataError:
            raise
        except (ArrowException, OSError, ValueError) as error:
            raise BadDataError(
                f"{source.where} is not a parquet file: {error}", "Give the file that was meant."
            ) from error


def _records(batch: Any, where: str) -> Iterator[Record]:
    """Rows whose lists may hold one stored text many times: all at once where that is little, else one by one."""
    if text_bytes(batch) <= _TEXT_IN_LISTS:
        yield from batch.to_pylist()
        return
    for place in range(len(batch)):
        row = batch.slice(place, 1)
        if (size := text_bytes(row)) > _TEXT_IN_LISTS:
            raise BadDataError(
                f"{where} has a row whose lists hold {size:,} bytes of text.",
                f"A row has {_TEXT_IN_LISTS:,} at the most: leave it or the column out.",
            )
        yield from row.to_pylist()


def _check_names(names: list[str], where: str) -> None:
    """Refuse columns of one name, of which a record could hold but one."""
    for name, times in Counter(names).items():
        if times > 1:
            raise BadDataError(f"{where} has two columns named {name!r}.", "Rename one of them.")
