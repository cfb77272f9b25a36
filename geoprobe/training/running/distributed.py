"""What processes of `accelerate launch` share: who writes, and how parts are put together."""

from __future__ import annotations

import os
from typing import Any

import torch
from torch import Tensor, distributed


def join_processes() -> None:
    """Meet the other processes, where there are any."""
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        from accelerate import PartialState

        PartialState(cpu=not torch.cuda.is_available())


def world_size() -> int:
    """Number of processes."""
    return distributed.get_world_size() if distributed.is_initialized() else 1


def rank() -> int:
    """Number of this process; 0 writes."""
    return distributed.get_rank() if distributed.is_initialized() else 0


def wait() -> None:
    """Until all processes are here."""
    if world_size() > 1:
        distributed.barrier()


def summed(values: Tensor) -> Tensor:
    """The sum over processes."""
    if world_size() > 1:
        values = values.to("cuda" if distributed.get_backend() == "nccl" else "cpu")
        distributed.all_reduce(values)
    return values.cpu()


def gathered(mine: dict[int, Any]) -> dict[int, Any]:
    """Parts of a mapping, put together from all processes."""
    if world_size() == 1:
        return mine
    parts: list[dict[int, Any]] = [{} for _ in range(world_size())]
    distributed.all_gather_object(parts, mine)
    return {key: value for part in parts for key, value in part.items()}
