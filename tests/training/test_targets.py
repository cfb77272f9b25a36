"""Layers by role on tiny models of many families: what is adapted, the same by every method, or a refusal."""

from collections.abc import Callable
from typing import Any

import pytest
import transformers
from model_families import FAMILIES, LLAMA, gemma3, make_family, mamba

from geoprobe.errors import UsageError
from geoprobe.training.methods import METHODS
from geoprobe.training.model.adapters import adapted, starting_matrices
from geoprobe.training.setup import Setup
from geoprobe.training.targets import PAPER_TARGETS, find_targets


def _setup(**choices: Any) -> Setup:
    return Setup("tiny", "gsm8k", ("mawps",), **{"rank": 2, "alpha": 4.0, "dropout": 0.0, **choices})


@pytest.mark.parametrize("family", FAMILIES)
def test_the_papers_layers_are_found_by_role_and_adapted_alike_by_every_method(family: str) -> None:
    model = make_family(family)
    targets = find_targets(model, PAPER_TARGETS, family)
    assert targets.counts == FAMILIES[family][2]
    shapes = {}
    for method in METHODS:
        with adapted(model, _setup(), method, 0) as peft_model:
            shapes[method] = {name: tuple(matrix.shape) for name, matrix in starting_matrices(peft_model).items()}
    assert list(shapes["lora"]) == list(targets.modules)
    assert shapes["dora"] == shapes["lora"] == shapes["hyplora"]


def test_experts_are_said_to_have_no_adapters() -> None:
    assert "experts" in find_targets(make_family("mixtral"), PAPER_TARGETS, "tiny").notes[0]


def test_experts_that_one_method_adapts_and_another_does_not_are_refused() -> None:
    model = make_family("qwen-3 moe")
    with pytest.raises(UsageError, match="no layer 'gate_proj'"):
        find_targets(model, ("q_proj", "gate_proj"), "tiny")


def test_a_model_without_such_layers_is_refused_by_what_it_has() -> None:
    model = transformers.AutoModelForCausalLM.from_config(mamba())
    with pytest.raises(UsageError, match=r"none of the paper's kinds of layer; it has in_proj × 2"):
        find_targets(model, PAPER_TARGETS, "tiny")


def test_only_the_language_model_of_a_multimodal_one_is_adapted() -> None:
    model = transformers.AutoModelForImageTextToText.from_config(gemma3())
    targets = find_targets(model, PAPER_TARGETS, "tiny")
    assert targets.counts == LLAMA
    assert all("language_model" in name for name in targets.modules)
    assert "vision" in targets.notes[-1]
    for method in METHODS:
        with adapted(model, _setup(), method, 0) as peft_model:
            assert list(starting_matrices(peft_model)) == list(targets.modules)


def test_a_mistyped_layer_is_refused_by_the_nearest_ones(base: Any, make: Callable[..., Any]) -> None:
    with pytest.raises(UsageError, match=r"no layer 'q_prj'\.\nDid you mean q_proj"):
        find_targets(base.model, ("q_prj", "v_proj"), "tiny")


def test_every_linear_layer_but_the_output_is_a_target(base: Any) -> None:
    targets = find_targets(base.model, ("all-linear",), "tiny")
    assert targets.counts == {**LLAMA, "o_proj": 2, "gate_proj": 2}
