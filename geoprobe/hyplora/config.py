"""What a HypLoRA adapter is made of, and its type among peft's."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import InitVar, dataclass, field
from typing import Any, Literal

from peft import LoraConfig
from peft.utils.hotswap import CONFIG_KEYS_TO_CHECK
from peft.utils.other import get_pattern_key
from peft.utils.peft_types import PeftType

from geoprobe.hyplora.card import describe
from geoprobe.hyplora.maps import CHARTS, DEFAULT_LIMIT, LARGEST_LIMIT
from geoprobe.hyplora.product import LARGEST_LOG_K


def _peft_type(name: str) -> PeftType:
    """The member of peft's enum of types with this name, which is added if need be.

    The enum is closed to the outside. With a member of its own an adapter says ``"peft_type": "HYPLORA"``, and a peft
    without geoprobe refuses it by that name instead of loading it as LoRA.
    """
    if name in PeftType.__members__:
        return PeftType[name]
    member = str.__new__(PeftType, name)
    member._name_ = member._value_ = name
    type.__setattr__(PeftType, name, member)
    PeftType._member_names_.append(name)
    PeftType._member_map_[name] = PeftType._value2member_map_[name] = member
    return member


HYPLORA = _peft_type("HYPLORA")

#: Settings that change an adapter's output and are not in its weights: peft swaps only adapters that agree in them.
CONFIG_KEYS_TO_CHECK[HYPLORA] = [
    "alpha_pattern",
    "chart",
    "curvature",
    "curvature_pattern",
    "curvature_unit",
    "hyplora_reference",
    "learn_curvature",
    "lora_dropout",
    "max_radius",
    "share_curvature",
    "use_rslora",
]

_INITS = (True, False, "gaussian", "orthogonal", "eva")


@dataclass
class HypLoraConfig(LoraConfig):
    """Configuration of HypLoRA: LoRA's product between the exponential and the logarithmic map of hyperbolic space.

    A layer's output is ``W x + scaling · log₀(LLR(BA, exp₀(x)))`` in the Lorentz model, with ``scaling`` as in LoRA.
    Hyperbolic space has one parameter here, K > 0: its curvature is −1/K and its radius √K. As K → ∞ this is LoRA.
    All of LoRA's options are ``peft.LoraConfig``'s; these are besides.

    Parameters
    ----------
    curvature : float
        K at the start, or for good with ``learn_curvature=False``.
    curvature_pattern : dict of str to float
        Other K for layers by name or regular expression, as ``rank_pattern`` gives ranks;
        :func:`~geoprobe.hyplora.initialize_curvatures` sets it from the norms of a model's inputs.
    curvature_unit : {"width", "absolute"}
        "width" counts K in units of the layer's input width d, so that the radius is √(K·d), as norms of hidden
        states go with √d. "absolute" takes K as it is, the paper's formula to the letter. Scaling the input by 1/c is
        the same as multiplying K by c², so there is no input scale besides.
    learn_curvature : bool
        Train log K with A and B; K is positive by construction.
    share_curvature : bool
        One K for all layers instead of one for each. (Not with FSDP version 1, which frees a layer's parameters while
        another needs them.)
    max_radius : float, optional
        The maps are exact for ‖x‖ ≤ max_radius·√K. For longer x the exponential map goes on along its tangent, where
        sinh would overflow: some layers see first tokens 400 times as long as others. None: 2, or 1.25 in the
        stereographic chart, which ends at 2; then the factor on LoRA's gradient at B = 0 is between 1 and 3.76.
    chart : {"exponential", "stereographic"}
        "exponential" (the paper's maps) or "stereographic" (the coordinates of the Poincaré ball of radius 2√K, with
        no transcendental functions).
    hyplora_reference : bool
        Compute as the code released with the paper does, faults included, to load its adapters and compare. Then
        ``curvature`` is its ``k``, of which it takes the softplus. Never for new work.
    init_weights : bool, optional
        The name of ``init_lora_weights`` in geoprobe 0.2.

    Notes
    -----
    Refused are options of LoRA that are methods of their own (DoRA, aLoRA, Arrow and others), a bias or a matrix of
    parameters as the target, which the maps do not have, and initialisations that take BA out of the base weights
    (PiSSA, OLoRA, CorDA, LoftQ, LoRA-GA): what HypLoRA adds is not BA x, so that the model would not start as it was.

    The default space was chosen on SmolLM2-135M (q, k, v, up and down projections, 1,024 tokens of the Python manual;
    ``benchmarks/hyplora_geometry.py``). At K = 0.1 the output differs from LoRA's with the same weights by more than 1%
    for 97% of tokens and layers, and by more than 10% for 55%; the maps are exact for 97.8%, and what is beyond lies in
    the last layers' down projections. At the paper's K of 1 and 0.5 the shares are 55% and 2%, and 76% and 3%.
    """

    curvature: float = field(default=0.1, metadata={"help": "K > 0; the space has curvature -1/K and radius √K."})
    curvature_pattern: dict[str, float] = field(default_factory=dict, metadata={"help": "K at the start by layer."})
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
    init_weights: InitVar[bool | None] = None

    def __post_init__(self, init_weights: bool | None) -> None:
        """Check what can be checked without a model."""
        settings = self.__dict__
        if init_weights is not None:
            settings["init_lora_weights"] = init_weights
        if self.bias == "hyplora_only":  # its name in geoprobe 0.2
            settings["bias"] = "lora_only"
        for name in ("rank_pattern", "alpha_pattern", "curvature_pattern"):
            settings[name] = settings[name] or {}
        self._check_options_of_lora()
        super().__post_init__()
        self.peft_type = HYPLORA
        self._check_numbers()
        self._check_geometry()

    def _check_options_of_lora(self) -> None:
        methods = [entry.name for entry in dataclasses.fields(self) if entry.metadata.get("is_lora_variant")]
        for name in (*methods, "alora_invocation_tokens", "use_qalora", "megatron_config"):
            if getattr(self, name, None):
                raise ValueError(f"`{name}` is a method of its own, which HypLoRA cannot be combined with.")
        for name in ("lora_bias", "target_parameters"):
            if getattr(self, name, None):
                raise ValueError(
                    f"`{name}` needs an update that is linear in the input, which that of HypLoRA is not. Leave it out."
                )
        if self.init_lora_weights not in _INITS:
            raise ValueError(
                f"`init_lora_weights` should be one of {', '.join(map(str, _INITS))} but the value passed is "
                f"{self.init_lora_weights!r}. Those that take BA out of the base weights are LoRA's alone: HypLoRA "
                "does not add BA x, so that the model would not start as it was."
            )

    def _check_numbers(self) -> None:
        ranks = {"r": self.r, **{f"rank_pattern[{key!r}]": rank for key, rank in self.rank_pattern.items()}}
        for name, rank in ranks.items():
            if isinstance(rank, bool) or not isinstance(rank, int) or rank <= 0:
                raise ValueError(f"`{name}` should be a positive integer value but the value passed is {rank}")
        if not _is_number(self.lora_dropout) or not 0 <= self.lora_dropout < 1:
            raise ValueError(f"`lora_dropout` should be in [0, 1) but the value passed is {self.lora_dropout}")
        if not _is_number(self.lora_alpha):
            raise ValueError(f"`lora_alpha` should be a number but the value passed is {self.lora_alpha!r}")
        if self.bias not in ("none", "all", "lora_only"):
            raise ValueError(f"`bias` should be 'none', 'all' or 'lora_only' but the value passed is {self.bias!r}")

    def _check_geometry(self) -> None:
        if self.curvature_unit not in ("width", "absolute"):
            raise ValueError(
                f"`curvature_unit` should be 'width' or 'absolute' but the value passed is {self.curvature_unit!r}"
            )
        if not isinstance(self.chart, str) or self.chart not in CHARTS:
            raise ValueError(f"`chart` should be one of {', '.join(CHARTS)} but the value passed is {self.chart!r}")
        patterns = {f"curvature_pattern[{key!r}]": value for key, value in self.curvature_pattern.items()}
        for name, value in {"curvature": self.curvature, **patterns}.items():
            self._check_curvature(name, value)
        largest = LARGEST_LIMIT[self.chart]
        if self.max_radius is not None and not (_is_number(self.max_radius) and 0 < self.max_radius <= largest):
            raise ValueError(
                f"`max_radius` should be above 0 and at most {largest} in the {self.chart} chart, but the value "
                f"passed is {self.max_radius}. Leave it at None, or raise `curvature` for a space that is wider."
            )
        if self.hyplora_reference and (self.share_curvature or self.curvature_pattern or self.chart != "exponential"):
            raise ValueError(
                "`hyplora_reference` is the arithmetic of the released code, which knows neither `share_curvature`, "
                "`curvature_pattern` nor another `chart`; leave these at their defaults."
            )

    def _check_curvature(self, name: str, value: float) -> None:
        if not _is_number(value) or not math.isfinite(value) or (value <= 0 and not self.hyplora_reference):
            raise ValueError(
                f"`{name}` is K of a space of curvature -1/K and should be positive and finite, but the value passed "
                f"is {value}. A larger K is a flatter space; for no curvature use LoraConfig."
            )
        if not self.hyplora_reference and abs(math.log(value)) > LARGEST_LOG_K:
            ends = math.exp(-LARGEST_LOG_K), math.exp(LARGEST_LOG_K)
            raise ValueError(
                f"`{name}` should be between {ends[0]:.1e} and {ends[1]:.1e}, where K is clamped, but the value "
                f"passed is {value}. No token tells a space beyond from one at these ends."
            )

    def start_of(self, layer: str) -> float:
        """K at the start in a layer."""
        return self.curvature_pattern.get(get_pattern_key(self.curvature_pattern, layer), self.curvature)

    @property
    def limit(self) -> float:
        """ρ = ‖x‖/√K up to which the maps are exact."""
        return DEFAULT_LIMIT[self.chart] if self.max_radius is None else self.max_radius

    def save_pretrained(self, save_directory: str, **kwargs: Any) -> None:
        """Save ``adapter_config.json``, and say in a model card beside it what the adapter is and how to load it."""
        super().save_pretrained(save_directory, **kwargs)
        describe(save_directory, self.to_dict())


def _is_number(value: object) -> bool:
    """Whether a setting is one: a configuration read from a file holds what its author put there."""
    return isinstance(value, int | float) and not isinstance(value, bool)
