"""The inputs of every adapted layer, as a model runs over batches."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any

import torch
from peft.tuners.lora.model import _get_encoder
from torch import Tensor, nn

from geoprobe.hyplora.layer import HypLoraLinear


def adapted_layers(model: nn.Module, adapter_name: str | None = None) -> dict[str, HypLoraLinear]:
    """Layers with an adapter, or with any, by their name in the base model."""
    return {
        name.removeprefix("base_model.model."): layer
        for name, layer in model.named_modules()
        if isinstance(layer, HypLoraLinear) and (adapter_name is None or adapter_name in layer.lora_space)
    }


@torch.no_grad()
def run_over(
    model: nn.Module,
    adapter_name: str | None,
    batches: Iterable[Mapping[str, Any] | Tensor],
    receive: Callable[[str, Tensor], None],
) -> None:
    """Run a model over batches, and give each adapted layer's name and inputs (n, d), without padding, to a function.

    Padding are tokens for which a batch has an ``attention_mask`` of shape (samples, tokens) that is 0. In an
    encoder-decoder it is the encoder's, and the decoder has its ``decoder_attention_mask``.

    Raises
    ------
    ValueError
        When there is no such adapter, or no token reached a layer.
    """
    layers = adapted_layers(model, adapter_name)
    if not layers:
        raise ValueError(f"The model has no HypLoRA adapter {adapter_name!r}.")
    base = model.get_base_model() if hasattr(model, "get_base_model") else model
    encoder = _get_encoder(base) if getattr(getattr(base, "config", None), "is_encoder_decoder", False) else None
    encoding = set() if encoder is None else set(encoder.modules())
    current: dict[str, Tensor | None] = {}
    unseen = dict.fromkeys(layers)

    def keep(_: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], *, name: str, width: int, mask: str) -> None:
        x = (args[0] if args else kwargs["x"]).detach()
        real = current.get(mask)
        if real is not None and real.shape == x.shape[:-1]:
            x = x[real.to(x.device) != 0]
        if x.numel():
            unseen.pop(name, None)
            receive(name, x.reshape(-1, width))

    handles = []
    for name, layer in layers.items():
        mask = "attention_mask" if encoder is None or layer in encoding else "decoder_attention_mask"
        hook = partial(keep, name=name, width=layer.in_features, mask=mask)
        handles.append(layer.register_forward_pre_hook(hook, with_kwargs=True))
    modes = {module: module.training for module in model.modules()}
    model.eval()
    try:
        for batch in batches:
            current = dict(batch) if isinstance(batch, Mapping) else {}
            if isinstance(batch, Mapping):
                model(**batch)
            else:
                model(batch)
    finally:
        for module, mode in modes.items():
            module.training = mode
        for handle in handles:
            handle.remove()
    if unseen:
        raise ValueError(f"No input reached {next(iter(unseen))}. Give batches that run through every adapted layer.")
