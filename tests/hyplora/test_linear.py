import copy

import pytest
import torch
from peft import LoraConfig, PeftModel, get_peft_model

from geoprobe.hyplora import HypLoraConfig, linear_approximation

SETTINGS = {"r": 3, "init_weights": False, "target_modules": ["q_proj", "down_proj"], "lora_alpha": 6}


def batches(n=6, length=12):
    return list(torch.randint(0, 64, (n, 4, length), generator=torch.Generator().manual_seed(5)))


def collected(model, samples):
    """Inputs and updates of every layer, as they pass."""
    found = {}
    handles = []
    for name, layer in model.named_modules():
        if hasattr(layer, "hyplora_adapter"):

            def keep(layer, args, output, name=name):
                x = args[0].reshape(-1, layer.in_features)
                found.setdefault(name.removeprefix("base_model.model."), []).append(
                    (x, (output - layer.base_layer(args[0])).reshape(-1, layer.out_features))
                )

            handles.append(layer.register_forward_hook(keep))
    with torch.no_grad():
        for sample in samples:
            model(sample)
    for handle in handles:
        handle.remove()
    return {name: tuple(map(torch.cat, zip(*pairs, strict=True))) for name, pairs in found.items()}


def test_it_is_the_least_squares_map_of_the_low_rank_input_by_lstsq(llama):
    model = get_peft_model(llama, HypLoraConfig(**SETTINGS, curvature=0.05)).eval()
    samples = batches()
    found = linear_approximation(model, samples)
    passed = collected(model, samples)
    assert {layer.layer for layer in found.layers} == set(passed)
    for layer in found.layers:
        x, update = (tensor.double() for tensor in passed[layer.layer])
        hidden = x @ layer.A.double().T
        best = torch.linalg.lstsq(hidden, update, driver="gelsd").solution
        assert torch.allclose(layer.delta_weight().double(), (layer.A.double().T @ best).T, rtol=1e-3, atol=1e-4)
        left = update - x @ layer.delta_weight().double().T
        assert layer.relative_error == pytest.approx(float(left.norm() / update.norm()), rel=1e-3)
        assert layer.n_tokens == len(x)
    assert found.worst.relative_error > 0.01


def test_the_error_vanishes_as_the_space_becomes_flat_and_is_zero_for_an_adapter_that_does_nothing(llama):
    errors = []
    for curvature in (0.05, 1.0, 1e6):
        torch.manual_seed(0)
        model = get_peft_model(copy.deepcopy(llama), HypLoraConfig(**SETTINGS, curvature=curvature))
        errors.append(linear_approximation(model, batches()).worst.relative_error)
    assert errors[0] > errors[1] > errors[2]
    assert errors[2] < 1e-5
    silent = get_peft_model(llama, HypLoraConfig(r=3, target_modules=["q_proj"]))
    assert linear_approximation(silent, batches()).worst.relative_error == 0


def test_it_is_saved_as_a_lora_adapter_that_merges_to_what_was_promised(llama, tmp_path):
    plain = copy.deepcopy(llama)
    # nearly flat, where the approximation is the adapter itself
    config = HypLoraConfig(**SETTINGS, curvature=1e6, rank_pattern={"down_proj": 5}, task_type="CAUSAL_LM")
    model = get_peft_model(llama, config).eval()
    samples = batches()
    linear_approximation(model, [{"input_ids": sample} for sample in samples]).save_pretrained(tmp_path)
    lora = PeftModel.from_pretrained(plain, tmp_path)
    assert isinstance(lora.peft_config["default"], LoraConfig)
    with torch.no_grad():
        expected = model(samples[0]).logits
        assert torch.allclose(lora(samples[0]).logits, expected, atol=1e-4)
        assert torch.allclose(lora.merge_and_unload()(samples[0]).logits, expected, atol=1e-4)


def test_what_cannot_be_approximated_is_refused(llama):
    model = get_peft_model(copy.deepcopy(llama), HypLoraConfig(**SETTINGS))
    with pytest.raises(ValueError, match="no HypLoRA adapter 'other'"):
        linear_approximation(model, batches(), "other")
    with pytest.raises(ValueError, match=r"No input reached .*q_proj"):
        linear_approximation(model, [])
    reference = get_peft_model(llama, HypLoraConfig(**SETTINGS, hyplora_reference=True))
    with pytest.raises(ValueError, match="no linear approximation"):
        linear_approximation(reference, batches())


def test_the_model_is_left_as_it_was(llama):
    model = get_peft_model(llama, HypLoraConfig(**SETTINGS)).train()
    linear_approximation(model, batches(n=1))
    assert model.training
    assert not any(module._forward_pre_hooks for module in model.modules())
