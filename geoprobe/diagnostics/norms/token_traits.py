"""Traits of tokens that go with frequency and could stand behind a relation of anything with it."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Sequence

import numpy as np
from jaxtyping import Float64, Int64

from geoprobe.data import EmbeddingTable

#: How a byte stands in a vocabulary: SentencePiece's own token for it, or what is left of bytes that are no UTF-8.
_BYTE = re.compile(r"<0x([0-9A-Fa-f]{2})>|\\x([89A-Fa-f][0-9A-Fa-f])")
#: WordPiece marks a token that goes on with a word.
_GOES_ON = "##"
#: A vocabulary marks words in a way if so many of its tokens bear the mark.
_MARKED = 0.02

TOKEN_ID = "token id (merge order)"


def byte_values(token: str) -> list[int]:
    """The bytes that a token names one by one, because they are no text by themselves."""
    return [int(first or second, 16) for first, second in _BYTE.findall(token)]


def starts_a_word(tokens: Sequence[str]) -> Callable[[str], bool]:
    """What tells of a token whether it starts a word, by the way in which this vocabulary marks that.

    Byte-level and SentencePiece vocabularies (``Ġ``, ``▁``) give such tokens a leading space, WordPiece marks all
    others with ``##``; a vocabulary with neither is one of whole words.
    """
    named = [token for token in tokens if token]
    least = _MARKED * len(named)
    if sum(token.startswith(" ") for token in named) > least:
        return lambda token: token.startswith(" ")
    if sum(token.startswith(_GOES_ON) for token in named) > least:
        return lambda token: not token.startswith(_GOES_ON)
    return lambda _: True


def _bytes(token: str) -> float:
    text = token if token == _GOES_ON else token.removeprefix(_GOES_ON)
    return float(len(_BYTE.sub("?", text).encode("utf-8", "surrogatepass")))


def _digit(token: str) -> float:
    return float(any(character.isdigit() for character in _BYTE.sub("", token)))


def _upper(token: str) -> float:
    return float(any(character.isupper() for character in _BYTE.sub("", token)))


def _letters(token: str) -> list[bool]:
    """Of each letter whether it is Latin."""
    text = _BYTE.sub("", token)
    return [unicodedata.name(character, "").startswith("LATIN") for character in text if character.isalpha()]


def _latin(token: str) -> float:
    letters = _letters(token)
    return float(bool(letters) and all(letters))


def _other_script(token: str) -> float:
    return float(not all(_letters(token)))


def _byte(token: str) -> float:
    return float(_BYTE.search(token) is not None)


#: Name in a report to the trait of a token's text. Whether it starts a word or is special, and its id, come beside.
TRAITS: dict[str, Callable[[str], float]] = {
    "length in bytes": _bytes,
    "holds a digit": _digit,
    "holds an upper-case letter": _upper,
    "Latin script": _latin,
    "another script": _other_script,
    "byte token": _byte,
}
STARTS, SPECIAL = "starts a word", "special token"


def token_traits(
    table: EmbeddingTable, rows: Int64[np.ndarray, " n"]
) -> tuple[tuple[str, ...], Float64[np.ndarray, "n c"]]:
    """Names of the traits of the tokens in these rows, that of the token's id last, and their values."""
    tokens = [table.tokens[row] for row in rows]
    starts = starts_a_word(table.tokens)
    columns = {name: [trait(token) for token in tokens] for name, trait in TRAITS.items()}
    columns[STARTS] = [float(starts(token)) for token in tokens]
    columns[SPECIAL] = table.special[rows].astype(np.float64).tolist()
    columns[TOKEN_ID] = rows.astype(np.float64).tolist()
    return tuple(columns), np.ascontiguousarray(np.array(list(columns.values()), dtype=np.float64).T)
