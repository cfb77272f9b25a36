"""A scan put into words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from geoprobe.report.text import visible
from geoprobe.report.view import Card, Section, Strip, View, quantities, shown_table
from geoprobe.results import Result, number, span

if TYPE_CHECKING:
    from geoprobe.report.document import Report

__all__ = ["GLOSSARY", "VERDICTS", "estimate_line", "null_line", "scan_view", "versions_line"]

#: What the verdicts of a scan mean.
VERDICTS = (
    ("supported", "the data show it, more than the null does, by every check of the rule"),
    ("weak", "some of it holds, and the text says what does not"),
    ("not supported", "nothing beyond what the null gives"),
    ("contradicted", "the data speak against it"),
    ("inconclusive", "too little data to say"),
)
#: What else a reader may meet first here.
GLOSSARY = (
    ("null", "the same statistic on made-up data of the kind named; a number means something only beside it"),
    ("interval", "where the number would lie in 95% of repetitions with other documents or tokens of the same kind"),
)


def scan_view(report: Report) -> View:
    """Put a scan's report into words."""
    return View(
        kind="geoprobe scan",
        title=visible(report.model.source.name),
        version=visible(report.versions.get("geoprobe", "")),
        facts=_facts(report),
        notes=tuple(visible(note, 400) for note in _notes(report)),
        sections=tuple(_section(name, result) for name, result in report.results.items()),
        verdicts=VERDICTS,
        provenance=_provenance(report),
        glossary=GLOSSARY,
    )


def estimate_line(result: Result) -> str:
    """The estimate in words, with its interval."""
    estimate, interval = result.estimate, result.estimate.interval
    named = estimate.label if estimate.symbol in estimate.label else f"{estimate.label} {estimate.symbol}"
    line = f"{named} = {number(estimate.value)}"
    if interval is not None:
        line += f" ({interval.level:.0%} interval {span(interval.low, interval.high)})"
    return visible(line, 400)


def null_line(result: Result) -> str:
    """What the null gives beside what was observed."""
    null = result.null
    if null.mean is None:
        return visible(null.model, 300)
    found = f"{null.statistic}: {number(null.observed)} here, {number(null.mean)} on average in {null.model}"
    return visible(f"{found} (p = {number(null.pvalue)})", 500)


def versions_line(versions: dict[str, str]) -> str:
    """Names and versions, in one line."""
    return visible(", ".join(f"{name} {version}" for name, version in versions.items()), 600)


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
    return Section(
        anchor=name,
        title=result.title,
        card=Card(
            anchor=name,
            question=result.question,
            verdict=result.verdict.label,
            reason=visible(result.verdict.reason, 600),
            lines=(("Estimate", estimate_line(result)), ("Null", null_line(result))),
            strip=_strip(result),
        ),
        rule=result.verdict.rule,
        warnings=tuple(visible(warning, 400) for warning in result.warnings),
        figures=result.figures(),
        tables=(quantities(result.rows()), *(shown_table(table) for table in result.tables() if table.rows)),
        methods=result.methods(),
        scatter=result.scatter(),
    )


def _strip(result: Result) -> Strip | None:
    observed, middle = result.null.observed, result.null.middle()
    if observed is None or middle is None:
        return None
    low, high = middle
    start, end = min(low, observed), max(high, observed)
    if end <= start:
        return None
    low, high, observed = (0.06 + 0.88 * (value - start) / (end - start) for value in (low, high, observed))
    return Strip(low, high, observed)


def _provenance(report: Report) -> tuple[tuple[str, str], ...]:
    source = report.model.source
    options = "; ".join(
        f"{name}: {', '.join(f'{key} {value}' for key, value in values.items()) or 'no options'}"
        for name, values in report.options.items()
    )
    return (
        *((("Command", visible(report.command, 600)),) if report.command else ()),
        ("File", f"{visible(source.file)}, tensor {visible(source.tensor)}"),
        ("SHA-256 of the tensor", visible(source.sha256)),
        *((("Revision", visible(source.revision)),) if source.revision else ()),
        *((f"SHA-256 of {visible(corpus.name)}", visible(corpus.sha256)) for corpus in report.corpora),
        ("Seed", str(report.seed)),
        ("Options", visible(options, 600)),
        ("Versions", versions_line(dict(report.versions))),
    )
