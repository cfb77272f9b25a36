"""From what a user asks for to an experiment, and back: inputs read and checked, and the command."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Literal, get_args

from geoprobe.errors import BadDataError, NotFoundError, UsageError
from geoprobe.files import escaped_name, given_path, what_is_at
from geoprobe.report.scan import Report
from geoprobe.sources.models.loading import open_model
from geoprobe.sources.models.resolve import resolve_model
from geoprobe.sources.sampling import QUICK_SCAN
from geoprobe.training.data.instructions import TrainingData, load_training
from geoprobe.training.data.leaks import LeakReport, find_leaks, leak_warning, refusal, without_leaked
from geoprobe.training.data.tasks import LoadedTask, find_task, load_task, sampled
from geoprobe.training.model.base import with_template
from geoprobe.training.setup import Setup, make_setup
from geoprobe.training.setup import choices as all_choices

#: What to do where test questions are among the training data.
Leaks = Literal["refuse", "drop", "allow"]


@dataclass(frozen=True)
class Inputs:
    """What an experiment is made on: `tasks` are whole test sets, `asked` the questions of them that are asked.

    `leaks` are test questions among the training data, `scan` the diagnosis, `warnings` what a reader must know.
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
    """Read what an experiment is made on; see `geoprobe.finetune` for the parameters."""
    if leaks not in get_args(Leaks):
        raise UsageError(f"Leaks are to be {leaks!r}.", f"Give one of {', '.join(get_args(Leaks))}.")
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
    setup = with_template(setup, offline=offline)
    training = load_training(setup.train, data=data, field=setup.field, offline=offline, template=setup.template)
    loaded = tuple(load_task(name, data=data, offline=offline, template=setup.template) for name in setup.tasks)
    leaked = find_leaks(training, loaded)
    clean = without_leaked(loaded, leaked) if leaks == "drop" else loaded
    asked = tuple(sampled(task, setup) for task in clean)
    if leaked.found and leaks == "refuse":
        raise refusal(leaked, training, out)
    warnings = [leak_warning(leaked, training, leaks)] if leaked.found else []
    if scan is not None:
        warnings += _of_another_model(setup, scan, named=model is not None)
    return Inputs(setup, training, loaded, asked, leaked, scan, tuple(warnings))


def _of_another_model(setup: Setup, scan: Report, *, named: bool) -> list[str]:
    """What to say where the scan and the experiment are of two models, which is an error where no model was named."""
    if _same_model(setup, scan):
        return []
    source = scan.model.source
    if named:
        return [
            f"The scan is of {_called(source.model, source.revision)} and the experiment on "
            f"{_called(setup.model, setup.revision)}: what they say may be of two models."
        ]
    if source.revision is None:
        raise BadDataError(
            f"{setup.model} is not the model of the scan any more: its embedding has another hash.",
            "Scan it again, or name the model that is meant.",
        )
    return []  # another commit was asked for


def _same_model(setup: Setup, scan: Report) -> bool:
    """Whether a scan is of the experiment's model: of files by the embedding's hash, of others by their commit."""
    scanned = scan.model.source
    sampled = any(note.startswith(QUICK_SCAN) for note in scanned.notes)
    if resolve_model(setup.model, revision=setup.revision).repository is None and not sampled:
        try:
            return open_model(setup.model, tensor=scanned.tensor).sha256() == scanned.sha256
        except NotFoundError:
            return False  # it has no such tensor
    same_commit = setup.revision is None or scanned.revision is None or scanned.revision.startswith(setup.revision)
    return Path(setup.model).name == Path(scanned.model).name and same_commit


def _called(model: str, revision: str | None) -> str:
    return f"{escaped_name(Path(model).name)}{f' at {revision}' if revision else ''}"


def _model(model: str | Path | None, scan: Report | None) -> str:
    if model is not None:
        return str(model)
    if scan is None:
        raise UsageError("No model was given.", "Give one, or a scan of one by --from-scan.")
    source = scan.model.source
    for path in (source.path, source.model if source.revision is None else None):
        if path is not None and what_is_at(given_path(path)) != "nothing":
            return path
    if source.revision is None and source.model != "demo":  # never the hub's repository of a folder's name
        where = f"not at {source.path!r} from here" if source.path else "of a version that did not say where it was"
        raise NotFoundError(
            f"The scan is of files here, {source.model!r}, {where}.", "Give the model's path beside --from-scan."
        )
    return source.model


def command_of(
    inputs: Inputs,
    budget: str,
    leaks: str,
    from_scan: str | Path | Report | None,
    data: str | Path | None,
    choices: dict[str, Any],
) -> str:
    """The command line that makes a result again, from what `geoprobe.finetune` was given; empty where none does."""
    setup = inputs.setup
    options = {choice.name for choice in all_choices() if choice.help}
    words = ["geoprobe", "finetune", Path(setup.model).name if Path(setup.model).exists() else setup.model]
    words += ["--train", Path(setup.train).name if Path(setup.train).exists() else setup.train]
    words += ["--eval", ",".join(setup.tasks), "--budget", budget]
    if from_scan is not None:
        words += ["--from-scan", "scan.json" if isinstance(from_scan, Report) else Path(from_scan).name]
    words += [] if data is None else ["--data", Path(data).name]
    words += {"drop": ["--drop-leak"], "allow": ["--allow-leak"]}.get(leaks, [])
    chosen = {name: value for name, value in choices.items() if value is not None}
    if setup.revision:  # a scan's, too: with a model named it would not be taken
        chosen["revision"] = setup.revision
    for name, value in chosen.items():
        if isinstance(value, bool) and value == getattr(Setup, name):
            continue
        if name not in options or (name == "seeds" and tuple(value) != tuple(range(len(value)))):
            return ""  # the command line has no such option, and counts seeds from 0
        words += _option(name, value)
    return shlex.join(words)


def _option(name: str, value: Any) -> list[str]:
    """A choice as words of the command line."""
    option = "--" + name.replace("_", "-")
    if name == "seeds":
        return [option, str(len(value))]
    if isinstance(value, bool):
        return [option if value else option.replace("--", "--no-", 1)]
    listed = value if isinstance(value, list | tuple) else (value,)
    return [option, ",".join(map(str, listed))]
