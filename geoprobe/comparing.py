"""Compare models: load their scans, put the answers side by side, and say what stands in the way."""

from __future__ import annotations

import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import MISSING, fields, is_dataclass
from pathlib import Path
from typing import Any

from geoprobe import __version__
from geoprobe.diagnostics.base import analyzer_type
from geoprobe.errors import UsageError
from geoprobe.report.compared import ComparedAnswer, ComparedModel, ComparedQuestion, ComparedStatistic
from geoprobe.report.comparison import Comparison
from geoprobe.report.scan import Report
from geoprobe.results import Estimate, NullDistribution, Result
from geoprobe.sources.sampling import QUICK_SCAN


def compare(*scans: Report | str | Path) -> Comparison:
    """Put scans of several models side by side.

    Parameters
    ----------
    *scans : Report, str or Path
        Reports, or the paths of their ``scan.json``; at least two.

    Returns
    -------
    Comparison
        With every question that all of them answer, and what stands in the way of comparing.

    Raises
    ------
    UsageError
        With fewer than two scans, or where they have no question in common.
    """
    if len(scans) < 2:
        raise UsageError(f"There is nothing to compare {len(scans)} scan with.", "Give two or more scan.json.")
    reports = [scan if isinstance(scan, Report) else Report.load(scan) for scan in scans]
    labels = _labels(reports)
    shared = [name for name in reports[0].results if all(name in report.results for report in reports)]
    if not shared:
        asked = "; ".join(
            f"{label}: {', '.join(report.results)}" for label, report in zip(labels, reports, strict=True)
        )
        raise UsageError(f"The scans have no diagnostic in common ({asked}).", "Scan again with the same analyzers.")
    models = tuple(_model(label, report) for label, report in zip(labels, reports, strict=True))
    return Comparison(
        models=models,
        questions=tuple(_question(name, labels, reports) for name in shared),
        obstacles=tuple(_obstacles(models, reports, shared)),
        versions={"geoprobe": __version__},
    )


def _labels(reports: Sequence[Report]) -> list[str]:
    """Names that tell the models apart: by what was asked for, its commit or its tensor, or else by number."""
    of_name: defaultdict[str, list[tuple[str, ...]]] = defaultdict(list)
    for report in reports:
        of_name[report.model.source.name].append(_marks(report))
    places = {name: _distinguishing(marks) for name, marks in of_name.items()}
    names = []
    for report in reports:
        name = report.model.source.name
        marks = [_marks(report)[place] for place in places[name] if _marks(report)[place]]
        names.append(f"{name} ({', '.join(marks)})" if marks else name)
    seen: Counter[str] = Counter()
    labels = []
    for name in names:
        seen[name] += 1
        labels.append(name if seen[name] == 1 else f"{name}, scan {seen[name]}")
    return labels


def _marks(report: Report) -> tuple[str, ...]:
    source = report.model.source
    return source.model, source.revision or "", f"tensor {source.sha256[:8]}"


def _distinguishing(marks: Sequence[tuple[str, ...]]) -> list[int]:
    """Places of the first marks that it takes to tell apart what can be told apart."""
    places: list[int] = []
    for place, values in enumerate(zip(*marks, strict=True)):
        if len({tuple(of[at] for at in places) for of in marks}) == len(marks):
            break
        if len(set(values)) > 1:
            places.append(place)
    return places


def _model(label: str, report: Report) -> ComparedModel:
    model = report.model
    return ComparedModel(
        label=label,
        model=model.source.model,
        tensor_sha256=model.source.sha256,
        rows=model.rows,
        dimension=model.dimension,
        corpora=report.corpora,
        seed=report.seed,
        versions=dict(report.versions),
    )


def _question(name: str, labels: Sequence[str], reports: Sequence[Report]) -> ComparedQuestion:
    results = [report.results[name] for report in reports]
    same = len({sum(corpus.n_tokens for corpus in report.corpora) for report in reports}) == 1
    sizes = set() if same else set.intersection(*({size for size, _ in result.by_size()} for result in results))
    return ComparedQuestion(
        name=name,
        title=results[0].title,
        question=results[0].question,
        answers=tuple(_answer(label, result) for label, result in zip(labels, results, strict=True)),
        size=max(sizes, default=None),
    )


def _answer(label: str, result: Result) -> ComparedAnswer:
    null = result.null
    low, high = null.middle() or (None, None)
    return ComparedAnswer(
        label=label,
        verdict=result.verdict,
        estimate=result.estimate,
        statistic=null.statistic,
        null_model=null.model,
        observed=null.observed,
        null_mean=null.mean,
        null_low=low,
        null_high=high,
        pvalue=null.pvalue,
        by_size=result.by_size(),
        rows=result.rows(),
        others=tuple(_other(estimate, of_null) for estimate, of_null in result.others()),
    )


