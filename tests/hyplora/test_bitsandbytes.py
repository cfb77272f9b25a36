from importlib.util import find_spec

import pytest
import torch
from builders import missing
from peft import get_peft_model
from transformers.pytorch_utils import Conv1D

from geoprobe.hyplora import HypLoraConfig


@pytest.fixture(autouse=True)
def _installed():
    if find_spec("bitsandbytes") is None:
        missing("bitsandbytes", "bitsandbytes is not installed")


def quantised(kind, weight):
    import bitsandbytes as bnb

    out, into = weight.shape
    if kind == "8-bit":
        layer = bnb.nn.Linear8bitLt(into, out, bias=False, has_fp16_weights=False)
        layer.weight = bnb.nn.Int8Params(weight.clone(), requires_grad=False, has_fp16_weights=False)
    else:
        layer = bnb.nn.Linear4bit(into, out, bias=False, compute_dtype=torch.float32)
        layer.weight = bnb.nn.Params4bit(weight.clone(), requires_grad=False)
    return layer.to("cpu")


@pytest.mark.parametrize("kind", ["8-bit", "4-bit"])
def test_a_quantised_layer_is_adapted_as_the_plain_one(kind):
    weight = torch.randn(64, 128)
    model = torch.nn.Sequential(quantised(kind, weight))
    x = torch.randn(3, 5, 128)
    base = model(x)
    assert not model[0].weight.dtype.is_floating_point
    adapted = get_peft_model(model, HypLoraConfig(r=4, target_modules=["0"], init_lora_weights=False))
    assert not isinstance(adapted.base_model.model[0].base_layer, Conv1D)
    layer = adapted.base_model.model[0]
    a, b, space = (getattr(layer, name)["default"] for name in ("lora_A", "lora_B", "lora_space"))
    assert {part.weight.dtype for part in (a, b, space)} == {torch.float32}
    found = adapted(x)
    plain = space.added(space(x.device), torch.zeros_like(base), x, a.weight, b.weight, layer.scaling["default"])
    assert torch.allclose(found, base + plain, atol=1e-4)
    found.square().sum().backward()
    assert all(torch.isfinite(p.grad).all() and p.grad.any() for part in (a, b, space) for p in part.parameters())
