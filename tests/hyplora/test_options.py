"""LoRA's own options on HypLoRA: which work as in peft's LoRA, and which are refused with the reason."""

import copy

import pytest
import torch
import transformers
from lorentz import exp0, llr, log0
from peft import LoraConfig, PeftModel, get_peft_model
from peft.optimizers import create_loraplus_optimizer
from peft.tuners.lora import ArrowConfig, BdLoraConfig, KasaConfig, MontecloraConfig, VeloraConfig
from peft.tuners.lora.eva import initialize_lora_eva_weights

from geoprobe.hyplora import HypLoraConfig, HypLoraLinear

OTHER_METHODS = {
    "use_dora": True,
    "alora_invocation_tokens": [1],
    "arrow_config": ArrowConfig(),
    "kasa_config": KasaConfig(),
    "monteclora_config": MontecloraConfig(),
    "use_bdlora": BdLoraConfig(nblocks=2),
    "use_qalora": True,
    "velora_config": VeloraConfig(),
    "megatron_config": {"a": 1},
}


def logits(model, ids):
    model.eval()
    with torch.no_grad():
        return model(ids).logits


def layers(model):
    return {name.rpartition("model.layers.")[2]: m for name, m in model.named_modules() if isinstance(m, HypLoraLinear)}


@pytest.mark.parametrize("name", OTHER_METHODS)
def test_methods_of_their_own_are_refused(name):
    with pytest.raises(ValueError, match=f"`{name}` is a method of its own"):
        HypLoraConfig(task_type="CAUSAL_LM", **{name: OTHER_METHODS[name]})


@pytest.mark.parametrize("settings", [{"lora_bias": True}, {"target_parameters": ["experts.down_proj"]}])
def test_what_needs_a_linear_update_is_refused(settings):
    with pytest.raises(ValueError, match=r"linear in the input, which that of HypLoRA is not"):
        HypLoraConfig(**settings)


@pytest.mark.parametrize("init", ["pissa", "pissa_niter_4", "olora", "corda", "loftq", "lora_ga", "mica", "typo"])
@pytest.mark.parametrize("option", ["init_lora_weights", "init_weights"])
def test_initialisations_that_change_the_base_are_refused(option, init):
    with pytest.raises(ValueError, match=rf"True, False, gaussian, orthogonal, eva but .*'{init}'.*start as it was"):
        HypLoraConfig(**{option: init})


@pytest.mark.parametrize("init", [True, "gaussian", "orthogonal"])
def test_initialisations_that_start_as_the_base_model(llama, ids, init):
    before = logits(llama, ids)
    model = get_peft_model(llama, HypLoraConfig(r=4, init_lora_weights=init))
    assert torch.allclose(logits(model, ids), before, atol=1e-6)
    a, b = (layers(model)["0.self_attn.q_proj"].get_submodule(f"lora_{side}.default").weight for side in "AB")
    assert a.any()
    assert bool(b.any()) == (init == "orthogonal")


def test_eva_draws_a_from_the_inputs_as_for_lora(llama, ids):
    found = {}
    for config in (LoraConfig, HypLoraConfig):
        torch.manual_seed(0)
        with pytest.warns(UserWarning, match="Using default EVA config"):
            settings = config(r=2, init_lora_weights="eva", target_modules=["q_proj", "down_proj"])
        model = get_peft_model(copy.deepcopy(llama), settings, low_cpu_mem_usage=True)
        batches = [{"input_ids": ids, "attention_mask": torch.ones_like(ids)}] * 4
        initialize_lora_eva_weights(model, batches, show_progress_bar=False)
        found[config] = {name: weight for name, weight in model.named_parameters() if ".lora_A." in name}
    assert len(found[LoraConfig]) == 4
    for name, weight in found[LoraConfig].items():
        assert torch.equal(found[HypLoraConfig][name], weight)
    model(ids, labels=ids).loss.backward()
    assert {weight.device.type for weight in model.parameters()} == {"cpu"}
    assert all(weight.grad.any() for name, weight in model.named_parameters() if ".lora_B." in name)


