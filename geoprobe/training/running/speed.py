"""What a step of each method costs: steps of all of them in turns, in one process, on the same examples.

Whole runs are minutes apart, and what else a machine does meanwhile differs between them by more than methods do. Steps
in turns share it, so their ratio has a narrow interval, or a wide one that says that the machine was too busy.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from statistics import fmean, median, stdev
from typing import Any

import torch

from geoprobe.training.data.examples import Tokens
from geoprobe.training.model.adapters import adapted, count_parameters, geometry_parameters
from geoprobe.training.model.base import LoadedBase
from geoprobe.training.outcome import StepCost
from geoprobe.training.running.loss import collate, response_loss
from geoprobe.training.running.train import forget_peak, peak_memory, resident_memory
from geoprobe.training.setup import Setup

#: Steps of each method, and examples of a step: few, as only the ratio and tokens a second are of interest.
ROUNDS, EXAMPLES = 6, 2
_WARM_UP = 16  # tokens


def measure_steps(
    base: LoadedBase,
    setup: Setup,
    examples: Sequence[Tokens],
    *,
    rounds: int = ROUNDS,
    on_step: Callable[[int], None] | None = None,
) -> tuple[StepCost, ...]:
    """Time steps of all methods in turns, on the examples of one; every other round goes backwards.

    The ratio to the first method has Student's 95% interval of the logarithms of paired steps. `on_step` is called with
    the number of steps done.
    """
    tokens = sum(len(example.ids) for example in examples)
    short = [Tokens(examples[0].ids[:_WARM_UP], 1)]
    seconds: dict[str, list[float]] = {method: [] for method in setup.methods}
    counts: dict[str, tuple[int, int]] = {}
    memory = dict.fromkeys(setup.methods, 0)
    done = 0
    for number in range(rounds):
        for method in setup.methods if number % 2 == 0 else reversed(setup.methods):
            with adapted(base.model, setup, method, setup.seeds[0]) as model:
                step = _stepper(model, base, setup)
                counts[method] = count_parameters(model), geometry_parameters(model)
                if number == 0:
                    step(examples)  # the first of all warms up
                step(short)
                forget_peak()
                before = resident_memory()
                seconds[method].append(step(examples))
                if number or rounds == 1:  # the first round takes what is taken once
                    memory[method] = max(memory[method], peak_memory() - before)
            done += 1
            if on_step is not None:
                on_step(done)
    reference = seconds[setup.methods[0]]
    costs = []
    for method in setup.methods:
        low, ratio, high = _ratio(reference, seconds[method])
        costs.append(
            StepCost(
                method, *counts[method], tokens / median(seconds[method]), ratio, low, high, rounds, memory[method]
            )
        )
    return tuple(costs)


def _ratio(reference: Sequence[float], seconds: Sequence[float]) -> tuple[float | None, float, float | None]:
    """How many times as fast as the reference, between the ends of its interval; none of these from one pair."""
    from scipy.stats import t

    logs = [math.log(its / own) for its, own in zip(reference, seconds, strict=True)]
    centre = fmean(logs)
    if len(logs) < 2:
        return None, math.exp(centre), None
    half = float(t.ppf(0.975, len(logs) - 1)) * stdev(logs) / math.sqrt(len(logs))
    return math.exp(centre - half), math.exp(centre), math.exp(centre + half)


def _stepper(model: Any, base: LoadedBase, setup: Setup) -> Callable[[Sequence[Tokens]], float]:
    """Makes an optimizer step on examples at a rate of 0, and gives its seconds."""
    model.train()
    if setup.gradient_checkpointing:
        model.enable_input_require_grads()
        model.gradient_checkpointing_enable()
    optimizer = torch.optim.AdamW([weight for weight in model.parameters() if weight.requires_grad], lr=0.0)
    device = base.model.device

    def step(examples: Sequence[Tokens]) -> float:
        began = time.perf_counter()
        batch = {name: value.to(device) for name, value in collate(examples, base.padding).items()}
        with torch.autocast(device.type, torch.bfloat16, enabled=base.half):
            loss, _ = response_loss(model, batch)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        loss.item()  # until the device is done
        return time.perf_counter() - began

    return step
