"""Training data: from a name, a file or a hub set to prompts and the responses that are learned."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from geoprobe.errors import BadDataError, NotFoundError, UsageError
from geoprobe.results import counted
from geoprobe.sources.corpora.fields import Record
from geoprobe.sources.corpora.hub_sets import hub_records
from geoprobe.sources.corpora.readers import file_records, split_file
from geoprobe.sources.corpora.resolve import resolve_set
from geoprobe.training.data.forms import Form, Turn, form_of
from geoprobe.training.data.wording import HUB_SETS, instruction_of, prompt


@dataclass(frozen=True)
class Example:
    """What the model is shown, and the response that it learns.

    The prompt has its template applied; `question` is the bare one, for finding leaks. `group` is the first question of
    its conversation, which all its examples share: they are held out together. `turns` are the conversation so far, by
    role: what a chat template is filled with.
    """

    prompt: str
    response: str
    question: str
    group: str = ""
    turns: tuple[Turn, ...] = ()


@dataclass(frozen=True)
class TrainingData:
    """Examples to train on, in file order, with the hash of all questions and responses, whatever file they came in.

    The name is for the report, and never a whole path; the note says form and source, and what was left out.
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

    In the order looked for: a folder in the data folder, as ``NAME`` or ``NAME:SPLIT`` (``train`` by default); the path
    of a file (JSON, JSONL, CSV, TSV, parquet; also .gz and .zst) or of a folder with a ``train`` file; a set that
    geoprobe knows by name, or any set on the hub as ``owner/name:config:split``. `field` names two columns,
    ``QUESTION,RESPONSE``, where they are not of a known form. Examples without a response are left out, which the note
    says.
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
        for pair in form(record, where):
            if pair.response.strip() and pair.asked.strip():
                question = f"{pair.asked}\n{pair.context}" if pair.context else pair.asked
                group = group or question
                shown = prompt(pair.asked, pair.context, template)
                examples.append(Example(shown, pair.response.strip(), question, group, pair.turns))
            else:
                empty += 1
    if not examples:
        left = (
            f"none of its {counted(empty, 'record')} has both a question and a response"
            if empty
            else "it has no record"
        )
        raise BadDataError(f"{source} holds no example to train on: {left}.", "Give data with responses.")
    left_out = f" {counted(empty, 'record')} without a question or a response left out." if empty else ""
    note = f"{name}. {said}{left_out}"
    sha256 = pairs_sha256((example.question, example.response) for example in examples)
    return TrainingData(name, tuple(examples), sha256, note)


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


def pairs_sha256(pairs: Iterable[tuple[str, str]]) -> str:
    """SHA-256 of questions with what follows them."""
    digest = hashlib.sha256()
    for asked, said in pairs:
        digest.update(f"{asked}\0{said}\0".encode("utf-8", "surrogatepass"))
    return digest.hexdigest()
