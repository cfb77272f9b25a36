"""What an experiment found, as plain values: all that its pages are drawn from."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from geoprobe.report.text import escape
from geoprobe.training.data.leaks import LeakReport
from geoprobe.training.records import BaseFacts, RunFacts
from geoprobe.training.verdict import MethodComparison


@dataclass(frozen=True)
class TrainedModel:
    """The model that was adapted.

    `model` is what the user asked for, `name` what the model calls itself; its parameters are without any adapter, 0
    where unknown; it was trained in `dtype` on `device`. `adapted` counts the layers with adapters by what their names
    end in; empty where it was not kept.
    """

    model: str
    name: str
    architecture: str = "unknown"
    parameters: int = 0
    dtype: str = ""
    device: str = ""
    revision: str | None = None
    notes: tuple[str, ...] = ()
    adapted: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class TrainingFacts:
    """What was trained on: examples learned from and held out, the hash of all, and where they came from.

    `choosing` examples are held out to choose the learning rate by; 0 where there was one rate, or where those of
    `validation`, which measure the loss, were taken. `held_out_tokens` are the response tokens of each of the latter;
    empty where it was not kept.
    """

    name: str
    examples: int
    validation: int
    sha256: str
    note: str = ""
    choosing: int = 0
    held_out_tokens: tuple[int, ...] = ()


@dataclass(frozen=True)
class TaskFacts:
    """A test set: how many of its questions were asked, and which, if not all."""

    name: str
    title: str
    kind: str
    questions: int
    of: int
    sha256: str
    note: str = ""
    asked: tuple[str, ...] = ()


@dataclass(frozen=True)
class Diagnosis:
    """What a scan said of the model: one diagnostic, its question, verdict and the sentence behind it."""

    name: str
    question: str
    verdict: str
    reason: str
    estimate: str = ""


@dataclass(frozen=True)
class StepCost:
    """What a method's step costs, measured by steps of all methods in turns.

    Geometry parameters are curvatures and scales, counted among the trainable. Tokens are those trained on, padding
    left out, of the median step; `ratio` is how many times as many as the first method's, with its 95% interval, None
    from one pair of steps. `memory` is in bytes, besides the model's.
    """

    method: str
    trainable_parameters: int
    geometry_parameters: int
    tokens_per_second: float
    ratio: float
    low: float | None
    high: float | None
    steps: int
    memory: int


@dataclass(frozen=True)
class Outcome:
    """Everything that an experiment found.

    The first method is the reference of the comparisons; runs are of the sweep and final, failed ones too. `leaks` is
    None where nobody looked; `diagnosis` is what a scan said of the model; `seed` is of the samples and of the
    bootstrap; `command` makes this again, and is empty where none does; `warnings` are what a reader must know before
    the answers.
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
    steps: tuple[StepCost, ...] = ()

    def final(self, method: str | None = None) -> tuple[RunFacts, ...]:
        """Finished final runs, of one method or of all: method by method, in order of their seeds."""
        done = [run for run in self.runs if run.purpose == "final" and run.status == "finished"]
        return tuple(
            run
            for name in self.methods
            if method in (None, name)
            for run in sorted(done, key=lambda run: run.seed)
            if run.method == name
        )

    def edge_of_sweep(self, method: str) -> str | None:
        """``highest`` or ``lowest`` where a method trained with that of the rates that were tried, else None."""
        tried = sorted({run.learning_rate for run in self.runs if run.purpose == "sweep"})
        chosen = {run.learning_rate for run in self.final(method)}
        if len(tried) < 2 or len(chosen) != 1:
            return None
        return {tried[0]: "lowest", tried[-1]: "highest"}.get(chosen.pop())

    @property
    def titles(self) -> dict[str, str]:
        """What each set is called in figures and tables, by its name."""
        return {task.name: escape(task.title, 16) for task in self.tasks}

    @property
    def leaks_asked(self) -> int:
        """How many test questions that are among the training data were asked."""
        if self.leaks is None:
            return 0
        asked = {question for task in self.tasks for question in task.asked}
        whole = {task.name for task in self.tasks if not task.asked}
        return sum(leak.question in asked or leak.question.rpartition("/")[0] in whole for leak in self.leaks.leaks)
