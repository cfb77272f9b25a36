"""What space each layer of an adapter is in, and the curvature that suits its inputs."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from geoprobe.hyplora.inputs import adapted_layers, run_over
from geoprobe.hyplora.layer import HypLoraLinear
from geoprobe.hyplora.released import ReleasedSpace

Batches = Iterable[Mapping[str, Any] | Tensor]


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
    beyond: float | None = None  #: share of the given tokens for which the maps are straight, not exact


def geometry(
    model: nn.Module, adapter_name: str | None = None, batches: Batches | None = None
) -> tuple[LayerGeometry, ...]:
    """The space of every HypLoRA layer of a model, in the model's order.

    Parameters
    ----------
    model : torch.nn.Module
        A model with HypLoRA adapters.
    adapter_name : str, optional
        One adapter only.
    batches : iterable, optional
        Inputs (keyword arguments of the model's forward, or single tensors) over which the model runs, to count the
        tokens that are longer than the maps are exact for.
    """
    layers = adapted_layers(model, adapter_name)
    norms = _input_norms(model, adapter_name, batches) if layers and batches is not None else {}
    return _records(layers, adapter_name, norms)


def initialize_curvatures(
    model: nn.Module, batches: Batches, adapter_name: str = "default", *, exact: float = 0.975
) -> tuple[LayerGeometry, ...]:
    """Start each layer's K where its maps are exact for a share of the tokens of given inputs.

    Hidden states of one model are ten times as long as another's, and one K for all is flat in some layers and beyond
    the maps' limit in others. K is set before training, and kept in the configuration (``curvature_pattern``), from
    which a saved adapter starts too. With ``share_curvature`` one K is found for all layers together.

    Parameters
    ----------
    model : torch.nn.Module
        A model with a fresh adapter.
    batches : iterable
        Inputs: keyword arguments of the model's forward, or single tensors. Some hundred tokens suffice.
    adapter_name : str
        The adapter.
    exact : float
        Share of tokens that are to be within the limit; 0.975 is what K = 0.1 gives SmolLM2-135M.

    Returns
    -------
    tuple of LayerGeometry
        Of all layers, with the share of these tokens that is beyond the limit.

    Raises
    ------
    ValueError
        When there is no such adapter, when it has learned already, when it is of the released code's arithmetic, or
        when no token reached a layer.
    """
    if not 0 < exact <= 1:
        raise ValueError(f"`exact` is a share of tokens, above 0 and at most 1, but the value passed is {exact}.")
    layers = adapted_layers(model, adapter_name)
    spaces = {name: layer.lora_space[adapter_name] for name, layer in layers.items()}
    if any(isinstance(space, ReleasedSpace) for space in spaces.values()):
        raise ValueError("The released code's arithmetic (`hyplora_reference`) has no K to be set.")
    if any(space.moved for space in spaces.values()):
        raise ValueError("The adapter has learned its curvatures already. Set them before training.")
    norms = _input_norms(model, adapter_name, batches)
    config = model.peft_config[adapter_name]
    # ρ at K = 1, of each layer's tokens or of all
    lengths = {name: norms[name] / space.unit**0.5 for name, space in spaces.items()}
    if config.share_curvature:
        lengths = dict.fromkeys(lengths, torch.cat(list(lengths.values())))
    for name, space in spaces.items():
        longest = float(lengths[name].sort().values[math.ceil(exact * len(lengths[name])) - 1])
        if longest > 0:
            # a hair wider, so that rounding leaves the token at the limit within it
            space.started_at = config.curvature_pattern[name] = (longest / space.limit) ** 2 * (1 + 1e-6)
    return _records(layers, adapter_name, norms)


def _input_norms(model: nn.Module, adapter_name: str | None, batches: Batches) -> dict[str, Tensor]:
    """‖x‖ of every token, by layer, (n,) each."""
    norms = defaultdict(list)
    run_over(model, adapter_name, batches, lambda name, x: norms[name].append(x.double().norm(dim=-1).cpu()))
    return {name: torch.cat(parts) for name, parts in norms.items()}


def _records(
    layers: Mapping[str, HypLoraLinear], adapter_name: str | None, norms: Mapping[str, Tensor]
) -> tuple[LayerGeometry, ...]:
    return tuple(
        LayerGeometry(
            layer=layer_name,
            adapter=name,
            curvature=space.curvature,
            started_at=space.started_at,
            radius=space.radius,
            moved=space.moved,
            learned=space.learned,
            shared=space.shared,
            beyond=float((norms[layer_name] > space.limit * space.radius).double().mean()) if norms else None,
        )
        for layer_name, layer in layers.items()
        for name, space in layer.lora_space.items()
        if adapter_name in (None, name)
    )
