"""From what a user asks for to an experiment: data and test sets read, leaks looked for, a scan's model taken over."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, Literal

import msgspec

from geoprobe.errors import BadDataError, UsageError
from geoprobe.files import escaped_name, write_whole
from geoprobe.report.document import Report
from geoprobe.training.data import TrainingData, load_training
from geoprobe.training.evaluate import sampled
from geoprobe.training.leaks import LeakReport, find_leaks
from geoprobe.training.setup import Setup, make_setup
from geoprobe.training.tasks import LoadedTask, find_task, load_task

__all__ = ["LEAKS", "Inputs", "Leaks", "read_inputs"]

Leaks = Literal["refuse", "drop", "allow"]
#: What to do where test questions are among the training data.
LEAKS: tuple[str, ...] = ("refuse", "drop", "allow")

_LISTED = 8


@dataclass(frozen=True)
class Inputs:
    """What an experiment is made on.

    Parameters
    ----------
    setup : Setup
        All choices.
    training : TrainingData
        What is trained on.
    tasks : tuple of LoadedTask
        The test sets, whole.
    asked : tuple of LoadedTask
        The same with the questions that are asked.
    leaks : LeakReport
        Test questions found among the training data.
    scan : Report or None
        The diagnosis.
    warnings : tuple of str
        What a reader must know.
    """

    setup: Setup
    training: TrainingData
    tasks: tuple[LoadedTask, ...]
    asked: tuple[LoadedTask, ...]
    leaks: LeakReport
    scan: Report | None
    warnings: tuple[str, ...]

    @property
    def hashes(self) -> dict[str, str]:
        """Of the training data and the test sets."""
        return {self.training.name: self.training.sha256, **{task.task.name: task.sha256 for task in self.tasks}}


def read_inputs(
    model: str | Path | None,
    train: str | Path,
    tasks: str | Sequence[str] | None,
    *,
    from_scan: str | Path | Report | None,
    budget: str,
    data: str | Path | None,
    leaks: str,
    offline: bool,
    out: Path | None,
    choices: dict[str, Any],
) -> Inputs:
    """Read what an experiment is made on; see `geoprobe.finetune` for the parameters.

    Raises
    ------
    GeoprobeError
        When something is not there, not readable or makes no sense.
    BadDataError
        When test questions are among the training data and that is refused.
    """
    if leaks not in LEAKS:
        raise UsageError(f"Leaks are to be {leaks!r}.", f"Give one of {', '.join(LEAKS)}.")
    unknown = sorted(set(choices) - {field.name for field in fields(Setup)})
    if unknown:
        raise UsageError(f"There is no choice {unknown[0]!r}.", "See geoprobe.training.setup.Setup for what there is.")
    scan = from_scan if from_scan is None or isinstance(from_scan, Report) else Report.load(from_scan)
    named = (tasks,) if isinstance(tasks, str) else tasks
    setup = make_setup(
        budget,
        model=_model(model, scan),
        train=str(train),
        tasks=None if named is None else tuple(find_task(name).name for name in named),
        **{
            **choices,
            "revision": choices.get("revision") or (scan.model.source.revision if scan and not model else None),
        },
    )
    training = load_training(setup.train, data=data, field=setup.field, offline=offline, template=setup.template)
    loaded = tuple(load_task(name, data=data, offline=offline, template=setup.template) for name in setup.tasks)
    found = find_leaks(training, loaded)
    clean = _without(loaded, found) if leaks == "drop" else loaded
    asked = tuple(sampled(task, setup) for task in clean)
    if found.found and leaks == "refuse":
        raise BadDataError(*_refusal(found, training, out))
    warnings = [_warning(found, training, leaks)] if found.found else []
    if scan is not None and model is not None and not _same_model(setup, scan):
        warnings.append(
            f"The scan is of {_called(scan.model.source.model, scan.model.source.revision)} and the experiment on "
            f"{_called(setup.model, setup.revision)}: what they say may be of two models."
        )
    return Inputs(setup, training, loaded, asked, found, scan, tuple(warnings))


def _same_model(setup: Setup, scan: Report) -> bool:
    """Whether a scan is of the experiment's model, as far as their names tell: a path may be written in two ways."""
    scanned = scan.model.source
    same_commit = setup.revision is None or scanned.revision is None or scanned.revision.startswith(setup.revision)
    return Path(setup.model).name == Path(scanned.model).name and same_commit


def _called(model: str, revision: str | None) -> str:
    return f"{escaped_name(Path(model).name)}{f' at {revision}' if revision else ''}"


def _model(model: str | Path | None, scan: Report | None) -> str:
    if model is not None:
        return str(model)
    if scan is None:
        raise UsageError("No model was given.", "Give one, or a scan of one by --from-scan.")
    return scan.model.source.model


def _without(tasks: Sequence[LoadedTask], leaks: LeakReport) -> tuple[LoadedTask, ...]:
    leaked = {leak.question for leak in leaks.leaks}
    kept = []
    for task in tasks:
        questions = tuple(question for question in task.questions if question.id not in leaked)
        left = len(task.questions) - len(questions)
        if not questions:
            raise BadDataError(
                f"Every question of {task.task.name} is among the training data.",
                "Leave the set out.",
            )
        note = f"{task.note} {left:,} that are among the training data were left out." if left else task.note
        kept.append(replace(task, questions=questions, note=note.strip()))
    return tuple(kept)


def _refusal(leaks: LeakReport, training: TrainingData, out: Path | None) -> tuple[str, str]:
    listed = [
        f"  {leak.question} is training example {leak.training:,}"
        + (" word for word" if leak.kind == "exact" else f", {leak.overlap:.0%} of its word runs")
        for leak in leaks.leaks[:_LISTED]
    ]
    more = len(leaks.leaks) - len(listed)
    if more > 0 and out is not None:
        path = out / "leaks.json"
        write_whole({path: (json.dumps(msgspec.to_builtins(leaks), indent=1) + "\n").encode()})
        listed.append(f"  and {more:,} more, all listed in {path}")
    elif more > 0:
        listed.append(f"  and {more:,} more")
    return (
        f"Test questions are among the training data {training.name}: {leaks.summary()}.\n" + "\n".join(listed),
        "Train on other data, leave these questions out by --drop-leak, or accept them by --allow-leak.",
    )


def _warning(leaks: LeakReport, training: TrainingData, handled: str) -> str:
    done = (
        "These were left out of the test."
        if handled == "drop"
        else "They were asked all the same: accuracies are too high."
    )
    return f"Test questions are among the training data {training.name}: {leaks.summary()}. {done}"
