import copy

import pytest
import torch
import transformers
from peft import LoraConfig, PeftModel, get_peft_model

from geoprobe.hyplora import HypLoraConfig, linear_approximation

SETTINGS = {"r": 3, "init_lora_weights": False, "target_modules": ["q_proj", "down_proj"], "lora_alpha": 6}


def batches(n=6, length=12):
    return list(torch.randint(0, 64, (n, 4, length), generator=torch.Generator().manual_seed(5)))


def collected(model, samples):
    """Inputs and updates of every layer, as they pass."""
    found = {}
    handles = []
    for name, layer in model.named_modules():
        if hasattr(layer, "lora_space"):

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


@pytest.mark.parametrize("bias", ["none", "all", "lora_only"])
def test_what_was_trained_beside_the_adapter_is_saved_with_it(bias, tmp_path):
    def base():
        torch.manual_seed(0)
        return torch.nn.Sequential(torch.nn.Linear(8, 6), torch.nn.Tanh(), torch.nn.Linear(6, 6), torch.nn.Linear(6, 3))

    config = HypLoraConfig(
        r=2, target_modules=["0", "2"], modules_to_save=["3"], bias=bias, curvature=1e6, init_lora_weights=False
    )
    model = get_peft_model(base(), config)
    for name, parameter in model.named_parameters():
        if parameter.requires_grad and ".lora_" not in name:
            torch.nn.init.normal_(parameter)
    x = torch.randn(20, 8)
    linear_approximation(model, [x]).save_pretrained(tmp_path)
    lora = PeftModel.from_pretrained(base(), tmp_path)
    assert torch.allclose(lora(x), model(x), atol=1e-4)
    assert lora.peft_config["default"].modules_to_save == ["3"]


def close(found, expected):
    for mine, theirs in zip(found.layers, expected.layers, strict=True):
        assert mine.n_tokens == theirs.n_tokens
        assert torch.allclose(mine.delta_weight(), theirs.delta_weight(), rtol=1e-4, atol=1e-5)
        assert mine.relative_error == pytest.approx(theirs.relative_error, rel=1e-3)


@pytest.mark.parametrize("side", ["left", "right"])
def test_padding_counts_for_nothing(llama, side):
    model = get_peft_model(llama, HypLoraConfig(**SETTINGS, curvature=0.05))
    ids = torch.randint(1, 64, (4, 6))
    real, padding = torch.ones(4, 6, dtype=torch.long), torch.zeros(4, 30, dtype=torch.long)

    def padded(tensor):
        return torch.cat([padding, tensor] if side == "left" else [tensor, padding], dim=1)

    batch = {"input_ids": padded(ids), "attention_mask": padded(real)}
    # in every position the same angles, and a last batch without a mask
    batch["position_ids"] = padded(torch.arange(6).expand(4, 6))
    found = linear_approximation(model, [batch, ids])
    close(found, linear_approximation(model, [{"input_ids": ids}, ids]))


def test_an_encoder_and_its_decoder_have_masks_of_their_own():
    config = transformers.T5Config(vocab_size=64, d_model=32, d_kv=8, d_ff=48, num_layers=1, num_heads=4)
    model = get_peft_model(
        transformers.T5ForConditionalGeneration(config),
        HypLoraConfig(r=3, init_lora_weights=False, target_modules=["q", "wo"], curvature=0.05),
    )
    ids = torch.randint(1, 64, (4, 6))
    mask = torch.ones_like(ids)
    mask[:, 4:] = 0
    batch = {"input_ids": ids, "attention_mask": mask, "decoder_input_ids": ids}
    plain = linear_approximation(model, [batch])
    assert {layer.n_tokens for layer in plain.layers if layer.layer.startswith("encoder.")} == {16}
    assert {layer.n_tokens for layer in plain.layers if layer.layer.startswith("decoder.")} == {24}
    masked = linear_approximation(model, [batch | {"decoder_attention_mask": mask}])
    assert {layer.n_tokens for layer in masked.layers} == {16}


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
    model.get_base_model().lm_head.eval()
    modes = [module.training for module in model.modules()]
    linear_approximation(model, batches(n=1))
    assert [module.training for module in model.modules()] == modes
    assert not any(module._forward_pre_hooks for module in model.modules())
