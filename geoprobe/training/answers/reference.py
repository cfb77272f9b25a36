r"""How LLM-Adapters' evaluation, and for letters the paper's, reads an answer, to compare with their figures.

Read in their repositories: a number is the last one, commas taken out; an option word the first one; a letter the last
in a ``\boxed``, else in brackets, else behind "answer is", "is" at the very end, or "option".
"""

from __future__ import annotations

import re
from typing import Literal

from geoprobe.training.answers.numbers import canonical

#: A model that goes on to answer an instruction of its own is not read past here.
_NEXT_RESPONSE = "### Response:"
_NUMBER = re.compile(r"-?\d+\.?\d*")
#: The first that occurs at all is taken, and of it the last match.
_LETTERS = tuple(
    map(
        re.compile,
        (
            r"\\boxed\{\\text\{\(?([A-E])\)?\}\}",
            r"\\boxed\{\(?([A-E])\)?\}",
            r"([A-E])\)",
            r"(?i:answer is[:\s]+\(?)([A-Ea-e])",
            r"is[:\s]+([A-E])\.?\s*\Z",
            r"[Oo]ption\s+\(?([A-E])",
        ),
    )
)
#: Of the sets with option words, those that have others than answer1 to answer5.
_WORDS = {
    "boolq": re.compile("true|false"),
    "piqa": re.compile("solution[12]"),
    "hellaswag": re.compile("ending[1-4]"),
    "winogrande": re.compile("option[12]"),
}
_ANSWERS = re.compile("answer[1-5]")


def extract(kind: Literal["number", "letter", "words"], output: str, task: str) -> str | None:
    """The answer in an output, as their evaluation reads it; None where it finds none."""
    text = output.partition(_NEXT_RESPONSE)[0].strip()
    if kind == "words":
        word = _WORDS.get(task, _ANSWERS).search(text.lower())
        return None if word is None else word[0]
    if kind == "letter":
        for rule in _LETTERS:
            letters = rule.findall(text)
            if letters:
                return str(letters[-1])
        return None
    numbers = _NUMBER.findall(text.replace(",", ""))
    return canonical(float(numbers[-1])) if numbers else None


def finished(kind: Literal["number", "letter", "words"], output: str, task: str) -> bool:
    """Whether later words cannot change the answer: an option word is the first, anything else the last."""
    return _NEXT_RESPONSE in output or (kind == "words" and extract(kind, output, task) is not None)
