"""Peak memory: the device's on a GPU, this process's on a CPU."""

from __future__ import annotations

import resource
from contextlib import suppress
from pathlib import Path

import torch

__all__ = ["forget_peak", "peak_memory"]


def forget_peak() -> None:
    """Measure from here on, where the system can (CUDA, and Linux)."""
    if torch.cuda.is_available():
        torch.cuda.reset_peak_memory_stats()
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


def peak_memory() -> int:
    """Bytes at the peak since `forget_peak`, or since the process began where that cannot be forgotten."""
    if torch.cuda.is_available():
        return int(torch.cuda.max_memory_allocated())
    with suppress(OSError):
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
