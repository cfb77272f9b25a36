"""How an answer is read from what a model wrote, by which rule, and when no further word could change it.

Three kinds of answer, as the test sets have them, and two sets of rules: where a model says where its answer is, that
place decides (`geoprobe.training.answers.stated`); or the last number and the first option word, as in the evaluation
of LLM-Adapters and the paper (`geoprobe.training.answers.reference`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from geoprobe.training.answers import reference, stated
from geoprobe.training.answers.numbers import canonical, last_number
from geoprobe.training.answers.stated import option_word

Kind = Literal["number", "letter", "words"]
#: Whose rules read an answer.
AnswerRules = Literal["stated", "llm-adapters"]

#: How near a number must be to the reference, as in LLM-Adapters' evaluation.
TOLERANCE = 0.001


@dataclass(frozen=True)
class Reading:
    """What was read, in normal form, and by which rule; None and no rule where there is no answer."""

    answer: str | None
    rule: str = ""


def read(kind: Kind, output: str, rules: AnswerRules = "stated", task: str = "") -> Reading:
    """The answer in a model's output by some rules, of which LLM-Adapters' look for the task's option words."""
    if rules == "llm-adapters":
        answer = reference.extract(kind, output, task)
        return Reading(answer, "" if answer is None else "llm-adapters")
    answer, rule = stated.read(kind, output)
    return Reading(answer, rule)


def extract(kind: Kind, output: str, rules: AnswerRules = "stated", task: str = "") -> str | None:
    """The answer that `read` gives, without its rule."""
    return read(kind, output, rules, task).answer


def finished(kind: Kind, output: str, rules: AnswerRules = "stated", task: str = "") -> bool:
    """Whether the answer in an output is settled: whatever is written behind it, `read` gives the same."""
    if rules == "llm-adapters":
        return reference.finished(kind, output, task)
    return stated.finished(kind, output)


def is_right(kind: Kind, extracted: str | None, answer: str) -> bool:
    """Whether an extracted answer is the reference: numbers within `TOLERANCE`, anything else exactly."""
    if extracted is None:
        return False
    if kind == "number":
        return abs(float(extracted) - float(answer)) <= TOLERANCE
    return extracted == answer


def normalised(kind: Kind, answer: str) -> str | None:
    """A data set's own reference answer in normal form; None where it is of another kind."""
    if kind == "number":
        number = last_number(answer)
        return None if number is None else canonical(number)
    if kind == "letter":
        return answer.strip() if re.fullmatch("[A-E]", answer.strip()) else None
    return option_word(answer.strip(), whole=True)
