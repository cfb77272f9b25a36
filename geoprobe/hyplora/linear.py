"""The best linear stand-in for an adapter on given inputs, since a HypLoRA adapter cannot be merged.

A layer's update is scaling · f(x) · B h with h = A x and a scalar f(x). Over given inputs, the linear map of h that is
nearest to it in least squares is scaling · B T h, where T = (Σ f h hᵀ)(Σ h hᵀ)⁺ is of the rank's size: so it is a LoRA
adapter of the same rank, B T A, and is found in one pass that keeps three r × r sums a layer.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig
from peft.utils import get_peft_model_state_dict
from safetensors.torch import save_file
from torch import Tensor, nn

from geoprobe.hyplora.config import HypLoraConfig
from geoprobe.hyplora.inputs import adapted_layers, run_over
from geoprobe.hyplora.layer import HypLoraLinear
from geoprobe.hyplora.released import ReleasedSpace


@dataclasses.dataclass(frozen=True)
class LayerApproximation:
    """ΔW = scaling · B A of one layer, and how far it is from what the layer does."""

    layer: str
    A: Tensor
    B: Tensor
    scaling: float
    relative_error: float  #: ‖update − ΔW x‖ / ‖update‖ over the given inputs; 0 for an adapter that does nothing
    n_tokens: int

    def delta_weight(self) -> Tensor:
        """ΔW, of the shape of a linear layer's weight."""
        return self.scaling * (self.B @ self.A)


@dataclasses.dataclass(frozen=True)
class LinearApproximation:
    """The best linear stand-ins for all layers of an adapter, on given inputs."""

    layers: tuple[LayerApproximation, ...]
    config: HypLoraConfig
    #: what was trained beside them, by its name in a saved adapter: biases, and modules trained in full
    trained: Mapping[str, Tensor] = dataclasses.field(default_factory=dict)

    @property
    def worst(self) -> LayerApproximation:
        """The layer that is least well approximated."""
        return max(self.layers, key=lambda layer: layer.relative_error)

    def save_pretrained(self, folder: str | Path) -> None:
        """Save as a plain LoRA adapter, which peft loads without geoprobe and can merge.

        Parameters
        ----------
        folder
            Where. Biases and modules that were trained beside the adapter are saved with it.
        """
        folder = Path(folder)
        ranks = {layer.layer: layer.A.shape[0] for layer in self.layers}
        # alpha = scaling · rank, by layer, so that ranks and alphas by pattern come out right
        alphas = {layer.layer: layer.scaling * layer.A.shape[0] for layer in self.layers}
        r, alpha = next(iter(ranks.values())), next(iter(alphas.values()))
        shared = {field.name for field in dataclasses.fields(LoraConfig)} & {
            "base_model_name_or_path",
            "task_type",
            "revision",
            "inference_mode",
            "modules_to_save",
            "bias",
        }
        LoraConfig(
            r=r,
            lora_alpha=alpha,
            target_modules=sorted(ranks),
            rank_pattern={name: rank for name, rank in ranks.items() if rank != r},
            alpha_pattern={name: value for name, value in alphas.items() if value != alpha},
            **{name: getattr(self.config, name) for name in shared},
        ).save_pretrained(str(folder))
        tensors = {name: value.contiguous() for name, value in self.trained.items()}
        for layer in self.layers:
            tensors[f"base_model.model.{layer.layer}.lora_A.weight"] = layer.A.contiguous()
            tensors[f"base_model.model.{layer.layer}.lora_B.weight"] = layer.B.contiguous()
        save_file(tensors, folder / "adapter_model.safetensors", metadata={"format": "pt"})


class _Moments:
    """Σ h hᵀ, Σ f h hᵀ and Σ f² h hᵀ over the inputs of one layer."""

    def __init__(self, layer: HypLoraLinear, adapter_name: str) -> None:
        self.a, self.b = layer.lora_A[adapter_name].weight, layer.lora_B[adapter_name].weight
        self.space = layer.lora_space[adapter_name]
        self.scaling = layer.scaling[adapter_name]
        self.sums = torch.zeros(3, *[len(self.a)] * 2, dtype=torch.float64)
        self.n_tokens = 0

    def add(self, x: Tensor) -> None:
        """Count inputs (n, d)."""
        x = x.to(self.a.dtype)
        hidden = x @ self.a.t()
        factor = self.space.factor(x, hidden @ self.b.t())
        hidden, factor = hidden.double().cpu(), factor.double().cpu().unsqueeze(-1)
        for power in range(3):
            self.sums[power] += hidden.T @ (hidden * factor**power)
        self.n_tokens += len(x)

    def result(self, name: str) -> LayerApproximation:
        """Solve for T, and weigh what is left of the update by B."""
        plain, once, twice = self.sums
        best = once @ torch.linalg.pinv(plain, hermitian=True)
        b = self.b.detach().double().cpu()
        gram = b.T @ b
        # Σ ‖B (f h − T h)‖², whose mixed terms are one by the normal equations
        left = torch.trace(gram @ (twice - best @ once.T)).clamp(min=0)
        whole = torch.trace(gram @ twice)
        kind = self.b.dtype
        return LayerApproximation(
            layer=name,
            A=self.a.detach().cpu().clone(),
            B=(b @ best).to(kind),
            scaling=self.scaling,
            relative_error=float((left / whole).sqrt()) if whole > 0 else 0.0,
            n_tokens=self.n_tokens,
        )


@torch.no_grad()
def linear_approximation(
    model: nn.Module, batches: Iterable[Mapping[str, Any] | Tensor], adapter_name: str = "default"
) -> LinearApproximation:
    """The linear map of each layer's low-rank input that is nearest to a HypLoRA adapter on given inputs.

    The model runs over the inputs with its active adapters, and each layer is fitted to its own inputs. Padding counts
    for nothing, where a batch has an ``attention_mask`` (a decoder's is the ``decoder_attention_mask``).

    Parameters
    ----------
    model
        A peft model with the adapter.
    batches
        Inputs: keyword arguments of the model's forward, or single tensors.
    adapter_name
        The adapter to approximate.

    Raises
    ------
    ValueError
        When the model has no such adapter, when it is of the released code's arithmetic, or when no token reached a
        layer.
    """
    layers = adapted_layers(model, adapter_name)
    if any(isinstance(layer.lora_space[adapter_name], ReleasedSpace) for layer in layers.values()):
        raise ValueError("The released code's arithmetic (`hyplora_reference`) has no linear approximation here.")
    moments = {name: _Moments(layer, adapter_name) for name, layer in layers.items()}
    run_over(model, adapter_name, batches, lambda name, x: moments[name].add(x))
    saved = get_peft_model_state_dict(model, adapter_name=adapter_name, save_embedding_layers=False)
    return LinearApproximation(
        tuple(sums.result(name) for name, sums in moments.items()),
        model.peft_config[adapter_name],
        {name: value.detach().cpu().clone() for name, value in saved.items() if ".lora_" not in name},
    )
