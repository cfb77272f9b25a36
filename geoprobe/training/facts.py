"""What of an experiment is kept in its report: facts of the model, the data and each run, as plain values."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

from geoprobe.training.data import TrainingData
from geoprobe.training.records import BaseRecord, LayerCurvature, Prediction, Purpose, RunRecord, Status
from geoprobe.training.tasks import LoadedTask

__all__ = [
    "BaseFacts",
    "Diagnosis",
    "RunFacts",
    "TaskFacts",
    "TrainedModel",
    "TrainingFacts",
    "base_facts",
    "run_facts",
    "task_facts",
    "training_facts",
]


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
    """

    model: str
    name: str
    architecture: str = "unknown"
    parameters: int = 0
    dtype: str = ""
    device: str = ""
    revision: str | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class TrainingFacts:
    """What was trained on: examples learned from and held out, the hash of all, and where they came from."""

    name: str
    examples: int
    validation: int
    sha256: str
    note: str = ""


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
class BaseFacts:
    """The model before training.

    Parameters
    ----------
    rights : dict of str to str
        By set, ``1`` or ``0`` a question, in order: whether the answer is right.
    likelihood_rights : dict of str to str
        The same of the likeliest option, where a set has options.
    hidden_delta : dict of str to float
        Mean relative δ of the final hidden layer, by set.
    validation_loss : float or None
        On the held-out examples.
    """

    rights: dict[str, str] = field(default_factory=dict)
    likelihood_rights: dict[str, str] = field(default_factory=dict)
    hidden_delta: dict[str, float] = field(default_factory=dict)
    validation_loss: float | None = None


@dataclass(frozen=True)
class RunFacts:
    """One training, as its record says it, its predictions reduced to right and wrong.

    Parameters
    ----------
    rights, likelihood_rights : dict of str to str
        As of `BaseFacts`.
    unread : dict of str to int
        By set, answers in which nothing of the wanted kind was found.
    """

    method: str
    seed: int
    learning_rate: float
    purpose: Purpose
    status: Status
    error: str | None = None
    steps: int = 0
    train_losses: tuple[tuple[int, float], ...] = ()
    validation_losses: tuple[tuple[int, float], ...] = ()
    validation_loss: float | None = None
    gradient_norm: float | None = None
    unmatched_gradient_norm: float | None = None
    alpha: float | None = None
    trainable_parameters: int = 0
    geometry_parameters: int = 0
    tokens: int = 0
    seconds: float = 0.0
    evaluation_seconds: float = 0.0
    peak_memory: int = 0
    curvatures: tuple[LayerCurvature, ...] = ()
    hidden_delta: dict[str, float] = field(default_factory=dict)
    rights: dict[str, str] = field(default_factory=dict)
    likelihood_rights: dict[str, str] = field(default_factory=dict)
    unread: dict[str, int] = field(default_factory=dict)
    adapter: str | None = None
    diverged: bool = False

    @property
    def tokens_per_second(self) -> float:
        """Tokens trained on in a second."""
        return self.tokens / self.seconds if self.seconds > 0 else 0.0


@dataclass(frozen=True)
class Diagnosis:
    """What a scan said of the model: one diagnostic, its question, verdict and the sentence behind it."""

    name: str
    question: str
    verdict: str
    reason: str
    estimate: str = ""


def training_facts(training: TrainingData, validation: int, used: int | None = None) -> TrainingFacts:
    """Facts of training data of which so many examples are held out, and so many used in all."""
    total = len(training.examples) if used is None else used
    return TrainingFacts(training.name, total - validation, validation, training.sha256, training.note)


def task_facts(loaded: LoadedTask, asked: tuple[str, ...] | None = None) -> TaskFacts:
    """Facts of a test set of which these questions, by id, were asked; all by default."""
    task, whole = loaded.task, len(loaded.questions)
    some = () if asked is None or len(asked) == whole else asked
    count = len(some) or whole
    return TaskFacts(task.name, task.title, task.kind, count, whole, loaded.sha256, loaded.note, some)


def base_facts(record: BaseRecord) -> BaseFacts:
    """A base model's record, its predictions reduced."""
    return BaseFacts(
        _rights(record.predictions),
        _likelihood_rights(record.predictions),
        _finite(record.hidden_delta),
        _finite(record.validation_loss),
    )


def run_facts(record: RunRecord) -> RunFacts:
    """A run's record, its predictions reduced; losses that are no numbers, as of a run that failed, are left out."""
    kept = {name: _finite(getattr(record, name)) for name in record.__dataclass_fields__ if name != "predictions"}
    unread = {task: sum(each.extracted is None for each in found) for task, found in record.predictions.items()}
    return RunFacts(
        **kept,
        rights=_rights(record.predictions),
        likelihood_rights=_likelihood_rights(record.predictions),
        unread=unread,
    )


def _finite(value: Any) -> Any:
    """A value as JSON can hold it: no NaN, no infinity."""
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: each for key, each in value.items() if _finite(each) is not None}
    if isinstance(value, tuple):
        kept = tuple(_finite(each) for each in value)
        # a step with a loss that is no number goes as a whole
        return tuple(each for each in kept if not (isinstance(each, tuple) and None in each))
    return value


def _rights(predictions: dict[str, tuple[Prediction, ...]]) -> dict[str, str]:
    return {task: "".join("01"[each.right] for each in found) for task, found in predictions.items()}


def _likelihood_rights(predictions: dict[str, tuple[Prediction, ...]]) -> dict[str, str]:
    return {
        task: "".join("01"[bool(each.likelihood_right)] for each in found)
        for task, found in predictions.items()
        if found and all(each.likelihood_right is not None for each in found)
    }
