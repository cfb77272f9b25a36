import copy
import math
from dataclasses import replace

import pytest
import torch
from peft import PeftModel, get_peft_model

from geoprobe.hyplora import HypLoraConfig, geometry, initialize_curvatures

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


NEAR = (1 - 1e-6, 1 + 1e-6)


def passed_norms(model, batches):
    """‖x‖ of every token in every adapted layer, by hooks."""
    norms, handles = {}, []
    for name, layer in model.named_modules():
        if hasattr(layer, "lora_space"):

            def keep(_, args, name=name):
                name = name.removeprefix("base_model.model.")
                norms.setdefault(name, []).extend(torch.linalg.vector_norm(args[0], dim=-1).flatten().tolist())

            handles.append(layer.register_forward_pre_hook(keep))
    with torch.no_grad():
        for batch in batches:
            model(batch)
    for handle in handles:
        handle.remove()
    return norms


def test_tokens_beyond_the_limit_are_counted(llama, ids):
    norms = passed_norms(get_peft_model(copy.deepcopy(llama), HypLoraConfig(**SETTINGS)), [ids])
    middle = sum(sorted(norms["model.layers.0.self_attn.q_proj"])[13:15]) / 2
    model = get_peft_model(llama, HypLoraConfig(**SETTINGS, curvature=(middle / 2) ** 2 / 32))
    for record in geometry(model, batches=[ids]):
        expected = sum(norm > 2 * record.radius for norm in norms[record.layer]) / ids.numel()
        assert record.beyond == pytest.approx(expected)
    assert any(0 < record.beyond < 1 for record in geometry(model, batches=[ids]))
    assert all(record.beyond is None for record in geometry(model))


@pytest.mark.parametrize("settings", [{}, {"curvature_unit": "absolute"}, {"share_curvature": True}], ids=str)
def test_curvatures_start_where_the_maps_are_exact_for_a_share_of_tokens(llama, ids, tmp_path, settings):
    untouched = copy.deepcopy(llama)
    model = get_peft_model(llama, HypLoraConfig(**SETTINGS, **settings, task_type="CAUSAL_LM"))
    batches = [ids, torch.randint(0, 64, (8, 16))]
    norms = passed_norms(model, batches)
    records = initialize_curvatures(model, iter(batches), exact=0.9)
    for record in records:
        width = 1 if settings.get("curvature_unit") else 48 if "down" in record.layer else 32
        assert record.radius == pytest.approx((record.curvature * width) ** 0.5)
        assert record.moved == 0
        if "share_curvature" not in settings:
            # the last token of the share is at the limit, and tokens of one norm with it, but for rounding
            tokens = len(norms[record.layer])
            fewest, most = (sum(norm <= 2 * record.radius * off for norm in norms[record.layer]) for off in NEAR)
            assert fewest < math.ceil(0.9 * tokens) <= most
            assert 1 - most / tokens <= record.beyond <= 1 - fewest / tokens
    if settings.get("share_curvature"):
        assert len({record.curvature for record in records}) == 1
    else:
        assert len({record.curvature for record in records}) == 4
    for name, parameter in model.named_parameters():
        if ".lora_B." in name or ".lora_space." in name:
            torch.nn.init.normal_(parameter)
    model.save_pretrained(tmp_path)
    loaded = PeftModel.from_pretrained(untouched, tmp_path).eval()
    assert geometry(loaded) == tuple(replace(record, learned=True) for record in geometry(model))
    assert [record.started_at for record in geometry(loaded)] == [record.started_at for record in records]
    with torch.no_grad():
        assert torch.equal(loaded(ids).logits, model.eval()(ids).logits)
    assert "by layer, learned" in (tmp_path / "README.md").read_text()
    with pytest.raises(ValueError, match="has learned its curvatures already"):
        initialize_curvatures(model, batches)


def test_curvatures_that_cannot_be_measured_are_refused(llama, ids):
    model = get_peft_model(copy.deepcopy(llama), HypLoraConfig(**SETTINGS))
    with pytest.raises(ValueError, match=r"the value passed is 97\.5"):
        initialize_curvatures(model, [ids], exact=97.5)
    with pytest.raises(ValueError, match="no HypLoRA adapter 'other'"):
        initialize_curvatures(model, [ids], "other")
    reference = get_peft_model(llama, HypLoraConfig(**SETTINGS, hyplora_reference=True))
    with pytest.raises(ValueError, match="has no K to be set"):
        initialize_curvatures(reference, [ids])
    with pytest.raises(ValueError, match=r"`curvature_pattern\['q_proj'\]` is K of a space"):
        HypLoraConfig(curvature_pattern={"q_proj": -1.0})
