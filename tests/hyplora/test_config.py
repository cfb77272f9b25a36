import json

import pytest
import torch
from peft import LoraConfig, PeftConfig, PeftMixedModel, get_peft_model

from geoprobe.hyplora import HypLoraConfig


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"r": 0}, "`r` should be a positive integer value but the value passed is 0"),
        ({"r": -4}, "the value passed is -4"),
        ({"r": 2.5}, "the value passed is 2.5"),
        ({"rank_pattern": {"q_proj": 0}}, r"`rank_pattern\['q_proj'\]` should be a positive integer"),
        ({"curvature": 0.0}, "`curvature` is K of a space .* positive and finite, but the value passed is 0.0"),
        ({"curvature": -1.0}, "for no curvature use LoraConfig"),
        ({"curvature": float("inf")}, "positive and finite"),
        ({"curvature": float("nan")}, "positive and finite"),
        ({"curvature": 1e30, "learn_curvature": False}, r"between 8.8e-27 and 1.1e\+26, .* the value passed is 1e\+30"),
        ({"curvature": 1e-30}, "the value passed is 1e-30"),
        ({"max_radius": 0.0}, "above 0 and at most 20.0"),
        ({"max_radius": 40.0}, "raise `curvature`"),
        ({"max_radius": 2.0, "chart": "stereographic"}, "at most 1.999 in the stereographic chart"),
        ({"chart": "sphere"}, "one of exponential, stereographic but the value passed is 'sphere'"),
        ({"curvature_unit": "metre"}, "'width' or 'absolute'"),
        ({"lora_dropout": 1.0}, r"`lora_dropout` should be in \[0, 1\)"),
        ({"bias": "some"}, "'none', 'all' or 'lora_only'"),
        ({"target_modules": ".*q", "layers_to_transform": [1]}, "cannot be used when `target_modules` is a str"),
        ({"target_modules": ["q"], "layers_pattern": "h"}, "`layers_to_transform` must also be specified"),
        ({"hyplora_reference": True, "share_curvature": True}, "knows neither"),
    ],
)
def test_a_setting_that_cannot_be_is_refused_with_its_value(settings, message):
    with pytest.raises(ValueError, match=message):
        HypLoraConfig(**settings)


def test_unknown_targets_are_refused_by_name(llama):
    with pytest.raises(ValueError, match=r"Target modules .*query.* not found in the base model"):
        get_peft_model(llama, HypLoraConfig(target_modules=["query"]))


def test_embeddings_are_refused_by_name(llama):
    with pytest.raises(ValueError, match=r"Embedding.* is not supported.*torch.nn.Linear"):
        get_peft_model(llama, HypLoraConfig(target_modules=["embed_tokens"]))


def test_a_base_of_integers_is_refused_with_what_to_load(llama):
    llama.model.layers[0].self_attn.q_proj.weight = torch.nn.Parameter(
        torch.zeros(32, 32, dtype=torch.int8), requires_grad=False
    )
    with pytest.raises(ValueError, match=r"are torch\.int8, not floating-point numbers.*bitsandbytes"):
        get_peft_model(llama, HypLoraConfig(target_modules=["q_proj"]))


def test_an_architecture_without_defaults_needs_targets():
    with pytest.raises(ValueError, match="Please specify `target_modules`"):
        get_peft_model(torch.nn.Sequential(torch.nn.Linear(4, 4)), HypLoraConfig(r=2))


def test_a_configuration_reads_back_as_it_was_written(tmp_path):
    written = HypLoraConfig(r=4, lora_alpha=6.5, curvature=0.25, share_curvature=True, target_modules=["a", "b"])
    written.save_pretrained(str(tmp_path))
    stored = json.loads((tmp_path / "adapter_config.json").read_text())
    assert stored["peft_type"] == "HYPLORA"
    read = PeftConfig.from_pretrained(str(tmp_path))
    assert isinstance(read, HypLoraConfig)
    assert read.to_dict() == written.to_dict()
    assert str(read.peft_type) == "PeftType.HYPLORA"


def test_mixed_models_say_that_hyplora_is_not_among_their_types(llama):
    with pytest.raises(ValueError, match=r"HYPLORA.*not compatible"):
        get_peft_model(llama, HypLoraConfig(r=4, target_modules=["q_proj"]), mixed=True)
    mixed = get_peft_model(llama, LoraConfig(r=4, target_modules=["q_proj"]), mixed=True)
    assert isinstance(mixed, PeftMixedModel)
    with pytest.raises(ValueError, match=r"HYPLORA.*not compatible"):
        mixed.add_adapter("other", HypLoraConfig(r=4, target_modules=["q_proj"]))
