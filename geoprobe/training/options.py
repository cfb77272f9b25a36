"""The options of a multiple-choice question, read from its instruction as LLM-Adapters words it."""

from __future__ import annotations

import re
from dataclasses import dataclass

from geoprobe.training.answers import Kind

__all__ = ["Options", "options_of", "stem"]

_NUMBERED = re.compile(r"\b(Answer|Solution|Option|Ending)([1-9]):\s*")
_LETTERED = re.compile(r"\(([A-E])\)\s*")
_FORMAT = re.compile(r"\s*Answer format:.*\Z", re.DOTALL)
_CHOICES = "Answer Choices:"
_OPENINGS = re.compile(r"\APlease (?:choose|answer)[^:]*:\s*|\A.*?with true or false, question:\s*")


@dataclass(frozen=True)
class Options:
    """Options in their order: what the set calls each (``answer1``, ``A``, ``true``) and its text."""

    names: tuple[str, ...] = ()
    texts: tuple[str, ...] = ()

    def index_of(self, answer: str) -> int | None:
        """Index of the option that the set calls so; None if there is none."""
        return self.names.index(answer) if answer in self.names else None


def options_of(instruction: str, kind: Kind) -> Options:
    """The options that an instruction lists; none for arithmetic, or where they cannot be told apart.

    What is compared is the option's own text ("light-year."), not its number: texts differ in length, so their
    log-likelihoods are to be divided by it.
    """
    if kind == "number":
        return Options()
    if kind == "letter":
        _, found, listed = instruction.rpartition(_CHOICES)
        return _split(_LETTERED, listed, "ABCDE") if found else Options()
    body = _FORMAT.sub("", instruction)
    if "true/false" in instruction[len(body) :]:
        return Options(("true", "false"), ("true", "false"))
    return _split(_NUMBERED, body, "123456789")


def stem(instruction: str) -> str:
    """An instruction without the words that every question of its set has: for telling questions apart."""
    return _OPENINGS.sub("", _FORMAT.sub("", instruction), count=1)


def _split(marker: re.Pattern[str], listed: str, order: str) -> Options:
    found = list(marker.finditer(listed))
    signs = "".join(match[match.lastindex or 0] for match in found)
    if len(found) < 2 or signs != order[: len(found)]:
        return Options()  # an option's own text looks like a marker
    ends = [match.start() for match in found[1:]] + [len(listed)]
    texts = tuple(listed[match.end() : end].strip() for match, end in zip(found, ends, strict=True))
    if not all(texts):
        return Options()
    names = ("".join(match.groups()) for match in found)
    return Options(tuple(name if len(name) == 1 else name.lower() for name in names), texts)
