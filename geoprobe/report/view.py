"""A report as readers see it: the same words, tables and figures for every format, in plain strings.

Whatever can be put into a `View` (a scan, a comparison of models, an experiment) is drawn by the same code.
"""

from __future__ import annotations

from dataclasses import dataclass

from geoprobe.figure import Figure
from geoprobe.report.conclusion import Conclusion
from geoprobe.report.text import escape
from geoprobe.results import Cell, Row, Table, number, span
from geoprobe.scatter import VocabularyScatter
from geoprobe.word_map import WordMap

#: How a verdict looks: a class of the page's style sheet, a colour of the PDF.
_TONES = {
    "supported": "yes",
    "helps": "yes",
    "weak": "partly",
    "depends on alpha": "partly",
    "not supported": "no",
    "no detectable difference": "no",
    "contradicted": "against",
    "hurts": "against",
}


def tone(verdict: str) -> str:
    """How a verdict is drawn: ``yes``, ``partly``, ``no``, ``against``, or ``unknown`` for any other."""
    return _TONES.get(verdict, "unknown")


@dataclass(frozen=True)
class Answer:
    """One verdict of several on a card: of which model, task or method, and the numbers behind it."""

    of: str
    verdict: str
    line: str = ""


@dataclass(frozen=True)
class Strip:
    """Where the data lie beside the middle 95% of their null, as shares of a common width, and what that means.

    `here` and `chance` are the numbers of the dot and of the bar; `side` is what it means to lie there.
    """

    low: float
    high: float
    observed: float
    axis: str = ""
    here: str = ""
    chance: str = ""
    side: str = ""


@dataclass(frozen=True)
class Card:
    """A question with its answer, for the first screen.

    The verdict is a word, empty where there are several `answers` side by side; `lines` are the numbers behind it, a
    name and a line each; the anchor is of the section that it leads to.
    """

    anchor: str
    question: str
    verdict: str
    reason: str
    lines: tuple[tuple[str, str], ...] = ()
    answers: tuple[Answer, ...] = ()
    strip: Strip | None = None


@dataclass(frozen=True)
class ShownTable:
    """A table of plain strings; `numeric` says which columns hold numbers."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    numeric: tuple[bool, ...]
    note: str = ""


@dataclass(frozen=True)
class Section:
    """One question in full: its card again, figures, tables, how it was done.

    The anchor is unique within a view. The rule that gave the verdict may be empty; figures have the most telling one
    first; the still pictures of `word_map` are among them.
    """

    anchor: str
    title: str
    card: Card
    rule: str
    warnings: tuple[str, ...]
    figures: tuple[Figure, ...]
    tables: tuple[ShownTable, ...]
    methods: tuple[str, ...]
    scatter: VocabularyScatter | None = None
    word_map: WordMap | None = None


@dataclass(frozen=True)
class View:
    """A whole report.

    `kind` is what made it, such as ``geoprobe scan``, `title` what it is of, `facts` what was measured on what, `notes`
    what applies to all of it, `verdicts` what each means, for a reader who meets them first, as `glossary` does for
    other words. `provenance` is what is needed to make it again. Warnings and the conclusion come before the answers.
    """

    kind: str
    title: str
    version: str
    facts: tuple[tuple[str, str], ...]
    notes: tuple[str, ...]
    sections: tuple[Section, ...]
    verdicts: tuple[tuple[str, str], ...]
    provenance: tuple[tuple[str, str], ...]
    glossary: tuple[tuple[str, str], ...] = ()
    warnings: tuple[str, ...] = ()
    conclusion: Conclusion | None = None


def quantities(rows: tuple[Row, ...]) -> ShownTable:
    """A result's quantities with their intervals, as shown."""
    shown = tuple(
        (escape(row.quantity), _cell(row.value), span(row.low, row.high), escape(row.note, 200)) for row in rows
    )
    return ShownTable("Quantities", ("quantity", "value", "95% interval", "note"), shown, (False, True, True, False))


def shown_table(table: Table) -> ShownTable:
    """A result's table, as shown."""
    numeric = tuple(all(not isinstance(row[column], str) for row in table.rows) for column in range(len(table.columns)))
    rows = tuple(tuple(_cell(cell) for cell in row) for row in table.rows)
    return ShownTable(table.title, tuple(escape(name) for name in table.columns), rows, numeric, table.note)


def _cell(cell: Cell) -> str:
    # a reason is a few sentences, and what two models differ by may be the last of them
    return escape(cell, 2000) if isinstance(cell, str) else number(cell)
