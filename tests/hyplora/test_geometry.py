import math

import pytest
import torch
from peft import get_peft_model

from geoprobe.hyplora import HypLoraConfig, geometry

SETTINGS = {"r": 4, "target_modules": ["q_proj", "down_proj"]}


def test_the_radius_is_counted_in_the_input_width_or_as_it_is(llama):
    model = get_peft_model(llama, HypLoraConfig(**SETTINGS, curvature=0.5))
    model.add_adapter("absolute", HypLoraConfig(**SETTINGS, curvature=9.0, curvature_unit="absolute"))
    records = geometry(model, "default")
    assert [record.layer for record in records[:2]] == [
        "model.layers.0.self_attn.q_proj",
        "model.layers.0.mlp.down_proj",
    ]
    assert [record.radius for record in records[:2]] == pytest.approx([math.sqrt(0.5 * 32), math.sqrt(0.5 * 48)])
    assert {round(record.radius, 5) for record in geometry(model, "absolute")} == {3.0}
    assert len(geometry(model)) == 8


def test_layers_have_their_own_curvature_unless_they_share_one(llama, ids):
    model = get_peft_model(llama, HypLoraConfig(**SETTINGS, init_lora_weights=False))
    model.add_adapter("shared", HypLoraConfig(**SETTINGS, init_lora_weights=False, share_curvature=True))
    for name in ("default", "shared"):
        model.set_adapter(name)
        optimizer = torch.optim.SGD((p for p in model.parameters() if p.requires_grad), lr=1000.0)
        model(ids, labels=ids).loss.backward()
        optimizer.step()
    own, shared = geometry(model, "default"), geometry(model, "shared")
    assert len({record.curvature for record in own}) == 4
    assert not any(record.shared for record in own)
    assert len({record.curvature for record in shared}) == 1
    assert [record.shared for record in shared] == [False, True, True, True]
    for record in (*own, *shared):
        assert record.moved != 0
        assert record.curvature == pytest.approx(0.1 * math.exp(record.moved))


@pytest.mark.parametrize("log_k", [-1e4, 1e4])
def test_a_curvature_that_ran_away_gives_neither_nan_nor_an_error(llama, ids, log_k, tmp_path):
    model = get_peft_model(llama, HypLoraConfig(**SETTINGS, init_lora_weights=False))
    for name, parameter in model.named_parameters():
        if name.endswith("lora_space.default.weight"):
            parameter.data.fill_(log_k)
    model(ids, labels=ids).loss.backward()
    assert all(torch.isfinite(p.grad).all() for p in model.parameters() if p.requires_grad)
    assert all(math.isfinite(record.curvature) for record in geometry(model))
    model.save_pretrained(tmp_path)


@pytest.mark.parametrize(("start", "now"), [(0.0, 0.0), (-2.0, -2.0), (0.5, -0.2), (3.0, 1.0)])
def test_a_released_k_which_may_be_negative_moves_by_its_squared_radius(llama, start, now):
    model = get_peft_model(llama, HypLoraConfig(**SETTINGS, hyplora_reference=True, curvature=start))
    model.base_model.model.model.layers[0].self_attn.q_proj.lora_space["default"].k.data.fill_(now)
    found = geometry(model)[0]
    assert (found.curvature, found.started_at) == (pytest.approx(now), start)
    expected = math.log(math.log1p(math.exp(now)) + 1e-6) - math.log(math.log1p(math.exp(start)) + 1e-6)
    assert found.moved == pytest.approx(expected, rel=1e-6)


def test_a_model_without_hyplora_has_no_geometry(llama):
    assert geometry(llama) == ()
