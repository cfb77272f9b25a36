"""What an experiment would take: from the model's shape, and from a few steps measured on it where it fits here."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import fmean, median
from typing import Any

import numpy as np
import psutil
import torch

from geoprobe.errors import NotFoundError
from geoprobe.report.scan import Report
from geoprobe.results import counted
from geoprobe.training.data.examples import Prepared, prepare, prompt_ids
from geoprobe.training.data.tasks import LoadedTask
from geoprobe.training.experiment import final_runs, final_steps, sweep_runs
from geoprobe.training.inputs import Inputs, read_inputs
from geoprobe.training.model.adapters import adapted, count_parameters, geometry_parameters
from geoprobe.training.model.base import LoadedBase, load_base, training_device
from geoprobe.training.model.shape import GPUS, Gpu, ModelShape, memory_by_precision, model_shape, training_flops
from geoprobe.training.protocol import deviations
from geoprobe.training.records import Run
from geoprobe.training.report.view import MANY_BEYOND
from geoprobe.training.running.evaluate import written_answers
from geoprobe.training.running.matched_alpha import MatchedAlpha, match_alpha
from geoprobe.training.running.speed import measure_steps
from geoprobe.training.running.train import ordered_examples
from geoprobe.training.setup import Setup
from geoprobe.training.targets import find_targets

#: What is measured: steps of each method and examples of a step; prompts, and tokens written after each.
_ROUNDS, _EXAMPLES, _PROMPTS, _TOKENS = 2, 2, 4, 4
#: Prompts of a test set that are counted.
_COUNTED = 200
#: Processes that want to run, for each core, from which on a measured time says more of them than of the experiment.
_BUSY = 1.5
#: Share of a GPU's peak that training and reading weights reach in practice.
_REACHED, _READ = 0.4, 0.6


@dataclass(frozen=True)
class MethodPlan:
    """One method's cost.

    Geometry parameters are curvatures and scales, counted among the trainable. `memory` is in bytes by precision of the
    base model, estimated from its shape; `peak_memory`, measured here, that of the model, and of a micro-batch in
    proportion to the one that was measured. `start` has alpha, K and the share of tokens beyond the maps' limit, by the
    examples of one such step.
    """

    method: str
    trainable_parameters: int
    geometry_parameters: int
    memory: dict[str, int]
    tokens_per_second: float | None = None
    peak_memory: int | None = None
    start: MatchedAlpha | None = None


@dataclass(frozen=True)
class Plan:
    """What an experiment would take.

    `layers` counts those with adapters by what their names end in; `choosing` examples are held out to choose the rate
    by, `questions` asked of every model, by test set. `sweep` runs choose the rates, `final` ones are evaluated;
    `again` of these are trained at another matching of alpha: fewer where both matchings give one. `tokens` are trained
    on in all, padding not counted; `gpu_hours` are estimated from the model's shape, seconds measured.
    """

    setup: Setup
    parameters: int
    layers: dict[str, int]
    training: int
    validation: int
    choosing: int
    questions: dict[str, int]
    sweep: int
    final: int
    again: int
    sweep_steps: int
    final_steps: int
    tokens: int
    methods: tuple[MethodPlan, ...]
    gpu_hours: dict[str, float] = field(default_factory=dict)
    training_seconds: float | None = None
    evaluation_seconds: float | None = None
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
        hours = ", ".join(f"{_hours(amount)} of one {name}" for name, amount in self.gpu_hours.items())
        other = deviations(self.setup.to_dict()) if self.setup.budget == "paper" else ()
        return (
            f"model        {self.setup.model}: {self.parameters:,} parameters",
            f"training     {self.setup.train}: {counted(self.training, 'example')}, {self.validation:,} held out"
            + (f", {self.choosing:,} more to choose the rate" if self.choosing else ""),
            f"layers       {layers}",
            f"questions    {asked}",
            f"runs         {sweep}{counted(self.final, 'run')} of {counted(self.final_steps, 'step')} of "
            f"{counted(self.setup.batch, 'example')}"
            + (f", and up to {self.again:,} as long at another alpha" if self.again else ""),
            f"tokens       {self.tokens:,} in all",
            *(line for plan in self.methods for line in _method_lines(plan)),
            f"GPU          {hours} in bfloat16 ({_REACHED:.0%} of its peak, estimated from the model's shape)",
            self._time(),
            *(f"not paper's  {one}" for one in other),
            *(f"warning      {warning}" for warning in self.warnings),
        )

    def _time(self) -> str:
        if self.training_seconds is None or self.evaluation_seconds is None:
            return "time here    not measured: the model does not fit into the memory that is free, or has no weights"
        total = self.training_seconds + self.evaluation_seconds
        return (
            f"time here    about {_spoken(total)}: training {_spoken(self.training_seconds)}, "
            f"evaluation up to {_spoken(self.evaluation_seconds)}"
        )


def _method_lines(plan: MethodPlan) -> tuple[str, ...]:
    memory = ", ".join(f"{_gib(size)} in {precision}" for precision, size in plan.memory.items())
    lines = [
        f"{plan.method:<12} {plan.trainable_parameters:,} trainable parameters, "
        f"{plan.geometry_parameters:,} of them curvatures and scales",
        f"             memory, estimated: {memory}",
    ]
    if plan.tokens_per_second is not None and plan.peak_memory is not None:
        lines.append(f"             here: {plan.tokens_per_second:,.0f} tokens/s, about {_gib(plan.peak_memory)}")
    start = plan.start
    if start is not None and start.other is not None:
        lines.append(f"             alpha about {start.alpha:.3g}, or {start.other:.3g} by the norm over all layers")
    if start is not None and start.curvatures:
        values, beyond = start.curvatures.values(), fmean(start.beyond.values())
        lines.append(
            f"             K about {min(values):.2g} to {max(values):.2g} by layer, median {median(values):.2g}; "
            f"{beyond:.1%} of tokens beyond the maps' limit"
        )
    return tuple(lines)


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
    on_step: Callable[[str], None] | None = None,
    **choices: Any,
) -> Plan:
    """Say what `geoprobe.finetune` would take, with the same arguments, and write nothing.

    `on_step` is called with what is done next. A model that does not fit into half of the memory that is free is not
    loaded: what it needs is estimated from its shape alone. It raises as `geoprobe.finetune` does, leaks included.
    """
    say = on_step or (lambda _: None)
    say("reading the data, and looking for test questions in it")
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
    say("counting tokens and parameters")
    shape = model_shape(setup, offline=offline)
    prepared = prepare(inputs.training, shape.tokenizer, setup)
    targets = find_targets(shape.model, setup.targets, setup.model)
    methods = _methods(shape, setup, prepared)
    sweep = sweep_runs(setup, len(prepared.training))
    final = final_runs(setup, dict.fromkeys(setup.methods, setup.rates[0]), len(prepared.training))
    again = [replace(run, purpose="alpha") for run in final if run.method != setup.methods[0] and setup.alpha_checks]
    work = _work(inputs, shape, prepared, (*sweep, *final, *again))
    warnings = [*inputs.warnings, *targets.notes]
    seconds: tuple[float, float] | None = None
    if _fits(shape, setup):
        say("loading the model")
        try:
            base = load_base(setup, offline=offline)
        except NotFoundError as error:
            warnings.append(f"The model has no weights that could be loaded: {error.message}")
        else:
            warnings += _busy()
            methods, seconds = _measured(base, setup, prepared, methods, work, len(final), say)
            warnings += [warning for plan in methods for warning in _too_long(plan)]
    return Plan(
        setup=setup,
        parameters=shape.parameters,
        layers=targets.counts,
        training=len(prepared.training),
        validation=len(prepared.validation),
        choosing=len(prepared.choosing),
        questions={task.task.name: len(task.questions) for task in inputs.asked},
        sweep=len(sweep),
        final=len(final),
        again=len(again),
        sweep_steps=sweep[0].steps if sweep else 0,
        final_steps=final_steps(setup, len(prepared.training)),
        tokens=sum(work.learned.values()),
        methods=methods,
        gpu_hours={gpu.name: _gpu_hours(gpu, shape, setup, work, len(final)) for gpu in GPUS},
        training_seconds=None if seconds is None else seconds[0],
        evaluation_seconds=None if seconds is None else seconds[1],
        warnings=tuple(warnings),
    )


@dataclass(frozen=True)
class _Answers:
    """A test set's work: questions, tokens of a prompt on average, of options besides, and of the longest answer."""

    task: LoadedTask
    prompt: float
    options: float
    longest: int

    @property
    def questions(self) -> int:
        return len(self.task.questions)


