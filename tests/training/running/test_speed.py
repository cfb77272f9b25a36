"""Steps of all methods in turns, on a clock whose every reading is known."""

import math
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from experiment_builders import make_experiment
from scipy import stats

from geoprobe.training.data.examples import Tokens
from geoprobe.training.model.base import LoadedBase
from geoprobe.training.model.shape import ModelShape, memory_by_precision
from geoprobe.training.outcome import StepCost
from geoprobe.training.report.words import speed_line
from geoprobe.training.running import speed
from geoprobe.training.running.speed import measure_steps
from geoprobe.training.setup import Setup


def _clock(monkeypatch: pytest.MonkeyPatch, seconds: Iterator[float]) -> list[str]:
    """Each step of a method takes the next of so many seconds; the order of the steps that are timed is kept."""
    order: list[str] = []

    def stepper(model: Any, base: Any, setup: Any) -> Callable[[Any], float]:
        name = "hyplora" if type(model.peft_config["default"]).__name__ == "HypLoraConfig" else "lora"

        def step(examples: Any) -> float:
            if len(examples) < 2:
                return 1000.0  # what warms up is not counted
            order.append(name)
            return next(seconds)

        return step

    monkeypatch.setattr(speed, "_stepper", stepper)
    return order


def test_the_ratio_is_that_of_steps_side_by_side_with_students_interval(
    base: Any, prepared: Any, make: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    lora, hyplora = [1.0, 2.0, 4.0, 3.0], [1.25, 2.5, 4.8, 3.9]
    # the first round begins with a warm-up of each, and every other round goes backwards
    taken = [9.0, lora[0], 9.0, hyplora[0], hyplora[1], lora[1], lora[2], hyplora[2], hyplora[3], lora[3]]
    order = _clock(monkeypatch, iter(taken))
    costs = {cost.method: cost for cost in measure_steps(base, make(), prepared.training[:3], rounds=4)}
    assert order == ["lora"] * 2 + ["hyplora"] * 3 + ["lora"] * 2 + ["hyplora"] * 2 + ["lora"]
    logs = [math.log(a / b) for a, b in zip(lora, hyplora, strict=True)]
    low, high = stats.t.interval(0.95, 3, loc=sum(logs) / 4, scale=stats.sem(logs))
    assert costs["hyplora"].ratio == pytest.approx(math.exp(sum(logs) / 4))
    assert (costs["hyplora"].low, costs["hyplora"].high) == pytest.approx((math.exp(low), math.exp(high)))
    assert (costs["lora"].ratio, costs["lora"].low, costs["lora"].high) == (1.0, 1.0, 1.0)
    tokens = sum(len(example.ids) for example in prepared.training[:3])
    assert costs["lora"].tokens_per_second == pytest.approx(tokens / 2.5)


def test_a_step_leaves_the_model_as_it_was(base: Any, prepared: Any, make: Callable[..., Any]) -> None:
    before = {name: weight.clone() for name, weight in base.model.state_dict().items()}
    done: list[int] = []
    (lora, hyplora) = measure_steps(base, make(), prepared.training[:2], rounds=2, on_step=done.append)
    assert done == [1, 2, 3, 4]
    assert hyplora.trainable_parameters - lora.trainable_parameters == hyplora.geometry_parameters == 10
    assert all(bool((weight == before[name]).all()) for name, weight in base.model.state_dict().items())
    assert lora.tokens_per_second > 0


def test_a_ratio_is_said_with_its_interval_or_not_at_all() -> None:
    result = make_experiment()

    def said(low: float, high: float) -> str:
        steps = (StepCost("hyplora", 10, 2, 100.0, math.sqrt(low * high), low, high, 8, 0),)
        return speed_line(replace(result, steps=steps), "hyplora")

    assert said(0.88, 0.92) == (
        "HypLoRA trains 0.90 times as many tokens a second as LoRA "
        "(95% interval 0.88 to 0.92, 8 steps of each in turns)."
    )
    assert "too busy to say" in said(0.7, 1.3)
    assert "by whole runs: what else the machine did moves that" in speed_line(result, "hyplora")


@pytest.mark.skipif(sys.platform != "linux" or torch.cuda.is_available(), reason="the process's peak is Linux's to say")
def test_memory_estimated_from_the_shape_is_what_a_step_takes() -> None:
    """The difference that more tokens make, measured and estimated, within a factor of two."""
    sizes = {"vocab_size": 4000, "hidden_size": 128, "intermediate_size": 256, "num_hidden_layers": 4}
    config = transformers.LlamaConfig(**sizes, num_attention_heads=4, num_key_value_heads=2)
    model = transformers.LlamaForCausalLM(config).requires_grad_(False)
    base = LoadedBase(model, SimpleNamespace(pad_token_id=0), False)
    setup = Setup("tiny", "sums", ("mawps",), methods=("lora",), rank=4, dropout=0.0)
    rng = np.random.default_rng(0)
    examples = [Tokens(tuple(rng.integers(5, 4000, 250).tolist()), 1) for _ in range(10)]
    few, many = (measure_steps(base, setup, examples[:count], rounds=2)[0] for count in (2, 10))
    shape = ModelShape(model, None)
    estimated = [memory_by_precision(shape, few.trainable_parameters, 250 * count)["float32"] for count in (2, 10)]
    assert 0.5 < (many.memory - few.memory) / (estimated[1] - estimated[0]) < 2