def test_layers_are_replicated_with_adapters_of_their_own(llama, ids):
    model = get_peft_model(llama, HypLoraConfig(r=2, layer_replication=[(0, 2), (1, 2)], init_lora_weights=False))
    assert {name for name in layers(model) if "q_proj" in name} == {f"{n}.self_attn.q_proj" for n in range(3)}
    model(ids, labels=ids).loss.backward()
    assert all(layer.lora_space["default"].weight.grad is not None for layer in layers(model).values())


def test_chosen_tokens_are_trained_beside_it_and_saved(llama, ids, tmp_path):
    untouched = copy.deepcopy(llama)
    model = get_peft_model(llama, HypLoraConfig(r=2, trainable_token_indices=[3, 5], init_lora_weights=False))
    for name, parameter in model.named_parameters():
        if "trainable_tokens_delta" in name:
            torch.nn.init.normal_(parameter)
    expected = logits(model, ids)
    model.save_pretrained(tmp_path)
    assert torch.equal(logits(PeftModel.from_pretrained(untouched, tmp_path), ids), expected)


def test_a_rank_above_the_layers_size_is_taken_as_in_lora(llama, ids):
    model = get_peft_model(llama, HypLoraConfig(r=40, target_modules=["k_proj"], init_lora_weights=False))
    (layer, *_) = layers(model).values()
    x = torch.randn(3, 5, 32)
    a, b = layer.lora_A["default"].weight, layer.lora_B["default"].weight
    k = 0.1 * 32
    update = layer.scaling["default"] * log0(llr(b @ a, exp0(x, k, limit=2.0), k), k)
    assert torch.allclose(layer(x), layer.base_layer(x) + update, atol=1e-5)
    model(ids, labels=ids).loss.backward()
    assert layer.lora_A["default"].weight.grad.any()


def test_lora_plus_speeds_up_b_and_tells_it_from_a(llama):
    model = get_peft_model(llama, HypLoraConfig(r=2))
    names = {parameter: name for name, parameter in model.named_parameters()}
    optimizer = create_loraplus_optimizer(model, torch.optim.SGD, lr=1.0, loraplus_lr_ratio=8.0)
    rates = {names[p]: group["lr"] for group in optimizer.param_groups for p in group["params"]}
    assert {rate for name, rate in rates.items() if ".lora_A." in name} == {1.0}
    assert {rate for name, rate in rates.items() if ".lora_B." in name} == {8.0}
    assert sum(".lora_space." in name for name in rates) == 4


def test_plain_and_released_conversions_of_peft_are_refused(llama):
    layer = layers(get_peft_model(llama, HypLoraConfig(r=2)))["0.self_attn.q_proj"]
    assert not layer.supports_lora_conversion()
    with pytest.raises(ValueError, match="Cannot merge HypLoRA"):
        layer.get_delta_weight("default")


def test_a_gate_of_one_output_is_adapted_with_the_other_linear_layers(ids):
    config = transformers.Qwen2MoeConfig(
        vocab_size=64,
        hidden_size=32,
        intermediate_size=48,
        moe_intermediate_size=24,
        shared_expert_intermediate_size=24,
        num_hidden_layers=1,
        num_attention_heads=4,
        num_key_value_heads=2,
        num_experts=4,
        num_experts_per_tok=2,
    )
    model = get_peft_model(transformers.Qwen2MoeForCausalLM(config), HypLoraConfig(r=8, target_modules="all-linear"))
    gates = [name for name in layers(model) if name.endswith("shared_expert_gate")]
    assert len(gates) == 1
    model(ids, labels=ids).loss.backward()
    assert layers(model)[gates[0]].lora_B["default"].weight.grad.any()


@pytest.mark.parametrize(
    "layer", [torch.nn.Embedding(8, 4), torch.nn.Conv2d(4, 4, 3), torch.nn.MultiheadAttention(4, 2)]
)
def test_layers_whose_input_is_no_vector_of_the_space_are_refused_by_name(layer):
    with pytest.raises(ValueError, match=rf"(?s){type(layer).__name__}\(.*is not supported"):
        get_peft_model(torch.nn.Sequential(layer), HypLoraConfig(r=2, target_modules=["0"]))
