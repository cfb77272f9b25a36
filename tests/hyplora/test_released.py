import json
import math

import mpmath
import pytest
import torch
from lorentz import exp0, llr, log0
from peft import PeftModel, get_peft_model
from safetensors.torch import save_file

from geoprobe.hyplora import HypLoraConfig, convert_released, geometry
from geoprobe.hyplora.released import reference_update

RELEASED = ("lora_A.weight", "lora_B.weight", "lora_k", "lora_norm_scale")


def scaled(norm, k=1.0, width=16):
    """The released code's output norm for one input of this ‖BAx_s‖, with the maps' own factor taken out."""
    x = torch.zeros(1, width)
    x[0, 0] = 0.5 * math.sqrt(width)
    squared = math.log1p(math.exp(k)) + 1e-6
    space = math.sqrt(squared) * math.sinh(0.5 / math.sqrt(squared))
    a, b = torch.zeros(1, width), torch.zeros(4, 1)
    a[0, 0], b[0, 0] = 1.0, norm / space
    update = reference_update(x, a, b, torch.tensor([k]), torch.tensor([math.sqrt(width)]))
    return float(update.norm())


def test_the_published_plateau_of_the_output_at_k_one():
    # with k = 1 a constant 0.0016 from 1e-6 to 0.7, where the exact value at 0.5 is 0.485
    for norm in (1e-6, 1e-3, 0.1, 0.5, 0.7):
        assert scaled(norm) == pytest.approx(0.0016, abs=1e-4)
    root = math.sqrt(math.log1p(math.e))
    assert root * math.asinh(0.5 / root) == pytest.approx(0.485, abs=1e-3)


def test_the_published_gradient_at_b_zero_dwarfs_loras():
    # inputs as behind the published figures are not known; the ratio to LoRA's own is what is wrong
    torch.manual_seed(0)
    x, a = torch.randn(32, 64), torch.randn(4, 64) / 8
    weight = torch.randn(32, 8) / 100
    norms = {}
    for name in ("lora", "exact", "k=1", "k=0.5"):
        b = torch.zeros(8, 4, requires_grad=True)
        if name == "lora":
            update = x @ a.T @ b.T
        elif name == "exact":
            update = log0(llr(b @ a, exp0(x, 64.0), 64.0), 64.0)
        else:
            update = reference_update(x, a, b, torch.tensor([float(name[2:])]), torch.tensor([8.0]))
        (gradient,) = torch.autograd.grad((update * weight).sum(), b)
        norms[name] = float(gradient.norm())
    assert norms["exact"] == pytest.approx(norms["lora"], rel=0.5)
    assert norms["k=1"] > 500 * norms["lora"]
    assert norms["k=0.5"] > 50 * norms["k=1"]


def test_it_is_the_exact_map_where_its_k_is_one_and_its_clamps_are_far():
    k = math.log(math.e - 1)  # softplus(k) = 1
    torch.manual_seed(0)
    x, a, b = torch.randn(20, 16), torch.randn(3, 16), torch.randn(6, 3)
    found = reference_update(x, a, b, torch.tensor([k]), torch.tensor([4.0]))
    exact = log0(llr(b @ a, exp0(x / 4, 1.0), 1.0), 1.0)
    assert torch.allclose(found, exact, rtol=1e-3)


def test_its_arithmetic_by_mpmath():
    mpmath.mp.dps = 40
    k, scale, x = 0.5, 3.0, [1.0, -2.0, 0.5]
    a, b = [[0.3, -0.2, 0.9]], [[2.0], [-1.0]]
    squared = mpmath.log(1 + mpmath.exp(k)) + mpmath.mpf("1e-6")
    root, norm = mpmath.sqrt(squared), mpmath.sqrt(sum(mpmath.mpf(entry) ** 2 for entry in x))
    lifted = [root * mpmath.sinh(norm / scale / root) * entry / norm for entry in x]
    hidden = sum(mpmath.mpf(left) * right for left, right in zip(a[0], lifted, strict=True))
    space = [row[0] * hidden for row in b]
    length = mpmath.sqrt(sum(entry**2 for entry in space))
    cosh = mpmath.sqrt(length**2 + 1 / squared) / root
    expected = [float(root * mpmath.acosh(cosh) * entry / length) for entry in space]
    tensors = (torch.tensor(value, dtype=torch.float64) for value in ([x], a, b, [k], [scale]))
    found = reference_update(*tensors)
    assert found.squeeze().tolist() == pytest.approx(expected, rel=1e-12)


