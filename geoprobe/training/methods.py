"""Adapter methods, a row each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

__all__ = ["METHODS", "Method"]


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
        peft's configuration, from what all methods share and the K to start with, for a method that has one.
    """

    title: str
    glossary: str
    config: Callable[[dict[str, Any], float | None], Any]


def _lora(shared: dict[str, Any], _: float | None) -> Any:
    from peft import LoraConfig

    return LoraConfig(**shared)


def _dora(shared: dict[str, Any], _: float | None) -> Any:
    from peft import LoraConfig

    return LoraConfig(**shared, use_dora=True)


def _hyplora(shared: dict[str, Any], curvature: float | None) -> Any:
    from geoprobe.hyplora import HypLoraConfig

    own: dict[str, Any] = {} if curvature is None else {"curvature": curvature}
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
