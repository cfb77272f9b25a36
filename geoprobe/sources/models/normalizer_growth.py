"""How many times as long a tokenizer makes a text: a few rules of replacing can fill any memory.

Nine rules that each write ten characters for one make a gigabyte of one letter, and so do thirty steps that write a
letter's bytes as letters, or a template that has the text a million times. `tokenizers` allocates that before anything
can be looked at, and ends the process where it cannot.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
from typing import Any

import msgspec

#: No character is decomposed into more, and none has more bytes.
_UNICODE, _BYTES = 18, 4
_BUILT_IN = {
    **dict.fromkeys(("NFKC", "NFKD"), _UNICODE),
    **dict.fromkeys(("NFC", "NFD"), _BYTES),
    "BertNormalizer": 3 * _BYTES,  # spaces around a character of Chinese, or accents apart
    "Lowercase": 3,
    **dict.fromkeys(("Nmt", "StripAccents", "Strip"), 1),
}
#: Growth up to which no text is looked at, and beyond which none is read: ALBERT's may be 324, as far as rules tell.
TRUSTED, _MOST = 20, 2048
#: Expressions of known tokenizers that find one character at the least.
_FINDING = frozenset((" {2,}", " +", r"\s+", r"\s{2,}", r"\n+", r"[\r\n]+"))
#: Steps that write bytes as letters: the models of today have one, and each more doubles the text.
_MOST_LEVELS = 3
#: Settings of models, and the largest of any: WordPiece's time for a word is the cube of its length.
_MODEL = {"max_input_chars_per_word": 1_000, "continuing_subword_prefix": 100, "end_of_word_suffix": 100}
#: Characters of the longest added token, which is normalised as the tokenizer is read.
_LONGEST_TOKEN = 1 << 16


class _Token(msgspec.Struct):
    content: str = ""


class _Stated(msgspec.Struct):
    normalizer: Any = None
    added_tokens: list[_Token] | None = None


def stated_normalizer(content: bytes) -> Any:
    """The normalizer that a `tokenizer.json` describes, or None; nothing is made of it.

    Raises ValueError where the file is no JSON of a tokenizer, or adds a token of a length that none has.
    """
    try:
        stated = msgspec.json.decode(content, type=_Stated)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise ValueError(str(error)) from error
    longest = max((len(token.content) for token in stated.added_tokens or ()), default=0)
    if longest > _LONGEST_TOKEN:
        raise ValueError(f"it adds a token of {longest:,} characters")
    return stated.normalizer


def check_growth(normalizer: Any, pre_tokenizer: Any = None, post_processor: Any = None) -> float:
    """How many times as long a normalizer may make a text; it and the stages behind it as JSON describes them.

    Raises ValueError when that is more than of any known one, or a later stage repeats the text or its bytes.
    """
    stages = [step.get("type") for step in _steps(pre_tokenizer)]
    if stages.count("ByteLevel") > _MOST_LEVELS:
        raise ValueError(f"it writes bytes as letters {stages.count('ByteLevel'):,} times over")
    for step in _steps(post_processor):
        template = step.get("single")
        parts = template if isinstance(template, list) else []
        times = sum(isinstance(part, Mapping) and "Sequence" in part for part in parts)
        if step.get("type") == "TemplateProcessing" and times != 1:
            raise ValueError(f"its template has a text {times:,} times")
    found = growth(normalizer)
    if found > _MOST:
        raise ValueError(f"its normalizer may make a text {found:.3g} times as long")
    return found


def check_model(model: Any) -> None:
    """Refuse, by ValueError, a model of `tokenizers` that takes hours over a long word.

    Such a one tries every piece of a word longer than any, or puts a text before or behind every letter.
    """
    for name, most in _MODEL.items():
        value = getattr(model, name, None) or 0
        size = value if isinstance(value, int) else len(value)
        if size > most:
            raise ValueError(f"its {name} is of {size:,}, and of no tokenizer over {most:,}")


def check_charsmap(charsmap: bytes) -> None:
    """As `check_growth`, of a table of SentencePiece's."""
    check_growth({"type": "Precompiled", "precompiled_charsmap": base64.b64encode(charsmap).decode()})


def growth(normalizer: Any) -> float:
    """An upper bound of the characters that a normalizer writes for one; 1 for what writes none.

    What Unicode defines counts once in a row of such steps, as the second finds nothing left to decompose; behind a
    rule of the file's own it counts anew.
    """
    total, row = 1.0, 1
    for step in _steps(normalizer):
        kind = str(step.get("type"))
        if kind in _BUILT_IN:
            row = max(row, _BUILT_IN[kind])
            continue
        total, row = total * row * _own(step), 1
    return total * row


def _steps(stage: Any) -> list[Mapping[str, Any]]:
    """The steps of a tokenizer's stage in order, sequences within sequences too."""
    steps, waiting = [], [stage]
    while waiting:
        step = waiting.pop()
        if not isinstance(step, Mapping):
            continue
        inner = step.get("normalizers", step.get("pretokenizers", step.get("processors")))
        if isinstance(inner, list):
            waiting += reversed(inner)
        else:
            steps.append(step)
    return steps


def _own(step: Mapping[str, Any]) -> float:
    """Growth by a step that counts each time."""
    kind = step.get("type")
    if kind == "ByteLevel":
        return _BYTES  # of its own letters too
    if kind == "Prepend":
        return 1 + len(str(step.get("prepend")))
    if kind == "Precompiled":
        return _longest_replacement(step.get("precompiled_charsmap"))
    if kind != "Replace":
        return _UNICODE
    written, pattern = len(str(step.get("content"))), step.get("pattern")
    text = pattern.get("String") if isinstance(pattern, Mapping) else pattern
    if isinstance(text, str) and text:
        return max(1.0, written / len(text))
    finding = isinstance(pattern, Mapping) and str(pattern.get("Regex")) in _FINDING
    return max(1, written) if finding else 1 + written  # nothing is found between any two characters


def _longest_replacement(charsmap: Any) -> int:
    """Characters of the longest text in SentencePiece's table, behind its tree: each ends by a zero."""
    if isinstance(charsmap, list):
        charsmap = json.dumps(charsmap)
    try:
        table = base64.b64decode(charsmap or "")
    except (binascii.Error, ValueError, TypeError):
        return _UNICODE  # which `tokenizers` refuses
    texts = table[4 + int.from_bytes(table[:4], "little") :]
    return max((len(text.decode("utf-8", "replace")) for text in texts.split(b"\0")), default=1) or 1
