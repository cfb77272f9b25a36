"""HypLoRA as a peft tuner: peft's LoraModel with layers of its own."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, NoReturn

from peft.tuners.lora import LoraModel
from peft.tuners.tuners_utils import BaseTunerLayer
from torch import Tensor, nn
from transformers.pytorch_utils import Conv1D

from geoprobe.hyplora.config import HypLoraConfig
from geoprobe.hyplora.layer import MERGE_REFUSAL, HypLoraLinear

#: Names of an adapter's weights in geoprobe 0.2, and since.
_RENAMED = {
    "hyplora_adapter.A": "lora_A.weight",
    "hyplora_adapter.B": "lora_B.weight",
    "hyplora_adapter.log_k": "lora_space.weight",
    "hyplora_adapter.k": "lora_space.k",
    "hyplora_adapter.norm_scale": "lora_space.norm_scale",
}


class HypLoraModel(LoraModel):
    """A model with HypLoRA adapters.

    Made by ``get_peft_model(model, HypLoraConfig(...))``. Everything of peft's LoRA works, but merging and
    ``add_weighted_adapter``, which a non-linear update does not have, and ``PeftMixedModel``, whose list of types is
    closed.
    """

    @staticmethod
    def _create_new_module(
        lora_config: HypLoraConfig, adapter_name: str, target: nn.Module, **kwargs: Any
    ) -> HypLoraLinear:
        base = target.get_base_layer() if isinstance(target, BaseTunerLayer) else target
        if not isinstance(base, nn.Linear | Conv1D):
            raise ValueError(
                f"Target module {base} is not supported. Currently, only the following modules are supported: "
                "`torch.nn.Linear`, `transformers.pytorch_utils.Conv1D`, and bitsandbytes' 8-bit and 4-bit linear "
                "layers."
            )
        dtype = base.weight.dtype
        if not (dtype.is_floating_point or type(base).__module__.startswith("bitsandbytes.")):
            raise ValueError(
                f"The weights of target module {base} are {dtype}, not floating-point numbers, and no known "
                "quantisation. Load the base model in float32, bfloat16 or float16, or quantised by bitsandbytes."
            )
        return HypLoraLinear(
            target,
            adapter_name,
            config=lora_config,
            is_target_conv_1d_layer=isinstance(base, Conv1D),
            **kwargs,
        )

    def inject_adapter(self, model: nn.Module, adapter_name: str, *args: Any, **kwargs: Any) -> None:
        """Put an adapter into a model's layers, with one curvature for all if it says so.

        Parameters
        ----------
        model : torch.nn.Module
            The base model.
        adapter_name : str
            Its name.
        *args, **kwargs
            As for peft's.
        """
        super().inject_adapter(model, adapter_name, *args, **kwargs)
        if self.peft_config[adapter_name].share_curvature:
            layers = [module for module in model.modules() if isinstance(module, HypLoraLinear)]
            first, *others = (layer.lora_space[adapter_name] for layer in layers if adapter_name in layer.lora_space)
            for space in others:
                space.share(first)

    def _check_merge_allowed(self) -> NoReturn:
        raise ValueError(MERGE_REFUSAL)

    def add_weighted_adapter(self, *_: Any, **__: Any) -> NoReturn:
        """Refuse: a weighted sum of adapters' weights is not the weighted sum of what they do."""
        raise ValueError(
            "Cannot combine HypLoRA adapters into one: their updates are not linear in the weights or the input. "
            'Activate several at once with set_adapter(["a", "b"]) on the base model, whose updates then add up.'
        )

    @classmethod
    def _remap_adapter_state_dict_for_load(
        cls, model: nn.Module, config: HypLoraConfig, adapter_name: str, state_dict: dict[str, Tensor]
    ) -> dict[str, Tensor]:
        renamed = dict(_of_this_version(state_dict, config))
        mapped: dict[str, Tensor] = super()._remap_adapter_state_dict_for_load(model, config, adapter_name, renamed)
        return mapped


def _of_this_version(state_dict: dict[str, Tensor], config: HypLoraConfig) -> Iterator[tuple[str, Tensor]]:
    """Weights by their present names: geoprobe 0.2 kept log K itself, a fixed one too."""
    for name, value in state_dict.items():
        layer, dot, weight = name.partition(".hyplora_adapter.")
        if weight == "log_k":
            if not config.learn_curvature:
                continue
            value = value - math.log(config.curvature)
        yield (f"{layer}.{_RENAMED[dot[1:] + weight]}" if dot else name), value
