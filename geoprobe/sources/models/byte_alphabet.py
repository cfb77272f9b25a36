"""GPT-2's alphabet of bytes, in which byte-level vocabularies are written: a printable letter for each of 256 bytes."""

from __future__ import annotations

from functools import lru_cache


@lru_cache(maxsize=1)
def _letters() -> tuple[str, ...]:
    """The letter of each byte: printable ones stand for themselves, the others for U+0100 onwards."""
    printable = {*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)}
    others = [byte for byte in range(256) if byte not in printable]
    return tuple(chr(byte if byte in printable else 0x100 + others.index(byte)) for byte in range(256))


@lru_cache(maxsize=1)
def _bytes() -> dict[str, int]:
    return {letter: byte for byte, letter in enumerate(_letters())}


def to_byte_level(token: bytes) -> str:
    """Bytes in the alphabet."""
    letters = _letters()
    return "".join(letters[byte] for byte in token)


def from_byte_level(piece: str) -> str:
    """The text of a token in the alphabet; bytes that are no UTF-8 as their escapes."""
    try:
        return bytes(_bytes()[letter] for letter in piece).decode("utf-8", errors="backslashreplace")
    except KeyError:  # a token outside the alphabet is literal text
        return piece
