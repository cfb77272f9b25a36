"""Where each architecture keeps its input embedding and its output matrix, and what it multiplies the former by."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

from geoprobe.errors import BadDataError, NotFoundError, some_of

#: Last parts of the names of input embeddings, tried in order; the comments name the families.
_EMBEDDING_ENDS: tuple[str, ...] = (
    "shared.weight",  # t5, bart, mbart, m2m: one table for encoder and decoder
    "embed_text_tokens.weight",  # csm, whose codes of sound have a table too
    "embed_tokens.weight",  # llama, mistral, mixtral, qwen, gemma, phi, opt, whisper, multimodal wrappers
    "wte.weight",  # gpt2, gpt-j, gpt-neo, gpt-bigcode, codegen, mpt, dbrx
    "embed_in.weight",  # gpt-neox
    "word_embeddings.weight",  # bert and its kin, falcon, bloom
    "tok_embeddings.weight",  # modernbert, llama's own checkpoints
    "tokens_embed.weight",  # gpt
    "word_embedding.weight",  # xlnet
    "token_embedding.weight",  # clip's text tower
    "embedding.word_embeddings.weight",  # megatron
    "input_embedding.weight",  # cpmant
    "token_embd.weight",  # every GGUF
    "embeddings.weight",  # mamba, rwkv, xlm, nemotron-h
    "transformer.w.weight",  # ctrl
    "embedding.weight",  # wordllama
    "embeddings",  # model2vec
    "vectors",  # the one matrix of a file of word vectors
)
#: Where several tensors end alike, those whose names hold one of these are of another modality or task.
_ELSEWHERE = ("vision", "visual", "image", "audio", "speech", "position", "patch", "pooler", "codec", "depth", "talker")
#: Parts of a name that say the same.
_PARTS_ELSEWHERE = frozenset(("dit", "expert", "gemma_expert", "action_expert"))
#: Names of output matrices, or their ends after a dot.
_OUTPUT_ENDS: tuple[str, ...] = (
    "lm_head.weight",  # most
    "output.weight",  # every GGUF, llama's own checkpoints
    "embed_out.weight",  # gpt-neox
    "proj_out.weight",  # whisper
    "lm_head.out_proj.weight",  # t5gemma
    "lm_head.decoder.weight",  # roberta
    "predictions.decoder.weight",  # bert, albert
    "generator_lm_head.weight",  # electra
    "vocab_projector.weight",  # distilbert
    "output_projection.weight",  # biogpt, trocr
    "pred_layer.proj.weight",  # xlm
    "lm_loss.weight",  # xlnet
    "head.decoder.weight",
    "transformer.ff_out.weight",  # olmo 1
    "head.weight",  # rwkv
    "decoder.weight",  # modernbert
)
#: Names that stand for an output matrix only where nothing precedes them: inside layers they are of other things.
_WHOLE_NAMES = ("output.weight", "head.weight", "decoder.weight")

_LANGUAGE_PARTS = ("text_config", "llm_config", "vlm_config", "language_config", "thinker_config", "decoder")
#: Configuration keys that hold the factor itself, with the families that use each.
_FACTORS = (
    "embedding_multiplier",  # granite, falcon-h1
    "mup_embedding_multiplier",  # phi-3-small
    "mup_embeddings_scale",  # btlm
    "embeddings_scale",  # jais
    "embedding_scale",  # hrm
    "embedding_multiplier_scale",  # grok
    "scale_emb",  # minicpm
)
#: Configuration keys that say whether the factor is √d.
#: bart and its kin; big bird; afmoe; tipsv2.
_SQUARE_ROOTS = ("scale_embedding", "rescale_embeddings", "mup_enabled", "scale_sqrt_depth")
#: Families whose `scale_embedding` is true where their configuration does not say.
_SCALED_BY_DEFAULT = {
    "bigbird_pegasus", "biogpt", "fsmt", "kosmos-2", "kosmos-2.5", "kosmos_2_text_model", "m2m_100", "nllb-moe",
    "pegasus_x", "plbart", "seamless_m4t", "seamless_m4t_v2", "speech_to_text", "tipsv2", "tipsv2_text_model",
    "xglm",
}  # fmt: skip
_FACTOR_BY_DEFAULT = {"minicpm": 12.0, "minicpm3": 12.0, "hrm_text": 50.0}
#: Families that multiply by √d and have no key for it.
_ALWAYS = ("gemma", "ctrl")


def embedding_by_name(names: Iterable[str]) -> str | None:
    """The input embedding among a checkpoint's tensor names, by the names that architectures use."""
    return _by_end(names, _EMBEDDING_ENDS)


def output_by_name(names: Iterable[str]) -> str | None:
    """The output matrix among a checkpoint's tensor names; None where it has none of its own."""
    return _by_end(names, _OUTPUT_ENDS)


