"""PyTorch's own checkpoint files (`.bin`, `.pt`, `.pth`), where torch is installed.

Such a file is a pickle, which can run code when it is read. `torch.load(weights_only=True)` refuses everything in it
but tensors and plain containers, and `mmap=True` leaves the tensors on disk until rows are read. This is the one module
outside training that imports torch, and only when such a file is opened.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float32, Int64

from geoprobe.errors import BadDataError, NotFoundError
from geoprobe.sources.models.checkpoint import by_name
from geoprobe.versions import install_command

PICKLED_SUFFIXES = (".bin", ".pt", ".pth")
#: Names as in a safetensors header, so that one type is called the same in every format.
_TYPES = {
    "float64": "F64",
    "float32": "F32",
    "float16": "F16",
    "bfloat16": "BF16",
    "float8_e4m3fn": "F8_E4M3",
    "float8_e5m2": "F8_E5M2",
    "int8": "I8",
    "uint8": "U8",
}
#: Keys under which training scripts keep the weights beside optimiser states.
_NESTED = ("state_dict", "model_state_dict", "module", "model")


@dataclass(frozen=True, eq=False)
class TorchRows:
    """Rows of one matrix in a PyTorch file, memory-mapped by torch."""

    tensor: Any

    @property
    def shape(self) -> tuple[int, int]:
        """(V, d)."""
        return (int(self.tensor.shape[0]), int(self.tensor.shape[1]))

    @property
    def dtype(self) -> str:
        """The stored element type, named as in safetensors."""
        name = str(self.tensor.dtype).removeprefix("torch.")
        return _TYPES.get(name, name)

    @property
    def stored(self) -> np.ndarray:
        """(V, bytes of a row) as stored."""
        import torch

        stored: np.ndarray = self.tensor.contiguous().view(torch.uint8).numpy()
        return stored

    def read(self, start: int, stop: int) -> Float32[np.ndarray, "rows d"]:
        """Rows start to stop (exclusive) in float32."""
        return np.asarray(self.tensor[start:stop].float().numpy())

    def take(self, indices: Int64[np.ndarray, " rows"]) -> Float32[np.ndarray, "rows d"]:
        """The rows of these indices in float32."""
        import torch

        return np.asarray(self.tensor[torch.from_numpy(np.ascontiguousarray(indices))].float().numpy())


@dataclass(frozen=True)
class PickledFiles:
    """The PyTorch files of a local checkpoint; no tensor may be in two of them."""

    paths: tuple[Path, ...]

    @cached_property
    def _tensors(self) -> dict[str, tuple[Path, Any]]:
        return by_name((path, _load(path)) for path in self.paths)

    def shapes(self) -> Mapping[str, tuple[int, ...]]:
        """Shape of every tensor."""
        return {name: tuple(tensor.shape) for name, (_, tensor) in self._tensors.items()}

    def names(self) -> frozenset[str]:
        """Name of every tensor."""
        return frozenset(self._tensors)

    def file(self, name: str) -> str:
        """The file that holds a tensor."""
        return self._tensors[name][0].name

    def rows(self, name: str) -> TorchRows:
        """A matrix, memory-mapped."""
        path, tensor = self._tensors[name]
        rows = TorchRows(tensor)
        if rows.dtype not in _TYPES.values():
            raise BadDataError(
                f"{path}: the embedding {name} is stored as {rows.dtype}, which cannot be read.",
                "Use the model's unquantised checkpoint.",
            )
        return rows

    def array(self, name: str) -> Float32[np.ndarray, "..."]:
        """A small tensor of any shape."""
        return np.asarray(self._tensors[name][1].float().numpy())


def _load(path: Path) -> dict[str, Any]:
    try:
        import torch
    except ImportError as error:
        raise NotFoundError(
            f"{path} is a PyTorch file, and torch is not installed.",
            f"Convert it to safetensors (transformers: model.save_pretrained), or: {install_command('finetune')}",
        ) from error
    try:
        loaded = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    except Exception as error:  # whatever a damaged or hostile pickle makes the reader raise
        raise BadDataError(
            f"{path} cannot be read as a PyTorch file of tensors alone: {_summary(error)}",
            "Files of anything but tensors are refused, since they can run code; older ones cannot be memory-mapped. "
            "Have its owner convert it to safetensors.",
        ) from error
    for key in _NESTED:
        if isinstance(loaded, Mapping) and isinstance(loaded.get(key), Mapping):
            loaded = loaded[key]
    if not isinstance(loaded, Mapping):
        raise BadDataError(f"{path} holds {type(loaded).__name__}, not tensors by name.", "Name the weights' file.")
    tensors = {str(name): value for name, value in loaded.items() if isinstance(value, torch.Tensor)}
    dense = {name: tensor.detach() for name, tensor in tensors.items() if not tensor.is_sparse}
    for name, tensor in dense.items():
        if tensor.layout != torch.strided or tensor.nbytes > tensor.untyped_storage().nbytes():
            raise BadDataError(
                f"{path}: the tensor {name!r} of shape {tuple(tensor.shape)} is stored as fewer numbers than it has.",
                "Save it by torch.save(tensor.contiguous()), or have its owner convert it to safetensors.",
            )
    return dense


def _summary(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return f"{type(error).__name__}: {lines[0] if lines else ''}"[:300]
