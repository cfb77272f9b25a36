"""The space of one adapter in one layer: its curvature, and what it does to the low-rank product."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.distributed.tensor import DTensor

from geoprobe.hyplora.product import LARGEST_LOG_K, composed_sum, low_rank_product, norm_dtype, token_factor

if TYPE_CHECKING:
    from geoprobe.hyplora.config import HypLoraConfig


class Space(nn.Module):
    """Hyperbolic space of curvature −1/K, K = K at the start · exp(weight).

    The weight starts at 0 and has the adapter's type: its updates are not lost where log K itself would be rounded.

    Parameters
    ----------
    in_features
        Width d of the layer's input.
    config
        Configuration of the adapter.
    layer
        The layer's name, by which the configuration may give it another K.
    """

    def __init__(self, in_features: int, config: HypLoraConfig, layer: str = "") -> None:
        super().__init__()
        self.chart = config.chart
        self.limit = config.limit
        self.unit = float(in_features) if config.curvature_unit == "width" else 1.0
        self.learned = config.learn_curvature
        self._start = config.start_of(layer)
        self._owner: tuple[Space, ...] = ()  # a tuple, so that it is not this module's submodule as well
        # FSDP wants at least one dimension
        self.weight = nn.Parameter(torch.zeros(1)) if self.learned else None

    def share(self, owner: Space) -> None:
        """Take the curvature of another layer's space for this one's."""
        self._owner = (owner,)
        self.weight = None

    @property
    def shared(self) -> bool:
        """Whether the curvature is another layer's."""
        return bool(self._owner)

    @property
    def started_at(self) -> float:
        """K at the start."""
        return (*self._owner, self)[0]._start

    @started_at.setter
    def started_at(self, curvature: float) -> None:
        self._start = curvature

    def forward(self, device: torch.device) -> Tensor:
        """The logarithm of K, (1,), in the precision of scalars."""
        weight = (*self._owner, self)[0].weight
        log_start = math.log(self.started_at)
        if weight is None:
            return torch.full((1,), log_start, dtype=norm_dtype(device), device=device)
        if isinstance(weight, DTensor):
            weight = weight.full_tensor()
        log_k: Tensor = weight.to(device, norm_dtype(device)) + log_start
        return log_k

    @property
    def moved(self) -> float:
        """log(K / K at the start)."""
        weight = (*self._owner, self)[0].weight
        log_start = math.log(self.started_at)
        log_k = log_start + (0.0 if weight is None else float(weight.detach()))
        return min(max(log_k, -LARGEST_LOG_K), LARGEST_LOG_K) - log_start

    @property
    def curvature(self) -> float:
        """K, in the configuration's unit."""
        return self.started_at * math.exp(self.moved)

    @property
    def radius(self) -> float:
        """√K, in the units of the layer's input."""
        return math.sqrt(self.curvature * self.unit)

    def added(self, log_k: Tensor, y: Tensor, x: Tensor, a: Tensor, b: Tensor, scaling: float) -> Tensor:
        """The sum y + scaling · f · B A x: (..., k) and (..., d) to (..., k)."""
        rows = low_rank_product(
            y.reshape(-1, y.shape[-1]),
            x.reshape(-1, x.shape[-1]),
            a,
            b,
            log_k,
            self.unit,
            self.chart,
            self.limit,
            scaling,
        )
        return rows.view(y.shape)

    def composed(self, log_k: Tensor, y: Tensor, x: Tensor, update: Tensor, scaling: float) -> Tensor:
        """The same from B A x: (..., k), (..., d) and (..., k) to (..., k)."""
        return composed_sum(y, x, update, log_k, self.unit, self.chart, self.limit, scaling)

    def factor(self, x: Tensor, update: Tensor) -> Tensor:
        """The factor f on B A x of each token, from x and B A x."""
        return token_factor(x, update, self(x.device), self.unit, self.chart, self.limit)

    def extra_repr(self) -> str:
        """Chart and curvature, as layers print themselves."""
        kind = "shared" if self.shared else "learned" if self.learned else "fixed"
        return f"{self.chart}, started_at={self.started_at:g}, {kind}"
