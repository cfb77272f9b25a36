"""The adapters' weights at the lowest validation loss so far, kept beside the training and in its checkpoints."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import save_file

from geoprobe.training.running.distributed import rank


class BestWeights:
    """Weights of the best validation; each process keeps its own share of them.

    `loss` is the lowest validation loss, in nats, infinite before any, and `step` where it was.
    """

    def __init__(self) -> None:
        self.loss, self.step = math.inf, 0
        self._weights: dict[str, torch.Tensor] = {}

    def offer(self, model: Any, loss: float, step: int) -> None:
        """Keep a model's trained weights if their loss is lower than any before."""
        if loss < self.loss:
            self.loss, self.step = loss, step
            self._weights = {
                name: weight.detach().to("cpu", copy=True).contiguous() for name, weight in _trained(model)
            }

    def put_back(self, model: Any) -> None:
        """Give a model the weights that were kept."""
        with torch.no_grad():
            for name, weight in _trained(model):
                weight.copy_(self._weights[name])

    def save(self, checkpoint: Path) -> None:
        """Write them into a checkpoint, with where they were."""
        if self._weights:
            save_file(self._weights, _file(checkpoint), {"loss": repr(self.loss), "step": str(self.step)})

    def load(self, checkpoint: Path) -> None:
        """Take them from a checkpoint that has them."""
        path = _file(checkpoint)
        if path.is_file():
            with safe_open(path, "pt") as saved:
                where = saved.metadata()
                self._weights = {name: saved.get_tensor(name) for name in saved.keys()}  # noqa: SIM118
            self.loss, self.step = float(where["loss"]), int(where["step"])


def _file(checkpoint: Path) -> Path:
    return checkpoint / f"best-{rank()}.safetensors"


def _trained(model: Any) -> list[tuple[str, torch.nn.Parameter]]:
    return [(name, weight) for name, weight in model.named_parameters() if weight.requires_grad]
