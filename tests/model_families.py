"""Tiny models of many families, their weights at random: how each is configured, and which layers are adapted."""

from typing import Any

import torch
import transformers

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
DEEPSEEK = {
    **{
        "q_lora_rank": 8,
        "kv_lora_rank": 8,
        "qk_nope_head_dim": 4,
        "qk_rope_head_dim": 4,
        "v_head_dim": 8,
        "head_dim": 4,
    },
    **{"num_experts": 4, "num_local_experts": 4, "n_routed_experts": 4},
    **{"n_group": 2, "topk_group": 1, "n_shared_experts": 1, "first_k_dense_replace": 1},
}
LINEAR_ATTENTION = {
    **{"linear_num_value_heads": 2, "linear_num_key_heads": 2, "linear_key_head_dim": 8, "linear_value_head_dim": 8},
    **{"shared_expert_intermediate_size": 8, "layer_types": ["linear_attention", "full_attention"]},
}
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
    "llama-4": ("Llama4TextConfig", {**EXPERTS, "intermediate_size_mlp": 24}, ATTENTION),
    "deepseek-v3": ("DeepseekV3Config", {**EXPERTS, **DEEPSEEK}, {"q_b_proj": 2, "kv_b_proj": 2}),
    "qwen-3 next": (
        "Qwen3NextConfig",
        {**EXPERTS, **LINEAR_ATTENTION},
        {"q_proj": 1, "k_proj": 1, "v_proj": 1, "in_proj_qkvz": 1},
    ),
}
VISION = {"hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 3, "num_attention_heads": 2}


def configured(family: str, words: int = 64) -> Any:
    """A family's configuration, for a vocabulary of so many words."""
    config, sizes, _ = FAMILIES[family]
    known = {name: size for name, size in {**SMALL, **sizes}.items() if (family, name) != ("falcon", "head_dim")}
    return getattr(transformers, config)(**{**known, "vocab_size": words})


def gemma3(words: int = 64) -> Any:
    """Gemma-3 with its vision tower."""
    layers = ["full_attention", "sliding_attention"]
    text = {**SMALL, "vocab_size": words, "sliding_window": 8, "layer_types": layers}
    return transformers.Gemma3Config(
        text_config=text, vision_config={**VISION, "image_size": 28, "patch_size": 14}, mm_tokens_per_image=1
    )


def mamba(words: int = 64) -> Any:
    """Mamba, which has none of the paper's kinds of layer."""
    return transformers.MambaConfig(vocab_size=words, hidden_size=16, num_hidden_layers=2, state_size=4)


def make_family(family: str, words: int = 64) -> Any:
    """A model of a family."""
    torch.manual_seed(0)
    return transformers.AutoModelForCausalLM.from_config(configured(family, words))
