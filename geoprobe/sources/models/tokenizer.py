"""A model's tokenizer: text to token ids, and the text of each vocabulary row."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property, lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, Int64

from geoprobe.errors import BadDataError, GeoprobeError, NotFoundError, is_failure
from geoprobe.sources.models.vocabulary import MAX_TOKENS, read_vocabulary, word_backend

__all__ = ["Tokenizer", "load_tokenizer", "refused_by_library", "word_tokenizer"]

_SENTENCEPIECE = ("tokenizer.model", "spiece.model", "spm.model", "sentencepiece.bpe.model")
_SLOW_FILES = (*_SENTENCEPIECE, "vocab.json", "vocab.txt", "tokenizer_config.json")
#: What a SentencePiece model's file begins with: the tag of its first field, the pieces.
_FIRST_FIELD = b"\n"


@dataclass(frozen=True, eq=False)
class Tokenizer:
    """A fast tokenizer, used without the special tokens that a model would add.

    Parameters
    ----------
    backend : tokenizers.Tokenizer
        The tokenizer itself.
    unknown : int or None
        An id beyond the table that stands for what is in no vocabulary, and is left out of what is encoded.
    """

    backend: Any
    unknown: int | None = None

    def __post_init__(self) -> None:
        if self.size > MAX_TOKENS:
            raise BadDataError(
                f"The tokenizer has the id {self.size - 1:,}, which is larger than any vocabulary's.",
                "It is damaged: download its files again.",
            )

    def encode(self, texts: Sequence[str]) -> list[Int64[np.ndarray, " _"]]:
        """Token ids of each text, no special tokens added, on all cores.

        Raises
        ------
        BadDataError
            When the tokenizer contradicts itself, which some do only now.
        """
        with refused_by_library("The tokenizer cannot encode", "Download its files again."):
            encodings = self.backend.encode_batch_fast(list(texts), add_special_tokens=False)
        found = [np.array(encoding.ids, dtype=np.int64) for encoding in encodings]
        return found if self.unknown is None else [ids[ids != self.unknown] for ids in found]

    @cached_property
    def sha256(self) -> str:
        """Of everything that decides its output: counts of tokenizers with the same hash can be added up."""
        return hashlib.sha256(self.backend.to_str().encode()).hexdigest()

    @cached_property
    def size(self) -> int:
        """Number of ids, added tokens included: one more than the largest id."""
        ids = self.backend.get_vocab(with_added_tokens=True).values()
        return max((row for row in ids if row != self.unknown), default=-1) + 1

    @property
    def added(self) -> dict[int, bool]:
        """Ids added to the vocabulary that was trained, and whether each is special."""
        return {row: bool(token.special) for row, token in self.backend.get_added_tokens_decoder().items()}

    def texts(self, rows: int) -> tuple[str, ...]:
        r"""The text of each of `rows` vocabulary rows.

        Bytes that are no UTF-8 by themselves are written ``\xe2``; a row without a token is ``""``.
        """
        added = self.backend.get_added_tokens_decoder()
        byte_level = _is_byte_level(self.backend)
        found = [""] * rows
        for piece, row in self.backend.get_vocab(with_added_tokens=True).items():
            if row >= rows or row == self.unknown:
                continue
            if row in added:
                found[row] = added[row].content
            elif byte_level:
                found[row] = _from_byte_level(piece)
            else:
                found[row] = piece.replace("\u2581", " ")
        return tuple(found)

    def special(self, rows: int) -> Bool[np.ndarray, " v"]:
        """(rows,) which rows are special tokens, such as end of text."""
        mask = np.zeros(rows, dtype=np.bool_)
        for row, special in self.added.items():
            if special and row < rows:
                mask[row] = True
        return mask


@lru_cache(maxsize=1)
def _byte_of_character() -> dict[str, int]:
    """GPT-2's byte alphabet: printable bytes stand for themselves, the others for U+0100 onwards."""
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in set(printable)]
    table = {chr(byte): byte for byte in printable}
    return table | {chr(0x100 + position): byte for position, byte in enumerate(others)}


def _is_byte_level(backend: Any) -> bool:
    """Whether tokens are in GPT-2's alphabet of bytes, as its decoder says, or where it has none, what splits text."""
    stage = backend.pre_tokenizer if backend.decoder is None else backend.decoder
    described = {} if stage is None else json.loads(stage.__getstate__())
    parts = described.get("decoders", described.get("pretokenizers", [described]))
    return any(part.get("type") == "ByteLevel" for part in parts)