@dataclass(frozen=True)
class _Work:
    """Tokens to be computed: trained on by run, validated by run (as many as cost the same in training), and asked."""

    learned: dict[Run, int]
    validated: dict[Run, float]
    asked: tuple[_Answers, ...]
    answer: float


def _work(inputs: Inputs, shape: ModelShape, prepared: Prepared, runs: Sequence[Run]) -> _Work:
    setup = inputs.setup
    learned = {run: sum(len(example.ids) for example in ordered_examples(prepared, setup, run)) for run in runs}
    held_out = {"sweep": prepared.choosing}
    once = {run: sum(len(one.ids) for one in held_out.get(run.purpose, prepared.validation)) for run in runs}
    validations = {run: 1 + (run.steps // setup.validate_every if setup.validate_every else 0) for run in runs}
    # a forward pass is a third of a step, adapters' own gradients being small
    validated = {run: validations[run] * once[run] / 3 for run in runs}
    chat = setup.template == "chat"
    asked = []
    for task in inputs.asked:
        few = task.questions[:_COUNTED]
        lengths = [len(prompt_ids(question.prompt, shape.tokenizer, chat=chat)) for question in few]
        options = [len(question.options) for question in few]
        asked.append(_Answers(task, float(np.mean(lengths)), float(np.mean(options)), task.task.longest(setup)))
    # trained models write about as much as they have learned to
    answer = float(np.percentile([example.learned for example in prepared.training], 95))
    return _Work(learned, validated, tuple(asked), answer)


def _methods(shape: ModelShape, setup: Setup, prepared: Prepared) -> tuple[MethodPlan, ...]:
    """Parameters of every method, and memory of its largest micro-batch, from the model's shape."""
    tokens = _largest(setup, prepared)
    plans = []
    for method in setup.methods:
        with adapted(shape.model, setup, method, setup.seeds[0]) as model:
            trained, of_geometry = count_parameters(model), geometry_parameters(model)
        memory = memory_by_precision(shape, trained, tokens, checkpointing=setup.gradient_checkpointing)
        plans.append(MethodPlan(method, trained, of_geometry, memory))
    return tuple(plans)


def _largest(setup: Setup, prepared: Prepared) -> int:
    """Tokens of the largest micro-batch, padding counted."""
    return (setup.micro_batch or setup.batch) * max(len(example.ids) for example in prepared.training)


def _fits(shape: ModelShape, setup: Setup) -> bool:
    """Whether the weights fit into half of the memory that is free."""
    device = training_device()
    if device.type == "cuda":
        free, size = torch.cuda.mem_get_info(device)[0], 0.56 if setup.four_bit else 2
    else:
        free, size = psutil.virtual_memory().available, 4
    return bool(shape.parameters * size < free / 2)


def _measured(
    base: LoadedBase,
    setup: Setup,
    prepared: Prepared,
    methods: tuple[MethodPlan, ...],
    work: _Work,
    finals: int,
    say: Callable[[str], None],
) -> tuple[tuple[MethodPlan, ...], tuple[float, float]]:
    """Every method's speed and memory here, and seconds of all trainings and of all answers."""
    say("a few steps of each method")
    few = ordered_examples(prepared, setup, Run(setup.methods[0], setup.seeds[0], 0.0, "final", 1))
    few = few[: min(_EXAMPLES, setup.micro_batch or setup.batch)]
    costs = {cost.method: cost for cost in measure_steps(base, setup, few, rounds=_ROUNDS)}
    padded = len(few) * max(len(example.ids) for example in few)
    model = base.model.get_memory_footprint()
    starts: dict[str, MatchedAlpha] = {}
    for method in setup.methods:
        reference = starts.get(setup.methods[0]) if setup.match_scale else None
        starts[method] = match_alpha(base, setup, method, setup.seeds[0], few, reference)
    measured = tuple(
        replace(
            plan,
            tokens_per_second=costs[plan.method].tokens_per_second,
            peak_memory=int(model + max(costs[plan.method].memory, 0) * max(1.0, _largest(setup, prepared) / padded)),
            start=starts[plan.method],
        )
        for plan in methods
    )
    training = sum(
        (count + work.validated[run]) / costs[run.method].tokens_per_second for run, count in work.learned.items()
    )
    say("a few answers")
    with adapted(base.model, setup, setup.methods[-1], setup.seeds[0]) as adapted_model:
        adapted_model.eval()
        reading, writing = _answering(adapted_model, base, setup, work.asked[0].task)
    answering = 0.0
    for asked in work.asked:
        # an option's likelihood is about one more prompt
        prompts = asked.prompt * (1 + asked.options) * reading
        trained = prompts + writing * setup.beams * min(asked.longest, work.answer)
        answering += asked.questions * (prompts + writing * setup.beams * asked.longest + finals * trained)
    return measured, (training, answering)


def _busy() -> tuple[str, ...]:
    """A warning where other work shares the processor: what is measured takes longer than it would alone."""
    load, cores = psutil.getloadavg()[0], os.cpu_count() or 1
    if load < _BUSY * cores:
        return ()
    return (
        f"Other work ran on this machine ({load:.1f} processes on {counted(cores, 'core')}): times here are longer "
        "than they would be alone.",
    )


def _too_long(plan: MethodPlan) -> tuple[str, ...]:
    """A warning where much of what a method does is its maps' straight continuation."""
    share = fmean(plan.start.beyond.values()) if plan.start is not None and plan.start.beyond else 0.0
    if share <= MANY_BEYOND:
        return ()
    return (
        f"{share:.0%} of {plan.method}'s inputs are longer than its maps are exact for: leave K to be measured, or "
        "raise it by --curvature.",
    )


def _answering(model: Any, base: LoadedBase, setup: Setup, task: LoadedTask) -> tuple[float, float]:
    """Seconds to read a token of a prompt, and to write one after each."""
    prompts = [question.prompt for question in task.questions[: min(_PROMPTS, setup.evaluation_batch)]]
    times = []
    for tokens in (1, 1, 1 + _TOKENS):
        began = time.perf_counter()
        written_answers(model, base, prompts, max_new_tokens=tokens, batch=len(prompts), finished=lambda _: False)
        times.append(time.perf_counter() - began)
    read = sum(len(prompt_ids(prompt, base.tokenizer, chat=base.chat)) for prompt in prompts)
    return times[1] / read, max(times[2] - times[1], 0.0) / (_TOKENS * len(prompts))


def _gpu_hours(gpu: Gpu, shape: ModelShape, setup: Setup, work: _Work, finals: int) -> float:
    """Hours of everything on one GPU in bfloat16: products at a share of its peak, and weights read for each token."""
    tokens = sum(work.learned.values()) + sum(work.validated.values())
    flops = training_flops(shape.parameters, int(tokens), checkpointing=setup.gradient_checkpointing)
    seconds = flops / (gpu.flops * _REACHED)
    once = shape.parameters * 2 / (gpu.bandwidth * _READ)
    for asked in work.asked:
        read = asked.questions * asked.prompt * (1 + asked.options) * 2 * shape.parameters / (gpu.flops * _REACHED)
        steps = np.ceil(asked.questions / setup.evaluation_batch) * once
        seconds += (finals + 1) * read + steps * (asked.longest + finals * min(asked.longest, work.answer))
    return float(seconds) / 3600


def _gib(size: float) -> str:
    return f"{size / 2**30:.1f} GiB"


def _hours(hours: float) -> str:
    if hours >= 0.1:
        return f"{hours:,.0f} hours" if hours >= 10 else f"{hours:.1f} hours"
    return f"{hours * 60:.1f} minutes" if hours * 60 >= 1 else "less than a minute"


def _spoken(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:,.1f} h"
