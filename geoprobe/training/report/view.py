"""An experiment put into words: the verdict first, then what it rests on."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from statistics import fmean

from geoprobe.report.scan import versions_line
from geoprobe.report.text import escape
from geoprobe.report.view import Answer, Card, Section, ShownTable, View, shown_table
from geoprobe.results import Table, counted, number
from geoprobe.training.methods import METHODS
from geoprobe.training.outcome import Outcome
from geoprobe.training.protocol import beside_paper, deviations
from geoprobe.training.report.explanations import (
    accuracy_methods,
    cost_methods,
    geometry_methods,
    leak_methods,
    loss_methods,
    protocol_methods,
    scan_methods,
)
from geoprobe.training.report.figures import accuracy_figures, geometry_figures, loss_figures
from geoprobe.training.report.tables import (
    accuracy_tables,
    cost_table,
    geometry_tables,
    leak_tables,
    loss_tables,
    protocol_table,
)
from geoprobe.training.report.words import (
    accuracy_reason,
    borne_out,
    bound_lines,
    difference_line,
    edge_of_sweep,
    learned_by_heart,
    loss_bound_lines,
    loss_line,
    loss_reason,
    name,
    percent,
    power_line,
    speed_line,
)
from geoprobe.training.verdict import LOSS_RULE, RULE

#: Share of inputs beyond the maps' limit from which the report warns; K as it is measured leaves 2.5%.
MANY_BEYOND = 0.1

_VERDICTS = (
    ("helps", "the method does better than the reference, by more than luck of seeds and questions gives"),
    ("hurts", "it does worse, by more than luck gives"),
    (
        "no detectable difference",
        "luck alone could give this; a difference smaller than the bound named may still be there",
    ),
    ("depends on alpha", "of the loss: another way of matching alpha has another verdict, so none is the method's own"),
    ("no verdict", "nothing could be compared"),
)
_GLOSSARY = (
    ("seed", "one repetition of a training, with another start and order of examples; all methods share them"),
    (
        "interval",
        "where the difference would lie in 95% of repetitions with other seeds and questions of the same kind",
    ),
    (
        "K, δ",
        "the curvature of HypLoRA's space is −1/K; relative δ says how far distances are from a tree's, 0 is a tree",
    ),
)
#: A number as it is shown, or the dash of a missing one.
_FIGURE = re.compile(r"[+−]?[\d.,]+(?:e[+−]?\d+)?|–|")


def experiment_view(result: Outcome) -> View:
    """Put an experiment into words."""
    return View(
        kind="geoprobe finetune",
        title=f"{_versus(result)} on {escape(result.model.name)}",
        version=escape(result.versions.get("geoprobe", "")),
        facts=_facts(result),
        notes=tuple(escape(note, 400) for note in _notes(result)),
        sections=tuple(_sections(result)),
        verdicts=_VERDICTS,
        provenance=_provenance(result),
        glossary=_glossary(result),
        warnings=tuple(escape(warning, 600) for warning in _warnings(result)),
    )


def _glossary(result: Outcome) -> tuple[tuple[str, str], ...]:
    """The methods, those of the experiment first, and what else a reader may not know."""
    order = sorted(METHODS, key=lambda method: method not in result.methods)
    return (*((METHODS[method].title, METHODS[method].glossary) for method in order), *_GLOSSARY)


def _versus(result: Outcome) -> str:
    others = " and ".join(map(name, result.methods[1:]))
    return (
        f"{others} against {name(result.methods[0])}" if others else name(result.methods[0]) if result.methods else ""
    )


def _sections(result: Outcome) -> Iterator[Section]:
    yield _accuracy(result)
    yield _loss(result)
    if result.diagnosis:
        yield _scan(result)
    yield _geometry(result)
    yield _cost(result)
    if result.setup:
        yield _protocol(result)
    if result.leaks is not None:
        yield _leaks(result)


def _facts(result: Outcome) -> tuple[tuple[str, str], ...]:
    model, training = result.model, result.training
    parameters = f", {model.parameters / 1e6:,.0f} million parameters" if model.parameters else ""
    where = ", ".join(escape(part, 60) for part in (model.dtype, model.device) if part)
    layers = ", ".join(f"{escape(end, 40)} × {count:,}" for end, count in model.adapted.items())
    finals = result.final()
    steps = sorted({run.steps for run in finals})
    seeds = sorted({run.seed for run in finals})
    batch = result.setup.get("batch")
    size = f" of {counted(batch, 'example')}" if isinstance(batch, int) else ""
    shown = counted(steps[0], "step") if len(steps) == 1 else f"{steps[0]:,} to {steps[-1]:,} steps" if steps else ""
    return (
        ("Model", f"{escape(model.model)}{parameters}" + (f"; trained in {where}" if where else "")),
        (
            "Trained on",
            f"{escape(training.name)}: {training.examples:,} examples, {training.validation:,} held out"
            + (f", {training.choosing:,} more to choose the rate" if training.choosing else ""),
        ),
        *((("Adapters on", layers),) if layers else ()),
        ("Tested on", ", ".join(_asked(result))),
        ("Runs", f"{counted(len(finals), 'run')} of {shown}{size}, {_seeds(seeds)}" if finals else "none finished"),
    )


def _seeds(seeds: Sequence[int]) -> str:
    return f"seed{'s' * (len(seeds) != 1)} {', '.join(map(str, seeds))}"


def _asked(result: Outcome) -> Iterator[str]:
    called = result.titles
    for task in result.tasks:
        some = f" of {task.of:,}" if task.questions < task.of else ""
        yield f"{called[task.name]} ({task.questions:,}{some} questions)"


def _notes(result: Outcome) -> Iterator[str]:
    yield from result.model.notes
    if result.training.note:
        yield f"Training data: {result.training.note}"


def _warnings(result: Outcome) -> Iterator[str]:
    failed = [run for run in result.runs if run.status == "failed"]
    for run in failed:
        what = f"{name(run.method)}, seed {run.seed}, learning rate {run.learning_rate:g}"
        why = run.error or "no reason given"
        if run.purpose == "final":
            yield f"A run failed and is left out, with its partner: {what} ({why})"
        elif run.purpose == "alpha":
            yield f"A run at another alpha failed, so whether the verdict depends on it is not known: {what} ({why})"
        elif run.diverged:
            yield f"A run to choose the learning rate failed, and that rate is not taken: {what} ({why})"
        else:
            yield f"A run to choose the learning rate failed, and no method may take that rate: {what} ({why})"
    yield from result.warnings


def _accuracy(result: Outcome) -> Section:
    edge = edge_of_sweep(result)
    reference = name(result.methods[0]) if result.methods else ""
    single = result.comparisons[0] if len(result.comparisons) == 1 else None
    if single is not None:
        overall = single.overall
        lines = (
            ()
            if overall is None
            else (
                ("Difference", difference_line(overall.difference)),
                ("80% power", power_line(overall.difference)),
                *bound_lines(overall.difference),
            )
        )
        question = f"Does {name(single.method)} answer more test questions right than {reference}?"
        card = Card(
            "accuracy", question, single.label, f"{accuracy_reason(single)}{learned_by_heart(result)}{edge}", lines
        )
    else:
        answers = tuple(
            Answer(name(one.method), one.label, difference_line(one.overall.difference) if one.overall else "")
            for one in result.comparisons
        )
        reason = " ".join(map(accuracy_reason, result.comparisons)) or "There is one method, so nothing is compared."
        reason += learned_by_heart(result) + edge
        card = Card(
            "accuracy", f"Do they answer more test questions right than {reference}?", "", reason, answers=answers
        )
    return Section(
        "accuracy",
        "Accuracy",
        card,
        RULE,
        tuple(escape(warning, 400) for warning in _unseen(result)),
        tuple(accuracy_figures(result)),
        _shown(accuracy_tables(result)),
        accuracy_methods(result),
    )


def _unseen(result: Outcome) -> Iterator[str]:
    """What this very experiment could not see, set by set."""
    called = result.titles
    finals = result.final()
    silent = [
        called[task.name]
        for task in result.tasks
        if finals and not any("1" in run.rights.get(task.name, "") for run in finals)
    ]
    if silent:
        yield f"No run answers any question of {', '.join(silent)} right: there, nothing could be seen at this budget."
    for task in result.tasks:
        unread = sum(run.unread.get(task.name, 0) for run in finals)
        asked = sum(len(run.rights.get(task.name, "")) for run in finals)
        if asked and unread / asked > 0.2:
            yield f"{percent(unread / asked)} of the answers to {called[task.name]} hold no {task.kind} to read."


def _loss(result: Outcome) -> Section:
    edge = edge_of_sweep(result)
    reference = name(result.methods[0]) if result.methods else ""
    single = result.comparisons[0] if len(result.comparisons) == 1 else None
    if single is not None:
        lines = () if single.loss is None else (("Difference", loss_line(single.loss)), *loss_bound_lines(single.loss))
        question = f"Does {name(single.method)} learn the training data better than {reference}?"
        card = Card("loss", question, single.loss_label, loss_reason(single) + edge, lines)
    else:
        answers = tuple(
            Answer(name(one.method), one.loss_label, loss_line(one.loss) if one.loss else "")
            for one in result.comparisons
        )
        reason = " ".join(map(loss_reason, result.comparisons)) or "There is one method, so nothing is compared."
        reason += edge
        card = Card("loss", f"Do they learn the training data better than {reference}?", "", reason, answers=answers)
    figures = tuple(loss_figures(result))
    return Section("loss", "Loss", card, LOSS_RULE, (), figures, _shown(loss_tables(result)), loss_methods(result))


def _scan(result: Outcome) -> Section:
    answers = (
        *(
            Answer(escape(one.question, 200), escape(one.verdict, 40), escape(one.estimate, 200))
            for one in result.diagnosis
        ),
        *(
            Answer(
                f"Experiment: does {name(one.method)} help?",
                one.label,
                difference_line(one.overall.difference) if one.overall else "",
            )
            for one in result.comparisons
        ),
    )
    rows = tuple((one.question, one.verdict, one.reason) for one in result.diagnosis)
    tables = (Table("scan", "What the scan said", ("question", "verdict", "reason"), rows),)
    card = Card("scan", "Does the experiment bear out what the geometry said?", "", borne_out(result), answers=answers)
    return Section("scan", "Scan and experiment", card, "", (), (), _shown(tables), scan_methods(result))


def _geometry(result: Outcome) -> Section:
    parts = []
    base = result.base.hidden_delta
    if base:
        parts.append(f"Relative δ of the final hidden layer is {number(fmean(base.values()))} before training")
        for method in result.methods:
            deltas = [delta for run in result.final(method) for delta in run.hidden_delta.values()]
            if deltas:
                parts.append(f"{number(fmean(deltas))} after {name(method)}")
    reason = ", ".join(parts) + "." if parts else "δ was not measured."
    for method in result.methods:
        moved = [layer.end / layer.start - 1 for run in result.final(method) for layer in run.curvatures if layer.start]
        if moved:
            reason += (
                f" {name(method)}'s K moved by {percent(fmean(map(abs, moved)))} on average, "
                f"{percent(max(map(abs, moved)))} at most, where its learning rate bounds a move by about "
                f"{percent(_farthest(result, method))}."
            )
        beyond = [layer.beyond for run in result.final(method) for layer in run.curvatures if layer.beyond is not None]
        if beyond and fmean(beyond) > MANY_BEYOND:
            reason += (
                f" At the start {percent(fmean(beyond))} of {name(method)}'s inputs are longer than its maps are exact "
                "for: much of what was compared is a map's straight continuation. Leave K to be measured, or raise it."
            )
    card = Card("geometry", "What did training do to the geometry?", "", reason)
    figures = tuple(geometry_figures(result))
    return Section(
        "geometry", "Geometry", card, "", (), figures, _shown(geometry_tables(result)), geometry_methods(result)
    )


def _farthest(result: Outcome, method: str) -> float:
    """How far K can move, as a share: Adam moves log K by its rate a step at most, and the rate falls to 0."""
    rate = float(result.setup.get("curvature_rate", 1.0))
    sums = [rate * run.learning_rate * run.steps / 2 for run in result.final(method)]
    return math.expm1(max(sums, default=0.0))


def _cost(result: Outcome) -> Section:
    reference = result.final(result.methods[0]) if result.methods else ()
    parts = []
    for method in result.methods[1:]:
        runs = result.final(method)
        said = speed_line(result, method)
        if said and runs and reference:
            more = runs[0].trainable_parameters - reference[0].trainable_parameters
            said += f" It trains {_more(more, reference[0].trainable_parameters)}."
        parts.append(said)
    card = Card("cost", "What does it cost?", "", " ".join(filter(None, parts)) or "There is nothing to compare.")
    return Section("cost", "Cost", card, "", (), (), _shown((cost_table(result),)), cost_methods(result))


def _more(parameters: int, of: int) -> str:
    if not parameters:
        return "as many parameters"
    share = f" ({100 * abs(parameters) / of:.2g}%)" if of else ""
    return f"{number(abs(parameters))} {'more' if parameters > 0 else 'fewer'} parameters{share}"


def _leaks(result: Outcome) -> Section:
    leaks = result.leaks
    looked = sum(task.questions for task in leaks.tasks) if leaks else 0
    if leaks is not None and leaks.found:
        asked = result.leaks_asked
        done = f"{asked:,} of them were asked" if asked else "they were left out"
        reason = f"Yes: {len(leaks.leaks):,} of {looked:,}, and {done}. By set: {leaks.summary()}."
    else:
        reason = f"None of {looked:,} was found, neither word for word nor nearly."
    card = Card("leaks", "Are test questions among the training data?", "", escape(reason, 600))
    return Section("leaks", "Leaks", card, "", (), (), _shown(leak_tables(result)), leak_methods(result))


#: Choices that differ from the paper's are told whole up to so many; more are named.
_TOLD_WHOLE = 5


def _protocol(result: Outcome) -> Section:
    other = [one for one in beside_paper(result.setup) if not one.same]
    few = len(other) <= _TOLD_WHOLE
    listed = "; ".join(deviations(result.setup)) if few else ", ".join(one.what for one in other) + " (see the table)"
    reason = f"In {counted(len(other), 'choice')}: {listed}." if other else "In none."
    card = Card("protocol", "Where does this differ from the paper's protocol?", "", escape(reason, 1500))
    tables = _shown((protocol_table(result),))
    return Section("protocol", "Protocol", card, "", (), (), tables, protocol_methods(result))


def _shown(tables: Iterable[Table]) -> tuple[ShownTable, ...]:
    """Tables with rows; a column of figures written out, such as percentages, is aligned as numbers are."""
    shown = (shown_table(table) for table in tables if table.rows)
    return tuple(replace(table, numeric=tuple(map(_figures, zip(*table.rows, strict=True)))) for table in shown)


def _figures(column: tuple[str, ...]) -> bool:
    return all(_FIGURE.fullmatch(cell) for cell in column)


def _provenance(result: Outcome) -> tuple[tuple[str, str], ...]:
    chosen = "; ".join(f"{key} {value}" for key, value in result.setup.items())
    return (
        *((("Command", escape(result.command, 600)),) if result.command else ()),
        *((("Revision", escape(result.model.revision)),) if result.model.revision else ()),
        ("SHA-256 of the training data", escape(result.training.sha256)),
        *((f"SHA-256 of {escape(task.title, 30)}", escape(task.sha256)) for task in result.tasks),
        ("Seed", str(result.seed)),
        ("Options", escape(chosen, 1500)),
        ("Versions", versions_line(dict(result.versions))),
    )
