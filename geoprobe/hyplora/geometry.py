"""What space each layer of an adapter is in, at the moment."""

from __future__ import annotations

from dataclasses import dataclass

from torch import nn

from geoprobe.hyplora.layer import HypLoraLinear

__all__ = ["LayerGeometry", "geometry"]


@dataclass(frozen=True)
class LayerGeometry:
    """The hyperbolic space of one layer: curvature −1/K, radius √K."""

    layer: str
    adapter: str
    curvature: float  #: K in the configuration's unit (the released code's k, for its arithmetic)
    started_at: float  #: the same before training
    radius: float  #: √K in the units of the layer's input: where hidden states of that norm feel the curvature
    moved: float  #: log(K / K at the start), K being softplus(k) for the released code's; 0 where nothing was learned
    learned: bool
    shared: bool


def geometry(model: nn.Module, adapter_name: str | None = None) -> tuple[LayerGeometry, ...]:
    """The space of every HypLoRA layer of a model, in the model's order.

    Parameters
    ----------
    model
        A model with HypLoRA adapters.
    adapter_name
        One adapter only.
    """
    return tuple(
        LayerGeometry(
            layer=layer_name.removeprefix("base_model.model."),
            adapter=name,
            curvature=space.curvature,
            started_at=space.started_at,
            radius=space.radius,
            moved=space.moved,
            learned=space.learned,
            shared=space.shared,
        )
        for layer_name, layer in model.named_modules()
        if isinstance(layer, HypLoraLinear)
        for name, space in layer.lora_space.items()
        if adapter_name in (None, name)
    )
