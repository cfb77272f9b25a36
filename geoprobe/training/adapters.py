"""Adapters that differ in their method only: the same layers, rank and initial A matrices."""

from __future__ import annotations

import hashlib
import math
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from peft import LoraConfig, PeftModel, get_peft_model

from geoprobe.errors import UsageError
from geoprobe.hyplora import HypLoraConfig, geometry
from geoprobe.training.records import LayerCurvature
from geoprobe.training.setup import Setup

__all__ = ["adapted", "b_matrices", "count_parameters", "curvatures", "geometry_parameters", "starting_matrices"]


@contextmanager
def adapted(model: Any, setup: Setup, method: str, seed: int, alpha: float | None = None) -> Iterator[PeftModel]:
    """A model with fresh adapters, which are taken off again at the end.

    Parameters
    ----------
    model
        The frozen model.
    setup : Setup
        Rank, targets and the rest.
    method : {"lora", "dora", "hyplora"}
        The method.
    seed : int
        Of the A matrices: each layer's comes from the seed and the layer's name, whatever the method.
    alpha : float, optional
        In place of the set-up's.

    Raises
    ------
    UsageError
        When no layer, or a layer that cannot have such an adapter, is targeted.
    """
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="`is_gradient_checkpointing`")  # peft's way of asking
            peft_model = get_peft_model(model, _config(setup, method, alpha or setup.alpha))
    except ValueError as error:
        raise UsageError(
            f"The model {setup.model} cannot get {method} adapters of rank {setup.rank}: {error}",
            "Choose layers by --targets, or another --rank.",
        ) from error
    try:
        for name, matrix in starting_matrices(peft_model).items():
            matrix.data.copy_(_drawn(name, seed, matrix))
        yield peft_model
    finally:
        peft_model.base_model.unload()
        model.requires_grad_(False)
        model.eval()
        if hasattr(model, "peft_config"):
            del model.peft_config


def _config(setup: Setup, method: str, alpha: float) -> Any:
    targets = setup.targets[0] if setup.targets == ("all-linear",) else list(setup.targets)
    shared: dict[str, Any] = {
        "r": setup.rank,
        "lora_alpha": alpha,
        "lora_dropout": setup.dropout,
        "target_modules": targets,
        "task_type": "CAUSAL_LM",
    }
    if method == "hyplora":
        own: dict[str, Any] = {} if setup.curvature is None else {"curvature": setup.curvature}
        return HypLoraConfig(**shared, **own)
    return LoraConfig(**shared, use_dora=method == "dora")


def _matrices(model: Any, which: str) -> dict[str, torch.nn.Parameter]:
    """A or B of every adapted layer, by the layer's name in the base model."""
    found: dict[str, torch.nn.Parameter] = {}
    for name, module in model.named_modules():
        layer = name.removeprefix("base_model.model.")
        if hasattr(module, f"lora_{which}") and "default" in getattr(module, f"lora_{which}"):
            found[layer] = getattr(module, f"lora_{which}")["default"].weight
    return found


def starting_matrices(model: Any) -> dict[str, torch.nn.Parameter]:
    """A of every adapted layer, by the layer's name in the base model."""
    return _matrices(model, "A")


def b_matrices(model: Any) -> dict[str, torch.nn.Parameter]:
    """B of every adapted layer, by the layer's name in the base model."""
    return _matrices(model, "B")


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


def count_parameters(model: Any) -> int:
    """Everything that is trained."""
    return sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)


def curvatures(model: Any) -> tuple[LayerCurvature, ...]:
    """K of every layer of a hyperbolic method, at the start and now; none for other methods."""
    return tuple(
        LayerCurvature(layer.layer, layer.started_at, layer.curvature, layer.radius) for layer in geometry(model)
    )
