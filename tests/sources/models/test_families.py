"""Each family's embedding, output matrix and look-up scale, against a model that transformers builds and saves."""

from __future__ import annotations

import math
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from builders import word_tokenizer

from geoprobe.sources.models.architectures import lookup_scale
from geoprobe.sources.models.loading import open_model

transformers = pytest.importorskip("transformers")
torch = pytest.importorskip("torch")

V, D = 96, 16
WIDTHS = {
    "hidden_size": D, "d_model": D, "n_embd": D, "n_embed": D, "dim": D, "embedding_size": D, "word_embed_proj_dim": D,
    "num_hidden_layers": 2, "n_layer": 2, "num_layers": 2, "n_layers": 2, "encoder_layers": 1, "decoder_layers": 1,
    "num_decoder_layers": 1, "num_attention_heads": 2, "n_head": 2, "n_heads": 2, "num_heads": 2,
    "num_key_value_heads": 2, "encoder_attention_heads": 2, "decoder_attention_heads": 2, "intermediate_size": 32,
    "d_ff": 32, "d_kv": 8, "head_dim": 8, "ffn_dim": 32, "encoder_ffn_dim": 32, "decoder_ffn_dim": 32, "hidden_dim": 32,
    "n_positions": 32, "max_position_embeddings": 32, "num_experts": 2, "num_local_experts": 2,
    "moe_intermediate_size": 16, "max_source_positions": 16, "max_target_positions": 16, "num_mel_bins": 4,
    "d_inner": 32, "state_size": 4, "expand": 2, "q_lora_rank": 8, "kv_lora_rank": 8, "qk_rope_head_dim": 4,
    "qk_nope_head_dim": 4, "v_head_dim": 8, "n_routed_experts": 2, "n_group": 1, "topk_group": 1, "image_size": 8,
    "patch_size": 4, "num_experts_per_tok": 1, "first_k_dense_replace": 1, "hidden_size_per_layer_input": 4,
    "global_head_dim": 8, "mamba_n_heads": 2, "mamba_d_ssm": 16,
}  # fmt: skip
CAUSAL, SEQ2SEQ, MASKED, IMAGE = "CausalLM", "Seq2SeqLM", "MaskedLM", "ImageTextToText"
FAMILIES = [
    *((name, CAUSAL) for name in (
        "llama", "mistral", "mixtral", "qwen2", "qwen2_moe", "qwen3", "gemma", "gemma2", "gemma3_text", "phi", "phi3",
        "gpt2", "gpt_bigcode", "gpt_neo", "gptj", "gpt_neox", "opt", "falcon", "bloom", "mpt", "mamba", "olmo", "olmo2",
        "stablelm", "starcoder2", "cohere", "granite", "deepseek_v3", "codegen", "xglm", "biogpt", "ctrl", "openai-gpt",
        "smollm3", "rwkv", "xlnet",
    )),
    *((name, SEQ2SEQ) for name in ("t5", "mt5", "bart", "mbart", "pegasus", "m2m_100", "marian", "blenderbot")),
    ("whisper", "SpeechSeq2Seq"),
    *((name, MASKED) for name in (
        "bert", "roberta", "distilbert", "albert", "electra", "modernbert", "deberta-v2", "xlm-roberta", "mpnet",
    )),
    *((name, IMAGE) for name in ("llava", "gemma3", "idefics3", "paligemma", "qwen2_vl", "mllama")),
]  # fmt: skip


def shrunk(config: Any) -> Any:
    """A configuration of the same family with everything small."""
    kinds = type(config).__dataclass_fields__ if hasattr(type(config), "__dataclass_fields__") else {}
    inside = {}
    for key in ("text_config", "vision_config"):
        part = getattr(config, key, None)
        if part is not None and hasattr(part, "to_dict"):
            inside[key] = shrunk(part).to_dict()
    known = {**config.to_dict(), **dict.fromkeys(kinds)}
    changed = {key: value for key, value in WIDTHS.items() if key in known or key in config.attribute_map}
    if "vocab_size" in known:
        changed["vocab_size"] = V
    if config.model_type in ("biogpt", "xglm"):
        changed["num_attention_heads"] = changed["attention_heads"] = 2
    for key in [key for key in known if key.endswith("token_id") or key.endswith("token_index")]:
        if isinstance(known[key], int | None) and not 0 <= (known[key] or 0) < V:
            changed[key] = 3
    for key in ("layer_types", "mlp_layer_types", "attention_types", "attention_layers", "rotary_dim"):
        changed.pop(key, None)
    fresh = {key: value for key, value in changed.items() if key in known or key in config.attribute_map}
    return type(config)(**{**fresh, **inside, **OVERRIDES.get(config.model_type, {})})


OVERRIDES: dict[str, dict[str, Any]] = {
    "gpt_neo": {"attention_types": [[["global", "local"], 1]], "num_layers": 2, "hidden_size": D, "num_heads": 2},
    "gptj": {"rotary_dim": 4},
    "codegen": {"rotary_dim": 4},
    **{
        name: {"pad_token_id": 3}
        for name in ("phi3", "smollm3", "modernbert", "marian", "mllama_text_model", "whisper")
    },
    "mpt": {"max_seq_len": 32, "expansion_ratio": 2},
}


