"""HypLoRA as a peft method: LoRA in hyperbolic space (Yang et al., NeurIPS 2025, arXiv 2410.04010).

Importing geoprobe adds HypLoRA to peft (:mod:`geoprobe.peft_method`); then everything of peft works as for its own
methods::

    from peft import get_peft_model
    from geoprobe.hyplora import HypLoraConfig

    model = get_peft_model(base_model, HypLoraConfig(r=32, lora_alpha=64, target_modules=["q_proj", "v_proj"]))

It needs torch and peft: extra ``finetune``.

On a CUDA device what is done a token is a Triton kernel each way, compiled in the first steps, which takes some
seconds; where Triton is missing it warns and goes on without.

One convention everywhere: K > 0, curvature −1/K, radius √K.
"""

from peft.utils.peft_types import register_peft_method

from geoprobe.hyplora.config import HypLoraConfig
from geoprobe.hyplora.geometry import LayerGeometry, geometry, initialize_curvatures
from geoprobe.hyplora.layer import HypLoraLinear
from geoprobe.hyplora.linear import LayerApproximation, LinearApproximation, linear_approximation
from geoprobe.hyplora.model import HypLoraModel
from geoprobe.hyplora.released import convert_released

__all__ = [
    "HypLoraConfig",
    "HypLoraLinear",
    "HypLoraModel",
    "LayerApproximation",
    "LayerGeometry",
    "LinearApproximation",
    "convert_released",
    "geometry",
    "initialize_curvatures",
    "linear_approximation",
]

register_peft_method(name="hyplora", config_cls=HypLoraConfig, model_cls=HypLoraModel, prefix=HypLoraModel.prefix)
