"""The trainings that an experiment consists of."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from geoprobe.training.records import Purpose, RunRecord
from geoprobe.training.setup import Setup

__all__ = ["Run", "chosen_rates", "final_runs", "final_steps", "sweep_runs"]


@dataclass(frozen=True)
class Run:
    """One training.

    Parameters
    ----------
    method : str
        The method.
    seed : int
        Of its data order, A matrices and dropout.
    learning_rate : float
        The peak.
    purpose : {"sweep", "final"}
        To choose the rate, or to be evaluated.
    steps : int
        Optimizer steps.
    """

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
        """What a person is told."""
        sweep = " (to choose the rate)" if self.purpose == "sweep" else ""
        return f"{self.method}, seed {self.seed}, rate {self.learning_rate:g}{sweep}"


def final_steps(setup: Setup, examples: int) -> int:
    """Optimizer steps of a final run over so many training examples."""
    return setup.steps or math.ceil(examples * setup.epochs / setup.batch)


def sweep_runs(setup: Setup, examples: int) -> tuple[Run, ...]:
    """Every rate once for every method, with the first seed; none where there is one rate."""
    if len(setup.rates) == 1:
        return ()
    steps = setup.sweep_steps or final_steps(setup, examples)
    return tuple(Run(method, setup.seeds[0], rate, "sweep", steps) for method in setup.methods for rate in setup.rates)


def chosen_rates(setup: Setup, sweep: Sequence[RunRecord]) -> dict[str, float | None]:
    """Each method's rate with the lowest validation loss; None where every run of its sweep failed.

    A run that diverges speaks against its rate. One that fails of anything else says nothing of it: its rate is left
    out for every method, so that none has more rates to choose from.
    """
    if len(setup.rates) == 1:
        return dict.fromkeys(setup.methods, setup.rates[0])
    lost = {record.learning_rate for record in sweep if record.status == "failed" and not record.diverged}
    chosen: dict[str, float | None] = {}
    for method in setup.methods:
        losses = {
            record.learning_rate: record.validation_loss
            for record in sweep
            if record.method == method and record.purpose == "sweep" and record.validation_loss is not None
            if record.learning_rate not in lost
        }
        chosen[method] = min(losses, key=losses.__getitem__, default=None)
    return chosen


def final_runs(setup: Setup, rates: Mapping[str, float | None], examples: int) -> tuple[Run, ...]:
    """Every method with every seed, seed by seed, so that what is there after a crash can be compared."""
    steps = final_steps(setup, examples)
    return tuple(
        Run(method, seed, rate, "final", steps)
        for seed in setup.seeds
        for method in setup.methods
        if (rate := rates[method]) is not None
    )