def build(family: str, head: str, **changed: Any) -> Any:
    torch.manual_seed(0)
    config = shrunk(transformers.AutoConfig.for_model(family))
    for key, value in changed.items():
        setattr(config, key, value)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return getattr(transformers, f"AutoModelFor{head}").from_config(config).eval()


def saved(model: Any, folder: Path) -> Path:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.save_pretrained(folder)
    word_tokenizer([f"w{number}" for number in range(V - 1)]).save(str(folder / "tokenizer.json"))
    return folder


@pytest.mark.parametrize(("family", "head"), FAMILIES)
def test_the_tensor_chosen_is_what_transformers_embeds_with(family: str, head: str, tmp_path: Path) -> None:
    model = build(family, head)
    table = open_model(saved(model, tmp_path / "m")).table()
    module = model.get_input_embeddings()
    expected = module.weight.detach().float().numpy()
    np.testing.assert_array_equal(table.vectors.read(0, table.size), expected)
    assert not any("chosen by its shape" in note for note in table.source.notes)
    ids = torch.arange(5, 15)
    scaled = module(ids).detach().numpy()
    if table.lookup_scale != 1.0 and not np.allclose(scaled, expected[5:15]):
        np.testing.assert_allclose(scaled, table.lookup_scale * expected[5:15], rtol=1e-5)
    else:
        np.testing.assert_allclose(scaled, expected[5:15])
    output = model.get_output_embeddings()
    if output is not None and output.weight.shape == module.weight.shape:
        shared = output.weight.data_ptr() == module.weight.data_ptr()
        assert table.tied is shared
        assert (table.output is None) is shared
        if table.output is not None:
            np.testing.assert_array_equal(table.output.read(0, table.size), output.weight.detach().float().numpy())


@pytest.mark.parametrize(
    ("family", "head", "changed"),
    [
        ("gemma", CAUSAL, {}),
        ("gemma3_text", CAUSAL, {}),
        ("granite", CAUSAL, {"embedding_multiplier": 12.0}),
        ("llama", CAUSAL, {}),
        ("opt", CAUSAL, {}),
        ("ctrl", CAUSAL, {}),
        ("xglm", CAUSAL, {}),
        ("biogpt", CAUSAL, {}),
    ],
)
def test_the_look_up_scale_is_what_reaches_the_first_layer(family: str, head: str, changed: dict[str, Any]) -> None:
    model = build(family, head, **changed)
    for name, weight in model.named_parameters():
        if "position" in name:
            weight.data.zero_()
    ids = torch.arange(5, 15)[None]
    seen = []
    layers = next(module for module in model.modules() if isinstance(module, torch.nn.ModuleList))
    layers[0].register_forward_pre_hook(
        lambda _, args, kwargs: seen.append(args[0] if args else kwargs["hidden_states"]), with_kwargs=True
    )
    model(ids)
    entering = seen[0][0].detach().numpy()
    rows = model.get_input_embeddings().weight[ids[0]].detach().numpy()
    scale = lookup_scale(model.config.to_dict(), D)
    if family in ("ctrl", "xglm", "biogpt"):  # positions are added after the scale
        fitted = float((entering * rows).sum() / (rows * rows).sum())
        assert abs(fitted - scale) < abs(fitted - (1.0 if scale != 1.0 else math.sqrt(D)))
    else:
        np.testing.assert_allclose(entering, scale * rows, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(
    ("config", "scale"),
    [
        ({"model_type": "gemma3_text"}, 4.0),
        ({"model_type": "paligemma", "text_config": {"model_type": "gemma"}}, 4.0),
        ({"model_type": "bart", "scale_embedding": True}, 4.0),
        ({"model_type": "bart", "scale_embedding": False}, 1.0),
        ({"model_type": "bart"}, 1.0),
        ({"model_type": "xglm"}, 4.0),
        ({"model_type": "granite", "embedding_multiplier": 12}, 12.0),
        ({"model_type": "granite4_vision", "text_config": {"embedding_multiplier": 6.0}}, 6.0),
        ({"model_type": "minicpm"}, 12.0),
        ({"model_type": "phi3small", "mup_embedding_multiplier": 10.0}, 10.0),
        ({"model_type": "btlm", "mup_embeddings_scale": 14.6}, 14.6),
        ({"model_type": "jais", "embeddings_scale": 14.6}, 14.6),
        ({"model_type": "hrm_text"}, 50.0),
        ({"model_type": "hrm_text", "embedding_scale": 25.0}, 25.0),
        ({"model_type": "tipsv2", "text_config": {"model_type": "tipsv2_text_model"}}, 4.0),
        ({"model_type": "tipsv2", "text_config": {"scale_sqrt_depth": False}}, 1.0),
        ({"model_type": "t5"}, 1.0),
        ({"model_type": "whisper"}, 1.0),
        ({}, 1.0),
    ],
)
def test_the_scale_is_read_from_the_configuration(config: dict[str, Any], scale: float) -> None:
    assert lookup_scale(config, 16) == scale
