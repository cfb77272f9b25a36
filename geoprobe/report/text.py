"""Strangers' text escaped: nothing that hides, reorders, breaks or floods a page gets through."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Sequence
from dataclasses import fields, is_dataclass, replace
from typing import TypeVar, cast

T = TypeVar("T")

_NAMED = {"\n": "\\n", "\t": "\\t", "\r": "\\r"}
_HIDDEN = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}


def escape(text: str, limit: int = 120) -> str:
    r"""Text that can be shown on one line: what cannot be seen is written as its escape.

    Control, format (bidi, zero-width), surrogate, private and unassigned characters are as ``\u{202e}``, spaces at
    either end as ``␣``; a longer text is cut, with its length.
    """
    shown = "".join(_escape_character(character) for character in text[:limit])
    if len(text) > limit:
        return f"{shown}… ({len(text):,} characters)"
    inner = shown.strip(" ")
    if not inner:
        return "␣" * len(shown)
    start, end = len(shown) - len(shown.lstrip(" ")), len(shown) - len(shown.rstrip(" "))
    return "␣" * start + inner + "␣" * end


def distinct(names: Sequence[str], limit: int) -> list[str]:
    """Names of a row of things, visible and shortened in the middle, as they differ at their ends.

    They are different, where the result is to tell them apart: of those that are equal when shortened, each has its
    place in the row behind it. The limit is of characters, before what cannot be seen is written as its escape.
    """
    short = [_shortened(name, limit) for name in names]
    times = Counter(short)
    return [f"{name} [{place}]" if times[name] > 1 else name for place, name in enumerate(short, 1)]


def _shortened(name: str, limit: int) -> str:
    if len(name) <= limit:
        return escape(name, limit)
    head = limit // 3
    return f"{escape(name[:head].rstrip(' '))}…{escape(name[head + 1 - limit :].lstrip(' '))}"


def escape_all(part: T) -> T:
    """The same view, section, figure or table with no character in it that cannot be seen; lines and spaces stay."""
    if isinstance(part, str):
        return cast("T", part if part.isprintable() else "\n".join(map(_escape_line, part.split("\n"))))
    if isinstance(part, tuple):
        holds_text = any(isinstance(inner, str | tuple) or is_dataclass(inner) for inner in part)
        return cast("T", tuple(map(escape_all, part)) if holds_text else part)
    if is_dataclass(part) and not isinstance(part, type):
        return cast("T", replace(part, **{field.name: escape_all(getattr(part, field.name)) for field in fields(part)}))
    return part


def _escape_line(line: str) -> str:
    return "".join(map(_escape_character, line))


def _escape_character(character: str) -> str:
    if character in _NAMED:
        return _NAMED[character]
    category = unicodedata.category(character)
    if category in _HIDDEN or (category == "Zs" and character != " "):
        return f"\\u{{{ord(character):x}}}"
    return character
