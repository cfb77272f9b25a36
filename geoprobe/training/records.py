"""One training: which it is, what it leaves behind as plain values, and what a model answered."""

from __future__ import annotations

import dataclasses
import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar

#: Why it is trained: to choose the rate, to be tested, or to see what its loss owes to alpha.
Purpose = Literal["sweep", "final", "alpha"]
Status = Literal["finished", "failed"]


@dataclass(frozen=True)
class Run:
    """A training that is to be done: seeded data order, A matrices and dropout, peak rate, optimizer steps."""

    method: str
    seed: int
    learning_rate: float
    purpose: Purpose
    steps: int

    @property
    def id(self) -> str:
        """Its folder's name."""
        return f"{self.purpose}-{self.method}-seed{self.seed}-lr{float(self.learning_rate)!r}"

    @property
    def title(self) -> str:
        """What a person is shown."""
        why = {"sweep": " (to choose the rate)", "alpha": " (at another alpha)"}.get(self.purpose, "")
        return f"{self.method}, seed {self.seed}, rate {self.learning_rate:g}{why}"


@dataclass(frozen=True)
class Prediction:
    """A model's answer to one question.

    The output is up to where generation stopped; `rule` is what read the answer from it, empty where nothing did, or
    where it was not kept. `likelihood_right`, of multiple choice: whether the right option has the highest
    log-likelihood per token.
    """

    id: str
    output: str
    extracted: str | None
    right: bool
    likelihood_right: bool | None = None
    rule: str = ""


#: A model's answers by test set, in question order.
Predictions = Mapping[str, tuple[Prediction, ...]]


@dataclass(frozen=True)
class LayerCurvature:
    """The hyperbolic space of one layer before and after training: K, the curvature being −1/K.

    `start` and `end` are K in the configuration's unit, `scale` the radius √K in the units of the layer's input after
    training; `beyond` is the share of the first batch's tokens that are longer than the maps are exact for at the
    start, None where that was not measured.
    """

    layer: str
    start: float
    end: float
    scale: float | None = None
    beyond: float | None = None


@dataclass(frozen=True)
class BaseFacts:
    """The model before training.

    Rights are ``1`` or ``0`` a question of a set, in order: whether the answer is right, or the likeliest option, where
    a set has options. `hidden_delta` is the mean relative δ of the final hidden layer, by set.
    """

    rights: dict[str, str] = field(default_factory=dict)
    likelihood_rights: dict[str, str] = field(default_factory=dict)
    hidden_delta: dict[str, float] = field(default_factory=dict)
    validation_loss: float | None = None


@dataclass(frozen=True)
class RunFacts:
    """One training, as its record says it, its predictions reduced to right and wrong.

    The purpose is ``sweep`` (to choose the rate), ``final``, or ``alpha`` (at another matching of alpha); the seed is
    of data order, A matrices and dropout; the learning rate is the peak. What a record did not keep is empty or None.

    Losses are per response token, in nats, by step, at the end, and of every held-out example. The gradient's norm is
    by all B matrices at step 0, over the first batch, before clipping, at the alpha of the training: equal for all
    methods where scales are matched; unmatched, at the alpha that was asked for. `alpha` is after matching,
    `other_alpha` by the other matching. Geometry parameters are curvatures and scales, counted among the trainable;
    `tokens` are without padding; `seconds` are of training with its validation; `peak_memory` is bytes of the device on
    a GPU, else of the process.

    `rights` are as of `BaseFacts`, of final runs alone; `unread` counts answers in which nothing of the wanted kind was
    found, and `read_by` how many each rule read. `adapter` is its folder, relative to the experiment's; `diverged` is
    whether it failed of a loss that is not finite, and not of what it was run on; `tested_step` is that of the weights
    that were tested and saved, None where it was the last.
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
    held_out_losses: tuple[float, ...] = ()
    read_by: dict[str, dict[str, int]] = field(default_factory=dict)
    tested_step: int | None = None
    other_alpha: float | None = None

    @property
    def tokens_per_second(self) -> float:
        """Tokens trained on in a second."""
        return self.tokens / self.seconds if self.seconds > 0 else 0.0


def rights(predictions: Predictions) -> dict[str, str]:
    """By set, ``1`` or ``0`` a question: whether the answer is right."""
    return {task: "".join("01"[answer.right] for answer in answers) for task, answers in predictions.items()}


def likelihood_rights(predictions: Predictions) -> dict[str, str]:
    """The same of the likeliest option, for sets whose questions all have options."""
    return {
        task: "".join("01"[bool(answer.likelihood_right)] for answer in answers)
        for task, answers in predictions.items()
        if answers and all(answer.likelihood_right is not None for answer in answers)
    }


def unread(predictions: Predictions) -> dict[str, int]:
    """By set, answers in which nothing of the wanted kind was found."""
    return {task: sum(answer.extracted is None for answer in answers) for task, answers in predictions.items()}


def read_by(predictions: Predictions) -> dict[str, dict[str, int]]:
    """By set, how many answers each rule read, the most frequent rule first; no set whose rules were not kept."""
    counted = {
        task: dict(Counter(answer.rule for answer in answers if answer.rule).most_common())
        for task, answers in predictions.items()
    }
    return {task: rules for task, rules in counted.items() if rules}


_Facts = TypeVar("_Facts", BaseFacts, RunFacts)


def finite(facts: _Facts) -> _Facts:
    """Facts as JSON can hold them: values that are no numbers, as of a run that failed, are left out."""
    return dataclasses.replace(facts, **{name: _finite(value) for name, value in vars(facts).items()})


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: part for key, part in value.items() if _finite(part) is not None}
    if isinstance(value, tuple):
        parts = tuple(_finite(part) for part in value)
        # a step with a loss that is no number goes as a whole
        return tuple(part for part in parts if not (isinstance(part, tuple) and None in part))
    return value
