"""What an experiment would take, from a few steps measured on the model itself."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from geoprobe.report.scan import Report
from geoprobe.results import counted
from geoprobe.training.adapters import adapted, count_parameters, geometry_parameters
from geoprobe.training.evaluate import written_answers
from geoprobe.training.examples import Prepared, prepare
from geoprobe.training.experiment import final_runs, final_steps, sweep_runs
from geoprobe.training.inputs import Inputs, read_inputs
from geoprobe.training.loss import collate, response_loss
from geoprobe.training.model import LoadedBase, load_base
from geoprobe.training.protocol import deviations
from geoprobe.training.records import Run
from geoprobe.training.setup import Setup
from geoprobe.training.targets import find_targets
from geoprobe.training.tasks import sampled
from geoprobe.training.train import forget_peak, ordered_examples, peak_memory

__all__ = ["MethodPlan", "Plan", "plan_finetune"]

_MEASURED_STEPS = 2
_MEASURED_TOKENS = 12


@dataclass(frozen=True)
class MethodPlan:
    """One method's cost: parameters (those of a geometry apart), tokens a second of training, bytes of its peak."""

    method: str
    trainable_parameters: int
    geometry_parameters: int
    tokens_per_second: float
    peak_memory: int


@dataclass(frozen=True)
class Plan:
    """What an experiment would take.

    Parameters
    ----------
    setup : Setup
        All choices.
    layers : dict of str to int
        What the names of the layers with adapters end in, and how many there are.
    training, validation, choosing : int
        Examples learned from, held out to measure the loss, and held out to choose the rate by.
    questions : dict of str to int
        Asked of every model, by test set.
    sweep, final : int
        Runs to choose the rates, and runs that are evaluated.
    sweep_steps, final_steps : int
        Optimizer steps of each.
    tokens : int
        Trained on in all, padding not counted.
    methods : tuple of MethodPlan
        By method.
    training_seconds, evaluation_seconds : float
        Of all runs.
    warnings : tuple of str
        What a reader must know.
    """

    setup: Setup
    layers: dict[str, int]
    training: int
    validation: int
    choosing: int
    questions: dict[str, int]
    sweep: int
    final: int
    sweep_steps: int
    final_steps: int
    tokens: int
    methods: tuple[MethodPlan, ...]
    training_seconds: float
    evaluation_seconds: float
    warnings: tuple[str, ...] = ()

    def lines(self) -> tuple[str, ...]:
        """The plan in words."""
        asked = ", ".join(f"{name} {count:,}" for name, count in self.questions.items())
        sweep = (
            f"{counted(self.sweep, 'run')} of {counted(self.sweep_steps, 'step')} to choose the learning rate, "
            if self.sweep
            else f"learning rate {self.setup.rates[0]:g}, "
        )
        layers = ", ".join(f"{end} × {count:,}" for end, count in self.layers.items())
        total = self.training_seconds + self.evaluation_seconds
        return (
            f"model        {self.setup.model}",
            f"training     {self.setup.train}: {self.training:,} examples, {self.validation:,} held out"
            + (f", {self.choosing:,} more to choose the rate" if self.choosing else ""),
            f"layers       {layers}",
            f"questions    {asked}",
            f"runs         {sweep}{counted(self.final, 'run')} of {counted(self.final_steps, 'step')} of "
            f"{counted(self.setup.batch, 'example')}",
            f"tokens       {self.tokens:,} in all",
            *(
                f"{plan.method:<12} {plan.trainable_parameters:,} trainable parameters, "
                f"{plan.geometry_parameters:,} of them curvatures and scales; {plan.tokens_per_second:,.0f} tokens/s; "
                f"{plan.peak_memory / 2**30:.1f} GiB"
                for plan in self.methods
            ),
            f"time         about {_spoken(total)}: training {_spoken(self.training_seconds)}, "
            f"evaluation up to {_spoken(self.evaluation_seconds)}",
            *(
                f"not paper's  {one}"
                for one in (deviations(self.setup.to_dict()) if self.setup.budget == "paper" else ())
            ),
            *(f"warning      {warning}" for warning in self.warnings),
        )


