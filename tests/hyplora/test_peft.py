"""What peft's own methods can do, asked of HypLoRA: one matrix of properties over configurations and models."""

import copy

import pytest
import torch
from peft import PeftModel, get_peft_model
from peft.helpers import disable_input_dtype_casting

from geoprobe.hyplora import HypLoraConfig, HypLoraLinear, geometry

CONFIGS = {
    "default": {},
    "fixed": {"learn_curvature": False, "curvature": 0.5},
    "shared": {"share_curvature": True},
    "stereographic": {"chart": "stereographic"},
    "absolute": {"curvature_unit": "absolute", "curvature": 3.0},
    "reference": {"hyplora_reference": True},
    "rslora": {"use_rslora": True, "lora_alpha": 3.5},
    "dropout": {"lora_dropout": 0.3},
    "patterns": {"rank_pattern": {"v_proj": 2}, "alpha_pattern": {"q_proj": 32}},
}


@pytest.fixture(params=[*(("llama", name) for name in CONFIGS), ("gpt2", "default")], ids="-".join)
def case(request):
    model, name = request.param
    return request.getfixturevalue(model), make(name)


def make(name):
    return HypLoraConfig(r=4, init_lora_weights=False, task_type="CAUSAL_LM", **CONFIGS[name])


@pytest.fixture
def base(case):
    return case[0]


@pytest.fixture
def config(case):
    return case[1]


@pytest.fixture(params=["llama", "gpt2"])
def architecture(request):
    return request.getfixturevalue(request.param)


