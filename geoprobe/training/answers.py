r"""How an answer is read from what a model wrote, and when no further word could change it.

Three kinds of answer, as the test sets have them. What the paper's evaluation reads is the last number
(arithmetic), the first option letter (AQuA) and the first option word (commonsense); where a model says where its
answer is (``####``, "the answer is", ``\boxed``), that place decides here. A model that goes on to write itself another
instruction is not read past it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from geoprobe.training.numbers import canonical, find_numbers, last_number

__all__ = ["TOLERANCE", "Kind", "extract", "finished", "is_right", "normalised"]

Kind = Literal["number", "letter", "words"]

#: How near a number must be to the reference, as in LLM-Adapters' evaluation.
TOLERANCE = 0.001

_NEXT_TURN = re.compile(r"### Instruction:|Below is an instruction that describes")
#: A unit such as "points/answer" states nothing, nor does an "answer =" with no answer behind it.
_STATES = re.compile(
    r"#{4}(?!#)|(?<!/)(?<!/ )(?<!per )(?:answer(?: choice| option)?|correct (?:choice|option))"
    r"(?: is|:| ?=(?= ?(?:[-\u2212]? ?[$€£]?\.?\d|\(?[A-E]\b)))|\\boxed ?\{",
    re.I,
)
#: Where a stated answer ends: with its line or its sentence.
_END, _LINE_END = re.compile(r"\n|[.!?](?=\s)"), re.compile(r"\n")
_LETTER = re.compile(r"(?<![A-Za-z0-9'\u2019])([A-E])(?![A-Za-z0-9'\u2019])")
#: A letter at the very start, as an answer and not as an article: "A", "B.", "(C)", "D) 12".
_OPENING_LETTER = re.compile(r"\s*\(?([A-E])(?=\s*$|\s*[).:,\n])")
#: A letter by itself; "A" before a word is an article.
_ALONE = re.compile(rf"(?!A [a-z]){_LETTER.pattern}")
_RESTATED = 4
_BRACKETED = re.compile(r"\(([A-E])\)")
_WORD = re.compile(r"\b(?:(true|false)\b|(answer|solution|ending|option) ?([1-9])(?!\d))", re.IGNORECASE)


@dataclass(frozen=True)
class _Stated:
    """A stretch that says where the answer is; `closed` if later words cannot lengthen it."""

    text: str
    closed: bool
    hashes: bool


def extract(kind: Kind, output: str) -> str | None:
    """The answer in a model's output, in normal form; None where there is none.

    Parameters
    ----------
    kind : {"number", "letter", "words"}
        A number: the first behind ``####`` (behind the last ``=`` of that line), or the last of the line or sentence
        that says "the answer is", or else the last of all. A letter A to E: the first behind "the answer is", or one
        that the output opens with, or the last in brackets, or the last alone; none where the options are only
        written down again. Words: the first of ``true``, ``false``, ``answer1``, ``solution1``,
        ``ending1``, ``option1`` and so on.
    output : str
        What the model wrote behind the prompt.
    """
    text = _turn(output)
    if kind == "words":
        match = _WORD.search(text)
        return None if match is None else _word(match)
    for stated in _stated(text):
        answer = _read(kind, stated)
        if answer is not None:
            return answer
    if kind == "number":
        number = last_number(text)
        return None if number is None else canonical(number)
    opening = _OPENING_LETTER.match(text)
    if opening is not None:
        return opening[1]
    letters = _BRACKETED.findall(text) or _ALONE.findall(text)
    # a model that writes the options down again has not chosen one
    return letters[-1] if letters and len(set(letters)) < _RESTATED else None


def finished(kind: Kind, output: str) -> bool:
    """Whether the answer in an output is settled: whatever is written behind it, `extract` gives the same."""
    if _NEXT_TURN.search(output):
        return True
    if kind == "words":
        match = _WORD.search(output)
        return match is not None and match.end() < len(output)
    for stated in _stated(output):
        if not stated.closed:
            return False
        if _read(kind, stated) is not None:
            return True
    return False


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
    match = _WORD.fullmatch(answer.strip())
    return None if match is None else _word(match)


def _turn(output: str) -> str:
    following = _NEXT_TURN.search(output)
    return output if following is None else output[: following.start()]


def _word(match: re.Match[str]) -> str:
    return (match[1] or match[2] + match[3]).lower()


def _stated(text: str) -> Iterator[_Stated]:
    """Stretches that say where the answer is, in order: no later word can put another before them."""
    for match in _STATES.finditer(text):
        hashes = match[0].startswith("#")
        end = (_LINE_END if hashes else _END).search(text, match.end())
        yield _Stated(text[match.end() : None if end is None else end.start()], end is not None, hashes)


def _read(kind: Kind, stated: _Stated) -> str | None:
    if kind == "letter":
        letter = _LETTER.search(stated.text)
        return None if letter is None else letter[1]
    numbers = list(find_numbers(stated.text.rpartition("=")[2] if stated.hashes else stated.text))
    return canonical(numbers[0 if stated.hashes else -1]) if numbers else None
