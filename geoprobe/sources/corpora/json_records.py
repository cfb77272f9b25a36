"""JSON read record by record: a list of any length, in the memory of its longest record."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from geoprobe.errors import BadDataError
from geoprobe.sources.corpora.fields import Record
from geoprobe.sources.corpora.streams import LONGEST_RECORD, Source, decoded, lines

#: A parse that fails this near the end of what was read may only lack what comes next.
_NEAR_END = 16


def json_lines(source: Source) -> Iterator[Record]:
    """One object or string a line."""
    with source.open() as stream:
        for number, line in enumerate(lines(decoded(stream, source.where), source.where), start=1):
            if not line or line.isspace():
                continue
            try:
                record = json.loads(line)
            except (ValueError, RecursionError) as error:
                raise BadDataError(
                    f"{source.where}, line {number:,}, is not JSON: {error}.", "Mend or remove the line."
                ) from error
            if not isinstance(record, dict | str):
                raise BadDataError(
                    f"{source.where}, line {number:,}, holds {type(record).__name__}, not an object or a string.",
                    "Give one record a line.",
                )
            yield record


def json_list(source: Source) -> Iterator[Record]:
    """A list of objects or strings, by itself or as the first list in an object, such as ``{"data": [...]}``."""
    with source.open() as stream:
        reader = _Reader(decoded(stream, source.where), source.where)
        if reader.peek() == "[":
            yield from _records(reader)
        elif reader.peek() == "{":
            yield from _first_list(reader)
        else:
            raise _no_list(reader.where, reader.value())
        if reader.peek():
            raise reader.fault("Extra data")


def _first_list(reader: _Reader) -> Iterator[Record]:
    found = False
    reader.take("{")
    while reader.peek() != "}":
        if not isinstance(reader.value(), str):
            raise reader.fault("Expecting a property name in double quotes")
        reader.take(":")
        if reader.peek() != "[":
            reader.value()
        elif not found:
            found = True
            yield from _records(reader)
        else:
            for _ in reader.items():
                pass
        if reader.peek() != "}":
            reader.take(",")
    reader.take("}")
    if not found and not reader.peek():
        raise _no_list(reader.where, {})


def _records(reader: _Reader) -> Iterator[Record]:
    for number, item in enumerate(reader.items(), start=1):
        if not isinstance(item, dict | str):
            raise _no_list(f"{reader.where}, record {number:,},", item)
        yield item


def _no_list(where: str, value: object) -> BadDataError:
    return BadDataError(
        f"{where} holds {type(value).__name__}, not a list of objects or strings.",
        "Give a list of records, one a document.",
    )


class _Reader:
    """Values from a stream of text, one after another; what was read is let go.

    The standard library's scanner does the parsing, on a buffer that grows only while a value is unfinished.
    """

    def __init__(self, blocks: Iterator[str], where: str) -> None:
        self.where = where
        self._blocks = blocks
        self._text = ""
        self._at = 0
        self._line, self._column = 1, 1
        self._decoder = json.JSONDecoder()

    def peek(self) -> str:
        """The next character that is not white space; empty at the end."""
        while True:
            while self._at < len(self._text) and self._text[self._at] in " \t\n\r":
                self._at += 1
            if self._at < len(self._text):
                return self._text[self._at]
            if not self._more():
                return ""

    def take(self, expected: str) -> None:
        """Pass over this one character."""
        if self.peek() != expected:
            raise self.fault(f"Expecting {expected!r}")
        self._at += 1

    def items(self) -> Iterator[Any]:
        """The values of a list."""
        self.take("[")
        if self.peek() == "]":
            self._at += 1
            return
        while True:
            yield self.value()
            if self.peek() == "]":
                self._at += 1
                return
            self.take(",")

    def value(self) -> Any:
        """The next value, whole."""
        self.peek()
        while True:
            try:
                found, end = self._decoder.raw_decode(self._text, self._at)
            except json.JSONDecodeError as error:
                unfinished = error.msg.startswith("Unterminated") or error.pos >= len(self._text) - _NEAR_END
                if not (unfinished and self._double()):
                    self._at = error.pos
                    raise self.fault(error.msg) from error
            except (ValueError, RecursionError) as error:
                raise self.fault(str(error)) from error
            else:
                # a number may go on, even past a "." or "e+" that the scanner left
                whole = not isinstance(found, int | float) or len(self._text) - end > len("e+")
                if whole or not self._more():
                    self._at = end
                    return found

    def fault(self, message: str) -> BadDataError:
        """What is wrong here, with the line and column."""
        line, column = self._place()
        return BadDataError(
            f"{self.where} is not JSON: {message}: line {line:,} column {column:,}.",
            "One JSON object a line? Then name the file .jsonl.",
        )

    def _place(self) -> tuple[int, int]:
        newlines = self._text.count("\n", 0, self._at)
        if not newlines:
            return self._line, self._column + self._at
        return self._line + newlines, self._at - self._text.rfind("\n", 0, self._at)

    def _more(self) -> bool:
        block = next(self._blocks, "")
        if block:
            self._line, self._column = self._place()
            self._text, self._at = self._text[self._at :] + block, 0
        return bool(block)

    def _double(self) -> bool:
        """Read as much again as an unfinished value already takes: each character is parsed about twice, not often."""
        size = len(self._text) - self._at
        if size > LONGEST_RECORD:
            raise BadDataError(
                f"{self.where}, line {self._place()[0]:,}: a record is longer than {LONGEST_RECORD:,} characters.",
                "Give a list of records, one a document.",
            )
        grown = self._more()
        while grown and len(self._text) < 2 * size and self._more():
            pass
        return grown
