"""One question of a test set, and a set's records made into questions."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

from geoprobe.errors import BadDataError
from geoprobe.sources.corpora.fields import Record
from geoprobe.training.answers import Kind, extract, normalised
from geoprobe.training.options import options_of
from geoprobe.training.template import prompt

__all__ = ["Question", "questions_sha256", "read_questions"]


@dataclass(frozen=True)
class Question:
    """One test question.

    Parameters
    ----------
    id : str
        ``gsm8k/17``: the set and the index in file order.
    prompt : str
        The whole prompt as the model sees it.
    answer : str
        The reference answer in normal form.
    options : tuple of str
        Multiple choice: the texts whose likelihood is compared, in option order; empty for other sets.
    correct : int or None
        Index of the right one in `options`.
    text : str
        The bare instruction, without the prompt's words.
    """

    id: str
    prompt: str
    answer: str
    options: tuple[str, ...] = ()
    correct: int | None = None
    text: str = ""


def read_questions(name: str, kind: Kind, records: Iterable[Record], where: str, template: str) -> tuple[Question, ...]:
    """Records in LLM-Adapters' form (``instruction``, ``answer``) or GSM8K's (``question``, ``answer``) as questions.

    Raises
    ------
    BadDataError
        When a record has no such columns, or no answer of the kind.
    """
    return tuple(_question(name, kind, position, record, where, template) for position, record in enumerate(records))


def questions_sha256(questions: Iterable[Question]) -> str:
    """SHA-256 of questions with their answers, whatever file they came in."""
    digest = hashlib.sha256()
    for question in questions:
        digest.update(f"{question.text}\0{question.answer}\0".encode("utf-8", "surrogatepass"))
    return digest.hexdigest()


def _question(name: str, kind: Kind, position: int, record: Record, where: str, template: str) -> Question:
    at = f"{where}: record {position + 1:,}"
    columns = record if isinstance(record, dict) else {}
    asked = columns.get("instruction", columns.get("question"))
    if not isinstance(asked, str) or not asked.strip() or "answer" not in columns:
        found = ", ".join(map(str, columns)) or "no columns"
        raise BadDataError(
            f"{at} is no question: it needs an instruction (or a question) and an answer, and has {found}.",
            "Give the test file in LLM-Adapters' form or in GSM8K's own.",
        )
    written = str(columns["answer"])
    # GSM8K's own answers are whole solutions with the answer on their last line
    marked = written.rpartition("####")
    answer = extract(kind, "".join(marked[1:])) if marked[1] else normalised(kind, written)
    if answer is None:
        raise BadDataError(f"{at} has the answer {written[:60]!r}, which is no {kind} answer.", f"Is this {name}?")
    options = options_of(asked, kind)
    correct = options.index_of(answer)
    context = columns.get("input")
    return Question(
        id=f"{name}/{position}",
        prompt=prompt(asked, context if isinstance(context, str) else "", template),
        answer=answer,
        options=options.texts if correct is not None else (),
        correct=correct,
        text=asked,
    )
