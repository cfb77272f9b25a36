"""One adapter of one layer: A, B and its curvature in one module, to be gathered and moved as one."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.distributed.tensor import DTensor

from geoprobe.hyplora.charts import factor
from geoprobe.hyplora.low_rank import LARGEST_LOG_K, low_rank_product, row_norm, space_radius
from geoprobe.hyplora.reference import reference_update, squared_radius

if TYPE_CHECKING:
    from geoprobe.hyplora.config import HypLoraConfig

__all__ = ["HypLoraAdapter"]


class HypLoraAdapter(nn.Module):
    """The low-rank part of a layer.

    Parameters
    ----------
    in_features, out_features
        Widths d and k of the layer.
    r
        Rank.
    config
        Configuration of the adapter.
    owner
        The adapter whose curvature this one shares, if it has none of its own.
    """

    def __init__(
        self, in_features: int, out_features: int, r: int, config: HypLoraConfig, owner: HypLoraAdapter | None = None
    ) -> None:
        super().__init__()
        self.chart = config.chart
        self.limit = config.limit
        self.reference = config.hyplora_reference
        self.unit = float(in_features) if config.curvature_unit == "width" else 1.0
        self.learned = config.learn_curvature
        self.started_at = config.curvature
        self._owner = (owner,)  # in a tuple, so that it is not this module's submodule as well
        self.A = nn.Parameter(torch.empty(r, in_features))
        self.B = nn.Parameter(torch.empty(out_features, r))
        # FSDP wants at least one dimension
        if self.reference:
            self._add("k", config.curvature)
            self._add("norm_scale", math.sqrt(in_features))
        elif owner is None:
            self._add("log_k", math.log(config.curvature))
        self.reset(init_weights=config.init_weights)

    def _add(self, name: str, value: float) -> None:
        tensor = torch.full((1,), value, dtype=torch.float32)
        if self.learned:
            self.register_parameter(name, nn.Parameter(tensor))
        else:
            self.register_buffer(name, tensor)

    def reset(self, *, init_weights: bool = True) -> None:
        """Draw A, and set B to zero unless told to draw it too, as LoRA does."""
        nn.init.kaiming_uniform_(self.A, a=math.sqrt(5))
        if init_weights:
            nn.init.zeros_(self.B)
        else:
            nn.init.kaiming_uniform_(self.B, a=math.sqrt(5))

    def scalars(self) -> dict[str, Tensor]:
        """The geometry's own parameters."""
        return {name: getattr(self, name) for name in ("log_k", "k", "norm_scale") if hasattr(self, name)}

    @property
    def shares(self) -> bool:
        """Whether the curvature is another layer's."""
        return self._owner[0] is not None

    def _log_k(self) -> Tensor:
        owner = self._owner[0]
        log_k: Tensor = (owner or self).log_k
        if owner is not None and isinstance(log_k, DTensor):
            log_k = log_k.full_tensor()
        return log_k.to(self.A.device)

    @property
    def curvature(self) -> float:
        """K, in the configuration's unit (the released code's k, for its arithmetic)."""
        if self.reference:
            return float(self.k.detach())
        return math.exp(min(max(float(self._log_k().detach()), -LARGEST_LOG_K), LARGEST_LOG_K))

    @property
    def moved(self) -> float:
        """log(K / K at the start), of the squared radius that k stands for in the released code's arithmetic."""
        if self.reference:
            now, start = squared_radius(torch.tensor([self.curvature, self.started_at], dtype=torch.float64)).tolist()
            return math.log(now / start)
        return math.log(self.curvature / self.started_at)

    def radius(self) -> Tensor:
        """√K in the units of the layer's input (where the released code's sinh has argument 1, for its arithmetic)."""
        if self.reference:
            return self.norm_scale * squared_radius(self.k).sqrt()
        return space_radius(self._log_k(), math.sqrt(self.unit))

    def forward(self, y: Tensor, x: Tensor, scaling: float) -> Tensor:
        """Add the scaled update for inputs x to y."""
        kind = x.device.type
        if not torch.is_autocast_enabled(kind):
            return self._added(y, x, self.A, self.B, scaling)
        # products in autocast's type; norms and maps choose their own
        half = torch.get_autocast_dtype(kind)
        with torch.autocast(kind, enabled=False):
            return self._added(y, x.to(half), self.A.to(half), self.B.to(half), scaling)

    def _added(self, y: Tensor, x: Tensor, a: Tensor, b: Tensor, scaling: float) -> Tensor:
        if self.reference:
            return y + scaling * reference_update(x, a, b, self.k, self.norm_scale).to(y.dtype)
        rows = low_rank_product(
            y.reshape(-1, y.shape[-1]),
            x.reshape(-1, x.shape[-1]),
            a,
            b,
            self._log_k(),
            self.unit,
            self.chart,
            self.limit,
            scaling,
        )
        return rows.view(y.shape)

    def factors_of(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """A x and the radial factor f of rows x, such that the update is scaling · f · B A x."""
        x = x.to(self.A.dtype)
        hidden = x @ self.A.t()
        update = hidden @ self.B.t()
        return hidden, factor(row_norm(x), row_norm(update), self.radius(), self.chart, self.limit)

    def extra_repr(self) -> str:
        """Shape and curvature, as layers print themselves."""
        r, in_features = self.A.shape
        shared = ", shared" if self.shares else ""
        return f"in_features={in_features}, out_features={self.B.shape[0]}, r={r}, chart={self.chart}{shared}"