def _other(estimate: Estimate, null: NullDistribution) -> ComparedStatistic:
    interval = estimate.interval
    low, high = null.middle() or (None, None)
    return ComparedStatistic(
        name=estimate.label,
        null_model=null.model,
        value=estimate.value,
        low=None if interval is None else interval.low,
        high=None if interval is None else interval.high,
        null_mean=null.mean,
        null_low=low,
        null_high=high,
    )


def _obstacles(models: Sequence[ComparedModel], reports: Sequence[Report], shared: Sequence[str]) -> list[str]:
    obstacles = []
    if len({model.documents for model in models}) > 1:
        obstacles.append(
            f"The scans are not of the same documents. Not counted in every scan: {_not_in_all(models)}. What differs "
            "may be the text and not the models: scan them over the same corpora."
        )
    if len({model.n_tokens for model in models}) > 1:
        counts = ", ".join(f"{model.label} {model.n_tokens:,}" for model in models)
        unmatched = [
            name
            for name in shared
            if any(report[name].by_size() for report in reports)
            and not set.intersection(*({size for size, _ in report[name].by_size()} for report in reports))
        ]
        if unmatched:
            obstacles.append(
                f"Token counts differ ({counts}), and there is no size at which every scan has an estimate of "
                f"{', '.join(unmatched)}: scan more text."
            )
    dropped = sorted({name for report in reports for name in report.results} - set(shared))
    if dropped:
        obstacles.append(f"Not every scan has the diagnostics {', '.join(dropped)}; they are left out.")
    return [*obstacles, *_differences([model.label for model in models], reports, shared)]


def _not_in_all(models: Sequence[ComparedModel]) -> str:
    """Corpora that some scans counted and others did not, each with the models that were scanned over it."""
    shared = frozenset.intersection(*(model.documents for model in models))
    of: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
    for model in models:
        for corpus in model.corpora:
            if corpus.sha256 not in shared:
                of[corpus.name, corpus.sha256].append(model.label)
    names: defaultdict[tuple[str, ...], list[str]] = defaultdict(list)
    for (name, _), labels in of.items():
        names[tuple(labels)].append(name)
    return "; ".join(f"{', '.join(listed)} (only {', '.join(labels)})" for labels, listed in names.items())


def _differences(labels: Sequence[str], reports: Sequence[Report], shared: Sequence[str]) -> Iterator[str]:
    """How the scans were made, where that was not the same way."""
    for what, stated in (
        ("geoprobe", {report.versions.get("geoprobe", "unknown") for report in reports}),
        ("seed", {str(report.seed) for report in reports}),
    ):
        if len(stated) > 1:
            yield f"The scans differ in {what}: {', '.join(sorted(stated))}."
    sampled = [any(note.startswith(QUICK_SCAN) for note in report.model.source.notes) for report in reports]
    if len(set(sampled)) > 1:
        quick = ", ".join(label for label, some in zip(labels, sampled, strict=True) if some)
        yield f"Of some models a sample of the rows was read ({quick}), of others all: scan without --quick."
    for name in shared:
        defaults = _defaults(name)
        options = [defaults | dict(report.options.get(name, {})) for report in reports]
        keys = dict.fromkeys(key for values in options for key in values)
        written = {key: [_written(values, key) for values in options] for key in keys}
        different = [f"{key} {_by_value(labels, values)}" for key, values in written.items() if len(set(values)) > 1]
        if different:
            yield f"The scans differ in options of {name}: {'; '.join(different)}."
        results = [report.results[name] for report in reports]
        # how many prompts there were to take a mean over is no other statistic
        for what, values in (
            ("estimate", [result.estimate.label for result in results]),
            ("test", [_NUMBER.sub("n", result.null.statistic) for result in results]),
        ):
            if len(set(values)) > 1:
                yield f"The {what} of {name} is not the same quantity in every scan: {_by_value(labels, values)}."


def _defaults(name: str) -> dict[str, Any]:
    """What an option is that a report does not state: the report is older than the option, and had its default."""
    kind = analyzer_type(name)
    if not is_dataclass(kind):
        return {}
    return {option.name: option.default for option in fields(kind) if option.default is not MISSING}


def _written(options: Mapping[str, Any], key: str) -> str:
    """An option's value, the same whether it was read from JSON or not."""
    return json.dumps(options[key], default=str, ensure_ascii=False) if key in options else "not stated"


_NUMBER = re.compile(r"\d[\d,.]*")


def _by_value(labels: Sequence[str], values: Sequence[str]) -> str:
    groups: defaultdict[str, list[str]] = defaultdict(list)
    for label, value in zip(labels, values, strict=True):
        groups[value].append(label)
    return ", ".join(f"{value} ({', '.join(of)})" for value, of in groups.items())