def _from_byte_level(piece: str) -> str:
    table = _byte_of_character()
    try:
        return bytes(table[character] for character in piece).decode("utf-8", errors="backslashreplace")
    except KeyError:  # a token outside the alphabet is literal text
        return piece


def load_tokenizer(folder: Path) -> Tokenizer:
    """Load a tokenizer from a model's folder, from one file, or from a list of words; no code of the folder is run.

    Parameters
    ----------
    folder : Path
        A folder, a ``tokenizer.json`` by whatever name, or a vocabulary (``.txt``, ``.json`` or ``.parquet``).

    Raises
    ------
    NotFoundError
        When there is none, or what reads it is not installed.
    BadDataError
        When the files cannot be read as one.
    """
    if folder.is_file():
        if folder.suffix.lower() == ".json" and _describes_tokenizer(folder):
            return _prepared(_read_json(folder))
        return word_tokenizer(read_vocabulary(folder))
    path = folder / "tokenizer.json"
    if path.is_file():
        return _prepared(_read_json(path))
    if not any((folder / name).is_file() for name in _SLOW_FILES):
        raise NotFoundError(
            f"{folder} has no tokenizer: there is no tokenizer.json, nor {', '.join(_SLOW_FILES)}.",
            "Put the model's tokenizer files beside its weights, or say where they are by --tokenizer.",
        )
    from transformers import AutoTokenizer

    refused = refused_by_library(
        f"The tokenizer in {folder} cannot be converted to a fast one",
        "Save it as tokenizer.json with transformers, and put that beside the weights.",
    )
    try:
        with refused, _silent_transformers():
            loaded = AutoTokenizer.from_pretrained(str(folder), local_files_only=True, trust_remote_code=False)
            return _prepared(loaded.backend_tokenizer)
    except BadDataError as error:
        _say_if_sentencepiece_lacks(folder, error)
        raise


def _say_if_sentencepiece_lacks(folder: Path, error: BadDataError) -> None:
    if find_spec("sentencepiece") is not None:
        return
    for name in _SENTENCEPIECE:
        # a list of tokens for tiktoken, which is text, can have such a name too
        if (folder / name).is_file() and (folder / name).read_bytes()[:1] == _FIRST_FIELD:
            raise NotFoundError(
                f"The tokenizer {folder / name} is read by the package `sentencepiece`, which is not installed.",
                "Install it by: pip install sentencepiece. Or put the model's tokenizer.json beside its weights.",
            ) from error


def _describes_tokenizer(path: Path) -> bool:
    """Whether JSON is a whole tokenizer rather than a list of words."""
    content = path.read_bytes()
    try:
        found = json.loads(content)
    except (ValueError, RecursionError):
        return b'"model"' in content  # as what it is damaged
    return isinstance(found, dict) and isinstance(found.get("model"), dict)


def word_tokenizer(words: Sequence[str]) -> Tokenizer:
    """A tokenizer of whole words, a row each in this order; what is none of them is left out."""
    return Tokenizer(word_backend(words), unknown=len(words))


def _read_json(path: Path) -> Any:
    import tokenizers

    content = path.read_bytes()
    with refused_by_library(f"{path} is not a tokenizer", "Download the file again."):
        return tokenizers.Tokenizer.from_buffer(content)


@contextmanager
def refused_by_library(said: str, hint: str) -> Iterator[None]:
    """Say of whatever a tokenizers' library raises on a damaged file that the file is bad.

    Its errors have no type of their own, and a panic of its Rust code is no `Exception` at all.
    """
    try:
        yield
    except GeoprobeError:
        raise
    except BaseException as error:
        if not is_failure(error):
            raise
        why = str(error).strip().rstrip(".") or type(error).__name__
        raise BadDataError(f"{said}: {why}.", hint) from error


@contextmanager
def _silent_transformers() -> Iterator[None]:
    """Keep what transformers logs while it tries one way after another from standing before the error."""
    from transformers.utils import logging

    before = logging.get_verbosity()
    logging.set_verbosity(logging.CRITICAL)
    try:
        yield
    finally:
        logging.set_verbosity(before)


def _prepared(backend: Any) -> Tokenizer:
    # a saved tokenizer may cut or pad what it is given: counting needs every token, and no others
    backend.no_truncation()
    backend.no_padding()
    return Tokenizer(backend)
