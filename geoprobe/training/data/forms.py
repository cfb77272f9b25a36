"""What records of training data look like: a form's columns, and the questions and responses in a record of it.

A form is a row of `_FORMS`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from geoprobe.errors import BadDataError, UsageError, some_of

#: Who says what: a role of chat templates, and its text.
Turn = tuple[str, str]


@dataclass(frozen=True)
class Pair:
    """A question with further input (often empty) and its response, which is learned.

    Of a conversation, all of it so far is asked, and `turns` are its (role, text).
    """

    asked: str
    context: str
    response: str
    turns: tuple[Turn, ...] = ()


#: Gives a record's pairs; its second argument is what to call the record in errors.
Form = Callable[[Mapping[str, Any], str], Iterator[Pair]]

#: Columns with further input, and with options, beside a question.
_CONTEXTS = ("context", "input", "passage", "paragraph", "background", "fact1")
_CHOICES = ("choices", "options")
#: What each data set calls who speaks.
_ROLES = {
    **dict.fromkeys(("human", "user", "prompter"), "user"),
    **dict.fromkeys(("gpt", "chatgpt", "assistant", "model", "bot"), "assistant"),
    "system": "system",
}
_CALCULATOR = re.compile(r"<<[^<>]*>>")


def form_of(record: Mapping[str, Any], where: str, field: str | None) -> tuple[Form, str]:
    """The form of a file's records, told by the first one's columns, and what to say of it."""
    if field is not None:
        names = [name.strip() for name in field.split(",")]
        if len(names) != 2 or not all(names):
            raise UsageError(
                f"The columns {field!r} are not two.",
                "Name the question's and the response's: --field QUESTION,RESPONSE.",
            )
        for name in names:
            _column(record, name, where)
        return _named(*names), f"Columns {names[0]} and {names[1]}.{_unused(record, set(names))}"
    for columns, read, uses, said in _FORMS:
        if columns <= record.keys():
            return read, said + _unused(record, {*columns, *uses})
    raise BadDataError(
        f"{where} has the columns {_listed(record)}, which are of no known form of training data.",
        "Known: instruction and output; question and answer; prompt and completion; messages; conversations. Name "
        "other columns by --field QUESTION,RESPONSE.",
    )


def _unused(record: Mapping[str, Any], used: set[str]) -> str:
    """What is said of columns that nothing is learned from."""
    left = {name: value for name, value in record.items() if name not in used}
    return f" Columns that are not used: {_listed(left)}." if left else ""


def _named(question: str, response: str) -> Form:
    def read(record: Mapping[str, Any], where: str) -> Iterator[Pair]:
        yield Pair(_text(record, question, where), "", _text(record, response, where))

    return read


def _instruction(response: str) -> Form:
    def read(record: Mapping[str, Any], where: str) -> Iterator[Pair]:
        yield Pair(_text(record, "instruction", where), _context(record, where), _text(record, response, where))

    return read


def _question(record: Mapping[str, Any], where: str) -> Iterator[Pair]:
    """A question with the further input and the options beside it."""
    asked, options = _text(record, "question", where), _options(record, where)
    if options:
        listed = " ".join(f"({label}) {text}" for label, text in options.items())
        asked = f"{asked} Answer Choices: {listed}"
    answer = _column(record, "answer", where)
    place = answer if isinstance(answer, int) and not isinstance(answer, bool) else None
    if options and place is not None:
        if not 0 <= place < len(options):
            raise BadDataError(f"{where}: the answer is {place}, and there are {len(options)} options.", "Mend it.")
        label, text = list(options.items())[place]
        response = f"({label}) {text}"
    else:
        response = _CALCULATOR.sub("", _text(record, "answer", where))
    yield Pair(asked, _context(record, where), response)


def _context(record: Mapping[str, Any], where: str) -> str:
    """Further input, of one or several columns."""
    return "\n\n".join(text for name in _CONTEXTS if record.get(name) and (text := _text(record, name, where).strip()))


def _options(record: Mapping[str, Any], where: str) -> dict[str, str]:
    """Options by label: of a list, of labels and texts (ARC's), or of labels with texts."""
    name = next((name for name in _CHOICES if record.get(name)), None)
    if name is None:
        return {}
    given = record[name]
    if isinstance(given, dict):
        texts, labels = given.get("text", list(given.values())), given.get("label", list(given))
    else:
        texts, labels = given, None
    known = isinstance(texts, list) and all(isinstance(text, str) for text in texts) and len(texts) <= 26
    if not known or (labels is not None and (not isinstance(labels, list) or len(labels) != len(texts))):
        raise BadDataError(
            f"{where}: column {name!r} holds no list of texts that could be shown as options.",
            "Give options as a list of texts, or name the columns to learn from by --field QUESTION,RESPONSE.",
        )
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"[: len(texts)]
    # a label that a text begins with is not written twice
    plain = [re.sub(rf"\A\(?{letter}[).:]\s*", "", text) for letter, text in zip(letters, texts, strict=True)]
    return dict(zip(map(str, labels or letters), plain, strict=True))


def _completion(response: str) -> Form:
    """A prompt and its completion, texts or lists of messages."""

    def read(record: Mapping[str, Any], where: str) -> Iterator[Pair]:
        if not isinstance(record.get("prompt"), list):
            yield Pair(_text(record, "prompt", where), "", _text(record, response, where))
            return
        turns = _turns(record["prompt"], "prompt", where)
        learned = _column(record, response, where)
        said = _turns(learned, response, where) if isinstance(learned, list) else [("assistant", str(learned))]
        if len(said) != 1 or said[0][0] != "assistant":
            raise BadDataError(f"{where}: {response} is no single reply.", "Give one message of the role assistant.")
        yield Pair(_asked(turns), "", said[0][1], tuple(turns))

    return read


def _chat(column: str) -> Form:
    """Each reply is an example, with the turns before it as its question."""

    def read(record: Mapping[str, Any], where: str) -> Iterator[Pair]:
        before: list[Turn] = []
        for role, content in _turns(_column(record, column, where), column, where):
            if role == "assistant" and before:
                yield Pair(_asked(before), "", content, tuple(before))
            before.append((role, content))

    return read


def _turns(messages: Any, column: str, where: str) -> list[Turn]:
    """Messages as {role, content}, or as {from, value} of ShareGPT."""
    if not isinstance(messages, list) or not all(isinstance(message, dict) for message in messages):
        raise BadDataError(f"{where}: {column} is no list of objects.", "Each message is {role, content}.")
    turns: list[Turn] = []
    for message in messages:
        role, content = message.get("role", message.get("from")), message.get("content", message.get("value"))
        if not isinstance(role, str) or not isinstance(content, str | list):
            raise BadDataError(
                f"{where}: a message has the keys {_listed(message)}.",
                "Each message is {role, content} or {from, value}, both texts.",
            )
        said = content if isinstance(content, str) else _parts(content, where)
        turns.append((_ROLES.get(role.lower(), role), _encodable(said)))
    return turns


def _parts(parts: list[Any], where: str) -> str:
    """A message's text parts, joined."""
    for part in parts:
        kind = part.get("type", "text") if isinstance(part, dict) else type(part).__name__
        if kind != "text" or not isinstance(part.get("text"), str):
            raise BadDataError(
                f"{where}: a message has a part of the kind {str(kind)[:60]!r}, which has no text to learn from.",
                "Leave such records out, or give the text alone.",
            )
    return "\n".join(part["text"] for part in parts)


def _asked(turns: list[Turn]) -> str:
    """A first question is asked as it is, behind what the system says; later ones behind the conversation so far."""
    if all(role in ("system", "user") for role, _ in turns):
        return "\n\n".join(content for _, content in turns)
    return "\n\n".join(f"{role.capitalize()}: {content}" for role, content in turns)


def _text(record: Mapping[str, Any], name: str, where: str) -> str:
    value = _column(record, name, where)
    if isinstance(value, bool) or not isinstance(value, str | int | float | None):
        raise BadDataError(f"{where}: column {name!r} holds {type(value).__name__}, not text.", "Name a text column.")
    return _encodable("" if value is None else str(value))


def _encodable(text: str) -> str:
    """JSON can carry lone surrogates, which no tokenizer takes."""
    return text.encode("utf-8", "replace").decode()


def _column(record: Mapping[str, Any], name: str, where: str) -> Any:
    if name not in record:
        raise BadDataError(
            f"{where} has no column {name!r}; it has {_listed(record)}.", "Name others by --field QUESTION,RESPONSE."
        )
    return record[name]


def _listed(record: Mapping[str, Any]) -> str:
    return some_of([str(name)[:60] for name in record], 20)


_REPLIES = "each reply is an example, with the turns before it as its question."
_BESIDE = {*_CONTEXTS, *_CHOICES}
#: Columns that tell a form, what reads it, further columns that it uses, and what the report says of it; the first that
#: fits is taken.
_FORMS: tuple[tuple[set[str], Form, set[str], str], ...] = (
    ({"messages"}, _chat("messages"), set(), f"Chat messages; {_REPLIES}"),
    ({"conversations"}, _chat("conversations"), set(), f"ShareGPT's conversations; {_REPLIES}"),
    ({"instruction", "output"}, _instruction("output"), {*_CONTEXTS, "answer"}, "LLM-Adapters' form."),
    ({"instruction", "response"}, _instruction("response"), {*_CONTEXTS}, "Instructions and responses."),
    (
        {"question", "answer"},
        _question,
        _BESIDE,
        "GSM8K's form; its calculator annotations <<...>> are taken out, and context and options asked with.",
    ),
    ({"prompt", "completion"}, _completion("completion"), set(), "Prompts and completions."),
    ({"prompt", "response"}, _completion("response"), set(), "Prompts and responses."),
)
