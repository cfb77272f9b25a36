"""A comparison put into words: verdicts side by side, and forest plots of estimates and nulls."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from geoprobe.figure import Axis, Figure, Forest, Role
from geoprobe.report.scan_view import GLOSSARY, VERDICTS, versions_line
from geoprobe.report.text import visible
from geoprobe.report.view import Answer, Card, Section, View, shown_table
from geoprobe.results import Cell, Table, number, span

if TYPE_CHECKING:
    from geoprobe.report.comparison import ComparedAnswer, ComparedModel, ComparedQuestion, Comparison

__all__ = ["comparison_view"]

_METHODS = (
    "Every number is as its own scan gave it; nothing was computed anew. Models have other widths and vocabularies, so "
    "the distance of each from its own null says more than the difference of two estimates.",
    "Intervals that overlap do not prove two models equal, and a comparison of many numbers finds some that differ.",
)


def comparison_view(comparison: Comparison) -> View:
    """Put a comparison into words."""
    return View(
        kind="geoprobe compare",
        title=", ".join(visible(model.label, 60) for model in comparison.models),
        version=visible(comparison.versions.get("geoprobe", "")),
        facts=tuple((visible(model.label, 60), _facts(model)) for model in comparison.models),
        notes=() if comparison.obstacles else (_comparable(comparison),),
        warnings=tuple(visible(obstacle, 600) for obstacle in comparison.obstacles),
        sections=tuple(_section(question, comparison) for question in comparison.questions),
        verdicts=VERDICTS,
        provenance=tuple(row for model in comparison.models for row in _provenance(model)),
        glossary=GLOSSARY,
    )


def _facts(model: ComparedModel) -> str:
    corpora = ", ".join(visible(corpus.name, 60) for corpus in model.corpora)
    return f"{model.rows:,} tokens × {model.dimension:,}; {corpora}: {model.n_tokens:,} tokens"


def _comparable(comparison: Comparison) -> str:
    counts = {model.n_tokens for model in comparison.models}
    if len(counts) == 1:
        return f"All scans are of the same documents, {counts.pop():,} tokens each."
    sizes = sorted({question.size for question in comparison.questions if question.size is not None})
    matched = ", ".join(f"{size:,}" for size in sizes)
    how = f"; what depends on their number is compared at {matched} tokens each, too" if matched else ""
    return f"All scans are of the same documents, which the models' tokenizers split into other numbers of tokens{how}."


def _section(question: ComparedQuestion, comparison: Comparison) -> Section:
    answers = question.answers
    return Section(
        anchor=question.name,
        title=question.title,
        card=Card(
            anchor=question.name,
            question=question.question,
            verdict="",
            reason=_summary(answers),
            answers=tuple(
                Answer(visible(answer.label, 60), answer.verdict.label, _line(answer, question.size))
                for answer in answers
            ),
        ),
        rule=answers[0].verdict.rule,
        warnings=(),
        figures=tuple(_figures(question)),
        tables=tuple(shown_table(table) for table in (_answers(question), _reasons(question), _quantities(question))),
        methods=_METHODS,
    )


def _summary(answers: tuple[ComparedAnswer, ...]) -> str:
    labels = list(dict.fromkeys(answer.verdict.label for answer in answers))
    if len(labels) == 1:
        return f"The same verdict for all {len(answers)}: {labels[0]}."
    parts = (
        f"{label} for {', '.join(visible(a.label, 60) for a in answers if a.verdict.label == label)}"
        for label in labels
    )
    text = "; ".join(parts)
    return text[0].upper() + text[1:] + "."


def _line(answer: ComparedAnswer, size: int | None) -> str:
    estimate = answer.estimate
    line = f"{estimate.symbol} = {number(estimate.value)}"
    if estimate.interval is not None:
        line += f" ({span(estimate.interval.low, estimate.interval.high)})"
    if size is not None:
        line += f", {number(dict(answer.by_size)[size])} at {size:,} tokens"
    if answer.null_mean is not None:
        found, null = number(answer.observed), number(answer.null_mean)
        line += f"; {found} against {null} in the null (p = {number(answer.pvalue)})"
    return visible(line, 400)


def _figures(question: ComparedQuestion) -> Iterable[Figure]:
    answers, first = question.answers, question.answers[0]
    places = [(a, a.estimate.value, a.estimate.interval) for a in answers]
    known = [(a, value, interval) for a, value, interval in places if value is not None]
    if len(known) == len(answers):
        label = visible(first.estimate.label)
        triples = [(v, v, v) if interval is None else (v, interval.low, interval.high) for _, v, interval in known]
        layers = [_forest(answers, triples, "estimate", "data")]
        if question.size is not None:
            at = [dict(answer.by_size)[question.size] for answer in answers]
            layers.append(_forest(answers, [(v, v, v) for v in at], f"at {question.size:,} tokens", "alternative", 0.2))
        yield _forest_figure(
            "estimates", f"{_capital(label)}, by model", "Each model's estimate with its interval.", label, layers
        )
    nulls = [
        (a.null_mean, a.null_low, a.null_high, a.observed)
        for a in answers
        if a.null_mean is not None and a.null_low is not None and a.null_high is not None and a.observed is not None
    ]
    if len(nulls) == len(answers):
        statistic = visible(first.statistic)
        yield _forest_figure(
            "nulls",
            f"{_capital(statistic)}, beside each model's null",
            f"The statistic of each model, and what it is in this null: {visible(first.null_model, 200)}.",
            statistic,
            [
                _forest(answers, [null[:3] for null in nulls], "null, mean and middle 95%", "null", 0.12),
                _forest(answers, [(null[3],) * 3 for null in nulls], "model", "data", -0.12),
            ],
        )


def _forest(
    answers: Sequence[ComparedAnswer],
    places: Sequence[tuple[float, float, float]],
    label: str,
    role: Role,
    offset: float = 0.0,
) -> Forest:
    values, low, high = zip(*places, strict=True)
    # an interval need not hold its estimate, but bars are drawn from it
    low = tuple(min(pair) for pair in zip(values, low, strict=True))
    high = tuple(max(pair) for pair in zip(values, high, strict=True))
    return Forest(tuple(visible(answer.label, 40) for answer in answers), values, low, high, label, role, offset)


def _forest_figure(name: str, title: str, caption: str, axis: str, layers: Sequence[Forest]) -> Figure:
    aspect = 0.28 + 0.08 * len(layers[0].names)
    return Figure(name, title, caption, Axis(axis), Axis(""), tuple(layers), aspect)


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _answers(question: ComparedQuestion) -> Table:
    size = question.size
    matched = () if size is None else (f"at {size:,} tokens",)
    columns = ("model", "verdict", "estimate", "low", "high", *matched, "statistic", "null mean", "p")
    rows: list[tuple[Cell, ...]] = []
    for answer in question.answers:
        interval = answer.estimate.interval
        rows.append(
            (
                answer.label,
                answer.verdict.label,
                answer.estimate.value,
                None if interval is None else interval.low,
                None if interval is None else interval.high,
                *(() if size is None else (dict(answer.by_size)[size],)),
                answer.observed,
                answer.null_mean,
                answer.pvalue,
            )
        )
    first = question.answers[0]
    note = f"Estimate: {visible(first.estimate.label)}. Statistic of the test: {visible(first.statistic)}."
    return Table("answers", "Verdicts", columns, tuple(rows), note)


def _reasons(question: ComparedQuestion) -> Table:
    rows = tuple((answer.label, answer.verdict.reason) for answer in question.answers)
    return Table("reasons", "In words", ("model", "reason"), rows)


def _quantities(question: ComparedQuestion) -> Table:
    """Every quantity that all models have."""
    by_model = [{row.quantity: row.value for row in reversed(answer.rows)} for answer in question.answers]
    names = dict.fromkeys(row.quantity for row in question.answers[0].rows)
    shared = [name for name in names if all(name in rows for rows in by_model)]
    columns = ("quantity", *(visible(answer.label, 40) for answer in question.answers))
    return Table(
        "quantities", "Quantities", columns, tuple((name, *(rows[name] for rows in by_model)) for name in shared)
    )


def _provenance(model: ComparedModel) -> Iterable[tuple[str, str]]:
    label = visible(model.label, 60)
    yield f"{label}, SHA-256 of the tensor", visible(model.tensor_sha256)
    for corpus in model.corpora:
        yield f"{label}, SHA-256 of {visible(corpus.name, 60)}", visible(corpus.sha256)
    yield f"{label}, seed and versions", f"{model.seed}; {versions_line(model.versions)}"
