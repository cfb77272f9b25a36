"""HypLoRA as a peft tuner."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, NoReturn

from peft.tuners.tuners_utils import BaseTuner
from peft.utils import TRANSFORMERS_MODELS_TO_LORA_TARGET_MODULES_MAPPING, AuxiliaryTrainingWrapper
from peft.utils.other import get_pattern_key
from torch import nn

from geoprobe.hyplora.adapter import HypLoraAdapter
from geoprobe.hyplora.config import HypLoraConfig
from geoprobe.hyplora.layer import MERGE_REFUSAL, HypLoraLayer, HypLoraLinear

__all__ = ["HypLoraModel", "encoder_of"]

_BASE = "__base__"


class HypLoraModel(BaseTuner):
    """A model with HypLoRA adapters.

    Made by ``get_peft_model(model, HypLoraConfig(...))``. Everything of peft's own methods works, but merging and
    ``add_weighted_adapter``, which a non-linear update does not have, and ``PeftMixedModel``, whose list of types is
    closed.
    """

    prefix: str = "hyplora_"
    tuner_layer_cls = HypLoraLayer
    target_module_mapping = TRANSFORMERS_MODELS_TO_LORA_TARGET_MODULES_MAPPING

    def _create_and_replace(
        self,
        peft_config: HypLoraConfig,
        adapter_name: str,
        target: nn.Module,
        target_name: str,
        parent: nn.Module,
        current_key: str,
        **_: Any,
    ) -> None:
        if current_key is None:
            raise ValueError("Current Key shouldn't be `None`")
        rank_key = get_pattern_key(peft_config.rank_pattern.keys(), current_key)
        alpha_key = get_pattern_key(peft_config.alpha_pattern.keys(), current_key)
        settings: dict[str, Any] = {
            "r": peft_config.rank_pattern.get(rank_key, peft_config.r),
            "lora_alpha": peft_config.alpha_pattern.get(alpha_key, peft_config.lora_alpha),
            "owner": self._owner(adapter_name) if peft_config.share_curvature else None,
        }
        if isinstance(target, HypLoraLayer):
            target.update_layer(adapter_name, config=peft_config, **settings)
            layer = target
        else:
            layer = HypLoraLinear(target, adapter_name, config=peft_config, **settings)
            if adapter_name not in self.active_adapters:
                layer.requires_grad_(False)
            self._replace_module(parent, target_name, layer, target)
        self._owners().setdefault(adapter_name, layer)

    def _owners(self) -> dict[str, HypLoraLayer]:
        """The first layer of each adapter, which holds a shared curvature."""
        # not in __init__, where injection has already happened when a subclass's turn comes
        owners: dict[str, HypLoraLayer] = self.__dict__.setdefault("_curvature_owners", {})
        return owners

    def _owner(self, adapter_name: str) -> HypLoraAdapter | None:
        layer = self._owners().get(adapter_name)
        return layer.hyplora_adapter[adapter_name] if layer is not None else None

    def _replace_module(self, parent: nn.Module, child_name: str, new_module: nn.Module, child: nn.Module) -> None:
        # adapters are on their base layer's device already; peft's own would also move the quantisation state
        setattr(parent, child_name, new_module)

    def delete_adapter(self, adapter_name: str) -> None:
        """Delete an adapter, with its curvature.

        Parameters
        ----------
        adapter_name
            Its name.
        """
        super().delete_adapter(adapter_name)
        self._owners().pop(adapter_name, None)

    def _check_merge_allowed(self) -> NoReturn:
        raise ValueError(MERGE_REFUSAL)

    def add_weighted_adapter(self, *_: Any, **__: Any) -> NoReturn:
        """Refuse: a weighted sum of adapters' weights is not the weighted sum of what they do."""
        raise ValueError(
            "Cannot combine HypLoRA adapters into one: their updates are not linear in the weights or the input. "
            'Activate several at once with set_adapter(["a", "b"]) on the base model, whose updates then add up.'
        )

    @contextmanager
    def _enable_peft_forward_hooks(self, *_: Any, **kwargs: Any) -> Iterator[None]:
        """Hand ``adapter_names`` to every layer for the time of one call."""
        adapter_names = kwargs.get("adapter_names")
        if adapter_names is None:
            yield
            return
        if self.training:
            raise ValueError("Cannot pass `adapter_names` when the model is in training mode.")
        layers = [module for module in self.modules() if isinstance(module, HypLoraLayer)]
        known = {name for layer in layers for name in layer.hyplora_adapter}
        unknown = {name for name in adapter_names if name != _BASE} - known
        if unknown:
            raise ValueError(f"Trying to infer with non-existing adapter(s): {', '.join(sorted(unknown))}")
        beams = kwargs.get("num_beams")
        repeats = beams if isinstance(beams, int) and beams > 1 else 1
        encoder = encoder_of(self.model)
        inside_encoder = set() if encoder is None else set(encoder.modules())
        handles = []
        for module in self.modules():
            if isinstance(module, (HypLoraLayer, AuxiliaryTrainingWrapper)):
                # beam search repeats the samples, but not those that an encoder sees
                times = 1 if module in inside_encoder else repeats
                names = [name for name in adapter_names for _ in range(times)]
                handles.append(module.register_forward_pre_hook(partial(_add_names, names=names), with_kwargs=True))
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()


def _add_names(_: nn.Module, args: Any, kwargs: Any, *, names: list[str]) -> tuple[Any, Any]:
    return args, {**kwargs, "adapter_names": names}


def encoder_of(model: nn.Module) -> nn.Module | None:
    """The encoder of an encoder-decoder model."""
    if not hasattr(model, "get_encoder"):
        return None
    encoder = model.get_encoder()
    return None if encoder is model or encoder is None else encoder
