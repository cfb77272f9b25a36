"""The code released with the paper: its arithmetic, faults included, and its adapters.

Facts, not choices: K = softplus(k) + 1e-6 is the squared radius in the exponential map, but its inverse stands in the
time component, so the map is the paper's at K = 1 only; norms are clamped at 1e-7, which is not smooth at 0; sinh's
argument is clamped at 12; ‖x‖ is divided by a learned scale, started at √d, and the output is not multiplied by it;
each gradient of k is clamped to ±0.01. It is done in float32 at least.

Its adapters say ``"peft_type": "LORA"`` and a ``lora_type`` such as "hyplora-0.5"; any peft would load them as plain
LoRA without a word. Converted, they are HYPLORA with ``hyplora_reference`` and compute what they computed.
"""

from __future__ import annotations

import json
import math
import pickle
import tempfile
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn.functional import softplus

from geoprobe.errors import BadDataError, NotFoundError
from geoprobe.files import write_whole
from geoprobe.hyplora.config import HypLoraConfig

_RENAMED = {"lora_k": "lora_space.k", "lora_norm_scale": "lora_space.norm_scale"}
_RENAMED |= {name: name for name in ("lora_A.weight", "lora_B.weight")}
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


def squared_radius(k: Tensor) -> Tensor:
    """The squared radius of its exponential map, for its scalar k."""
    return softplus(k) + 1e-6


class _ClampGradient(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, value: Tensor, bound: float) -> Tensor:
        ctx.bound = bound
        return value.view_as(value)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        return grad.clamp(-ctx.bound, ctx.bound), None


def reference_update(x: Tensor, a: Tensor, b: Tensor, k: Tensor, norm_scale: Tensor) -> Tensor:
    """The released code's update for inputs x, before LoRA's scaling: (..., d), (r, d) and (k, r) to (..., k)."""
    working = torch.promote_types(x.dtype, torch.float32)
    x, a, b = x.to(working), a.to(working), b.to(working)
    squared = squared_radius(_ClampGradient.apply(k.to(working), 0.01))
    root = squared.sqrt()
    norm = torch.linalg.vector_norm(x, dim=-1, keepdim=True).clamp(min=1e-7)
    angle = (norm / norm_scale.to(working) / root).clamp(max=12.0)
    space = (root * torch.sinh(angle) * (x / norm)) @ a.t() @ b.t()
    cosh = (space.square().sum(-1, keepdim=True) + 1 / squared).sqrt() / root
    near = (2 * (cosh - 1).clamp(min=1e-6)).sqrt()
    distance = torch.where(cosh < 1.01, near, torch.arccosh(cosh.clamp(min=1 + 1e-7)))
    return root * distance * space / torch.linalg.vector_norm(space, dim=-1, keepdim=True).clamp(min=1e-7)


class ReleasedSpace(nn.Module):
    """The released code's two scalars of one adapter in one layer, in the place of a :class:`Space`.

    Parameters
    ----------
    in_features
        Width d of the layer's input.
    config
        Configuration of the adapter.
    """

    shared = False
    limit = 12.0  # where its sinh's argument is clamped

    def __init__(self, in_features: int, config: HypLoraConfig, layer: str = "") -> None:
        super().__init__()
        self.learned = config.learn_curvature
        self.started_at = config.curvature
        for name, value in {"k": config.curvature, "norm_scale": math.sqrt(in_features)}.items():
            tensor = torch.full((1,), value, dtype=torch.float32)
            if self.learned:
                self.register_parameter(name, nn.Parameter(tensor))
            else:
                self.register_buffer(name, tensor)

    @property
    def curvature(self) -> float:
        """Its k."""
        return float(self.k.detach())

    @property
    def moved(self) -> float:
        """log(K / K at the start), of the squared radius that k stands for."""
        now, start = squared_radius(torch.tensor([self.curvature, self.started_at], dtype=torch.float64)).tolist()
        return math.log(now / start)

    @property
    def radius(self) -> float:
        """The input norm at which its sinh has argument 1."""
        return float((self.norm_scale * squared_radius(self.k).sqrt()).detach())

    def forward(self, _: torch.device) -> tuple[Tensor, Tensor]:
        """Its two scalars, each (1,)."""
        return self.k, self.norm_scale

    def added(
        self, scalars: tuple[Tensor, Tensor], y: Tensor, x: Tensor, a: Tensor, b: Tensor, scaling: float
    ) -> Tensor:
        """The sum of y and the scaled update of x: (..., k) and (..., d) to (..., k)."""
        return y + scaling * reference_update(x, a, b, *scalars).to(y.dtype)


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
