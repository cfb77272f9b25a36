"""Adapters that differ in their method only: the same layers, rank and initial A matrices."""

from __future__ import annotations

import hashlib
import math
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from peft import PeftModel, get_peft_model

from geoprobe.errors import UsageError
from geoprobe.hyplora import geometry
from geoprobe.training.methods import METHODS
from geoprobe.training.records import LayerCurvature
from geoprobe.training.setup import Setup
from geoprobe.training.targets import differing, find_targets

#: A factor (A or B) of every adapted layer, by the layer's name in the model.
Factors = dict[str, torch.nn.Parameter]


@contextmanager
def adapted(
    model: Any,
    setup: Setup,
    method: str,
    seed: int,
    alpha: float | None = None,
    curvatures: Mapping[str, float] | None = None,
) -> Iterator[PeftModel]:
    """A frozen model with fresh adapters, taken off again at the end; `alpha` in place of the set-up's.

    `curvatures` are K at the start by layer, where the set-up leaves it to be measured. Each layer's A comes from the
    seed and the layer's name, whatever the method.
    """
    targets = find_targets(model, setup.targets, setup.model)
    shared = {
        "r": setup.rank,
        "lora_alpha": alpha or setup.alpha,
        "lora_dropout": setup.dropout,
        **targets.config(),
        "task_type": "CAUSAL_LM",
    }
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="`is_gradient_checkpointing`")  # peft's way of asking
            warnings.filterwarnings("ignore", message="fan_in_fan_out")  # of GPT-2's layers, which peft then sets
            peft_model = get_peft_model(model, METHODS[method].config(shared, setup.curvature or curvatures))
    except ValueError as error:
        raise UsageError(
            f"The model {setup.model} cannot get {method} adapters of rank {setup.rank}: {error}",
            "Choose layers by --targets, or another --rank.",
        ) from error
    try:
        matrices = starting_matrices(peft_model)
        if wrong := differing(targets, matrices):
            raise UsageError(
                f"In {setup.model}, {METHODS[method].title} adapts {wrong}, so methods could not be compared fairly.",
                "Choose layers by --targets that every method can adapt, such as q_proj,v_proj.",
            )
        for name, matrix in matrices.items():
            matrix.data.copy_(_drawn(name, seed, matrix))
        yield peft_model
    finally:
        peft_model.base_model.unload()
        model.requires_grad_(False)
        model.eval()
        if hasattr(model, "peft_config"):
            del model.peft_config


def _factors(model: Any, which: str) -> Factors:
    """A or B of every adapted layer."""
    return {
        name.removeprefix("base_model.model."): getattr(module, f"lora_{which}")["default"].weight
        for name, module in model.named_modules()
        if "default" in getattr(module, f"lora_{which}", ())
    }


def starting_matrices(model: Any) -> Factors:
    """A of every adapted layer, by the layer's name in the base model."""
    return _factors(model, "A")


def b_matrices(model: Any) -> Factors:
    """B of every adapted layer, by the layer's name in the base model."""
    return _factors(model, "B")


def _drawn(layer: str, seed: int, like: torch.Tensor) -> torch.Tensor:
    """LoRA's A: uniform, of variance 1/(3·inputs), on the CPU, so that every device gets the same."""
    digest = hashlib.sha256(f"{seed}/{layer}".encode()).digest()
    generator = torch.Generator().manual_seed(int.from_bytes(digest[:8], "big") >> 1)
    bound = 1 / math.sqrt(like.shape[1])
    return torch.empty(like.shape, dtype=torch.float32).uniform_(-bound, bound, generator=generator)


def geometry_parameters(model: Any) -> int:
    """Trained curvatures and scales."""
    return sum(
        parameter.numel()
        for name, parameter in model.named_parameters()
        if ".lora_space." in name and parameter.requires_grad
    )


def curvatures(model: Any, beyond: Mapping[str, float] | None = None) -> tuple[LayerCurvature, ...]:
    """K of every layer of a hyperbolic method, at the start and now; none for other methods.

    `beyond` has the share of tokens that the maps were not exact for at the start, by layer.
    """
    shares = beyond or {}
    return tuple(
        LayerCurvature(layer.layer, layer.started_at, layer.curvature, layer.radius, shares.get(layer.layer))
        for layer in geometry(model)
    )


def count_parameters(model: Any) -> int:
    """Everything that is trained."""
    return sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)
