"""What an experiment found, frozen: saved as JSON, drawn as a report, shown in a notebook."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

from geoprobe.errors import NotFoundError
from geoprobe.report.formats import Rendered, checked_version
from geoprobe.report.scan import Report, estimate_line
from geoprobe.report.view import View
from geoprobe.results import draw_one, from_builtins
from geoprobe.training.data.leaks import LeakReport
from geoprobe.training.outcome import Diagnosis, Outcome, StepCost, TaskFacts, TrainedModel, TrainingFacts
from geoprobe.training.records import BaseFacts, RunFacts, finite
from geoprobe.training.report.view import experiment_view
from geoprobe.training.verdict import MethodComparison, compare_runs

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

#: Raised whenever a reader of the old form could misread the new one.
FINETUNE_VERSION = 1


@dataclass(frozen=True)
class ComparisonResult(Outcome, Rendered):
    """Everything that an experiment found.

    Its fields are those of `geoprobe.training.outcome.Outcome`.
    """

    kind: Literal["finetune"] = "finetune"
    schema_version: int = FINETUNE_VERSION

    stem: ClassVar[str] = "finetune"

    def __repr__(self) -> str:
        lines = [f"Experiment on {self.model.name}: {', '.join(self.methods)}, {len(self.final())} final runs"]
        lines += [
            f"  {one.method} against {one.reference}: accuracy {one.label}, loss {one.loss_label}"
            for one in self.comparisons
        ]
        return "\n".join(lines)

    def __getitem__(self, method: str) -> MethodComparison:
        """The comparison of one method with the reference."""
        for comparison in self.comparisons:
            if comparison.method == method:
                return comparison
        known = ", ".join(comparison.method for comparison in self.comparisons) or "none"
        raise NotFoundError(f"There is no comparison of {method!r} with {self.methods[:1]}.", f"There is: {known}.")

    @classmethod
    def from_dict(cls, data: object) -> Self:
        """Rebuild a result from `to_dict`'s output."""
        checked_version(data, FINETUNE_VERSION, "finetune result", "finetune")
        return from_builtins(cls, data, what="finetune result")

    def view(self) -> View:
        """The result in words, as every format shows it."""
        return experiment_view(self)

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
        return draw_one([figure for section in self.view().sections for figure in section.figures], name, ax, "result")


def make_result(
    *,
    model: TrainedModel,
    training: TrainingFacts,
    tasks: Sequence[TaskFacts],
    setup: Mapping[str, Any],
    methods: Sequence[str],
    base: BaseFacts,
    runs: Sequence[RunFacts],
    leaks: LeakReport | None = None,
    scan: Report | None = None,
    versions: Mapping[str, str] | None = None,
    seed: int = 0,
    command: str = "",
    warnings: Sequence[str] = (),
    steps: Sequence[StepCost] = (),
) -> ComparisonResult:
    """Compare the runs of an experiment, failed ones too, and put together what its report needs.

    A scan of the same model has its verdicts set beside the experiment's.
    """
    kept = tuple(map(finite, runs))
    names = [task.name for task in tasks]
    return ComparisonResult(
        model=model,
        training=training,
        tasks=tuple(tasks),
        setup=dict(setup),
        methods=tuple(methods),
        base=finite(base),
        runs=kept,
        comparisons=compare_runs(kept, methods, names, seed=seed, held_out_tokens=training.held_out_tokens),
        leaks=leaks,
        diagnosis=() if scan is None else _diagnosis(scan),
        versions=dict(versions or {}),
        seed=seed,
        command=command,
        warnings=tuple(warnings),
        steps=tuple(steps),
    )


def _diagnosis(scan: Report) -> tuple[Diagnosis, ...]:
    return tuple(
        Diagnosis(name, result.question, result.verdict.label, result.verdict.reason, estimate_line(result))
        for name, result in scan.results.items()
    )
