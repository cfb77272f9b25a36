"""What an experiment found, as plain values: all that its pages are drawn from."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from geoprobe.report.text import escape
from geoprobe.training.data.leaks import LeakReport
from geoprobe.training.records import BaseFacts, RunFacts
from geoprobe.training.verdict import MethodComparison

__all__ = ["Diagnosis", "Outcome", "StepCost", "TaskFacts", "TrainedModel", "TrainingFacts"]


@dataclass(frozen=True)
class TrainedModel:
    """The model that was adapted.

    Parameters
    ----------
    model, name : str
        What the user asked for, and what the model calls itself.
    architecture : str
        As its configuration says.
    parameters : int
        Before any adapter; 0 where unknown.
    dtype, device : str
        What it was trained in, and on.
    revision : str or None
        The commit of a hub model.
    notes : tuple of str
        What a reader should know of it.
    adapted : dict of str to int
        What the names of the layers with adapters end in, and how many there are; empty where it was not kept.
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

    Parameters
    ----------
    name : str
        For the report.
    examples, validation : int
        Learned from, and held out to measure the loss.
    sha256 : str
        Of all.
    note : str
        Where they came from, and what was left out.
    choosing : int
        Held out besides, to choose the learning rate by; 0 where there was one rate, or where the same were taken.
    held_out_tokens : tuple of int
        Response tokens of every example held out to measure the loss; empty where it was not kept.
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

    Parameters
    ----------
    method : str
        The method.
    trainable_parameters, geometry_parameters : int
        All that are trained, and those of them that are curvatures and scales.
    tokens_per_second : float
        Trained on, padding left out: the median step's.
    ratio : float
        How many times as many as the first method's.
    low, high : float or None
        Its 95% interval; None from one pair of steps.
    steps : int
        Of each method.
    memory : int
        Bytes that a step took besides the model.
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
    steps : tuple of StepCost
        What a step of each method costs; empty where it was not measured.
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
