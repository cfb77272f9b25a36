"""What a HypLoRA adapter is made of."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any, Literal

from peft.config import PeftConfig

from geoprobe.hyplora.card import describe
from geoprobe.hyplora.charts import CHARTS, DEFAULT_LIMIT, LARGEST_LIMIT
from geoprobe.hyplora.low_rank import LARGEST_LOG_K
from geoprobe.hyplora.registration import HYPLORA

__all__ = ["HypLoraConfig"]


@dataclass
class HypLoraConfig(PeftConfig):
    """Configuration of HypLoRA: LoRA's product between the exponential and the logarithmic map of hyperbolic space.

    A layer's output is ``W x + scaling · log₀(LLR(BA, exp₀(x)))`` in the Lorentz model, with ``scaling`` as in LoRA.
    Hyperbolic space has one parameter here, K > 0: its curvature is −1/K and its radius √K. As K → ∞ this is LoRA.

    Parameters
    ----------
    r
        Rank.
    lora_alpha
        ``scaling`` is ``lora_alpha / r``, or ``lora_alpha / √r`` with ``use_rslora``.
    lora_dropout
        Dropout of the low-rank part's input.
    target_modules, exclude_modules
        Names or a regular expression, as in LoRA; "all-linear" for every linear layer but the head. By default, what
        peft's LoRA takes for the architecture.
    curvature
        K at the start, or for good with ``learn_curvature=False``.
    curvature_unit
        "width" counts K in units of the layer's input width d, so that the radius is √(K·d), as norms of hidden
        states go with √d. "absolute" takes K as it is, the paper's formula to the letter. Scaling the input by 1/c is
        the same as multiplying K by c², so there is no input scale besides.
    learn_curvature
        Train log K with A and B; K is positive by construction.
    share_curvature
        One K for all layers instead of one for each. (Not with FSDP version 1, which frees a layer's parameters while
        another needs them.)
    max_radius
        The maps are exact for ‖x‖ ≤ max_radius·√K. For longer x the exponential map goes on along its tangent, where
        sinh would overflow: some layers see first tokens 400 times as long as others. None: 2, or 1.25 in the
        stereographic chart, which ends at 2; then the factor on LoRA's gradient at B = 0 is between 1 and 3.76.
    chart
        "exponential" (the paper's maps) or "stereographic" (the coordinates of the Poincaré ball of radius 2√K, with
        no transcendental functions).
    hyplora_reference
        Compute as the code released with the paper does, faults included, to load its adapters and compare. Then
        ``curvature`` is its ``k``, of which it takes the softplus. Never for new work.
    use_rslora
        Scale by 1/√r.
    bias
        "none", "all" or "hyplora_only": which biases of the base model are trained.
    init_weights
        True starts B at zero, so that the adapter does nothing at first; False starts it at random, for tests.
    rank_pattern, alpha_pattern
        Other ranks and alphas for layers by name or regular expression.
    layers_to_transform, layers_pattern
        Indices of the layers to adapt, and the name of the module list that they index.
    modules_to_save
        Modules besides to train in full and save.

    Notes
    -----
    The default space was chosen on SmolLM2-135M (q, k, v, up and down projections, 1,024 tokens of the Python manual;
    ``benchmarks/hyplora_geometry.py``). At K = 0.1 the output differs from LoRA's with the same weights by more than 1%
    for 97% of tokens and layers, and by more than 10% for 55%; the maps are exact for 97.8%, and what is beyond lies in
    the last layers' down projections. At the paper's K of 1 and 0.5 the shares are 55% and 2%, and 76% and 3%.
    """

    r: int = field(default=8, metadata={"help": "Rank."})
    lora_alpha: float = field(default=8, metadata={"help": "scaling is lora_alpha / r."})
    lora_dropout: float = field(default=0.0, metadata={"help": "Dropout of the low-rank part's input."})
    target_modules: list[str] | set[str] | str | None = field(default=None, metadata={"help": "Layers to adapt."})
    exclude_modules: list[str] | set[str] | str | None = field(default=None, metadata={"help": "Layers not to adapt."})
    curvature: float = field(default=0.1, metadata={"help": "K > 0; the space has curvature -1/K and radius √K."})
    curvature_unit: Literal["width", "absolute"] = field(
        default="width", metadata={"help": "Whether K is counted in units of the layer's input width."}
    )
    learn_curvature: bool = field(default=True, metadata={"help": "Train log K."})
    share_curvature: bool = field(default=False, metadata={"help": "One K for all layers."})
    max_radius: float | None = field(default=None, metadata={"help": "‖x‖/√K up to which the maps are exact."})
    chart: Literal["exponential", "stereographic"] = field(
        default="exponential", metadata={"help": "Chart of hyperbolic space at the origin."}
    )
    hyplora_reference: bool = field(default=False, metadata={"help": "Compute as the paper's released code does."})
    use_rslora: bool = field(default=False, metadata={"help": "Scale by 1/√r."})
    bias: Literal["none", "all", "hyplora_only"] = field(default="none", metadata={"help": "Biases to train."})
    init_weights: bool = field(default=True, metadata={"help": "Start B at zero."})
    rank_pattern: dict[str, int] = field(default_factory=dict, metadata={"help": "Ranks by layer."})
    alpha_pattern: dict[str, float] = field(default_factory=dict, metadata={"help": "Alphas by layer."})
    layers_to_transform: list[int] | int | None = field(default=None, metadata={"help": "Indices of layers to adapt."})
    layers_pattern: list[str] | str | None = field(default=None, metadata={"help": "Name of the list of layers."})
    modules_to_save: list[str] | None = field(default=None, metadata={"help": "Modules besides to train and save."})

    def __post_init__(self) -> None:
        """Check what can be checked without a model."""
        super().__post_init__()
        self.peft_type = HYPLORA
        if isinstance(self.target_modules, list):
            self.target_modules = set(self.target_modules)
        if isinstance(self.exclude_modules, list):
            self.exclude_modules = set(self.exclude_modules)
        if isinstance(self.target_modules, str) and self.layers_to_transform is not None:
            raise ValueError("`layers_to_transform` cannot be used when `target_modules` is a str.")
        if isinstance(self.target_modules, str) and self.layers_pattern is not None:
            raise ValueError("`layers_pattern` cannot be used when `target_modules` is a str.")
        if self.layers_pattern and self.layers_to_transform is None:
            raise ValueError("When `layers_pattern` is specified, `layers_to_transform` must also be specified.")
        self.rank_pattern = self.rank_pattern or {}
        self.alpha_pattern = self.alpha_pattern or {}
        self._check_rank()
        self._check_geometry()

    def _check_rank(self) -> None:
        for name, rank in {
            "r": self.r,
            **{f"rank_pattern[{key!r}]": r for key, r in self.rank_pattern.items()},
        }.items():
            if isinstance(rank, bool) or not isinstance(rank, int) or rank <= 0:
                raise ValueError(f"`{name}` should be a positive integer value but the value passed is {rank}")
        if not _is_number(self.lora_dropout) or not 0 <= self.lora_dropout < 1:
            raise ValueError(f"`lora_dropout` should be in [0, 1) but the value passed is {self.lora_dropout}")
        if not _is_number(self.lora_alpha):
            raise ValueError(f"`lora_alpha` should be a number but the value passed is {self.lora_alpha!r}")
        if self.bias not in ("none", "all", "hyplora_only"):
            raise ValueError(f"`bias` should be 'none', 'all' or 'hyplora_only' but the value passed is {self.bias!r}")

    def _check_geometry(self) -> None:
        if self.curvature_unit not in ("width", "absolute"):
            raise ValueError(
                f"`curvature_unit` should be 'width' or 'absolute' but the value passed is {self.curvature_unit!r}"
            )
        if not isinstance(self.chart, str) or self.chart not in CHARTS:
            raise ValueError(f"`chart` should be one of {', '.join(CHARTS)} but the value passed is {self.chart!r}")
        if (
            not _is_number(self.curvature)
            or not math.isfinite(self.curvature)
            or (self.curvature <= 0 and not self.hyplora_reference)
        ):
            raise ValueError(
                f"`curvature` is K of a space of curvature -1/K and should be positive and finite, but the value "
                f"passed is {self.curvature}. A larger K is a flatter space; for no curvature use LoraConfig."
            )
        if not self.hyplora_reference and abs(math.log(self.curvature)) > LARGEST_LOG_K:
            ends = math.exp(-LARGEST_LOG_K), math.exp(LARGEST_LOG_K)
            raise ValueError(
                f"`curvature` should be between {ends[0]:.1e} and {ends[1]:.1e}, where K is clamped, but the value "
                f"passed is {self.curvature}. No token tells a space beyond from one at these ends."
            )
        largest = LARGEST_LIMIT[self.chart]
        if self.max_radius is not None and not (_is_number(self.max_radius) and 0 < self.max_radius <= largest):
            raise ValueError(
                f"`max_radius` should be above 0 and at most {largest} in the {self.chart} chart, but the value "
                f"passed is {self.max_radius}. Leave it at None, or raise `curvature` for a space that is wider."
            )
        if self.hyplora_reference and (self.share_curvature or self.chart != "exponential"):
            raise ValueError(
                "`hyplora_reference` is the arithmetic of the released code, which knows neither `share_curvature` nor "
                "another `chart`; leave these at their defaults."
            )

    @property
    def limit(self) -> float:
        """ρ = ‖x‖/√K up to which the maps are exact."""
        return DEFAULT_LIMIT[self.chart] if self.max_radius is None else self.max_radius

    def save_pretrained(self, save_directory: str, **kwargs: Any) -> None:
        """Save ``adapter_config.json``, and say in a model card beside it what the adapter is and how to load it."""
        super().save_pretrained(save_directory, **kwargs)
        describe(save_directory, self)


def _is_number(value: object) -> bool:
    """Whether a setting is one: a configuration read from a file holds what its author put there."""
    return isinstance(value, int | float) and not isinstance(value, bool)