def plan_finetune(
    model: str | Path | None = None,
    *,
    train: str | Path = "gsm8k",
    eval: str | Sequence[str] | None = None,
    from_scan: str | Path | Report | None = None,
    budget: str = "paper",
    leaks: str = "refuse",
    data: str | Path | None = None,
    offline: bool = False,
    **choices: Any,
) -> Plan:
    """Say what `geoprobe.finetune` would take, with the same arguments, and write nothing.

    Raises
    ------
    GeoprobeError
        As `geoprobe.finetune`, leaks included.
    """
    inputs = read_inputs(
        model,
        train,
        eval,
        from_scan=from_scan,
        budget=budget,
        data=data,
        leaks=leaks,
        offline=offline,
        out=None,
        choices=choices,
    )
    setup = inputs.setup
    base = load_base(setup, offline=offline)
    prepared = prepare(inputs.training, base.tokenizer, setup)
    targets = find_targets(base.model, setup.targets, setup.model)
    methods, costs = [], {}
    for method in setup.methods:
        plan, costs[method] = _measured(base, setup, method, prepared)
        methods.append(plan)
    sweep = sweep_runs(setup, len(prepared.training))
    final = final_runs(setup, dict.fromkeys(setup.methods, setup.rates[0]), len(prepared.training))
    tokens = {
        run: sum(len(example.ids) for example in ordered_examples(prepared, setup, run)) for run in (*sweep, *final)
    }
    held_out = {"final": prepared.validation, "sweep": prepared.choosing}
    validated = {kind: sum(len(example.ids) for example in examples) for kind, examples in held_out.items()}
    seconds = 0.0
    for run, learned in tokens.items():
        validations = 1 + (run.steps // setup.validate_every if setup.validate_every else 0)
        # a forward pass is a third of a step, adapters' own gradients being small
        seconds += costs[run.method] * (learned + validations * validated[run.purpose] / 3)
    return Plan(
        setup=setup,
        layers=targets.counts,
        training=len(prepared.training),
        validation=len(prepared.validation),
        choosing=len(prepared.choosing),
        questions={task.task.name: len(task.questions) for task in inputs.asked},
        sweep=len(sweep),
        final=len(final),
        sweep_steps=sweep[0].steps if sweep else 0,
        final_steps=final_steps(setup, len(prepared.training)),
        tokens=sum(tokens.values()),
        methods=tuple(methods),
        training_seconds=seconds,
        evaluation_seconds=_evaluation_seconds(base, inputs, prepared, len(final)),
        warnings=(*inputs.warnings, *targets.notes),
    )


def _measured(base: LoadedBase, setup: Setup, method: str, prepared: Prepared) -> tuple[MethodPlan, float]:
    """A method's plan, and its seconds per token of training."""
    size = setup.micro_batch or setup.batch
    device = base.model.device
    examples = ordered_examples(prepared, setup, Run(method, setup.seeds[0], 0.0, "final", _MEASURED_STEPS + 1))
    with adapted(base.model, setup, method, setup.seeds[0]) as model:
        model.train()
        if setup.gradient_checkpointing:
            model.enable_input_require_grads()
            model.gradient_checkpointing_enable()
        optimizer = torch.optim.AdamW([weight for weight in model.parameters() if weight.requires_grad], lr=0.0)
        forget_peak()
        seconds, tokens = [], []
        for start in range(0, len(examples), setup.batch):
            step = examples[start : start + setup.batch]
            began = time.perf_counter()
            for first in range(0, len(step), size):
                batch = collate(step[first : first + size], base.padding)
                with torch.autocast(device.type, torch.bfloat16, enabled=base.half):
                    loss, _ = response_loss(model, {name: value.to(device) for name, value in batch.items()})
                loss.backward()
            optimizer.step()
            optimizer.zero_grad()
            loss.item()  # until the device is done
            seconds.append(time.perf_counter() - began)
            tokens.append(sum(len(example.ids) for example in step))
        # the first step warms up
        a_token = sum(seconds[1:]) / sum(tokens[1:])
        geometry = geometry_parameters(model)
        plan = MethodPlan(method, count_parameters(model), geometry, 1 / a_token, peak_memory())
    return plan, a_token


def _evaluation_seconds(base: LoadedBase, inputs: Inputs, prepared: Prepared, finals: int) -> float:
    """All models' answers: the base model's up to the limit, the trained ones' as long as what they have learned."""
    setup = inputs.setup
    learned = float(np.percentile([len(example.ids) - example.prompt for example in prepared.training], 95))
    total = 0.0
    with adapted(base.model, setup, setup.methods[-1], setup.seeds[0]) as model:
        model.eval()
        for task in inputs.asked:
            limit = task.task.longest(setup)
            few = sampled(task, setup).questions[: setup.evaluation_batch]
            times = [
                _answering(model, base, few, count, setup.beams) for count in (1, 1, 1 + min(_MEASURED_TOKENS, limit))
            ]
            prefill, a_token = times[1], max(times[2] - times[1], 0.0) / min(_MEASURED_TOKENS, limit)
            batches = len(task.questions) / len(few)
            options = sum(len(question.options) for question in few) / len(few)
            reading = prefill * (1 + options)  # an option's likelihood is about one more prompt
            total += batches * (reading + a_token * limit + finals * (reading + a_token * min(limit, learned)))
    return total


def _answering(model: Any, base: LoadedBase, questions: Sequence[Any], tokens: int, beams: int) -> float:
    began = time.perf_counter()
    written_answers(
        model,
        base,
        [question.prompt for question in questions],
        max_new_tokens=tokens,
        batch=len(questions),
        finished=lambda _: False,
        beams=beams,
    )
    return time.perf_counter() - began


def _spoken(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
