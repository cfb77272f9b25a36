"""What one training leaves behind: plain values, saved as JSON, from which every comparison is made."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import msgspec

from geoprobe.errors import BadDataError
from geoprobe.results import from_builtins

__all__ = [
    "BaseRecord",
    "LayerCurvature",
    "Prediction",
    "Purpose",
    "RunRecord",
    "Status",
    "predictions_to_jsonl",
    "read_predictions",
    "record_from_dict",
    "record_to_dict",
]

Purpose = Literal["sweep", "final"]
Status = Literal["finished", "failed"]


@dataclass(frozen=True)
class Prediction:
    """A model's answer to one question.

    Parameters
    ----------
    id : str
        The question's.
    output : str
        What the model wrote, up to where generation stopped.
    extracted : str or None
        The answer read from it.
    right : bool
        Whether that is the reference answer.
    likelihood_right : bool or None
        Multiple choice: whether the right option has the highest log-likelihood per token. None without options.
    """

    id: str
    output: str
    extracted: str | None
    right: bool
    likelihood_right: bool | None = None


@dataclass(frozen=True)
class LayerCurvature:
    """The hyperbolic space of one layer before and after training: K, the curvature being −1/K.

    Parameters
    ----------
    layer : str
        Its module's name.
    start, end : float
        K in the configuration's unit.
    scale : float or None
        Radius √K in the units of the layer's input after training.
    """

    layer: str
    start: float
    end: float
    scale: float | None = None


@dataclass(frozen=True)
class RunRecord:
    """Everything that one finished or failed training gives.

    Parameters
    ----------
    method : str
        ``lora``, ``dora`` or ``hyplora``.
    seed : int
        Of its data order, A matrices and dropout.
    learning_rate : float
        The peak.
    purpose : str
        ``sweep`` (to choose the rate) or ``final``.
    status : str
        ``finished`` or ``failed``.
    error : str or None
        Why it failed.
    steps : int
        Optimizer steps done.
    train_losses, validation_losses : tuple of (int, float)
        Step and mean loss per response token, in nats.
    validation_loss : float or None
        At the end.
    gradient_norm : float or None
        Euclidean norm of the loss's gradient by all B matrices at step 0, over the first batch, before clipping, at the
        alpha of the training: equal for all methods where scales are matched.
    unmatched_gradient_norm : float or None
        The same at the alpha that was asked for.
    alpha : float or None
        The method's alpha after matching.
    trainable_parameters, geometry_parameters : int
        All that were trained, and those of them that are curvatures and scales.
    tokens : int
        Tokens trained on, padding not counted.
    seconds, evaluation_seconds : float
        Of training with its validation, and of evaluation.
    peak_memory : int
        Bytes: of the device on a GPU, else of the process.
    curvatures : tuple of LayerCurvature
        Of a hyperbolic method.
    hidden_delta : dict of str to float
        Mean relative δ of the final hidden layer after training, by task.
    predictions : dict of str to tuple of Prediction
        By task, in question order; empty in sweeps.
    adapter : str or None
        The saved adapter's folder, relative to the experiment's.
    diverged : bool
        Whether it failed of a loss that is not finite, and not of what it was run on.
    """

    method: str
    seed: int
    learning_rate: float
    purpose: Purpose
    status: Status = "finished"
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
    predictions: dict[str, tuple[Prediction, ...]] = field(default_factory=dict)
    adapter: str | None = None
    diverged: bool = False

    @property
    def tokens_per_second(self) -> float:
        """Tokens trained on in a second."""
        return self.tokens / self.seconds if self.seconds > 0 else 0.0


@dataclass(frozen=True)
class BaseRecord:
    """What the model does before any training.

    Parameters
    ----------
    predictions : dict of str to tuple of Prediction
        By task, in question order.
    hidden_delta : dict of str to float
        Mean relative δ of the final hidden layer, by task.
    validation_loss : float or None
        On the held-out examples.
    evaluation_seconds : float
        What it took.
    """

    predictions: dict[str, tuple[Prediction, ...]]
    hidden_delta: dict[str, float] = field(default_factory=dict)
    validation_loss: float | None = None
    evaluation_seconds: float = 0.0


def record_to_dict(record: RunRecord | BaseRecord) -> dict[str, Any]:
    """A record as builtin types; of its predictions, which are lines of their own files, the names of the tasks."""
    data = dict(msgspec.to_builtins(record))
    return {**data, "predictions": list(record.predictions)}


def record_from_dict(
    data: dict[str, Any], predictions: dict[str, tuple[Prediction, ...]], *, base: bool = False
) -> RunRecord | BaseRecord:
    """Put a record and its predictions together again.

    Raises
    ------
    BadDataError
        When a field does not fit.
    """
    whole = {**data, "predictions": msgspec.to_builtins(predictions)}
    if base:
        return from_builtins(BaseRecord, whole, what="record of the base model")
    return from_builtins(RunRecord, whole, what="record of a run")


def predictions_to_jsonl(predictions: Iterable[Prediction]) -> bytes:
    """One prediction a line, to be checked by hand."""
    return "".join(
        json.dumps(msgspec.to_builtins(each), ensure_ascii=False, allow_nan=False) + "\n" for each in predictions
    ).encode("utf-8", "surrogatepass")


def read_predictions(path: Path) -> tuple[Prediction, ...]:
    """Read a file of predictions.

    Raises
    ------
    BadDataError
        When a line is no prediction.
    """
    try:
        lines = path.read_bytes().decode("utf-8", "surrogatepass").split("\n")
        return tuple(from_builtins(Prediction, json.loads(line), what=f"file {path}") for line in lines if line)
    except ValueError as error:
        if isinstance(error, BadDataError):
            raise
        raise BadDataError(
            f"{path} is no file of predictions: {error}.", "Delete its run's folder to run it again."
        ) from error
