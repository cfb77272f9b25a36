"""Adapter methods, a row each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

#: K at the start: of all layers, or of each by its name.
Curvatures = float | Mapping[str, float] | None


@dataclass(frozen=True)
class Method:
    """An adapter method: a variant of peft's LoRA.

    The title is as papers write it, the glossary in the report's list of terms. `config` makes peft's configuration,
    from what all methods share and the K to start with (one, by layer, or the method's own).
    """

    title: str
    glossary: str
    config: Callable[[dict[str, Any], Curvatures], Any]


def _lora(shared: dict[str, Any], _: Curvatures) -> Any:
    from peft import LoraConfig

    return LoraConfig(**shared)


def _dora(shared: dict[str, Any], _: Curvatures) -> Any:
    from peft import LoraConfig

    return LoraConfig(**shared, use_dora=True)


def _hyplora(shared: dict[str, Any], curvatures: Curvatures) -> Any:
    from geoprobe.hyplora import HypLoraConfig

    own: dict[str, Any] = {}
    if isinstance(curvatures, float):
        own["curvature"] = curvatures
    elif curvatures:
        own["curvature_pattern"] = dict(curvatures)
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
