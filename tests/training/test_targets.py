"""Layers by role on tiny models of many families: what is adapted, the same by every method, or a refusal."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
import transformers

from geoprobe.errors import UsageError
from geoprobe.training.adapters import adapted, starting_matrices
from geoprobe.training.methods import METHODS
from geoprobe.training.setup import Setup
from geoprobe.training.targets import PAPER_TARGETS, find_targets

SMALL = {
    "vocab_size": 64,
    "hidden_size": 16,
    "intermediate_size": 24,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "num_key_value_heads": 2,
    "head_dim": 8,
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": 2,
}
EXPERTS = {"num_experts_per_tok": 1, "num_local_experts": 2, "num_experts": 2, "moe_intermediate_size": 8}
LLAMA = {"q_proj": 2, "k_proj": 2, "v_proj": 2, "up_proj": 2, "down_proj": 2}
ATTENTION = {"q_proj": 2, "k_proj": 2, "v_proj": 2}
#: Configuration, further sizes, and the layers that the paper's roles come to.
FAMILIES: dict[str, tuple[str, dict[str, Any], dict[str, int]]] = {
    "llama": ("LlamaConfig", {}, LLAMA),
    "phi-3": ("Phi3Config", {}, {"qkv_proj": 2, "gate_up_proj": 2, "down_proj": 2}),
    "glm-4": ("Glm4Config", {}, {**ATTENTION, "gate_up_proj": 2, "down_proj": 2}),
    "phi-2": ("PhiConfig", {}, {**ATTENTION, "fc1": 2, "fc2": 2}),
    "opt": ("OPTConfig", {"ffn_dim": 24, "word_embed_proj_dim": 16}, {**ATTENTION, "fc1": 2, "fc2": 2}),
    "starcoder-2": ("Starcoder2Config", {}, {**ATTENTION, "c_fc": 2, "mlp.c_proj": 2}),
    "gpt-2": ("GPT2Config", {"n_embd": 16, "n_layer": 2, "n_head": 2}, {"c_attn": 2, "c_fc": 2, "mlp.c_proj": 2}),
    "falcon": ("FalconConfig", {}, {"query_key_value": 2, "dense_h_to_4h": 2, "dense_4h_to_h": 2}),
    "neox": ("GPTNeoXConfig", {}, {"query_key_value": 2, "dense_h_to_4h": 2, "dense_4h_to_h": 2}),
    "bloom": (
        "BloomConfig",
        {"n_layer": 2, "n_head": 2},
        {"query_key_value": 2, "dense_h_to_4h": 2, "dense_4h_to_h": 2},
    ),
    "mixtral": ("MixtralConfig", EXPERTS, ATTENTION),
    "qwen-3 moe": ("Qwen3MoeConfig", EXPERTS, ATTENTION),
    "gpt-oss": ("GptOssConfig", EXPERTS, ATTENTION),
}


def _model(family: str) -> Any:
    config, sizes, _ = FAMILIES[family]
    torch.manual_seed(0)
    known = {name: size for name, size in {**SMALL, **sizes}.items() if (family, name) != ("falcon", "head_dim")}
    return transformers.AutoModelForCausalLM.from_config(getattr(transformers, config)(**known))


def _setup(**choices: Any) -> Setup:
    return Setup("tiny", "gsm8k", ("mawps",), **{"rank": 2, "alpha": 4.0, "dropout": 0.0, **choices})


@pytest.mark.parametrize("family", FAMILIES)
def test_the_papers_layers_are_found_by_role_and_adapted_alike_by_every_method(family: str) -> None:
    model = _model(family)
    targets = find_targets(model, PAPER_TARGETS, family)
    assert targets.counts == FAMILIES[family][2]
    shapes = {}
    for method in METHODS:
        with adapted(model, _setup(), method, 0) as peft_model:
            shapes[method] = {name: tuple(matrix.shape) for name, matrix in starting_matrices(peft_model).items()}
    assert list(shapes["lora"]) == list(targets.modules)
    assert shapes["dora"] == shapes["lora"] == shapes["hyplora"]


def test_experts_are_said_to_have_no_adapters() -> None:
    assert "experts" in find_targets(_model("mixtral"), PAPER_TARGETS, "tiny").notes[0]


def test_experts_that_one_method_adapts_and_another_does_not_are_refused() -> None:
    model = _model("qwen-3 moe")
    with pytest.raises(UsageError, match="no layer 'gate_proj'"):
        find_targets(model, ("q_proj", "gate_proj"), "tiny")


def test_a_model_without_such_layers_is_refused_by_what_it_has() -> None:
    config = transformers.MambaConfig(vocab_size=64, hidden_size=16, num_hidden_layers=2, state_size=4)
    model = transformers.AutoModelForCausalLM.from_config(config)
    with pytest.raises(UsageError, match=r"none of the paper's kinds of layer; it has in_proj × 2"):
        find_targets(model, PAPER_TARGETS, "tiny")


def test_only_the_language_model_of_a_multimodal_one_is_adapted() -> None:
    text = {**SMALL, "sliding_window": 8, "layer_types": ["full_attention", "sliding_attention"]}
    vision = {"hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 3, "num_attention_heads": 2}
    config = transformers.Gemma3Config(
        text_config=text, vision_config={**vision, "image_size": 28, "patch_size": 14}, mm_tokens_per_image=1
    )
    model = transformers.AutoModelForImageTextToText.from_config(config)
    targets = find_targets(model, PAPER_TARGETS, "tiny")
    assert targets.counts == LLAMA
    assert all("language_model" in name for name in targets.modules)
    assert "vision" in targets.notes[-1]
    for method in METHODS:
        with adapted(model, _setup(), method, 0) as peft_model:
            assert list(starting_matrices(peft_model)) == list(targets.modules)


def test_a_mistyped_layer_is_refused_by_the_nearest_ones(base: Any, make: Callable[..., Any]) -> None:
    with pytest.raises(UsageError, match=r"no layer 'q_prj'\.\nDid you mean q_proj"):
        find_targets(base.model, ("q_prj", "v_proj"), "tiny")


def test_every_linear_layer_but_the_output_is_a_target(base: Any) -> None:
    targets = find_targets(base.model, ("all-linear",), "tiny")
    assert targets.counts == {**LLAMA, "o_proj": 2, "gate_proj": 2}
