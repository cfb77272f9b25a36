"""Loss on the examples held out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from geoprobe.training.batches import collate, response_loss
from geoprobe.training.distributed import rank, summed, world_size
from geoprobe.training.examples import Tokens

__all__ = ["validation_loss"]


def validation_loss(model: Any, examples: Sequence[Tokens], *, padding: int, batch: int, half: bool) -> float:
    """Mean loss per response token, in nats, each process with its share of the examples.

    Parameters
    ----------
    model
        A causal language model.
    examples : sequence of Tokens
        Those held out.
    padding : int
        Id that fills up short ones.
    batch : int
        Examples at a time.
    half : bool
        Compute products in bfloat16.
    """
    model.eval()
    device = model.device
    total = torch.zeros(2, dtype=torch.float64)
    ordered = sorted(examples, key=lambda example: len(example.ids))
    for start in range(0, len(ordered), batch)[rank() :: world_size()]:
        inputs = collate(ordered[start : start + batch], padding)
        with torch.inference_mode(), torch.autocast(device.type, torch.bfloat16, enabled=half):
            loss, count = response_loss(model, {name: value.to(device) for name, value in inputs.items()})
        total += torch.tensor([float(loss), float(count)], dtype=torch.float64)
    whole = summed(total)
    return float(whole[0] / whole[1])
