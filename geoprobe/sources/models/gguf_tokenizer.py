"""The tokenizer inside a GGUF file, built here with `tokenizers` by the kind that the file states."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from geoprobe.errors import BadDataError
from geoprobe.sources.models.gguf import GgufFile
from geoprobe.sources.models.gguf_splits import RAW, REGULAR, SINGLE_DIGITS, WHOLE_WORDS, assumption
from geoprobe.sources.models.sentencepiece_model import (
    BYTE,
    CONTROL,
    UNKNOWN,
    UNUSED,
    USER_DEFINED,
    Pieces,
    pieces_backend,
)
from geoprobe.sources.models.tokenizer import Tokenizer, refused_by_library

_KEY = "tokenizer.ggml."
#: What llama.cpp writes for a row that no token has.
_PADDING = re.compile(r"\[PAD\d+\]")
_SPACE = "\u2581"
#: A vocabulary with fewer capitals than this share is one of lower-cased text.
_FEW_CAPITALS = 0.001


def gguf_tokenizer(file: GgufFile) -> Tokenizer:
    """Build the tokenizer that a GGUF file describes."""
    metadata = file.metadata
    kind, tokens = metadata.get(_KEY + "model"), metadata.get(_KEY + "tokens")
    if kind is None or not isinstance(tokens, list) or not tokens:
        raise BadDataError(
            f"{file.path} holds no tokenizer ({_KEY}model is {kind!r}).",
            "Use a GGUF file with its vocabulary, or the model's folder.",
        )
    if kind not in _KINDS:
        raise BadDataError(
            f"{file.path} has a tokenizer of the kind {str(kind)[:40]!r}, which cannot be read.",
            f"Give the model's tokenizer.json by --tokenizer. Kinds that can be read: {', '.join(_KINDS)}.",
        )
    stated = metadata.get(_KEY + "pre")
    pre = "gemma4" if kind == "gemma4" else None if stated is None else str(stated)
    with refused_by_library(
        f"The tokenizer of {file.path} (kind {kind!r}, pre-tokenizer {pre!r}) cannot be built",
        "Use the model's folder with its tokenizer.json instead of the GGUF file.",
    ):
        backend = _KINDS[kind](metadata, pre)
    assumed = assumption(pre) if kind == "gpt2" else None
    return Tokenizer(backend, notes=() if assumed is None else (assumed,))


def _kinds(metadata: Mapping[str, Any]) -> list[int]:
    """Kind of each token; all are plain where the file does not say."""
    tokens, kinds = metadata[_KEY + "tokens"], metadata.get(_KEY + "token_type", [])
    return [int(kind) for kind in kinds[: len(tokens)]] + [1] * (len(tokens) - len(kinds))


def _vocabulary(metadata: Mapping[str, Any]) -> dict[str, int]:
    """Row of each token, without the rows that no token has."""
    vocabulary: dict[str, int] = {}
    for row, (token, kind) in enumerate(zip(metadata[_KEY + "tokens"], _kinds(metadata), strict=True)):
        if kind != UNUSED or not _PADDING.fullmatch(token):
            vocabulary.setdefault(token, row)
    return vocabulary


def _with_added(backend: Any, metadata: Mapping[str, Any], *, special: tuple[int, ...] = (CONTROL,)) -> Any:
    """The same with its control tokens, and those that users defined, found in text before it is split."""
    from tokenizers import AddedToken

    kinds = list(zip(metadata[_KEY + "tokens"], _kinds(metadata), strict=True))
    backend.add_special_tokens(
        [AddedToken(token, normalized=False, special=True) for token, kind in kinds if kind in special and token]
    )
    backend.add_tokens([AddedToken(token, normalized=False) for token, kind in kinds if kind == USER_DEFINED and token])
    return backend


def _merges(metadata: Mapping[str, Any]) -> list[tuple[str, str]]:
    pairs = []
    for merge in metadata[_KEY + "merges"]:
        cut = merge.index(" ", 1)  # the first character of a token may itself be a space
        pairs.append((merge[:cut], merge[cut + 1 :]))
    return pairs


def _bpe(metadata: Mapping[str, Any], pre: str | None) -> Any:
    from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers

    raw = RAW.get(pre or "")
    split = raw or REGULAR.get(pre or "")
    model = models.BPE(
        vocab=_vocabulary(metadata),
        merges=_merges(metadata),
        ignore_merges=pre in WHOLE_WORDS,
        byte_fallback=raw is not None and BYTE in _kinds(metadata),
    )
    backend = Tokenizer(model)
    steps: list[Any] = [pre_tokenizers.Split(Regex(part), behavior="isolated") for part in split or ()]
    if raw is not None:
        backend.normalizer = normalizers.Replace(" ", _SPACE)
        backend.decoder = decoders.Sequence([decoders.Replace(_SPACE, " "), decoders.ByteFallback(), decoders.Fuse()])
    else:
        if pre in SINGLE_DIGITS:
            steps.append(pre_tokenizers.Digits(individual_digits=True))
        steps.append(pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=split is None))
        backend.decoder = decoders.ByteLevel()
    backend.pre_tokenizer = pre_tokenizers.Sequence(steps) if len(steps) > 1 else steps[0]
    return _with_added(backend, metadata)


def _pieces(metadata: Mapping[str, Any], _: str | None) -> Any:
    """A SentencePiece vocabulary: Llama's merges by score, or T5's most probable cut."""
    kinds, unigram = _kinds(metadata), metadata[_KEY + "model"] == "t5"
    tokens = list(metadata[_KEY + "tokens"])
    while tokens and kinds[-1] == UNUSED and _PADDING.fullmatch(tokens[-1]):  # rows that no token has
        del tokens[-1], kinds[-1]
    scores = [float(score) for score in metadata.get(_KEY + "scores", [])][: len(tokens)]
    unknown = metadata.get(_KEY + "unknown_token_id", kinds.index(UNKNOWN) if UNKNOWN in kinds else 0)
    return pieces_backend(
        Pieces(
            tokens,
            scores + [0.0] * (len(tokens) - len(scores)),
            kinds,
            unigram,
            unknown=int(unknown),
            prefix=bool(metadata.get(_KEY + "add_space_prefix", True)),
            collapse=bool(metadata.get(_KEY + "remove_extra_whitespaces", unigram)),
            charsmap=bytes(byte & 0xFF for byte in metadata.get(_KEY + "precompiled_charsmap", [])),
        )
    )


def _word_pieces(metadata: Mapping[str, Any], _: str | None) -> Any:
    """BERT's vocabulary, in which llama.cpp marks the beginnings of words and not what goes on."""
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers

    tokens = metadata[_KEY + "tokens"]
    plain = [token for token, kind in zip(tokens, _kinds(metadata), strict=True) if kind == 1]
    marked = any(token.startswith(_SPACE) for token in plain)
    vocabulary = {
        _unmarked(token) if marked and kind == 1 else token: row
        for row, (token, kind) in reversed(list(enumerate(zip(tokens, _kinds(metadata), strict=True))))
        if kind != UNUSED or not _PADDING.fullmatch(token)
    }
    row = metadata.get(_KEY + "unknown_token_id")
    unknown = tokens[row] if isinstance(row, int) and row < len(tokens) else "[UNK]"
    capitals = sum(token != token.lower() for token in plain)
    lower = metadata.get(_KEY + "normalizer.lowercase", capitals <= _FEW_CAPITALS * len(plain))
    accents = metadata.get(_KEY + "normalizer.strip_accents", lower)
    backend = Tokenizer(models.WordPiece(vocabulary, unk_token=unknown))
    backend.normalizer = normalizers.BertNormalizer(lowercase=bool(lower), strip_accents=bool(accents))
    backend.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    return _with_added(backend, metadata, special=(CONTROL, UNKNOWN))


def _unmarked(token: str) -> str:
    return token.removeprefix(_SPACE) if token.startswith(_SPACE) else f"##{token}"


#: Kind of tokenizer to what builds it.
_KINDS: dict[str, Callable[[Mapping[str, Any], str | None], Any]] = {
    "gpt2": _bpe,
    "gemma4": _bpe,
    "llama": _pieces,
    "t5": _pieces,
    "bert": _word_pieces,
}