@pytest.fixture(autouse=True)
def _untied(monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")


def other(config, **changes):
    return HypLoraConfig(**{**config.to_dict(), "target_modules": None, **changes})


def logits(model, ids, **kwargs):
    model.eval()
    with torch.no_grad():
        return model(ids, **kwargs).logits


def layers(model):
    return {name: module for name, module in model.named_modules() if isinstance(module, HypLoraLinear)}


def test_default_targets_are_those_of_lora(architecture):
    model = get_peft_model(architecture, HypLoraConfig(r=2))
    expected = {"llama": {"q_proj", "v_proj"}, "gpt2": {"c_attn"}}[architecture.config.model_type]
    assert {name.rsplit(".", 1)[1] for name in layers(model)} == expected


def test_it_starts_as_the_base_model(architecture, ids):
    before = logits(architecture, ids)
    assert torch.equal(logits(get_peft_model(architecture, HypLoraConfig(r=4)), ids), before)


def test_saved_and_loaded_it_gives_the_same_bits(base, config, ids, tmp_path):
    untouched = copy.deepcopy(base)
    model = get_peft_model(base, config)
    expected = logits(model, ids)
    model.save_pretrained(tmp_path)
    for settings in ({}, {"low_cpu_mem_usage": True}, {"is_trainable": True}):
        loaded = PeftModel.from_pretrained(copy.deepcopy(untouched), tmp_path, **settings)
        assert torch.equal(logits(loaded, ids), expected)
        assert any(parameter.requires_grad for parameter in loaded.parameters()) == ("is_trainable" in settings)


def test_only_adapters_are_trained_and_every_one_of_their_parameters(base, config, ids):
    model = get_peft_model(base, config).train()
    trained = {name for name, parameter in model.named_parameters() if parameter.requires_grad}
    assert trained
    assert all(".lora_" in name for name in trained)
    model(ids, labels=ids).loss.backward()
    for name, parameter in model.named_parameters():
        assert (parameter.grad is not None) == (name in trained)
        assert parameter.grad is None or parameter.grad.any()


def test_disabling_gives_back_the_base_model_and_freezes(base, config, ids):
    before = logits(base, ids)
    model = get_peft_model(base, config)
    adapted = logits(model, ids)
    assert not torch.allclose(adapted, before)
    with model.disable_adapter():
        assert torch.equal(logits(model, ids), before)
        assert not any(parameter.requires_grad for parameter in model.parameters())
    assert torch.equal(logits(model, ids), adapted)
    assert torch.equal(logits(model.unload(), ids), before)


def test_several_adapters_switch_add_up_and_are_deleted(base, config, ids):
    before = logits(base, ids)
    model = get_peft_model(base, config)
    first = logits(model, ids)
    model.add_adapter("second", other(config, r=2))
    assert torch.equal(logits(model, ids), first)
    model.set_adapter("second")
    second = logits(model, ids)
    assert not torch.allclose(first, second)
    trained = [name for name, parameter in model.named_parameters() if parameter.requires_grad]
    assert trained
    assert all(".second" in name for name in trained)
    model.base_model.set_adapter(["default", "second"])
    both = logits(model, ids)
    assert not any(torch.allclose(both, single) for single in (before, first, second))
    model.base_model.set_adapter("default")
    model.delete_adapter("second")
    assert torch.equal(logits(model, ids), first)
    assert not [name for name, _ in model.named_parameters() if "second" in name]
    assert not [name for name, _ in model.named_buffers() if "second" in name]
    assert {record.adapter for record in geometry(model)} == {"default"}


def test_two_active_adapters_both_see_the_layers_input(llama):
    model = get_peft_model(llama, HypLoraConfig(r=4, init_lora_weights=False, target_modules=["q_proj"]))
    model.add_adapter("second", HypLoraConfig(r=2, init_lora_weights=False, target_modules=["q_proj"]))
    layer = model.base_model.model.model.layers[0].self_attn.q_proj
    x = torch.randn(3, 5, 32)
    base = layer.base_layer(x)
    alone = []
    for name in ("default", "second"):
        layer.set_adapter(name)
        alone.append(layer(x) - base)
    layer.set_adapter(["default", "second"])
    assert torch.allclose(layer(x), base + alone[0] + alone[1], atol=1e-5)


def test_mixed_batches_give_each_sample_its_adapter(base, config, ids):
    model = get_peft_model(base, config)
    model.add_adapter("second", other(config, r=2))
    expected = {"default": logits(model, ids)}
    with model.disable_adapter():
        expected["__base__"] = logits(model, ids)
    model.set_adapter("second")
    expected["second"] = logits(model, ids)
    names = ["second", "__base__", "default", "second"]
    found = logits(model, ids, adapter_names=names)
    for row, name in enumerate(names):
        assert torch.allclose(found[row], expected[name][row], atol=1e-5)
    with pytest.raises(ValueError, match=r"non-existing adapter.*third"):
        logits(model, ids, adapter_names=["third"] * 4)
    with pytest.raises(ValueError, match="3 and 4"):
        logits(model, ids, adapter_names=["default"] * 3)
    with pytest.raises(ValueError, match="training mode"):
        model.train()(ids, adapter_names=names)


def test_beams_of_a_mixed_batch_keep_their_samples_adapter(llama, ids):
    model = get_peft_model(llama, HypLoraConfig(r=4, init_lora_weights=False)).eval()
    settings = {"max_new_tokens": 4, "num_beams": 2, "do_sample": False, "pad_token_id": 0}
    adapted = model.generate(ids, **settings)
    with model.disable_adapter():
        plain = model.generate(ids, **settings)
    mixed = model.generate(ids, adapter_names=["default", "__base__", "default", "__base__"], **settings)
    assert mixed[0::2].tolist() == adapted[0::2].tolist()
    assert mixed[1::2].tolist() == plain[1::2].tolist()


def test_merging_is_refused_with_what_to_do_instead(base, config):
    model = get_peft_model(base, config)
    for merge in (model.merge_and_unload, model.merge_adapter, next(iter(layers(model).values())).merge):
        with pytest.raises(ValueError, match=r"Cannot merge HypLoRA.*linear_approximation"):
            merge()
    with pytest.warns(UserWarning, match="Already unmerged"):
        model.unmerge_adapter()
    model.add_adapter("second", other(config))
    with pytest.raises(ValueError, match="Cannot combine HypLoRA adapters"):
        model.add_weighted_adapter(["default", "second"], [0.5, 0.5], "sum", combination_type="linear")
    assert not model.base_model.supports_lora_conversion()


def test_ranks_and_alphas_by_pattern(llama):
    config = HypLoraConfig(
        r=4, lora_alpha=8, rank_pattern={"layers.1.self_attn.v_proj": 2}, alpha_pattern={"q_proj": 32}
    )
    found = {
        name[-25:]: (layer.r["default"], layer.scaling["default"])
        for name, layer in layers(get_peft_model(llama, config)).items()
    }
    assert found["layers.0.self_attn.q_proj"] == (4, 8.0)
    assert found["layers.0.self_attn.v_proj"] == (4, 2.0)
    assert found["layers.1.self_attn.v_proj"] == (2, 4.0)


def test_all_linear_layers_and_chosen_indices(llama):
    everything = layers(get_peft_model(copy.deepcopy(llama), HypLoraConfig(r=4, target_modules="all-linear")))
    assert len(everything) == 14
    assert not any("lm_head" in name for name in everything)
    chosen = HypLoraConfig(r=4, target_modules=["q_proj"], layers_to_transform=[1], layers_pattern="layers")
    assert list(layers(get_peft_model(copy.deepcopy(llama), chosen))) == [
        "base_model.model.model.layers.1.self_attn.q_proj"
    ]
    excluded = HypLoraConfig(r=4, target_modules="all-linear", exclude_modules=["q_proj", "down_proj"])
    assert len(layers(get_peft_model(llama, excluded))) == 10


def test_modules_to_save_are_trained_and_saved_whole(llama, ids, tmp_path):
    untouched = copy.deepcopy(llama)
    model = get_peft_model(llama, HypLoraConfig(r=4, modules_to_save=["lm_head"], init_lora_weights=False))
    head = model.base_model.model.lm_head.modules_to_save["default"].weight
    assert head.requires_grad
    with torch.no_grad():
        head.mul_(2)
    expected = logits(model, ids)
    model.save_pretrained(tmp_path)
    assert torch.equal(logits(PeftModel.from_pretrained(untouched, tmp_path), ids), expected)


@pytest.mark.parametrize("bias", ["all", "lora_only"])
def test_biases_are_trained_and_saved(gpt2, ids, bias, tmp_path):
    untouched = copy.deepcopy(gpt2)
    model = get_peft_model(gpt2, HypLoraConfig(r=4, bias=bias, init_lora_weights=False))
    trained = [p for name, p in model.named_parameters() if name.endswith(".bias") and p.requires_grad]
    assert len(trained) == {"all": 13, "lora_only": 2}[bias]
    with torch.no_grad():
        for parameter in trained:
            parameter.add_(0.1)
    expected = logits(model, ids)
    model.save_pretrained(tmp_path)
    assert torch.equal(logits(PeftModel.from_pretrained(untouched, tmp_path), ids), expected)


@pytest.mark.parametrize("name", ["default", "shared", "reference"])
def test_gradient_checkpointing_gives_the_same_gradients(architecture, name, ids):
    model = get_peft_model(architecture, make(name)).train()
    for module in model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
    model(ids, labels=ids).loss.backward()
    expected = {name: p.grad.clone() for name, p in model.named_parameters() if p.requires_grad}
    model.zero_grad()
    model.enable_input_require_grads()
    # its name until transformers 5.23, deprecated since
    enable = (
        getattr(architecture, "activation_checkpointing_enable", None) or architecture.gradient_checkpointing_enable
    )
    enable()
    model(ids, labels=ids).loss.backward()
    for name, gradient in expected.items():
        assert torch.allclose(model.get_parameter(name).grad, gradient, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("half", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("autocast_adapter_dtype", [True, False])
@pytest.mark.parametrize("name", ["default", "shared", "stereographic", "reference"])
def test_half_precision_bases(llama, name, ids, half, autocast_adapter_dtype):
    config = make(name)
    exact = copy.deepcopy(llama)
    model = get_peft_model(llama.to(half), config, autocast_adapter_dtype=autocast_adapter_dtype)
    weights = {p.dtype for name, p in model.named_parameters() if ".lora_" in name}
    assert weights == {torch.float32 if autocast_adapter_dtype else half}
    found = logits(model, ids)
    assert found.dtype == half
    reference = get_peft_model(exact, other(config))
    reference.load_state_dict({name: value.float() for name, value in model.state_dict().items()})
    error = (found.float() - logits(reference, ids)).abs().max()
    assert error < (0.05 if half == torch.bfloat16 else 0.01)
    model.train()(ids, labels=ids).loss.backward()
    assert all(torch.isfinite(p.grad).all() for p in model.parameters() if p.requires_grad)


@pytest.mark.parametrize("name", ["default", "reference"])
def test_autocast_runs_products_in_half_and_maps_above(llama, name, ids):
    config = make(name)
    model = get_peft_model(llama, config).train()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        loss = model(ids, labels=ids).loss
    loss.backward()
    assert all(
        torch.isfinite(p.grad).all() and p.grad.dtype == torch.float32 for p in model.parameters() if p.requires_grad
    )
    assert float(loss.detach()) == pytest.approx(float(model(ids, labels=ids).loss.detach()), rel=0.01)


@pytest.mark.parametrize("name", ["default", "reference"])
def test_a_whole_model_cast_to_half_still_runs(llama, name, ids):
    model = get_peft_model(llama, make(name)).to(torch.bfloat16)
    model(ids, labels=ids).loss.backward()
    assert torch.isfinite(logits(model, ids)).all()


def test_input_casting_can_be_switched_off(llama, ids):
    model = get_peft_model(llama, make("default"))
    expected = logits(model, ids)
    with disable_input_dtype_casting(model):
        assert torch.equal(logits(model, ids), expected)


def test_generation_sees_the_adapter(llama, ids):
    model = get_peft_model(llama, HypLoraConfig(r=4, init_lora_weights=False, lora_alpha=64)).eval()
    settings = {"max_new_tokens": 5, "do_sample": False, "pad_token_id": 0}
    adapted = model.generate(ids, **settings)
    with model.disable_adapter():
        assert adapted.tolist() != model.generate(ids, **settings).tolist()


def test_an_adapter_of_another_shape_is_refused_with_both_shapes(base, config, tmp_path):
    other_base = copy.deepcopy(base)
    get_peft_model(base, config).save_pretrained(tmp_path)
    stored = HypLoraConfig.from_pretrained(str(tmp_path))
    stored.r, stored.rank_pattern = 3, {}
    with pytest.raises(RuntimeError, match=r"size mismatch for .*lora_A.default.weight.*\[4, 32\].*\[3, 32\]"):
        PeftModel.from_pretrained(other_base, tmp_path, config=stored)
