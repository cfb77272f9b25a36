"""Functions of a few numbers a token, compiled into a kernel or two where launching dozens takes longer than they run.

So it is on a CUDA device: an adapter's products are two, and what is done a token is some sixty operations on so little
data that the device waits for the next. Elsewhere, and inside what is compiled as a whole, they run as they are.
``TORCH_COMPILE_DISABLE=1``, which torch reads, has them so everywhere.
"""

from __future__ import annotations

import types
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache, wraps
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd import forward_ad

__all__ = ["Compiler", "compiler", "fused", "watched"]


@dataclass
class Compiler:
    """Where fused functions are compiled, by what, and what became of it."""

    devices: frozenset[str] = frozenset({"cuda"})
    backend: str | Callable[..., Any] = "inductor"
    failed: bool = False
    made: dict[tuple[Any, ...], Callable[..., Any]] = field(default_factory=dict)

    def takes(self, tensors: tuple[Tensor, ...]) -> bool:
        """Whether a call with these is to be compiled."""
        return (
            not torch.compiler.is_compiling()
            and tensors[0].device.type in self.devices
            and not self.failed
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
        """The compiled function's result, or the function's own if it cannot be compiled."""
        device = tensors[0].device
        # no dimension of less than 2 is dynamic
        key = (function, device, choices, tensors[0].shape[0] < 2)
        try:
            # neither what needs a gradient nor the value of a number is a reason to compile anew
            arguments = (tuple([tensor.detach() for tensor in tensors]), _on(device, numbers), False, *choices)
            if key in self.made:
                return self.made[key](*arguments)
            self.made[key] = self._compiled(function)
            # a constant of a module would be an input; and torch warns about itself, as it is imported and traces
            with torch._dynamo.config.patch(specialize_float=True), warnings.catch_warnings():
                warnings.simplefilter("ignore")
                return self.made[key](*arguments)
        except torch.OutOfMemoryError:
            raise
        except Exception as error:
            result = function(tensors, numbers, True, *choices)  # raises itself where the arguments are at fault
            self._give_up(error)
            return result

    def _compiled(self, function: Callable[..., Any]) -> Callable[..., Any]:
        # torch limits how often a code object is compiled: with one for each choice and device none comes near
        code = function.__code__.replace(co_name=f"{function.__name__}_{len(self.made)}")
        own = types.FunctionType(code, function.__globals__)
        compiled: Callable[..., Any] = torch.compile(own, dynamic=True, fullgraph=True, backend=self.backend)
        return compiled

    def _give_up(self, error: Exception) -> None:
        self.failed = True
        # torch's own first line may be no more than who raised it
        reason = " ".join([line.strip() for line in str(error).splitlines() if line.strip()][:2])
        warnings.warn(
            f"torch.compile cannot compile HypLoRA's work for each token here ({type(error).__name__}: {reason}). It "
            "goes on without, with the same results, but slower. Install what is missing: mostly Triton, or a C "
            "compiler, which CC names.",
            RuntimeWarning,
            stacklevel=2,
        )


#: The one that fused functions ask.
compiler = Compiler()

_PLAIN = {Tensor, nn.Parameter}


def fused(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compile a function where that pays.

    Parameters
    ----------
    function
        Takes a tuple of tensors on one device, a sequence of numbers, whether it may change the tensors in place, and
        choices, for each of which it is compiled on its own. Numbers come as floats, or as the rows of a tensor. What
        it gives has no gradient.
    """

    @wraps(function)
    def call(tensors: tuple[Tensor, ...], numbers: tuple[float, ...], *choices: Any) -> Any:
        if compiler.takes(tensors):
            return compiler.run(function, tensors, numbers, choices)
        # what is changed in place has no gradient when torch 2.11 has compiled all around it
        return function(tensors, numbers, not torch.compiler.is_compiling(), *choices)

    return call


def watched(tensors: tuple[Tensor, ...]) -> bool:
    """Whether more than autograd sees each operation: forward differentiation or a transform of ``torch.func``."""
    return not torch.compiler.is_compiling() and (
        any(forward_ad.unpack_dual(tensor).tangent is not None for tensor in tensors) or _transform() is not None
    )


# torch has no public names for these two; without them, what cannot be compiled there would say so and run as it is
_modes = getattr(torch._C, "_len_torch_dispatch_stack", int)
_transform = getattr(getattr(torch._C, "_functorch", None), "peek_interpreter_stack", lambda: None)


@lru_cache(maxsize=4096)
def _on(device: torch.device, numbers: tuple[float, ...]) -> Tensor:
    with torch.inference_mode(False):  # its tensors are of a kind of their own, and this one stays
        return torch.tensor(numbers, dtype=torch.float64, device=device)
