r"""Answers where a model says that they are: ``####``, "the answer is", ``\boxed``; else the last number or letter.

What a model thinks aloud (``<think>``) is not its answer, and one that goes on to write itself another instruction is
not read past it. Every rule takes time in proportion to the output.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from geoprobe.training.answers.numbers import canonical, find_numbers

Kind = Literal["number", "letter", "words"]
Rule = Literal["hashes", "boxed", "stated"]

_NEXT_TURN = re.compile(r"### Instruction:|Below is an instruction that describes")
_THOUGHT = re.compile(r"<(think|thinking|reasoning)>.*?(?:</\1>|\Z)", re.DOTALL)
#: A unit such as "points/answer" states nothing, nor does an "answer =" with no answer behind it.
_STATES = re.compile(
    r"(?P<hashes>#{4}(?!#))|(?P<boxed>\\boxed ?\{)|(?<!/)(?<!/ )(?<!per )(?:answer(?: choice| option)?|"
    r"correct (?:choice|option))(?: is|:| ?=(?= ?(?:[-\u2212]? ?\\?[$€£]?\.?\d|\(?[A-E]\b)))",
    re.I,
)
#: Where a stated answer ends: with its line or its sentence.
_END, _LINE_END = re.compile(r"\n|[.!?](?=\s)"), re.compile(r"\n")
#: What is not the answer is said so: at the start of a statement, or behind what is.
_DENIED = re.compile(r"[\s:*]*(?:not|n't|never|neither)\b", re.I)
_BUT, _INSTEAD = re.compile(r"\bbut\b", re.I), re.compile(r"\b(?:not|rather than|instead of)\b", re.I)
#: A line that goes over the answer once more.
_CHECK = re.compile(r"^[ \t*#>_-]*(?:check|verif\w+|proof|explanation|note)\b[^\n:]*:", re.I | re.M)
#: Words in a formula, and exponents of units.
_IN_WORDS = re.compile(r"\\(?:text|textbf|textrm|mathrm|mathbf|mbox|rm|bf) ?\{([^{}]*)\}")
_UNIT_POWER = re.compile(r"(?<=[A-Za-z}]) ?\^ ?(?:\{[^{}]*\}|-?\d+)")

#: Words that may follow the letter A; before any other it is an article.
_AFTER_A = (
    "(?:because|since|as|is|and|or|with|which|for|due|but|not|so|given|if|that|when|where|by|in|on|at|from|the)\\b"
)
_ARTICLE = rf"(?![Aa] (?!{_AFTER_A})[a-z])"
_BARE = r"(?<![A-Za-z0-9'\u2019\\])([A-E])(?![A-Za-z0-9'\u2019])"
_LETTER = re.compile(rf"{_ARTICLE}{_BARE}")
#: A letter in brackets, or directly behind what states it, may be a small one.
_FIRST_LETTER = re.compile(r"[\s:*_]*(?:\(([A-Ea-e])\)|(?:\b(?:option|choice) )?([b-e])[*_]*(?=\s*$|[).,:;*]))")
_BRACKETED_LETTER = re.compile(r"\(([A-Ea-e])\)")
_OPENING_LETTER = re.compile(r"\s*\(?([A-Ea-e])(?=\s*$|\s*[).:,\n])")
_BOXED_LETTER = re.compile(r"\s*(?:option |choice )?\(?\s*([A-Ea-e])\s*(?:\)|[.:,]|$)", re.I)
_ALONE = re.compile(rf"(?!A [a-z]){_BARE}")
_BRACKETED = re.compile(r"\(([A-E])\)")
_RESTATED = 4
_FIRST_WORDS = 64  # characters
_WORD = re.compile(r"\b(?:(true|false)\b|(answer|solution|ending|option) ?([1-9])(?!\d))", re.IGNORECASE)


@dataclass(frozen=True)
class _Stated:
    """A stretch that says where the answer is; `closed` if later words cannot lengthen it."""

    text: str
    closed: bool
    rule: Rule


def read(kind: Kind, output: str) -> tuple[str | None, str]:
    """The answer in a model's output, in normal form, and the rule that read it; None and nothing where there is none.

    A number: the first behind ``####`` (behind the last ``=`` of that line), or the last in a box, or the last of the
    line or sentence that says "the answer is", up to what it says that it is not; or else the last of all, but for
    lines that check it. A letter A to E: one in a box by itself, or the first behind "the answer is", or one that the
    output opens with, or the last in brackets, or the last alone; none where the options are only written down again.
    Words: the first of ``true``, ``false``, ``answer1``, ``solution1``, ``ending1``, ``option1`` and so on.
    """
    text = _said(output)
    if kind == "words":
        word = option_word(text)
        return word, "" if word is None else "first option word"
    for stated in _stated(text):
        answer = _answer(kind, stated)
        if answer is not None:
            return answer, stated.rule
    if kind == "number":
        return _last_number(text)
    opening = _OPENING_LETTER.match(text)
    if opening is not None:
        return opening[1].upper(), "opening letter"
    bracketed = _BRACKETED.findall(text)
    letters = bracketed or _ALONE.findall(text)
    # a model that writes the options down again has not chosen one
    if not letters or len(set(letters)) >= _RESTATED:
        return None, ""
    return letters[-1], "last letter in brackets" if bracketed else "last letter"


def finished(kind: Kind, output: str) -> bool:
    """Whether the answer in an output is settled: whatever is written behind it, `read` gives the same."""
    if _NEXT_TURN.search(output):
        return True
    text = _said(output)
    if kind == "words":
        match = _WORD.search(text)
        return match is not None and match.end() < len(text)
    for stated in _stated(text):
        if not stated.closed:
            return False
        if _answer(kind, stated) is not None:
            return True
    return False


def option_word(text: str, *, whole: bool = False) -> str | None:
    """The first option word of a text, or the only one if it must be the whole; None without one."""
    match = _WORD.fullmatch(text) if whole else _WORD.search(text)
    return None if match is None else (match[1] or match[2] + match[3]).lower()


def _said(output: str) -> str:
    """What is said to the reader: up to another instruction, thoughts left out."""
    following = _NEXT_TURN.search(output)
    text = output if following is None else output[: following.start()]
    return _THOUGHT.sub(" ", text) if "<" in text else text


def _last_number(text: str) -> tuple[str | None, str]:
    """The last number that no line checks; of the checks, where there is no other."""
    check = _CHECK.search(text)
    for part in (text if check is None else text[: check.start()], text):
        numbers = list(find_numbers(part))
        if numbers:
            return canonical(numbers[-1]), "last number"
    return None, ""


def _stated(text: str) -> Iterator[_Stated]:
    """Stretches that say where the answer is, in order: no later word can put another before them.

    One that lies within the stretch before it is given by its first words, so that all are read in linear time.
    """
    read_to = {"hashes": -1, "stated": -1}
    ends: dict[str, int | None] = {"hashes": -1, "stated": -1}
    braces = _closing_braces(text) if "\\boxed" in text else {}
    matches = list(_STATES.finditer(text))
    boxes = iter([*[match.start() for match in matches if match["boxed"]][1:], None])
    for place, match in enumerate(matches):
        start = match.end()
        following = matches[place + 1] if place + 1 < len(matches) else None
        if match["boxed"]:
            close = braces.get(start - 1)
            # of a box in a box the inner one counts
            inner = next(boxes)
            if inner is None or (close is not None and close < inner):
                yield _Stated(text[start:close], close is not None, "boxed")
            continue
        rule: Rule = "hashes" if match["hashes"] else "stated"
        end = ends[rule]
        if end is not None and end < start:
            found = (_LINE_END if match["hashes"] else _END).search(text, start)
            end = ends[rule] = None if found is None else found.start()
        until, closed = len(text) if end is None else end, end is not None
        denied = _DENIED.match(text, start)
        if denied is not None:
            # "not 12, but 18"
            until = until if following is None else min(until, following.start())
            but = _BUT.search(text, denied.end(), until)
            yield _Stated("" if but is None else text[but.end() : until], closed or following is not None, rule)
        elif start <= read_to[rule]:
            yield _Stated(text[start : min(until, start + _FIRST_WORDS)], closed or start + _FIRST_WORDS <= until, rule)
        else:
            read_to[rule] = until
            yield _Stated(text[start:until], closed, rule)


def _closing_braces(text: str) -> dict[int, int]:
    """Where each brace that opens is closed, by its place; those that are not closed are left out."""
    closing, opened = {}, []
    for brace in re.finditer(r"(?<!\\)[{}]", text):
        if brace[0] == "{":
            opened.append(brace.start())
        elif opened:
            closing[opened.pop()] = brace.start()
    return closing


def _answer(kind: Kind, stated: _Stated) -> str | None:
    plain = _UNIT_POWER.sub(" ", _IN_WORDS.sub(r" \1", _UNIT_POWER.sub(" ", stated.text)))
    if kind == "letter":
        if stated.rule == "boxed":
            boxed = _BOXED_LETTER.match(plain)
            return None if boxed is None else boxed[1].upper()
        first = _FIRST_LETTER.match(plain)
        if first is not None:
            return (first[1] or first[2]).upper()
        letter = _LETTER.search(plain) or _BRACKETED_LETTER.search(plain)
        return None if letter is None else letter[1].upper()
    if stated.rule == "hashes":
        return next(map(canonical, find_numbers(plain.rpartition("=")[2])), None)
    numbers = list(find_numbers(_INSTEAD.split(plain, maxsplit=1)[0]))
    return canonical(numbers[-1]) if numbers else None
