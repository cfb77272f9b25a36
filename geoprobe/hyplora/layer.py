"""LoRA's linear layer with HypLoRA in the place of the product, as a variant of peft's LoRA.

``LoraVariant`` is peft's own way to other products (DoRA is one), and not public: its form is that of peft 0.21.
"""

from __future__ import annotations

from typing import Any, NoReturn

import torch
from peft.tuners.lora.layer import Linear, LoraVariant
from torch import Tensor, nn

from geoprobe.hyplora.config import HypLoraConfig
from geoprobe.hyplora.released import ReleasedSpace
from geoprobe.hyplora.space import Space

MERGE_REFUSAL = (
    "Cannot merge HypLoRA layers: their update is not linear in the input, so no change of the weights equals it. Keep "
    "the adapter beside the base model, or take geoprobe.hyplora.linear_approximation(model, batches), the best linear "
    "map on given inputs, which reports its error and can be saved as a LoRA adapter and merged."
)


class HypLoraVariant(LoraVariant):
    """What peft calls where LoRA would multiply."""

    @staticmethod
    def init(module: HypLoraLinear, adapter_name: str, config: HypLoraConfig, target_name: str = "", **_: Any) -> None:
        """Give an adapter its space."""
        if not hasattr(module, "lora_space"):
            module.lora_space = nn.ModuleDict()
        made = ReleasedSpace if config.hyplora_reference else Space
        space = made(module.in_features, config, target_name)
        module.lora_space[adapter_name] = space.to(module.lora_A[adapter_name].weight)

    @staticmethod
    def forward(module: HypLoraLinear, active_adapter: str, x: Tensor, result: Tensor, **_: Any) -> Tensor:
        """Add the adapter's update of x to the result."""
        x = module.lora_dropout[active_adapter](x)
        lora_a, lora_b = module.lora_A[active_adapter], module.lora_B[active_adapter]
        space, scaling = module.lora_space[active_adapter], module.scaling[active_adapter]
        scalars = space(x.device)  # by a call, for which a sharded parameter is gathered
        added: Tensor
        if not (_is_plain(lora_a) and _is_plain(lora_b)) and not isinstance(space, ReleasedSpace):
            added = space.composed(scalars, result, x, lora_b(lora_a(x)), scaling)
            return added
        a, b, kind = lora_a.weight, lora_b.weight, x.device.type
        if not torch.is_autocast_enabled(kind):
            added = space.added(scalars, result, x, a, b, scaling)
        else:  # products in autocast's type; norms and maps choose their own
            half = torch.get_autocast_dtype(kind)
            with torch.autocast(kind, enabled=False):
                added = space.added(scalars, result, x.to(half), a.to(half), b.to(half), scaling)
        return added


def _is_plain(linear: nn.Module) -> bool:
    """Whether a layer's weight is there without a call of the layer: not so where it is sharded or offloaded."""
    return type(linear) is nn.Linear and not linear._forward_pre_hooks and "forward" not in linear.__dict__


class HypLoraLinear(Linear):
    """A linear layer (``nn.Linear``, ``Conv1D``, bitsandbytes' quantised ones) with HypLoRA adapters."""

    adapter_layer_names = (*Linear.adapter_layer_names, "lora_space")

    def resolve_lora_variant(self, **_: Any) -> LoraVariant:
        """HypLoRA, whatever the configuration: it has refused the others."""
        return HypLoraVariant()

    def merge(self, safe_merge: bool = False, adapter_names: list[str] | None = None) -> NoReturn:
        """Refuse: the update is not linear."""
        raise ValueError(MERGE_REFUSAL)

    def get_delta_weight(self, adapter: str) -> NoReturn:
        """Refuse: there is none."""
        raise ValueError(MERGE_REFUSAL)

    def supports_lora_conversion(self, adapter_name: str = "default") -> bool:
        """Whether peft may turn an adapter into LoRA by its weights."""
        return False
