"""Adapters of the code released with the paper, as HypLoRA adapters that compute what it computed.

Its adapters say ``"peft_type": "LORA"`` and a ``lora_type`` such as "hyplora-0.5"; any peft would load them as plain
LoRA without a word. Converted, they are HYPLORA with ``hyplora_reference``.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from geoprobe.hyplora.config import HypLoraConfig

__all__ = ["convert_released"]

_RENAMED = {
    "lora_A.weight": "hyplora_adapter.A",
    "lora_B.weight": "hyplora_adapter.B",
    "lora_k": "hyplora_adapter.k",
    "lora_norm_scale": "hyplora_adapter.norm_scale",
}
_KEPT = (
    "r",
    "lora_alpha",
    "lora_dropout",
    "target_modules",
    "use_rslora",
    "rank_pattern",
    "alpha_pattern",
    "task_type",
)


def convert_released(source: str | Path, target: str | Path) -> HypLoraConfig:
    """Write a released adapter anew, as one that peft with geoprobe loads and runs by the released arithmetic.

    Parameters
    ----------
    source
        Folder with ``adapter_config.json`` and ``adapter_model.safetensors`` (or ``.bin``, read as weights only).
    target
        Folder to write.
    """
    source, target = Path(source), Path(target)
    settings = json.loads((source / "adapter_config.json").read_text())
    kind, _, rest = str(settings.get("lora_type", "")).partition("-")
    if kind != "hyplora":
        raise ValueError(
            f"{source} has lora_type {settings.get('lora_type')!r}, where an adapter of the released HypLoRA has "
            "'hyplora' or 'hyplora-K'. Its 'hyplora_simplified' is not hyperbolic, and 'std' is LoRA, which peft loads."
        )
    tensors = {_renamed(name): value for name, value in _weights(source).items()}
    if not any(name.endswith(".norm_scale") for name in tensors):
        raise ValueError(f"{source} holds no lora_norm_scale, so it was not saved by the released HypLoRA.")
    kept: dict[str, Any] = {name: settings[name] for name in _KEPT if settings.get(name) is not None}
    config = HypLoraConfig(
        curvature=float(rest.partition("-")[0] or 1.0),
        hyplora_reference=True,
        base_model_name_or_path=settings.get("base_model_name_or_path"),
        inference_mode=True,
        **kept,
    )
    target.mkdir(parents=True, exist_ok=True)
    save_file(tensors, target / "adapter_model.safetensors", metadata={"format": "pt"})
    config.save_pretrained(str(target))
    return config


def _weights(source: Path) -> dict[str, Tensor]:
    if (source / "adapter_model.safetensors").is_file():
        found: dict[str, Tensor] = load_file(source / "adapter_model.safetensors")
    else:
        found = torch.load(source / "adapter_model.bin", map_location="cpu", weights_only=True)
    # its scalars have no dimension, where FSDP wants one
    return {name: value.reshape(value.shape or (1,)).contiguous() for name, value in found.items()}


def _renamed(name: str) -> str:
    for old, new in _RENAMED.items():
        if name.endswith(f".{old}"):
            return name.removesuffix(old) + new
    raise ValueError(f"{name} is not a weight of a released HypLoRA adapter; known are {', '.join(_RENAMED)}.")
