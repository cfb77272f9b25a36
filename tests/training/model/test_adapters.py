"""Methods differ in their method only, and leave no trace in the model."""

from collections.abc import Callable
from typing import Any

import pytest
import torch

from geoprobe.errors import UsageError
from geoprobe.training.methods import METHODS
from geoprobe.training.model.adapters import (
    adapted,
    b_matrices,
    count_parameters,
    curvatures,
    geometry_parameters,
    starting_matrices,
)

LAYERS = 2 * 5


def test_all_methods_start_with_the_same_a_matrices_and_b_at_zero(base: Any, make: Callable[..., Any]) -> None:
    found = {}
    for method in METHODS:
        torch.manual_seed(len(found))  # whatever was drawn before
        with adapted(base.model, make(), method, 3) as model:
            found[method] = {name: matrix.detach().clone() for name, matrix in starting_matrices(model).items()}
            assert all(not matrix.any() for matrix in b_matrices(model).values())
    assert len(found["lora"]) == LAYERS
    for method in METHODS:
        assert found[method].keys() == found["lora"].keys()
        assert all(torch.equal(found[method][name], matrix) for name, matrix in found["lora"].items())
    with adapted(base.model, make(), "lora", 4) as model:
        assert not any(torch.equal(found["lora"][name], matrix) for name, matrix in starting_matrices(model).items())


def test_a_is_drawn_as_peft_draws_it(base: Any, make: Callable[..., Any]) -> None:
    with adapted(base.model, make(rank=16), "lora", 0) as model:
        for matrix in starting_matrices(model).values():
            bound = matrix.shape[1] ** -0.5
            assert float(matrix.detach().abs().max()) <= bound
            assert float(matrix.detach().std()) == pytest.approx(bound / 3**0.5, rel=0.1)


def test_parameters_differ_by_the_curvatures_alone(base: Any, make: Callable[..., Any]) -> None:
    counts = {}
    for method in METHODS:
        with adapted(base.model, make(), method, 0) as model:
            counts[method] = count_parameters(model), geometry_parameters(model)
    assert counts["lora"][1] == counts["dora"][1] == 0
    assert counts["hyplora"] == (counts["lora"][0] + LAYERS, LAYERS)
    assert counts["dora"][0] > counts["lora"][0]  # its magnitudes


def test_adapters_come_off_and_leave_the_model_as_it_was(base: Any, make: Callable[..., Any]) -> None:
    before = {name: value.clone() for name, value in base.model.state_dict().items()}
    ids = torch.tensor([[5, 6, 7]], device=base.model.device)
    with torch.no_grad():
        output = base.model(ids).logits
    for method in METHODS:
        with adapted(base.model, make(), method, 0) as model, torch.no_grad():
            for matrix in b_matrices(model).values():
                matrix.fill_(0.3)
            assert not torch.equal(model(ids).logits, output)
    after = base.model.state_dict()
    assert before.keys() == after.keys()
    assert all(torch.equal(before[name], value) for name, value in after.items())
    assert not any(parameter.requires_grad for parameter in base.model.parameters())
    with torch.no_grad():
        assert torch.equal(base.model(ids).logits, output)


def test_adapters_come_off_after_an_error_too(base: Any, make: Callable[..., Any]) -> None:
    names = [name for name, _ in base.model.named_modules()]
    with pytest.raises(RuntimeError, match="halfway"), adapted(base.model, make(), "hyplora", 0):
        raise RuntimeError("halfway")
    assert [name for name, _ in base.model.named_modules()] == names


def test_curvature_is_the_one_asked_for(base: Any, make: Callable[..., Any]) -> None:
    with adapted(base.model, make(curvature=0.5), "hyplora", 0) as model:
        found = curvatures(model)
    assert len(found) == LAYERS
    assert {each.start for each in found} == {0.5}
    assert found[0].end == pytest.approx(0.5)
    with adapted(base.model, make(), "lora", 0) as model:
        assert curvatures(model) == ()


def test_layers_that_cannot_be_adapted_are_an_error(base: Any, make: Callable[..., Any]) -> None:
    setup = make(targets=("q_prox",))
    with pytest.raises(UsageError, match="q_prox"), adapted(base.model, setup, "hyplora", 0):
        pass


def test_all_linear_layers_are_a_target(base: Any, make: Callable[..., Any]) -> None:
    with adapted(base.model, make(targets=("all-linear",)), "lora", 0) as model:
        assert len(starting_matrices(model)) == 2 * 7
