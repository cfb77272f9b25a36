"""From records to texts: which field holds the text, and whether it does."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from geoprobe.errors import BadDataError, some_of

#: Columns tried, in order, where the user names none.
FIELDS = ("instruction", "question", "text", "prompt")

_SURROGATE = re.compile("[\ud800-\udfff]")

Record = Mapping[str, Any] | str


def texts(records: Iterable[Record], where: str, field: str | None) -> Iterator[str]:
    """Text of each record, the empty ones left out."""
    for position, record in enumerate(records, start=1):
        if isinstance(record, str):
            text: object = record
        else:
            if field is None:
                field = find_field(record, where, None)
            if field not in record:
                raise _missing(field, f"{where}: record {position:,}", record)
            text = record[field]
        if text is None or text == "":
            continue
        if not isinstance(text, str):
            raise BadDataError(
                f"{where}: field {field!r} of record {position:,} holds {type(text).__name__}, not text.",
                "Name a text column by --field.",
            )
        try:
            text.encode()
        except UnicodeEncodeError:  # JSON can carry lone surrogates, which no tokenizer takes
            text = _SURROGATE.sub("\ufffd", text)
        yield text


def find_field(record: Mapping[str, Any], where: str, field: str | None) -> str:
    """The field that holds the text: the one named, or the first of `FIELDS` that is there."""
    if field is not None:
        if field in record:
            return field
        raise _missing(field, where, record)
    for name in FIELDS:
        if name in record:
            return name
    raise BadDataError(
        f"{where} has none of the fields {', '.join(FIELDS)}; it has {_listed(record)}.",
        "Name the one that holds the text by --field.",
    )


def _missing(field: str, where: str, record: Mapping[str, Any]) -> BadDataError:
    return BadDataError(f"{where} has no field {field!r}; it has {_listed(record)}.", "Name the right one by --field.")


def _listed(record: Mapping[str, Any]) -> str:
    return some_of([str(name) for name in record], 20)
