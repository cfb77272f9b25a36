"""SentencePiece vocabularies, pieces with scores, as tokenizers of `tokenizers`: of a `.model` file or a GGUF file."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from geoprobe.errors import BadDataError
from geoprobe.sources.models.vocabulary import MAX_TOKENS, check_lengths

#: Kinds of pieces, as SentencePiece and GGUF number them.
NORMAL, UNKNOWN, CONTROL, USER_DEFINED, UNUSED, BYTE = range(1, 7)
_UNIGRAM, _BPE = 1, 2
_SPACE = "\u2581"
#: The largest vocabularies take some megabytes.
_MAX_BYTES = 1 << 28
#: Log-probability of a piece that must not be chosen.
_NEVER = -1e9


@dataclass(frozen=True, eq=False)
class Pieces:
    """A vocabulary, and how text is put into its form before it is cut.

    `scores` say what BPE merges first, or are log-probabilities, where the most probable cut is taken (`unigram`).
    `prefix`, `collapse` and `escape` say whether a space is put before a text, runs of spaces become one, and spaces
    are written as ``▁``. `charsmap` is the compiled table of characters that are replaced, and `unknown` the row of
    what no piece covers.
    """

    texts: Sequence[str]
    scores: Sequence[float]
    kinds: Sequence[int]
    unigram: bool
    unknown: int = 0
    prefix: bool = True
    collapse: bool = True
    escape: bool = True
    charsmap: bytes = b""


def is_sentencepiece(path: Path) -> bool:
    """Whether a file begins as a SentencePiece model does; a list of tokens for tiktoken may have such a name too."""
    with path.open("rb") as file:
        return file.read(1) == b"\n"


def read_pieces(path: Path) -> Pieces:
    """Read a SentencePiece model's file, a message of protocol buffers."""
    if path.stat().st_size > _MAX_BYTES:
        raise BadDataError(f"{path} is larger than any SentencePiece model.", "Give the file that was meant.")
    texts: list[str] = []
    scores: list[float] = []
    kinds: list[int] = []
    trainer: dict[int, Any] = {}
    normalizer: dict[int, Any] = {}
    try:
        for number, value in _fields(path.read_bytes()):
            if number == 1:
                piece = dict(_fields(value))
                texts.append(piece[1].decode())
                scores.append(float(piece.get(2, 0.0)))
                kinds.append(int(piece.get(3, NORMAL)))
            elif number == 2:
                trainer = dict(_fields(value))
            elif number == 3:
                normalizer = dict(_fields(value))
    except (ValueError, KeyError, IndexError, TypeError, AttributeError, struct.error) as error:
        raise BadDataError(f"{path} is not a SentencePiece model: {error}.", "Download it again.") from error
    kind = trainer.get(3, _UNIGRAM)
    if len(set(texts)) < len(texts) or "" in texts:
        raise BadDataError(
            f"{path} is not a SentencePiece model: two pieces are one, or one is empty.", "Download it again."
        )
    if not 0 < len(texts) <= MAX_TOKENS or kind not in (_UNIGRAM, _BPE) or trainer.get(24):
        raise BadDataError(
            f"{path} is a SentencePiece model of {len(texts):,} pieces and of type {kind}, which cannot be read.",
            "Give the model's tokenizer.json by --tokenizer.",
        )
    return Pieces(
        texts,
        scores,
        kinds,
        kind == _UNIGRAM,
        unknown=int(trainer.get(40, 0)),
        prefix=bool(normalizer.get(3, True)),
        collapse=bool(normalizer.get(4, True)),
        escape=bool(normalizer.get(5, True)),
        charsmap=bytes(normalizer.get(2, b"")),
    )


def _fields(message: bytes) -> Iterator[tuple[int, Any]]:
    """Number and value of each field of a message: an integer, a float, or the bytes of what has a length."""
    at = 0
    while at < len(message):
        tag, at = _varint(message, at)
        kind = tag & 7
        value: Any
        if kind == 0:
            value, at = _varint(message, at)
        elif kind == 1:
            value, at = struct.unpack_from("<d", message, at)[0], at + 8
        elif kind == 5:
            value, at = struct.unpack_from("<f", message, at)[0], at + 4
        elif kind == 2:
            length, at = _varint(message, at)
            if length > len(message) - at:
                raise ValueError(f"{length:,} bytes are claimed at byte {at:,} of {len(message):,}")
            value, at = message[at : at + length], at + length
        else:
            raise ValueError(f"a field of wire type {kind}")
        yield tag >> 3, value