def _by_end(names: Iterable[str], ends: tuple[str, ...]) -> str | None:
    ending = {name: end for name in names if (end := _end(name, ends)) is not None}

    def rank(name: str) -> tuple[object, ...]:
        elsewhere = any(word in name.lower() for word in _ELSEWHERE)
        elsewhere = elsewhere or not _PARTS_ELSEWHERE.isdisjoint(name.split("."))
        # what is inside a numbered layer is a layer's own
        elsewhere = elsewhere or any(part.isdigit() for part in name.split("."))
        # an encoder's table is an encoder-decoder's input; less nested comes before more
        return (elsewhere, ends.index(ending[name]), "encoder" not in name, name.count("."), name)

    return min(ending, key=rank, default=None)


def _end(name: str, ends: tuple[str, ...]) -> str | None:
    return next((end for end in ends if name == end or (end not in _WHOLE_NAMES and name.endswith(f".{end}"))), None)


def choose_tensor(
    shapes: Mapping[str, tuple[int, ...]], *, wanted: str | None, vocabulary: int | None, where: str
) -> tuple[str, tuple[str, ...]]:
    """Find the input embedding among a checkpoint's tensors, with notes of how, where that was not by a known name.

    `wanted` is the user's own choice, taken as it is; `vocabulary` the rows that the table should have, to choose by
    shape where no name is known.
    """
    matrices = {name: shape for name, shape in shapes.items() if len(shape) == 2}
    if wanted is not None:
        if wanted in matrices:
            return wanted, (f"The tensor {wanted} was chosen by the user.",)
        raise NotFoundError(
            f"{where} has no matrix named {wanted!r}.",
            f"Its matrices: {_listed(matrices)}. Name one by --tensor.",
        )
    known = embedding_by_name(matrices)
    if known is not None:
        return known, ()
    likely = [
        name
        for name, shape in matrices.items()
        if shape[0] == vocabulary or (vocabulary is None and shape[0] > shape[1] and "embed" in name.lower())
    ]
    likely.sort(key=lambda name: ("embed" not in name.lower(), output_by_name([name]) is not None, name))
    if likely:
        return likely[0], (f"No known name: {likely[0]} was chosen by its shape {matrices[likely[0]]} and name.",)
    raise NotFoundError(
        f"No tensor of {where} looks like a token embedding.",
        f"Its matrices: {_listed(matrices)}. Name the embedding by --tensor.",
    )


def _listed(matrices: Mapping[str, tuple[int, ...]]) -> str:
    return some_of([f"{name} {shape[0]}×{shape[1]}" for name, shape in matrices.items()], 8)


def text_configs(config: Mapping[str, Any], depth: int = 2) -> list[Mapping[str, Any]]:
    """A configuration and, of a multimodal model's, the language part's, the latter first."""
    parts = [config.get(key) for key in _LANGUAGE_PARTS] if depth else []
    inner = [text for part in parts if isinstance(part, Mapping) for text in text_configs(part, depth - 1)]
    return [*inner, config]


def vocabulary_size(config: Mapping[str, Any]) -> int | None:
    """The vocabulary size that a configuration states, a multimodal one's text part before its own."""
    sizes = [part.get("vocab_size") for part in text_configs(config)]
    return next((size for size in sizes if isinstance(size, int)), None)


def depth(config: Mapping[str, Any]) -> int | None:
    """Transformer blocks that a configuration states, a multimodal one's text part before its own."""
    stated = [part.get(key) for part in text_configs(config) for key in ("num_hidden_layers", "n_layer", "num_layers")]
    return next((blocks for blocks in stated if isinstance(blocks, int)), None)


def lookup_scale(config: Mapping[str, Any], dimension: int) -> float:
    """The factor that a model applies to looked-up embeddings of width `dimension`; 1 for most, √d for Gemma."""
    for part in text_configs(config):
        factor = _stated(part, dimension)
        if factor is not None:
            return factor
    return 1.0


def _stated(config: Mapping[str, Any], dimension: int) -> float | None:
    family = str(config.get("model_type", "")).lower()
    # a wrapper such as paligemma is named after its language part
    if any(name in family for name in _ALWAYS):
        return math.sqrt(dimension)
    for key in _FACTORS:
        if isinstance(config.get(key), int | float):
            return _finite(key, config[key])
    for key in _SQUARE_ROOTS:
        if isinstance(config.get(key), bool):
            return math.sqrt(dimension) if config[key] else 1.0
    if family in _SCALED_BY_DEFAULT:
        return math.sqrt(dimension)
    return _FACTOR_BY_DEFAULT.get(family)


def _finite(key: str, factor: float) -> float:
    try:
        if math.isfinite(factor):
            return float(factor)
    except OverflowError:  # an integer that no float can hold
        pass
    raise BadDataError(
        f"The model's configuration has an embedding scale without bound: {key} is {str(factor)[:20]}.",
        "Its config.json, or the metadata of its GGUF file, is damaged: download it again.",
    )
