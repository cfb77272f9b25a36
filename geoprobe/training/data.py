"""Training data: from a name, a file or a hub set to prompts and the responses that are learned.

A form is what a file's records look like; `_FORMS` has a row for each.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from geoprobe.errors import BadDataError, NotFoundError, UsageError
from geoprobe.sources.corpora.fields import Record
from geoprobe.sources.corpora.hub_sets import hub_records
from geoprobe.sources.corpora.readers import file_records, split_file
from geoprobe.sources.corpora.resolve import resolve_set
from geoprobe.training.wording import HUB_SETS, instruction_of, prompt

__all__ = ["Example", "TrainingData", "load_training"]


@dataclass(frozen=True)
class Example:
    """What the model is shown, and the response that it learns.

    Parameters
    ----------
    prompt : str
        The whole prompt, template applied; it is not learned.
    response : str
        What is learned.
    question : str
        The bare question, for finding leaks.
    group : str
        The first question of its conversation, which all its examples share; they are held out together.
    """

    prompt: str
    response: str
    question: str
    group: str = ""


@dataclass(frozen=True)
class TrainingData:
    """Examples to train on.

    Parameters
    ----------
    name : str
        For the report: never a whole path.
    examples : tuple of Example
        In file order.
    sha256 : str
        Of all questions and responses, whatever file they came in.
    note : str
        Form and source, and what was left out.
    """

    name: str
    examples: tuple[Example, ...]
    sha256: str
    note: str = ""


def load_training(
    spec: str,
    *,
    data: str | Path | None = None,
    field: str | None = None,
    offline: bool = False,
    template: str = "alpaca",
) -> TrainingData:
    """Read training data.

    Parameters
    ----------
    spec : str
        In the order looked for: a folder in the data folder, as ``NAME`` or ``NAME:SPLIT`` (``train`` by default); the
        path of a file (JSON, JSONL, CSV, TSV, parquet; also .gz and .zst) or of a folder with a ``train`` file; a set
        that geoprobe knows by name, or any set on the hub as ``owner/name:config:split``.
    data : str or Path, optional
        Folder of local sets; by default what ``GEOPROBE_DATA`` names, if anything.
    field : str, optional
        ``QUESTION,RESPONSE``: names of the two columns, where they are not of a known form.
    offline : bool
        Ask no network.
    template : str
        Of the prompts; see `geoprobe.training.wording.prompt`.

    Returns
    -------
    TrainingData
        Examples without a response are left out, which the note says.

    Raises
    ------
    UsageError
        When no data are named.
    NotFoundError
        When there are no such data.
    BadDataError
        When the columns are of no known form, or no example has a response.
    """
    name, records, source = _open(spec, data, offline)
    examples: list[Example] = []
    form: Form | None = None
    said, empty = "", 0
    for position, record in enumerate(records, start=1):
        where = f"{source}: record {position:,}"
        if not isinstance(record, dict):
            raise BadDataError(f"{where} is {type(record).__name__}, not an object with columns.", "Give records.")
        if form is None:
            form, said = form_of(record, source, field)
        group = ""
        for asked, context, response in form(record, where):
            if response.strip() and asked.strip():
                question = f"{asked}\n{context}" if context else asked
                group = group or question
                examples.append(Example(prompt(asked, context, template), response.strip(), question, group))
            else:
                empty += 1
    if not examples:
        left = f"none of its {empty:,} records has both a question and a response" if empty else "it has no record"
        raise BadDataError(f"{source} holds no example to train on: {left}.", "Give data with responses.")
    note = f"{name}. {said}" + (f" {empty:,} records without a question or a response were left out." * bool(empty))
    return TrainingData(name, tuple(examples), _sha256(examples), note)


def _open(spec: str, data: str | Path | None, offline: bool) -> tuple[str, Iterable[Record], str]:
    """What to call the data in a report, their records, and what to call them in errors."""
    location = resolve_set(spec, data=data, what="training data")
    if location.kind in ("manual", "stdin"):
        raise UsageError(f"{spec} has no responses to train on.", "Give a file, a folder or a set of records.")
    if location.path is not None:
        return _file(location.path if location.kind == "file" else _split(location.path, location.split or ""))
    wanted = location.on_hub("train")
    known = None if location.known is None else location.known.name
    if known is not None and known not in HUB_SETS:
        raise NotFoundError(
            f"The set {known} has texts and no responses to train on.",
            f"Give data with responses, such as {', '.join(HUB_SETS)}.",
        )
    rows = hub_records(wanted, spec, offline=offline)
    return str(wanted), rows if known is None else (_learned(known, row) for row in rows), str(wanted)


def _split(folder: Path, split: str) -> Path:
    return split_file(folder, *((split,) if split else ("train", "trainset", "training")))


def _file(path: Path) -> tuple[str, Iterable[Record], str]:
    return f"{path.resolve().parent.name}/{path.name}", file_records(path), str(path)


def _learned(name: str, row: dict[str, object]) -> dict[str, object]:
    """A known hub set's row with its response: the reasoning that it has, else the answer in LLM-Adapters' words."""
    if {"question", "answer"} <= row.keys() and name == "gsm8k":
        return row
    asked = instruction_of(name, row)
    reasoning = row.get("rationale") if name == "aqua" else None
    said = f"the correct answer is {asked['answer']}" if "Answer format" in asked["instruction"] else ""
    ending = f"The answer is ({asked['answer']})." if name == "aqua" else f"The answer is {asked['answer']}."
    return {**asked, "output": said or (f"{reasoning}\n{ending}" if reasoning else ending)}


def _sha256(examples: Iterable[Example]) -> str:
    digest = hashlib.sha256()
    for example in examples:
        digest.update(f"{example.question}\0{example.response}\0".encode("utf-8", "surrogatepass"))
    return digest.hexdigest()


#: What is asked, further input, and the response that is learned.
Pair = tuple[str, str, str]
#: Gives a record's examples; none where the record has no response.
Form = Callable[[Mapping[str, Any], str], Iterator[Pair]]

_CALCULATOR = re.compile(r"<<[^<>]*>>")


def form_of(record: Mapping[str, Any], where: str, field: str | None) -> tuple[Form, str]:
    """The form of a file's records, told by the first one's columns, and what to say of it.

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
    for columns, read, said in _FORMS:
        if columns <= record.keys():
            return read, said
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
    if not isinstance(messages, list) or not all(isinstance(message, dict) for message in messages):
        raise BadDataError(f"{where}: messages is no list of objects.", "Each message is {role, content}.")
    turns: list[tuple[str, str]] = []
    for message in messages:
        role, content = message.get("role"), message.get("content")
        if not isinstance(role, str) or not isinstance(content, str):
            raise BadDataError(
                f"{where}: a message has the keys {_listed(message)}.", "Each message is {role, content}, both texts."
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


#: Columns that tell a form, what reads it, and what the report says of it; the first that fits is taken.
_FORMS: tuple[tuple[set[str], Form, str], ...] = (
    ({"messages"}, _messages, "Chat messages; each reply is an example, with the turns before it as its question."),
    ({"instruction", "output"}, _instruction, "LLM-Adapters' form."),
    ({"question", "answer"}, _gsm8k, "GSM8K's form; its calculator annotations <<...>> are taken out."),
)
