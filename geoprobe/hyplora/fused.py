"""Where what HypLoRA does a token is a kernel, and where it is operations of its own.

On a CUDA device it is one Triton kernel each way (:mod:`geoprobe.hyplora.row_kernels`): an adapter's products are two,
and what is done a token is some sixty operations on so little data that launching them takes longer than they run.
Elsewhere, and inside what is compiled as a whole, they run as they are.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache, wraps
from importlib import import_module
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd import forward_ad

#: BᵀB is in a kernel's registers.
_LARGEST_RANK = 128


@dataclass
class Kernels:
    """Where kernels are launched, how often they were, and whether one failed."""

    devices: frozenset[str] = frozenset({"cuda"})
    launched: int = 0
    failed: bool = False

    def takes(self, tensors: tuple[Tensor, ...]) -> bool:
        """Whether rows of the rank's size, the first of these, are for a kernel."""
        return (
            not torch.compiler.is_compiling()
            and tensors[0].device.type in self.devices
            and not self.failed
            and len(tensors[0]) > 0
            and tensors[0].shape[1] <= _LARGEST_RANK
            # no DTensor, nor anything else that has its own idea of an operation
            and {type(tensor) for tensor in tensors} <= _PLAIN
            and not (torch.jit.is_tracing() or _modes() > 0 or watched(tensors))
        )

    def run(
        self,
        function: Callable[..., Any],
        tensors: tuple[Tensor, ...],
        numbers: tuple[float, ...],
        choices: tuple[Any, ...],
    ) -> Any:
        """What the kernel of the function's name gives, or the function itself where it cannot be launched."""
        try:
            kernel = getattr(import_module("geoprobe.hyplora.row_kernels"), function.__name__.removeprefix("_"))
            result = kernel([tensor.detach() for tensor in tensors], _on(tensors[0].device, numbers), *choices)
        except torch.OutOfMemoryError:
            raise
        except Exception as error:
            result = function(tensors, numbers, *choices)  # raises itself where the arguments are at fault
            self._give_up(error)
        else:
            self.launched += 1
        return result

    def _give_up(self, error: Exception) -> None:
        self.failed = True
        reason = " ".join([line.strip() for line in str(error).splitlines() if line.strip()][:2])
        warnings.warn(
            f"HypLoRA's kernels cannot be launched here ({type(error).__name__}: {reason}). It goes on without, with "
            "the same results, but slower. Install what is missing: mostly Triton, or a C compiler, which CC names.",
            RuntimeWarning,
            stacklevel=2,
        )


#: The one that is asked.
kernels = Kernels()

_PLAIN = {Tensor, nn.Parameter}


def fused(function: Callable[..., Any]) -> Callable[..., Any]:
    """Have a kernel do a function's work where that pays.

    Parameters
    ----------
    function
        Takes a tuple of tensors on one device, the first of them rows of the rank's size, a tuple of numbers, and
        choices. What it gives has no gradient.
    """

    @wraps(function)
    def call(tensors: tuple[Tensor, ...], numbers: tuple[float, ...], *choices: Any) -> Any:
        if kernels.takes(tensors):
            return kernels.run(function, tensors, numbers, choices)
        return function(tensors, numbers, *choices)

    return call


def watched(tensors: tuple[Tensor, ...]) -> bool:
    """Whether more than autograd sees each operation: forward differentiation or a transform of ``torch.func``."""
    return not torch.compiler.is_compiling() and (
        any(forward_ad.unpack_dual(tensor).tangent is not None for tensor in tensors) or _transform() is not None
    )


# torch has no public names for these two; without them, what no kernel takes there would say so and run as it is
_modes = getattr(torch._C, "_len_torch_dispatch_stack", int)
_transform = getattr(getattr(torch._C, "_functorch", None), "peek_interpreter_stack", lambda: None)


@lru_cache(maxsize=4096)
def _on(device: torch.device, numbers: tuple[float, ...]) -> Tensor:
    with torch.inference_mode(False):  # its tensors are of a kind of their own, and this one stays
        return torch.tensor(numbers, dtype=torch.float64, device=device)
