"""The tokenizer inside a GGUF file.

Byte-level BPE is built here with `tokenizers`, since transformers' converter adds a token of GPT-2's and splits text as
GPT-2 does, without a word, where it knows no better; other kinds go through that converter.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from geoprobe.errors import BadDataError
from geoprobe.sources.models.gguf import GgufFile
from geoprobe.sources.models.gguf_splits import LLAMA3, REGULAR, SINGLE_DIGITS, assumption
from geoprobe.sources.models.tokenizer import Tokenizer, refused_by_library

__all__ = ["gguf_tokenizer"]

_CONTROL, _USER_DEFINED, _UNUSED = 3, 4, 5  # llama.cpp's token types
#: What llama.cpp writes for a row that no token has.
_PADDING = re.compile(r"\[PAD\d+\]")


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
    stated = metadata.get("tokenizer.ggml.pre")
    pre = None if stated is None else str(stated)
    with refused_by_library(
        f"The tokenizer of {file.path} (kind {kind!r}, pre-tokenizer {pre!r}) cannot be converted",
        "Use the model's folder with its tokenizer.json instead of the GGUF file.",
    ):
        if kind == "gpt2":
            assumed = assumption(pre)
            return Tokenizer(_byte_level(metadata, pre)), () if assumed is None else (assumed,)
        note = f"The tokenizer (kind {kind}) was converted by transformers"
        if kind == "llama":
            note += (
                ": a space at a text's start, ▁ and what follows a special token may be split otherwise by the model"
            )
        return Tokenizer(_by_transformers(metadata)), (f"{note}.",)


def _padding(metadata: Mapping[str, Any]) -> set[str]:
    """Names of rows that no token has."""
    types = metadata.get("tokenizer.ggml.token_type", [])
    named = zip(metadata["tokenizer.ggml.tokens"], types, strict=False)
    return {token for token, kind in named if kind == _UNUSED and _PADDING.fullmatch(token)}


def _byte_level(metadata: Mapping[str, Any], pre: str | None) -> Any:
    from tokenizers import AddedToken, Regex, decoders, models, pre_tokenizers
    from tokenizers import Tokenizer as Backend

    tokens: list[str] = metadata["tokenizer.ggml.tokens"]
    merges = [tuple(merge.split(" ", 1)) for merge in metadata["tokenizer.ggml.merges"]]
    padding = _padding(metadata)
    vocabulary = {token: row for row, token in enumerate(tokens) if token not in padding}
    split = REGULAR.get(pre or "")
    # Llama 3's tokenizer takes a whole word that is a token before it merges
    backend = Backend(models.BPE(vocab=vocabulary, merges=merges, ignore_merges=split == LLAMA3))
    byte_level = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=split is None)
    if split is not None:
        parts = pre_tokenizers.Split(Regex(split), behavior="isolated")
        backend.pre_tokenizer = pre_tokenizers.Sequence([parts, byte_level])
    elif pre in SINGLE_DIGITS:
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
    """What transformers makes of it, without rows that no token has and tokens that no row has."""
    from transformers.integrations.gguf import gguf_tokenizer_mapping as mapping

    prefix = "tokenizer."
    described = {
        name: metadata[prefix + key]
        for key, name in mapping.GGUF_TOKENIZER_MAPPING["tokenizer"].items()
        if prefix + key in metadata
    }
    backend = mapping.convert_gguf_tokenizer(str(metadata.get("general.architecture")), described)[0]
    return _of_rows(backend, len(metadata["tokenizer.ggml.tokens"]), _padding(metadata))


def _of_rows(backend: Any, rows: int, padding: set[str]) -> Any:
    from tokenizers import Tokenizer as Backend

    # T5's padding has other names by now, and those are tokens
    dropped = {token for token in padding if backend.token_to_id(token) is not None}
    if not dropped and all(row < rows for row in backend.get_added_tokens_decoder()):
        return backend
    described = json.loads(backend.to_str())
    described["added_tokens"] = [token for token in described["added_tokens"] if token["id"] < rows]
    model = described["model"]
    if isinstance(model["vocab"], dict):
        model["vocab"] = {token: row for token, row in model["vocab"].items() if token not in dropped}
        model["merges"] = [pair for pair in model["merges"] if "".join(pair) not in dropped]
    return Backend.from_str(json.dumps(described))
