"""What an experiment found, frozen: saved as JSON, drawn as a report, shown in a notebook."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import msgspec

from geoprobe.errors import NotFoundError, UsageError
from geoprobe.report.document import Report
from geoprobe.report.formats import Rendered, checked_version, read_json
from geoprobe.report.scan_view import estimate_line
from geoprobe.report.view import View
from geoprobe.results import from_builtins
from geoprobe.training.facts import (
    BaseFacts,
    Diagnosis,
    RunFacts,
    TaskFacts,
    TrainedModel,
    TrainingFacts,
    base_facts,
    run_facts,
)
from geoprobe.training.leaks import LeakReport
from geoprobe.training.records import BaseRecord, RunRecord
from geoprobe.training.verdict import MethodComparison, compare_runs

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

__all__ = ["FINETUNE_VERSION", "ComparisonResult", "make_result"]

#: Raised whenever a reader of the old form could misread the new one.
FINETUNE_VERSION = 1


@dataclass(frozen=True)
class ComparisonResult(Rendered):
    """Everything that an experiment found.

    Parameters
    ----------
    model : TrainedModel
        What was adapted.
    training : TrainingFacts
        What was trained on.
    tasks : tuple of TaskFacts
        What was asked.
    setup : dict
        All choices of the experiment.
    methods : tuple of str
        What was compared; the first is the reference.
    base : BaseFacts
        The model before training.
    runs : tuple of RunFacts
        Every training, of the sweep and final, failed ones too.
    comparisons : tuple of MethodComparison
        Each method but the first against the first.
    leaks : LeakReport or None
        Test questions found among the training data; None where nobody looked.
    diagnosis : tuple of Diagnosis
        What a scan said of the model, where one was given.
    versions : dict of str to str
        Of geoprobe and of what computed the numbers.
    seed : int
        Of the samples and of the bootstrap.
    command : str
        The command line that makes this again; empty where none does.
    warnings : tuple of str
        What a reader must know before the answers.
    """

    model: TrainedModel
    training: TrainingFacts
    tasks: tuple[TaskFacts, ...]
    setup: dict[str, Any]
    methods: tuple[str, ...]
    base: BaseFacts
    runs: tuple[RunFacts, ...]
    comparisons: tuple[MethodComparison, ...]
    leaks: LeakReport | None = None
    diagnosis: tuple[Diagnosis, ...] = ()
    versions: dict[str, str] = field(default_factory=dict)
    seed: int = 0
    command: str = ""
    warnings: tuple[str, ...] = ()
    kind: Literal["finetune"] = "finetune"
    schema_version: int = FINETUNE_VERSION

    stem: ClassVar[str] = "finetune"

    def __getitem__(self, method: str) -> MethodComparison:
        """The comparison of one method with the reference."""
        for each in self.comparisons:
            if each.method == method:
                return each
        known = ", ".join(each.method for each in self.comparisons) or "none"
        raise NotFoundError(f"There is no comparison of {method!r} with {self.methods[:1]}.", f"There is: {known}.")

    def final(self, method: str | None = None) -> tuple[RunFacts, ...]:
        """Finished final runs, of one method or of all: method by method, in order of their seeds."""
        done = [run for run in self.runs if run.purpose == "final" and run.status == "finished"]
        return tuple(
            run
            for each in self.methods
            if method in (None, each)
            for run in sorted(done, key=lambda run: run.seed)
            if run.method == each
        )

    def to_dict(self) -> dict[str, Any]:
        """The result as builtin types, in the form of the published JSON Schema."""
        return dict(msgspec.to_builtins(self))

    @classmethod
    def from_dict(cls, data: object) -> ComparisonResult:
        """Rebuild a result from `to_dict`'s output.

        Raises
        ------
        BadDataError
            When it is none, or of a version that cannot be read.
        """
        checked_version(data, FINETUNE_VERSION, "finetune result", "finetune")
        return from_builtins(cls, data, what="finetune result")

    @classmethod
    def load(cls, path: str | Path) -> ComparisonResult:
        """Read a saved ``finetune.json``.

        Raises
        ------
        NotFoundError
            When there is no such file.
        BadDataError
            When it is no result, or of a version that cannot be read.
        """
        return cls.from_dict(read_json(path, "finetune.json"))

    def view(self) -> View:
        """The result in words, as every format shows it."""
        from geoprobe.training.result_view import result_view

        return result_view(self)

    def to_frame(self) -> pd.DataFrame:
        """A row for every final run and set: method, seed, set, questions, right, accuracy."""
        import pandas as pd

        records = [
            (run.method, run.seed, task, len(marks), marks.count("1"), marks.count("1") / max(1, len(marks)))
            for run in self.final()
            for task, marks in run.rights.items()
        ]
        return pd.DataFrame.from_records(records, columns=["method", "seed", "set", "questions", "right", "accuracy"])

    def plot(self, name: str | None = None, ax: Axes | None = None) -> Axes:
        """Draw one of the report's figures.

        Parameters
        ----------
        name : str, optional
            Which figure; the differences by default.
        ax : matplotlib.axes.Axes, optional
            Where to draw.

        Raises
        ------
        UsageError
            When there is no figure of that name.
        """
        figures = {figure.name: figure for section in self.view().sections for figure in section.figures}
        chosen = next(iter(figures), "") if name is None else name
        if chosen not in figures:
            raise UsageError(f"The result has no figure {chosen!r}.", f"It has: {', '.join(figures) or 'none'}.")
        return figures[chosen].draw(ax)


def make_result(
    *,
    model: TrainedModel,
    training: TrainingFacts,
    tasks: Sequence[TaskFacts],
    setup: Mapping[str, Any],
    methods: Sequence[str],
    base: BaseRecord,
    records: Sequence[RunRecord],
    leaks: LeakReport | None = None,
    scan: Report | None = None,
    versions: Mapping[str, str] | None = None,
    seed: int = 0,
    command: str = "",
    warnings: Sequence[str] = (),
) -> ComparisonResult:
    """Compare the runs of an experiment and put together what its report needs.

    Parameters
    ----------
    model, training, tasks, setup, methods, leaks, versions, seed, command, warnings
        As of `ComparisonResult`.
    base : BaseRecord
        The model before training.
    records : sequence of RunRecord
        Every training, failed ones too.
    scan : Report, optional
        A scan of the same model, whose verdicts are set beside the experiment's.
    """
    runs = tuple(run_facts(record) for record in records)
    names = [task.name for task in tasks]
    return ComparisonResult(
        model=model,
        training=training,
        tasks=tuple(tasks),
        setup=dict(setup),
        methods=tuple(methods),
        base=base_facts(base),
        runs=runs,
        comparisons=compare_runs(runs, methods, names, seed=seed),
        leaks=leaks,
        diagnosis=() if scan is None else _diagnosis(scan),
        versions=dict(versions or {}),
        seed=seed,
        command=command,
        warnings=tuple(warnings),
    )


def _diagnosis(scan: Report) -> tuple[Diagnosis, ...]:
    return tuple(
        Diagnosis(name, each.question, each.verdict.label, each.verdict.reason, estimate_line(each))
        for name, each in scan.results.items()
    )
