"""Adapter methods, a row each, and models that differ in their method only: the same layers, rank and first A."""

from __future__ import annotations

import hashlib
import math
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from geoprobe.errors import UsageError

if TYPE_CHECKING:
    import torch
    from peft import PeftModel

    from geoprobe.training.records import LayerCurvature
    from geoprobe.training.setup import Setup

__all__ = [
    "METHODS",
    "Method",
    "adapted",
    "b_matrices",
    "count_parameters",
    "curvatures",
    "geometry_parameters",
    "starting_matrices",
]

#: A factor (A or B) of every adapted layer, by the layer's name in the model.
Factors = dict[str, "torch.nn.Parameter"]


@dataclass(frozen=True)
class Method:
    """An adapter method: a variant of peft's LoRA.

    Parameters
    ----------
    title : str
        As papers write it.
    glossary : str
        What it is, in the report's list of terms.
    config : callable
        peft's configuration, from what all methods share and the set-up.
    """

    title: str
    glossary: str
    config: Callable[[dict[str, Any], Setup], Any]


def _lora(shared: dict[str, Any], _: Setup) -> Any:
    from peft import LoraConfig

    return LoraConfig(**shared)


def _dora(shared: dict[str, Any], _: Setup) -> Any:
    from peft import LoraConfig

    return LoraConfig(**shared, use_dora=True)


def _hyplora(shared: dict[str, Any], setup: Setup) -> Any:
    from geoprobe.hyplora import HypLoraConfig

    own: dict[str, Any] = {} if setup.curvature is None else {"curvature": setup.curvature}
    return HypLoraConfig(**shared, **own)


#: Methods by name. A new one is a row here.
METHODS: dict[str, Method] = {
    "lora": Method("LoRA", "training small added matrices instead of the model itself", _lora),
    "dora": Method("DoRA", "LoRA with the size and the direction of a weight trained apart", _dora),
    "hyplora": Method(
        "HypLoRA",
        "the same, with what they compute bent through a hyperbolic space, one that branches like a tree",
        _hyplora,
    ),
}


@contextmanager
def adapted(model: Any, setup: Setup, method: str, seed: int, alpha: float | None = None) -> Iterator[PeftModel]:
    """A frozen model with fresh adapters, taken off again at the end; `alpha` in place of the set-up's.

    Each layer's A comes from the seed and the layer's name, whatever the method.

    Raises
    ------
    UsageError
        When no layer, or a layer that cannot have such an adapter, is targeted.
    """
    from peft import get_peft_model

    shared = {
        "r": setup.rank,
        "lora_alpha": alpha or setup.alpha,
        "lora_dropout": setup.dropout,
        "target_modules": setup.targets[0] if setup.targets == ("all-linear",) else list(setup.targets),
        "task_type": "CAUSAL_LM",
    }
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="`is_gradient_checkpointing`")  # peft's way of asking
            peft_model = get_peft_model(model, METHODS[method].config(shared, setup))
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
    import torch

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


def curvatures(model: Any) -> tuple[LayerCurvature, ...]:
    """K of every layer of a hyperbolic method, at the start and now; none for other methods."""
    from geoprobe.hyplora import geometry
    from geoprobe.training.records import LayerCurvature

    return tuple(
        LayerCurvature(layer.layer, layer.started_at, layer.curvature, layer.radius) for layer in geometry(model)
    )


def count_parameters(model: Any) -> int:
    """Everything that is trained."""
    return sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)
