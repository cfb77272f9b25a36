"""Make HypLoRA one of peft's methods: a member of its enum of types, and an entry in its registries.

peft looks a method up by its ``PeftType``, an enum that is closed to the outside. The member is added here, so that
an adapter says ``"peft_type": "HYPLORA"`` in its own name, and a peft without geoprobe refuses it by that name.
"""

from __future__ import annotations

from peft.utils.hotswap import CONFIG_KEYS_TO_CHECK
from peft.utils.peft_types import PeftType, register_peft_method

__all__ = ["PEFT_TYPE", "register"]

PEFT_TYPE = "HYPLORA"

#: Settings that change an adapter's output and are not in its weights: peft swaps only adapters that agree in them.
_SWAP_KEYS = [
    "chart",
    "curvature_unit",
    "hyplora_reference",
    "learn_curvature",
    "lora_dropout",
    "max_radius",
    "share_curvature",
    "use_rslora",
]


def _add_enum_member() -> PeftType:
    """``PeftType.HYPLORA``, made if peft does not know it yet."""
    if PEFT_TYPE in PeftType.__members__:
        return PeftType[PEFT_TYPE]
    member = str.__new__(PeftType, PEFT_TYPE)
    member._name_ = PEFT_TYPE
    member._value_ = PEFT_TYPE
    type.__setattr__(PeftType, PEFT_TYPE, member)
    PeftType._member_names_.append(PEFT_TYPE)
    PeftType._member_map_[PEFT_TYPE] = member
    PeftType._value2member_map_[PEFT_TYPE] = member
    return member


HYPLORA = _add_enum_member()


def register(config_cls: type, model_cls: type) -> None:
    """Enter the configuration and the tuner into peft's registries."""
    register_peft_method(name=PEFT_TYPE.lower(), config_cls=config_cls, model_cls=model_cls)
    CONFIG_KEYS_TO_CHECK[HYPLORA] = _SWAP_KEYS