def _varint(message: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = message[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7
        if shift > 63:
            raise ValueError("a number of over ten bytes")


def pieces_backend(pieces: Pieces) -> Any:
    """A tokenizer that cuts text as SentencePiece does; control pieces are special tokens."""
    from tokenizers import AddedToken, Regex, Tokenizer, decoders, normalizers, pre_tokenizers

    check_lengths(pieces.texts)
    whole = [text for text, kind in zip(pieces.texts, pieces.kinds, strict=True) if kind == USER_DEFINED and text]
    backend = Tokenizer(_unigram(pieces) if pieces.unigram else _bpe(pieces, bool(whole)))
    steps: list[Any] = [normalizers.Precompiled(pieces.charsmap)] if pieces.charsmap else []
    if pieces.collapse:  # of white space only spaces count
        steps += [normalizers.Replace(Regex(r"\A +| +\z"), ""), normalizers.Replace(Regex(" {2,}"), " ")]
    if pieces.escape:
        steps.append(normalizers.Replace(" ", _SPACE))
    if pieces.prefix:
        steps.append(normalizers.Prepend(_SPACE if pieces.escape else " "))
    backend.normalizer = normalizers.Sequence(steps)
    if whole:  # user-defined pieces are never cut or merged
        backend.pre_tokenizer = pre_tokenizers.Split(Regex(_any_of(whole)), behavior="isolated")
    backend.decoder = decoders.Sequence([decoders.Replace(_SPACE, " "), decoders.ByteFallback(), decoders.Fuse()])
    special = [
        AddedToken(text, normalized=False, special=True)
        for text, kind in zip(pieces.texts, pieces.kinds, strict=True)
        if kind in (UNKNOWN, CONTROL) and text
    ]
    backend.add_special_tokens(special)
    return backend


def _unigram(pieces: Pieces) -> Any:
    from tokenizers import models

    never = {UNUSED, CONTROL}
    scored = [
        (text, _NEVER if kind in never else score)
        for text, score, kind in zip(pieces.texts, pieces.scores, pieces.kinds, strict=True)
    ]
    return models.Unigram(scored, pieces.unknown, BYTE in pieces.kinds)


def _bpe(pieces: Pieces, whole: bool) -> Any:
    from tokenizers import models

    vocabulary: dict[str, int] = {}
    for row, text in enumerate(pieces.texts):
        vocabulary.setdefault(text, row)
    normal = {
        text: (-score, row)
        for row, (text, score, kind) in enumerate(zip(pieces.texts, pieces.scores, pieces.kinds, strict=True))
        if kind == NORMAL
    }
    # a character with no piece but that of its byte takes part in merges all the same
    for text in list(normal):
        for character in text:
            byte = vocabulary.get(f"<0x{ord(character):02X}>")
            if byte is not None and character not in vocabulary:
                vocabulary[character] = byte
                normal[character] = (0.0, byte)
    return models.BPE(
        vocab=vocabulary,
        merges=_merges(normal),
        unk_token=pieces.texts[pieces.unknown] if pieces.unknown < len(pieces.texts) else None,
        fuse_unk=True,
        byte_fallback=BYTE in pieces.kinds,
        ignore_merges=whole,
    )


def _merges(normal: Mapping[str, tuple[float, int]]) -> list[tuple[str, str]]:
    """Every pair of pieces that makes a piece, in the order in which SentencePiece makes them: by score."""
    ranked = [
        (*rank, text[:cut], text[cut:])
        for text, rank in normal.items()
        for cut in range(1, len(text))
        if text[:cut] in normal and text[cut:] in normal
    ]
    return [(left, right) for _, _, left, right in sorted(ranked)]


def _any_of(texts: Sequence[str]) -> str:
    """A regular expression for the longest of these texts, which looks at each character once."""
    tree: dict[str, Any] = {}
    for text in texts:
        node = tree
        for character in text:
            node = node.setdefault(character, {})
        node[""] = {}
    return _branches(tree)


def _branches(node: Mapping[str, Any]) -> str:
    parts = []
    for character, below in node.items():
        tail, at = re.escape(character), below
        while len(at) == 1 and "" not in at:  # a run without a branch needs no group
            ((following, at),) = at.items()
            tail += re.escape(following)
        if character:
            parts.append(tail + (_branches(at) if set(at) - {""} else ""))
    body = f"(?:{'|'.join(parts)})"
    return f"{body}?" if "" in node else body
