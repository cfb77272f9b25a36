"""The forms that training data come in: which one a record has, and the examples it gives."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from geoprobe.errors import BadDataError, UsageError

__all__ = ["Form", "Pair", "form_of"]

#: What is asked, further input, and the response that is learned.
Pair = tuple[str, str, str]
#: Gives a record's examples; none where the record has no response.
Form = Callable[[Mapping[str, Any], str], Iterator[Pair]]

_CALCULATOR = re.compile(r"<<[^<>]*>>")


def form_of(record: Mapping[str, Any], where: str, field: str | None) -> tuple[Form, str]:
    """The form of a file's records, told by the first one's columns, and what to say of it.

    Parameters
    ----------
    record : mapping
        The first record.
    where : str
        What errors call the data.
    field : str or None
        ``QUESTION,RESPONSE``: the two columns, where they have other names.

    Raises
    ------
    UsageError
        When `field` does not name two columns.
    BadDataError
        When the columns are of no known form, with what there are.
    """
    if field is not None:
        names = [name.strip() for name in field.split(",")]
        if len(names) != 2 or not all(names):
            raise UsageError(
                f"The columns {field!r} are not two.",
                "Name the question's and the response's: --field QUESTION,RESPONSE.",
            )
        for name in names:
            _column(record, name, where)
        return _named(*names), f"Columns {names[0]} and {names[1]}."
    if "messages" in record:
        return _messages, "Chat messages; each reply is an example, with the turns before it as its question."
    if {"instruction", "output"} <= record.keys():
        return _instruction, "LLM-Adapters' form."
    if {"question", "answer"} <= record.keys():
        return _gsm8k, "GSM8K's form; its calculator annotations <<...>> are taken out."
    raise BadDataError(
        f"{where} has the columns {_listed(record)}, which are of no known form of training data.",
        "Known: instruction and output; question and answer; messages. Name other columns by --field "
        "QUESTION,RESPONSE.",
    )


def _named(question: str, response: str) -> Form:
    def read(record: Mapping[str, Any], where: str) -> Iterator[Pair]:
        yield _text(record, question, where), "", _text(record, response, where)

    return read


def _instruction(record: Mapping[str, Any], where: str) -> Iterator[Pair]:
    context = _text(record, "input", where) if record.get("input") else ""
    yield _text(record, "instruction", where), context, _text(record, "output", where)


def _gsm8k(record: Mapping[str, Any], where: str) -> Iterator[Pair]:
    yield _text(record, "question", where), "", _CALCULATOR.sub("", _text(record, "answer", where))


def _messages(record: Mapping[str, Any], where: str) -> Iterator[Pair]:
    messages = _column(record, "messages", where)
    if not isinstance(messages, list) or not all(isinstance(each, dict) for each in messages):
        raise BadDataError(f"{where}: messages is no list of objects.", "Each message is {role, content}.")
    turns: list[tuple[str, str]] = []
    for each in messages:
        role, content = each.get("role"), each.get("content")
        if not isinstance(role, str) or not isinstance(content, str):
            raise BadDataError(
                f"{where}: a message has the keys {_listed(each)}.", "Each message is {role, content}, both texts."
            )
        if role == "assistant" and turns:
            yield _asked(turns), "", content
        turns.append((role, content))


def _asked(turns: list[tuple[str, str]]) -> str:
    """A first question is asked as it is, behind what the system says; later ones behind the conversation so far."""
    if all(role in ("system", "user") for role, _ in turns):
        return "\n\n".join(content for _, content in turns)
    return "\n\n".join(f"{role.capitalize()}: {content}" for role, content in turns)


def _text(record: Mapping[str, Any], name: str, where: str) -> str:
    value = _column(record, name, where)
    if isinstance(value, bool) or not isinstance(value, str | int | float | None):
        raise BadDataError(f"{where}: column {name!r} holds {type(value).__name__}, not text.", "Name a text column.")
    text = "" if value is None else str(value)
    return text.encode("utf-8", "replace").decode()  # JSON can carry lone surrogates, which no tokenizer takes


def _column(record: Mapping[str, Any], name: str, where: str) -> Any:
    if name not in record:
        raise BadDataError(
            f"{where} has no column {name!r}; it has {_listed(record)}.", "Name others by --field QUESTION,RESPONSE."
        )
    return record[name]


def _listed(record: Mapping[str, Any]) -> str:
    names = [str(name)[:60] for name in record]
    return ", ".join(names[:20]) + (f" and {len(names) - 20} more" if len(names) > 20 else "") or "none"