def test_each_gradient_of_k_is_clamped():
    k = torch.tensor([1.0], requires_grad=True)
    update = reference_update(torch.randn(50, 8), torch.randn(2, 8), 10 * torch.randn(4, 2), k, torch.tensor([2.8]))
    (100 * update).square().sum().backward()
    assert abs(float(k.grad)) == pytest.approx(0.01)


def released_adapter(folder, kind="hyplora-0.5"):
    """What the released code saves: LoRA by its type, scalars without dimension."""
    folder.mkdir()
    settings = {"peft_type": "LORA", "lora_type": kind, "r": 2, "lora_alpha": 8, "target_modules": ["q_proj"]}
    (folder / "adapter_config.json").write_text(
        json.dumps({**settings, "task_type": "CAUSAL_LM", "inference_mode": True})
    )
    tensors = {}
    for layer in range(2):
        name = f"base_model.model.model.layers.{layer}.self_attn.q_proj"
        tensors[f"{name}.lora_A.weight"], tensors[f"{name}.lora_B.weight"] = torch.randn(2, 32), torch.randn(32, 2)
        tensors[f"{name}.lora_k"], tensors[f"{name}.lora_norm_scale"] = torch.tensor(0.7), torch.tensor(5.0)
    save_file(tensors, folder / "adapter_model.safetensors")
    return tensors


def test_a_released_adapter_is_converted_and_computes_what_it_computed(llama, tmp_path):
    tensors = released_adapter(tmp_path / "released")
    config = convert_released(tmp_path / "released", tmp_path / "converted")
    assert (config.curvature, config.hyplora_reference) == (0.5, True)
    model = PeftModel.from_pretrained(llama, tmp_path / "converted")
    layer = model.base_model.model.model.layers[1].self_attn.q_proj
    x = torch.randn(3, 5, 32)
    parts = [tensors[f"base_model.model.model.layers.1.self_attn.q_proj.{name}"] for name in RELEASED]
    assert torch.allclose(layer(x), layer.base_layer(x) + 4.0 * reference_update(x, *parts), atol=1e-6)
    assert [record.curvature for record in geometry(model)] == pytest.approx([0.7, 0.7])


def test_other_adapters_are_not_taken_for_released_ones(tmp_path):
    released_adapter(tmp_path / "sphere", "hyplora_simplified-1.0")
    with pytest.raises(ValueError, match=r"(?s)lora_type 'hyplora_simplified-1\.0'.*not hyperbolic"):
        convert_released(tmp_path / "sphere", tmp_path / "out")
    tensors = released_adapter(tmp_path / "odd")
    save_file({**tensors, "other": torch.zeros(1)}, tmp_path / "odd" / "adapter_model.safetensors")
    with pytest.raises(ValueError, match="other is not a weight of a released HypLoRA adapter"):
        convert_released(tmp_path / "odd", tmp_path / "out")


def test_the_adapter_starts_as_the_released_one(llama):
    model = get_peft_model(
        llama, HypLoraConfig(r=2, hyplora_reference=True, curvature=0.5, target_modules=["down_proj"])
    )
    record = geometry(model)[0]
    assert record.curvature == 0.5
    space = model.base_model.model.model.layers[0].mlp.down_proj.lora_space["default"]
    assert float(space.norm_scale.detach()) == pytest.approx(math.sqrt(48))
    assert record.radius == pytest.approx(math.sqrt(48 * (math.log1p(math.exp(0.5)) + 1e-6)))
