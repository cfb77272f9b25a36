"""What an architecture multiplies an embedding by after look-up."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from geoprobe.errors import BadDataError
from geoprobe.sources.models.architectures import text_configs

__all__ = ["lookup_scale"]

#: Configuration keys that hold the factor itself, with the families that use each.
_FACTORS = (
    "embedding_multiplier",  # granite, falcon-h1
    "embedding_multiplier_scale",  # grok
    "scale_emb",  # minicpm
)
#: Configuration keys that say whether the factor is √d.
_SQUARE_ROOTS = ("scale_embedding", "rescale_embeddings", "mup_enabled")  # bart and its kin; big bird; afmoe
#: Families whose `scale_embedding` is true where their configuration does not say.
_SCALED_BY_DEFAULT = {
    "bigbird_pegasus", "biogpt", "fsmt", "kosmos-2", "kosmos-2.5", "kosmos_2_text_model", "m2m_100", "nllb-moe",
    "pegasus_x", "plbart", "seamless_m4t", "seamless_m4t_v2", "speech_to_text", "xglm",
}  # fmt: skip
_FACTOR_BY_DEFAULT = {"minicpm": 12.0, "minicpm3": 12.0}
#: Families that multiply by √d and have no key for it.
_ALWAYS = ("gemma", "ctrl")


def lookup_scale(config: Mapping[str, Any], dimension: int) -> float:
    """The factor that a model applies to looked-up embeddings; 1 for most, √d for Gemma.

    Parameters
    ----------
    config : mapping
        The model's configuration; of a GGUF file, its metadata under a configuration's names.
    dimension : int
        The embedding width d.

    Raises
    ------
    BadDataError
        When the configuration states a factor that scales nothing.
    """
    for part in text_configs(config):
        found = _stated(part, dimension)
        if found is not None:
            return found
    return 1.0


def _stated(config: Mapping[str, Any], dimension: int) -> float | None:
    family = str(config.get("model_type", "")).lower()
    # a wrapper such as paligemma is named after its language part
    if any(name in family for name in _ALWAYS):
        return math.sqrt(dimension)
    for key in _FACTORS:
        if isinstance(config.get(key), int | float):
            return _finite(key, config[key])
    for key in _SQUARE_ROOTS:
        if isinstance(config.get(key), bool):
            return math.sqrt(dimension) if config[key] else 1.0
    if family in _SCALED_BY_DEFAULT:
        return math.sqrt(dimension)
    return _FACTOR_BY_DEFAULT.get(family)


def _finite(key: str, factor: float) -> float:
    try:
        if math.isfinite(factor):
            return float(factor)
    except OverflowError:  # an integer that no float can hold
        pass
    raise BadDataError(
        f"The model's configuration has an embedding scale without bound: {key} is {str(factor)[:20]}.",
        "Its config.json, or the metadata of its GGUF file, is damaged: download it again.",
    )
