"""What is compared: models, their answers to a question, and the section that shows them side by side."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from geoprobe.figure import Axis, Figure, Forest, Role
from geoprobe.report.scan import CorpusFacts
from geoprobe.report.text import distinct, escape
from geoprobe.report.view import Answer, Card, Section, shown_table
from geoprobe.results import Cell, Estimate, Row, Table, Verdict, number, span

_METHODS = (
    "Every number is as its own scan gave it; nothing was computed anew. Models have other widths and vocabularies, so "
    "the distance of each from its own null says more than the difference of two estimates.",
    "Intervals that overlap do not prove two models equal, and a comparison of many numbers finds some that differ.",
)


#: Characters of a model's name: in running text, above a column, and beside a figure, which it must leave room.
LONGEST_NAME, _SHORT, _SHORTEST = 60, 40, 26


@dataclass(frozen=True)
class ComparedModel:
    """What was scanned, and how: of each model as much as tells whether two scans are comparable."""

    label: str
    model: str
    tensor_sha256: str
    rows: int
    dimension: int
    corpora: tuple[CorpusFacts, ...]
    seed: int
    versions: dict[str, str]

    @property
    def n_tokens(self) -> int:
        """Tokens counted, over all corpora."""
        return sum(corpus.n_tokens for corpus in self.corpora)

    @property
    def documents(self) -> frozenset[str]:
        """Hashes of what was counted."""
        return frozenset(corpus.sha256 for corpus in self.corpora)


@dataclass(frozen=True)
class ComparedStatistic:
    """A further statistic of one model: its name, value and interval, and its null's mean and middle 95%."""

    name: str
    null_model: str
    value: float | None
    low: float | None
    high: float | None
    null_mean: float | None
    null_low: float | None
    null_high: float | None


@dataclass(frozen=True)
class ComparedAnswer:
    """One model's answer to one question.

    The null is its mean and middle 95%; `by_size` is the estimate on random subsets of so many tokens, where its size
    depends on theirs; `rows` are every quantity of the result, `others` further statistics beside the estimate.
    """

    label: str
    verdict: Verdict
    estimate: Estimate
    statistic: str
    null_model: str
    observed: float | None
    null_mean: float | None
    null_low: float | None
    null_high: float | None
    pvalue: float | None
    by_size: tuple[tuple[int, float], ...]
    rows: tuple[Row, ...]
    others: tuple[ComparedStatistic, ...] = ()


@dataclass(frozen=True)
class ComparedQuestion:
    """A question and every model's answer.

    `size` is, where token counts differ, the largest number of tokens at which every model has an estimate.
    """

    name: str
    title: str
    question: str
    answers: tuple[ComparedAnswer, ...]
    size: int | None


def question_section(question: ComparedQuestion) -> Section:
    """Every model's answer, with figures and tables."""
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
                Answer(name, answer.verdict.label, _line(answer, question.size))
                for name, answer in zip(_names(answers, LONGEST_NAME), answers, strict=True)
            ),
        ),
        rule=answers[0].verdict.rule,
        warnings=(),
        figures=tuple(_figures(question)),
        tables=tuple(shown_table(table) for table in (_answers(question), _reasons(question), _quantities(question))),
        methods=_METHODS,
    )


def _names(answers: Sequence[ComparedAnswer], limit: int) -> tuple[str, ...]:
    return tuple(distinct([answer.label for answer in answers], limit))


