"""The tokenizer inside a GGUF file.

Byte-level BPE is built here with `tokenizers`; other kinds go through transformers' own converter.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from geoprobe.errors import BadDataError
from geoprobe.sources.gguf import GgufFile
from geoprobe.sources.tokenizer import Tokenizer, refused_by_library

__all__ = ["gguf_tokenizer"]

_CONTROL, _USER_DEFINED = 3, 4  # llama.cpp's token types

_CONTRACTIONS = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)"
_REST = r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
_SPLIT_LLAMA3 = _CONTRACTIONS + r"|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}" + _REST
_SPLIT_QWEN2 = _CONTRACTIONS + r"|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}" + _REST

#: ``tokenizer.ggml.pre`` of vocabularies that split as GPT-2 does, each digit by itself.
_SINGLE_DIGITS = {"smollm", "starcoder", "refact", "command-r", "codeshell", "exaone", "minerva-7b"}
_GPT2 = {
    "gpt-2",
    "gpt2",
    "default",
    "phi-2",
    "mpt",
    "olmo",
    "jais",
    "trillion",
    "roberta-bpe",
    "jina-v2-code",
}
_REGULAR = {
    **dict.fromkeys(("llama-bpe", "llama3", "llama-v3", "dbrx", "smaug-bpe", "falcon3", "pixtral"), _SPLIT_LLAMA3),
    **dict.fromkeys(("qwen2", "deepseek-r1-qwen", "megrez"), _SPLIT_QWEN2),
}


def gguf_tokenizer(file: GgufFile) -> tuple[Tokenizer, tuple[str, ...]]:
    """Build the tokenizer that a GGUF file describes.

    Returns
    -------
    tokenizer : Tokenizer
        Ready to encode.
    notes : tuple of str
        What had to be assumed.

    Raises
    ------
    BadDataError
        When the file has no vocabulary, or one that cannot be converted.
    """
    metadata = file.metadata
    kind = metadata.get("tokenizer.ggml.model")
    tokens = metadata.get("tokenizer.ggml.tokens")
    if kind is None or not isinstance(tokens, list) or not tokens:
        raise BadDataError(
            f"{file.path} holds no tokenizer (tokenizer.ggml.model is {kind!r}).",
            "Use a GGUF file with its vocabulary, or the model's folder.",
        )
    pre = str(metadata.get("tokenizer.ggml.pre", "default"))
    known = pre in _SINGLE_DIGITS or pre in _GPT2 or pre in _REGULAR
    with refused_by_library(
        f"The tokenizer of {file.path} (kind {kind!r}, pre-tokenizer {pre!r}) cannot be converted",
        "Use the model's folder with its tokenizer.json instead of the GGUF file.",
    ):
        if kind == "gpt2" and known:
            return Tokenizer(_byte_level(metadata, pre)), ()
        return Tokenizer(_by_transformers(metadata)), (
            f"The tokenizer (kind {kind}, pre-tokenizer {pre}) was converted by transformers.",
        )


def _byte_level(metadata: Mapping[str, Any], pre: str) -> Any:
    from tokenizers import AddedToken, Regex, decoders, models, pre_tokenizers
    from tokenizers import Tokenizer as Backend

    tokens: list[str] = metadata["tokenizer.ggml.tokens"]
    merges = [tuple(merge.split(" ", 1)) for merge in metadata["tokenizer.ggml.merges"]]
    vocabulary = {token: row for row, token in enumerate(tokens)}
    # Llama 3's tokenizer takes a whole word that is a token before it merges
    backend = Backend(models.BPE(vocab=vocabulary, merges=merges, ignore_merges=_REGULAR.get(pre) == _SPLIT_LLAMA3))
    byte_level = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=pre not in _REGULAR)
    if pre in _REGULAR:
        split = pre_tokenizers.Split(Regex(_REGULAR[pre]), behavior="isolated")
        backend.pre_tokenizer = pre_tokenizers.Sequence([split, byte_level])
    elif pre in _SINGLE_DIGITS:
        digits = pre_tokenizers.Digits(individual_digits=True)
        backend.pre_tokenizer = pre_tokenizers.Sequence([digits, byte_level])
    else:
        backend.pre_tokenizer = byte_level
    backend.decoder = decoders.ByteLevel()
    types = metadata.get("tokenizer.ggml.token_type", [])
    added = [
        AddedToken(token, normalized=False, special=kind == _CONTROL)
        for token, kind in zip(tokens, types, strict=False)
        if kind in (_CONTROL, _USER_DEFINED)
    ]
    backend.add_special_tokens([token for token in added if token.special])
    backend.add_tokens([token for token in added if not token.special])
    return backend


def _by_transformers(metadata: Mapping[str, Any]) -> Any:
    from transformers.integrations.gguf import gguf_tokenizer_mapping as mapping

    prefix = "tokenizer."
    described = {
        name: metadata[prefix + key]
        for key, name in mapping.GGUF_TOKENIZER_MAPPING["tokenizer"].items()
        if prefix + key in metadata
    }
    return mapping.convert_gguf_tokenizer(str(metadata.get("general.architecture")), described)[0]
