"""A linear layer with HypLoRA adapters."""

from __future__ import annotations

import math
import warnings
from typing import Any

import torch
from peft.tuners.tuners_utils import BaseTunerLayer
from torch import Tensor, nn
from transformers.pytorch_utils import Conv1D

from geoprobe.hyplora.adapter import HypLoraAdapter
from geoprobe.hyplora.config import HypLoraConfig

__all__ = ["MERGE_REFUSAL", "HypLoraLayer", "HypLoraLinear"]

MERGE_REFUSAL = (
    "Cannot merge HypLoRA layers: their update is not linear in the input, so no change of the weights equals it. Keep "
    "the adapter beside the base model, or take geoprobe.hyplora.linear_approximation(model, batches), the best linear "
    "map on given inputs, which reports its error and can be saved as a LoRA adapter and merged."
)

_BASE = "__base__"


class HypLoraLayer(BaseTunerLayer):
    """Adapters of one layer, by name."""

    adapter_layer_names: tuple[str, ...] = ("hyplora_adapter",)
    other_param_names: tuple[str, ...] = ("r", "lora_alpha", "scaling", "hyplora_dropout")

    def __init__(self, base_layer: nn.Module) -> None:
        self.base_layer = base_layer
        self.r: dict[str, int] = {}
        self.lora_alpha: dict[str, float] = {}
        self.scaling: dict[str, float] = {}
        self.hyplora_dropout = nn.ModuleDict()
        self.hyplora_adapter = nn.ModuleDict()
        self._disable_adapters = False
        self.merged_adapters: list[str] = []
        self.cast_input_dtype_enabled = True
        self.in_features, self.out_features = _widths(self.get_base_layer())

    def update_layer(
        self, adapter_name: str, r: int, lora_alpha: float, config: HypLoraConfig, owner: HypLoraAdapter | None = None
    ) -> None:
        """Add an adapter.

        Parameters
        ----------
        adapter_name
            Its name.
        r, lora_alpha
            Rank and alpha of this layer.
        config
            Its configuration.
        owner
            The adapter whose curvature it shares, if any.
        """
        if r <= 0:
            raise ValueError(f"`r` should be a positive integer value but the value passed is {r}")
        if r > min(self.in_features, self.out_features):
            raise ValueError(
                f"`r` is {r}, above the rank that a layer of {self.in_features} inputs and {self.out_features} outputs "
                f"can have. Lower `r`, give this layer its own in `rank_pattern`, or leave it out of `target_modules`."
            )
        self.r[adapter_name] = r
        self.lora_alpha[adapter_name] = lora_alpha
        self.scaling[adapter_name] = lora_alpha / (math.sqrt(r) if config.use_rslora else r)
        self.hyplora_dropout[adapter_name] = nn.Dropout(config.lora_dropout) if config.lora_dropout else nn.Identity()
        self.hyplora_adapter[adapter_name] = HypLoraAdapter(self.in_features, self.out_features, r, config, owner)
        self._move_adapter_to_device_of_base_layer(adapter_name)
        self.set_adapter(self.active_adapters, inference_mode=config.inference_mode)

    def _move_adapter_to_device_of_base_layer(self, adapter_name: str, device: torch.device | None = None) -> None:
        """As peft does, but scalars of the geometry stay in float32: bfloat16 has too few digits for log K."""
        if adapter_name not in self.hyplora_adapter:
            return
        adapter = self.hyplora_adapter[adapter_name]
        before = {name: value.detach().clone() for name, value in adapter.scalars().items()}
        super()._move_adapter_to_device_of_base_layer(adapter_name, device)
        for name, value in adapter.scalars().items():
            value.data = before[name].to(value.device)

    def merge(self, safe_merge: bool = False, adapter_names: list[str] | None = None) -> None:
        """Refuse: the update is not linear."""
        raise ValueError(MERGE_REFUSAL)

    def unmerge(self) -> None:
        """Nothing is ever merged."""
        warnings.warn("Already unmerged. Nothing to do.", stacklevel=2)

    def _update(self, adapter_name: str, result: Tensor, x: Tensor) -> Tensor:
        adapter = self.hyplora_adapter[adapter_name]
        x = self._cast_input_dtype(x, adapter.A.dtype)
        updated: Tensor = adapter(result, self.hyplora_dropout[adapter_name](x), self.scaling[adapter_name])
        return updated

    def _mixed_batch_forward(self, x: Tensor, *args: Any, adapter_names: list[str], **kwargs: Any) -> Tensor:
        """Each sample by its own adapter."""
        if len(x) != len(adapter_names):
            raise ValueError(
                "Length of `adapter_names` should be the same as the number of inputs, but got "
                f"{len(adapter_names)} and {len(x)} respectively."
            )
        result: Tensor = self.base_layer(x, *args, **kwargs)
        for name in sorted(set(adapter_names) - {_BASE}):
            if name in self.hyplora_adapter:
                rows = [row for row, wanted in enumerate(adapter_names) if wanted == name]
                result[rows] = self._update(name, result[rows], x[rows]).to(result.dtype)
        return result


class HypLoraLinear(nn.Module, HypLoraLayer):
    """A linear layer (``nn.Linear``, ``Conv1D``, bitsandbytes' quantised ones) with HypLoRA adapters."""

    def __init__(
        self,
        base_layer: nn.Module,
        adapter_name: str,
        *,
        config: HypLoraConfig,
        r: int,
        lora_alpha: float,
        owner: HypLoraAdapter | None = None,
    ) -> None:
        nn.Module.__init__(self)
        HypLoraLayer.__init__(self, base_layer)
        self._active_adapter = adapter_name
        self.update_layer(adapter_name, r, lora_alpha, config, owner)

    def forward(self, x: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        """The base layer's output plus every active adapter's update of the same input."""
        adapter_names = kwargs.pop("adapter_names", None)
        if self.disable_adapters:
            base: Tensor = self.base_layer(x, *args, **kwargs)
            return base
        if adapter_names is not None:
            return self._mixed_batch_forward(x, *args, adapter_names=adapter_names, **kwargs)
        result: Tensor = self.base_layer(x, *args, **kwargs)
        dtype = result.dtype
        for name in self.active_adapters:
            if name in self.hyplora_adapter:
                result = self._update(name, result, x)
        return result.to(dtype)

    def __repr__(self) -> str:
        return f"hyplora.{super().__repr__()}"


def _widths(base: nn.Module) -> tuple[int, int]:
    """Input and output width of a layer that can be adapted."""
    if isinstance(base, Conv1D):
        shape = getattr(base.weight, "ds_shape", base.weight.shape)
        widths = (int(shape[0]), int(shape[1]))
    elif isinstance(base, nn.Linear):
        widths = (base.in_features, base.out_features)
    else:
        raise ValueError(
            f"Target module {base} is not supported. Currently, only the following modules are supported: "
            "`torch.nn.Linear`, `transformers.pytorch_utils.Conv1D`, and bitsandbytes' 8-bit and 4-bit linear layers."
        )
    dtype = base.weight.dtype
    if not (dtype.is_floating_point or type(base).__module__.startswith("bitsandbytes.")):
        raise ValueError(
            f"The weights of target module {base} are {dtype}, not floating-point numbers, and no known quantisation. "
            "Load the base model in float32, bfloat16 or float16, or quantised by bitsandbytes."
        )
    return widths