def _summary(answers: tuple[ComparedAnswer, ...]) -> str:
    labels = list(dict.fromkeys(answer.verdict.label for answer in answers))
    if len(labels) == 1:
        return f"All models get the same verdict: {labels[0]}."
    named = list(zip(_names(answers, LONGEST_NAME), answers, strict=True))
    parts = (
        f"{label} for {', '.join(name for name, answer in named if answer.verdict.label == label)}" for label in labels
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
        observed, null = number(answer.observed), number(answer.null_mean)
        line += f"; {observed} against {null} in the null (p = {number(answer.pvalue)})"
    return escape(line, 400)


def _figures(question: ComparedQuestion) -> Iterable[Figure]:
    first = question.answers[0]
    names = _names(question.answers, _SHORTEST)
    estimates = [(a, a.estimate.value, a.estimate.interval) for a in question.answers]
    known = [
        (name, a, (value, value, value) if interval is None else (value, interval.low, interval.high))
        for name, (a, value, interval) in zip(names, estimates, strict=True)
        if value is not None
    ]
    if len(known) > 1:
        label = escape(first.estimate.label)
        drawn = tuple(name for name, _, _ in known)
        layers = [_forest(drawn, [place for _, _, place in known], "estimate", "data")]
        if question.size is not None:
            at = [dict(answer.by_size)[question.size] for _, answer, _ in known]
            at_size = f"at {question.size:,} tokens"
            layers.append(_forest(drawn, [(v, v, v) for v in at], at_size, "alternative", 0.2))
        caption = f"Each model's estimate with its interval.{_without(names, drawn)}"
        yield _forest_figure("estimates", f"{_capital(label)}, by model", caption, label, layers)
    tested = [(a.observed, a.observed, a.observed, a.null_mean, a.null_low, a.null_high) for a in question.answers]
    yield from _beside_null("nulls", first.statistic, first.null_model, names, tested)
    for place, other in enumerate(first.others):
        same = [next((o for o in answer.others if o.name == other.name), None) for answer in question.answers]
        beside = [
            (None,) * 6 if o is None else (o.value, o.low, o.high, o.null_mean, o.null_low, o.null_high) for o in same
        ]
        yield from _beside_null(f"other-{place}", other.name, other.null_model, names, beside)


def _beside_null(
    name: str, statistic: str, model: str, names: Sequence[str], places: Sequence[tuple[float | None, ...]]
) -> Iterable[Figure]:
    """A statistic of each model, its value and interval, beside its null's mean and middle 95%; none for one model."""
    known = [(label, place) for label, place in zip(names, places, strict=True) if None not in place]
    if len(known) < 2:
        return
    drawn = tuple(label for label, _ in known)
    numbers = [tuple(float(value) for value in place if value is not None) for _, place in known]
    own, null = [(v, low, high) for v, low, high, *_ in numbers], [(m, low, high) for *_, m, low, high in numbers]
    yield _forest_figure(
        name,
        f"{_capital(escape(statistic))}, beside each model's null",
        f"The statistic of each model, and what it is in this null: {escape(model, 200)}.{_without(names, drawn)}",
        escape(statistic),
        [
            _forest(drawn, null, "null, mean and middle 95%", "null", 0.12),
            _forest(drawn, own, "model", "data", -0.12),
        ],
    )


def _without(names: Sequence[str], drawn: Sequence[str]) -> str:
    missing = [name for name in names if name not in drawn]
    return f" Not drawn, as there is none: {', '.join(missing)}." if missing else ""


def _forest(
    names: tuple[str, ...],
    places: Sequence[tuple[float, float, float]],
    label: str,
    role: Role,
    offset: float = 0.0,
) -> Forest:
    values, low, high = zip(*places, strict=True)
    # an interval need not hold its estimate, but bars are drawn from it
    low = tuple(min(pair) for pair in zip(values, low, strict=True))
    high = tuple(max(pair) for pair in zip(values, high, strict=True))
    return Forest(names, values, low, high, label, role, offset)


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
    for name, answer in zip(_names(question.answers, LONGEST_NAME), question.answers, strict=True):
        interval = answer.estimate.interval
        rows.append(
            (
                name,
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
    note = f"Estimate: {escape(first.estimate.label)}. Statistic of the test: {escape(first.statistic)}."
    return Table("answers", "Verdicts", columns, tuple(rows), note)


def _reasons(question: ComparedQuestion) -> Table:
    named = zip(_names(question.answers, LONGEST_NAME), question.answers, strict=True)
    rows = tuple((name, answer.verdict.reason) for name, answer in named)
    return Table("reasons", "In words", ("model", "reason"), rows)


def _quantities(question: ComparedQuestion) -> Table:
    """Every quantity that all models have."""
    by_model = [{row.quantity: row.value for row in reversed(answer.rows)} for answer in question.answers]
    names = dict.fromkeys(row.quantity for row in question.answers[0].rows)
    shared = [name for name in names if all(name in rows for rows in by_model)]
    columns = ("quantity", *_names(question.answers, _SHORT))
    return Table(
        "quantities", "Quantities", columns, tuple((name, *(rows[name] for rows in by_model)) for name in shared)
    )
