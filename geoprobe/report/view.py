"""A report as readers see it: the same words, tables and figures for HTML and PDF, in plain strings."""

from __future__ import annotations

from dataclasses import dataclass

from geoprobe.figure import Figure
from geoprobe.report.document import Report
from geoprobe.report.text import visible
from geoprobe.results import Cell, Result, Table, number, span

__all__ = ["Card", "Section", "ShownTable", "View", "view"]


@dataclass(frozen=True)
class Card:
    """A question with its answer, for the first screen."""

    anchor: str
    question: str
    verdict: str
    reason: str
    estimate: str
    null: str


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
    """One diagnostic."""

    anchor: str
    title: str
    card: Card
    rule: str
    warnings: tuple[str, ...]
    figures: tuple[Figure, ...]
    quantities: ShownTable
    tables: tuple[ShownTable, ...]
    methods: tuple[str, ...]


@dataclass(frozen=True)
class View:
    """A whole report."""

    title: str
    facts: tuple[tuple[str, str], ...]
    notes: tuple[str, ...]
    sections: tuple[Section, ...]
    provenance: tuple[tuple[str, str], ...]


def view(report: Report) -> View:
    """Put a report into words."""
    return View(
        title=visible(report.model.source.name),
        facts=_facts(report),
        notes=tuple(visible(note, 400) for note in _notes(report)),
        sections=tuple(_section(name, result) for name, result in report.results.items()),
        provenance=_provenance(report),
    )


def _facts(report: Report) -> tuple[tuple[str, str], ...]:
    model = report.model
    corpora = "; ".join(
        f"{visible(c.name)} ({c.n_documents:,} documents, {c.n_tokens:,} tokens, {c.n_types:,} types)"
        for c in report.corpora
    )
    tied = {True: "the same matrix", False: "a matrix of its own", None: "not stated"}[model.tied]
    return (
        ("Model", f"{visible(model.source.model)}, architecture {visible(model.source.architecture)}"),
        ("Input embedding", f"{model.rows:,} tokens × {model.dimension:,}, stored as {visible(model.source.dtype)}"),
        ("Output embedding", tied),
        ("Corpora", corpora),
    )


def _notes(report: Report) -> list[str]:
    notes = [corpus.note for corpus in report.corpora if corpus.note]
    notes.extend(report.model.source.notes)
    if report.model.lookup_scale != 1.0:
        scale = number(report.model.lookup_scale)
        notes.append(f"The model multiplies embeddings by {scale} after look-up; everything here is without it.")
    return notes


def _section(name: str, result: Result) -> Section:
    rows = tuple(
        (visible(row.quantity), _cell(row.value), span(row.low, row.high), visible(row.note, 200))
        for row in result.rows()
    )
    quantities = ShownTable(
        "Quantities", ("quantity", "value", "95% interval", "note"), rows, (False, True, True, False)
    )
    return Section(
        anchor=name,
        title=result.title,
        card=_card(name, result),
        rule=result.verdict.rule,
        warnings=tuple(visible(warning, 400) for warning in result.warnings),
        figures=result.figures(),
        quantities=quantities,
        tables=tuple(_table(table) for table in result.tables() if table.rows),
        methods=result.methods(),
    )


def _card(name: str, result: Result) -> Card:
    estimate, interval = result.estimate, result.estimate.interval
    shown = f"{estimate.symbol} = {number(estimate.value)}"
    if interval is not None:
        shown += f", {interval.level:.0%} interval {span(interval.low, interval.high)}"
    mean = result.null.mean
    null = visible(result.null.model, 300)
    if mean is not None:
        null = f"{result.null.statistic} {number(result.null.observed)}; null {number(mean)} on average ({null})"
        null += f", p = {number(result.null.pvalue)}"
    return Card(name, result.question, result.verdict.label, visible(result.verdict.reason, 600), shown, null)


def _table(table: Table) -> ShownTable:
    numeric = tuple(all(not isinstance(row[column], str) for row in table.rows) for column in range(len(table.columns)))
    rows = tuple(tuple(_cell(cell) for cell in row) for row in table.rows)
    return ShownTable(table.title, tuple(visible(name) for name in table.columns), rows, numeric, table.note)


def _cell(cell: Cell) -> str:
    return visible(cell, 300) if isinstance(cell, str) else number(cell)


def _provenance(report: Report) -> tuple[tuple[str, str], ...]:
    source = report.model.source
    options = "; ".join(
        f"{name}: {', '.join(f'{key} {value}' for key, value in values.items()) or 'no options'}"
        for name, values in report.options.items()
    )
    return (
        ("File", f"{visible(source.file)}, tensor {visible(source.tensor)}"),
        ("SHA-256 of the tensor", visible(source.sha256)),
        *((("Revision", visible(source.revision)),) if source.revision else ()),
        *((f"SHA-256 of {visible(corpus.name)}", visible(corpus.sha256)) for corpus in report.corpora),
        ("Seed", str(report.seed)),
        ("Options", visible(options, 600)),
        ("Versions", visible(", ".join(f"{name} {version}" for name, version in report.versions.items()), 600)),
    )
