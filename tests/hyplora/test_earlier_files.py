"""Adapters as geoprobe 0.2 wrote them, by hand: they compute what they computed."""

import json
import math
import warnings

import pytest
import torch
from lorentz import exp0, llr, log0
from peft import PeftModel
from safetensors.torch import save_file

from geoprobe.hyplora import geometry
from geoprobe.hyplora.released import reference_update

LAYERS = [f"model.layers.{number}.self_attn.q_proj" for number in range(2)]
CONFIG = {
    "alpha_pattern": {},
    "auto_mapping": None,
    "base_model_name_or_path": None,
    "bias": "none",
    "chart": "exponential",
    "curvature": 0.5,
    "curvature_unit": "width",
    "exclude_modules": None,
    "hyplora_reference": False,
    "inference_mode": True,
    "init_weights": True,
    "layers_pattern": None,
    "layers_to_transform": None,
    "learn_curvature": True,
    "lora_alpha": 8,
    "lora_dropout": 0.0,
    "max_radius": 20.0,
    "modules_to_save": None,
    "peft_type": "HYPLORA",
    "peft_version": "0.21.0",
    "r": 2,
    "rank_pattern": {},
    "revision": None,
    "share_curvature": False,
    "target_modules": ["q_proj"],
    "task_type": "CAUSAL_LM",
    "use_rslora": False,
}


def written(folder, log_ks, scalars=(), **settings):
    """An adapter folder, and A and B by layer."""
    (folder / "adapter_config.json").write_text(json.dumps(CONFIG | settings))
    factors = {layer: (torch.randn(2, 32) / 6, torch.randn(32, 2)) for layer in LAYERS}
    tensors = dict(scalars)
    for layer, (a, b) in factors.items():
        prefix = f"base_model.model.{layer}.hyplora_adapter"
        tensors |= {f"{prefix}.A": a, f"{prefix}.B": b}
    for layer, log_k in zip(LAYERS, log_ks, strict=False):
        tensors[f"base_model.model.{layer}.hyplora_adapter.log_k"] = torch.tensor([log_k])
    save_file(tensors, folder / "adapter_model.safetensors", metadata={"format": "pt"})
    return factors


def loaded(llama, folder, **settings):
    """The adapted model: any warning, of keys or settings, is an error."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", "`is_gradient_checkpointing`", FutureWarning)
        return PeftModel.from_pretrained(llama, folder, **settings)


def update(model, layer, x):
    layer = model.base_model.model.get_submodule(layer)
    return layer(x) - layer.base_layer(x)


@pytest.mark.parametrize(
    ("log_ks", "settings", "curvatures"),
    [
        ([0.3, -1.2], {}, [math.exp(0.3), math.exp(-1.2)]),
        ([math.log(0.5)] * 2, {"learn_curvature": False}, [0.5, 0.5]),
        ([0.3], {"share_curvature": True}, [math.exp(0.3)] * 2),
        ([0.3, -1.2], {"bias": "hyplora_only"}, [math.exp(0.3), math.exp(-1.2)]),
    ],
    ids=["learned", "fixed", "shared", "biases"],
)
@pytest.mark.parametrize("low_cpu_mem_usage", [False, True])
def test_each_layer_computes_the_composed_maps(llama, tmp_path, log_ks, settings, curvatures, low_cpu_mem_usage):
    factors = written(tmp_path, log_ks, **settings)
    model = loaded(llama, tmp_path, low_cpu_mem_usage=low_cpu_mem_usage)
    assert [record.curvature for record in geometry(model)] == pytest.approx(curvatures)
    x = torch.randn(3, 5, 32)
    for (layer, (a, b)), curvature in zip(factors.items(), curvatures, strict=True):
        k = curvature * 32
        expected = 4.0 * log0(llr(b @ a, exp0(x, k), k), k)
        assert torch.allclose(update(model, layer, x), expected, rtol=1e-4, atol=1e-5)


def test_the_released_arithmetic_too(llama, tmp_path):
    names = {"k": torch.tensor([0.7]), "norm_scale": torch.tensor([5.0])}
    scalars = {
        f"base_model.model.{layer}.hyplora_adapter.{name}": value.clone()
        for layer in LAYERS
        for name, value in names.items()
    }
    factors = written(tmp_path, [], scalars, hyplora_reference=True, max_radius=None)
    model = loaded(llama, tmp_path)
    x = torch.randn(3, 5, 32)
    for layer, (a, b) in factors.items():
        expected = 4.0 * reference_update(x, a, b, names["k"], names["norm_scale"])
        assert torch.allclose(update(model, layer, x), expected, atol=1e-5)
