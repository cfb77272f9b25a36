"""Adapters of the code released with the paper, as HypLoRA adapters that compute what it computed.

Its adapters say ``"peft_type": "LORA"`` and a ``lora_type`` such as "hyplora-0.5"; any peft would load them as plain
LoRA without a word. Converted, they are HYPLORA with ``hyplora_reference``.
"""

from __future__ import annotations

import json
import pickle
import tempfile
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from geoprobe.errors import BadDataError, NotFoundError
from geoprobe.files import write_whole
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
        Folder to write, whole or not at all.

    Raises
    ------
    NotFoundError
        When the folder holds no adapter.
    BadDataError
        When it holds another kind of adapter, or a damaged one.
    """
    source, target = Path(source), Path(target)
    settings = _settings(source / "adapter_config.json")
    kind, _, rest = str(settings.get("lora_type", "")).partition("-")
    if kind != "hyplora":
        raise BadDataError(
            f"{source} has lora_type {settings.get('lora_type')!r}, where an adapter of the released HypLoRA has "
            "'hyplora' or 'hyplora-K'.",
            "Its 'hyplora_simplified' is not hyperbolic, and 'std' is LoRA, which peft loads.",
        )
    tensors = {_renamed(name): value for name, value in _weights(source).items()}
    if not any(name.endswith(".norm_scale") for name in tensors):
        raise BadDataError(f"{source} holds no lora_norm_scale.", "It was not saved by the released HypLoRA.")
    kept: dict[str, Any] = {name: settings[name] for name in _KEPT if settings.get(name) is not None}
    try:
        config = HypLoraConfig(
            curvature=float(rest.partition("-")[0] or 1.0),
            hyplora_reference=True,
            base_model_name_or_path=settings.get("base_model_name_or_path"),
            inference_mode=True,
            **kept,
        )
    except (TypeError, ValueError) as error:
        raise BadDataError(
            f"{source}/adapter_config.json has settings that cannot be: {error}.", "Get the adapter from its owner."
        ) from error
    with tempfile.TemporaryDirectory(prefix="geoprobe-") as made:
        save_file(tensors, Path(made) / "adapter_model.safetensors", metadata={"format": "pt"})
        config.save_pretrained(made)
        write_whole({target / file.name: file.read_bytes() for file in Path(made).iterdir()})
    return config


def _settings(file: Path) -> dict[str, Any]:
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise NotFoundError(f"There is no adapter at {file.parent}: no {file.name}.", "Name its folder.") from error
    except (ValueError, RecursionError) as error:
        raise BadDataError(f"{file} is not JSON: {error}.", "Get the adapter from its owner.") from error
    if not isinstance(found, dict):
        raise BadDataError(f"{file} holds {type(found).__name__}, not an object.", "Get the adapter from its owner.")
    return found


def _weights(source: Path) -> dict[str, Tensor]:
    file = source / "adapter_model.safetensors"
    try:
        if file.is_file():
            found: dict[str, Tensor] = load_file(file)
        else:
            file = source / "adapter_model.bin"
            found = torch.load(file, map_location="cpu", weights_only=True)
    except FileNotFoundError as error:
        raise NotFoundError(
            f"{source} holds no weights: neither adapter_model.safetensors nor adapter_model.bin.", "Name its folder."
        ) from error
    except (SafetensorError, OSError, EOFError, RuntimeError, pickle.UnpicklingError) as error:
        reason = str(error).strip().partition("\n")[0]
        raise BadDataError(
            f"{file} does not hold tensors alone: {reason}", "Get the adapter from its owner."
        ) from error
    if not isinstance(found, dict) or not all(isinstance(value, Tensor) for value in found.values()):
        raise BadDataError(f"{file} does not hold tensors by name.", "Get the adapter from its owner.")
    # its scalars have no dimension, where FSDP wants one
    return {name: value.reshape(value.shape or (1,)).contiguous() for name, value in found.items()}


def _renamed(name: str) -> str:
    for old, new in _RENAMED.items():
        if name.endswith(f".{old}"):
            return name.removesuffix(old) + new
    raise BadDataError(f"{name} is not a weight of a released HypLoRA adapter.", f"Known are {', '.join(_RENAMED)}.")
