"""What a corpus is: named parts, each a stream of documents of bounded length."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

#: Characters of the longest document; a longer one is cut, so that no line or record decides how much memory is needed.
MAX_DOCUMENT = 1_000_000

#: Gives a fresh iterator over a part's documents, each call from the start.
Part = Callable[[], Iterator[str]]


class Continued(str):
    """A document that goes on from the one before it: both are of one text longer than `MAX_DOCUMENT`."""

    __slots__ = ()


@dataclass(frozen=True)
class Corpus:
    """A named stream of documents.

    A part gives a fresh iterator over its documents' texts; parts can be counted on different machines. `name` is for
    the report, and never a whole path; `note` is what its reader should know.
    """

    name: str
    parts: tuple[Part, ...]
    note: str = ""

    def documents(self) -> Iterator[str]:
        """All documents, part by part."""
        for part in self.parts:
            yield from part()


def cut(text: str) -> tuple[str, str]:
    """Cut a text of more than `MAX_DOCUMENT` characters after its last space that fits, if any is near."""
    near = MAX_DOCUMENT - MAX_DOCUMENT // 10
    place = max(text.rfind(" ", near, MAX_DOCUMENT), text.rfind("\n", near, MAX_DOCUMENT)) + 1 or MAX_DOCUMENT
    return text[:place], text[place:]


def bounded(texts: Iterable[str]) -> Iterator[str]:
    """The same texts, those longer than `MAX_DOCUMENT` cut."""
    for text in texts:
        kind: type[str] = str
        rest = text
        while len(rest) > MAX_DOCUMENT:
            head, rest = cut(rest)
            yield kind(head)
            kind = Continued
        yield rest if kind is str else kind(rest)
