"""A model's tokenizer: text to token ids, and the text of each vocabulary row."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

import numpy as np
from jaxtyping import Bool, Int64

from geoprobe.errors import BadDataError, GeoprobeError, NotFoundError, is_failure
from geoprobe.files import check_small, read_small
from geoprobe.sources.models.byte_alphabet import from_byte_level
from geoprobe.sources.models.checkpoint import read_json
from geoprobe.sources.models.normalizer_growth import (
    TRUSTED,
    check_charsmap,
    check_growth,
    check_model,
    stated_normalizer,
)
from geoprobe.sources.models.sentencepiece_model import is_sentencepiece, pieces_backend, read_pieces
from geoprobe.sources.models.tekken import tekken_backend
from geoprobe.sources.models.tokenizer_settings import with_settings, without_dropout
from geoprobe.sources.models.vocabulary import MAX_TOKENS, SPLITTING, read_vocabulary, word_backend

_SENTENCEPIECE = ("tokenizer.model", "spiece.model", "spm.model", "sentencepiece.bpe.model")
_SLOW_FILES = (*_SENTENCEPIECE, "vocab.json", "vocab.txt", "tokenizer_config.json")
_SLOW_PARTS = (
    "merges.txt",
    "special_tokens_map.json",
    "added_tokens.json",
    "tokenizer.tiktoken",
    "chat_template.jinja",
)
#: Bytes of the largest file of a tokenizer: those of 262,144 tokens take 35 million.
_LARGEST = 1 << 27
#: Characters of a text that are normalised at a time to see how it grows.
_SLICE = 4096


@dataclass(frozen=True, eq=False)
class Tokenizer:
    """A fast tokenizer, used without the special tokens that a model would add.

    `unknown` is an id beyond the table that stands for what is in no vocabulary, and is left out of what is encoded;
    `again` has the rows whose word an earlier row has, which is the one that is counted.
    """

    backend: Any
    unknown: int | None = None
    notes: tuple[str, ...] = ()
    again: Mapping[int, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.size > MAX_TOKENS:
            raise BadDataError(
                f"The tokenizer has the id {self.size - 1:,}, which is larger than any vocabulary's.",
                "It is damaged: download its files again.",
            )

    def encode(self, texts: Sequence[str]) -> list[Int64[np.ndarray, " _"]]:
        """Token ids of each text, no special tokens added, on all cores; some tokenizers fail only now."""
        with refused_by_library("The tokenizer cannot encode", "Download its files again."):
            if self.growth > TRUSTED:
                self._check_lengths(texts)
            encodings = self.backend.encode_batch_fast(list(texts), add_special_tokens=False)
        encoded = [np.array(encoding.ids, dtype=np.int64) for encoding in encodings]
        return encoded if self.unknown is None else [ids[ids != self.unknown] for ids in encoded]

    @cached_property
    def growth(self) -> float:
        """How many times as long its normalizer may make a text, as far as its rules tell."""
        stages = (self.backend.normalizer, self.backend.pre_tokenizer, self.backend.post_processor)
        return check_growth(*(None if stage is None else json.loads(stage.__getstate__()) for stage in stages))

    def _check_lengths(self, texts: Sequence[str]) -> None:
        """Refuse texts that the normalizer makes many times as long, slice by slice before they are made whole."""
        for text in texts:
            made = 0
            for start in range(0, len(text), _SLICE):
                made += len(self.backend.normalizer.normalize_str(text[start : start + _SLICE]))
                if made > TRUSTED * (start + _SLICE):
                    raise ValueError(f"its normalizer makes of {start + _SLICE:,} characters {made:,}")

    @cached_property
    def sha256(self) -> str:
        """Of everything that decides its output: counts of tokenizers with the same hash can be added up."""
        return hashlib.sha256(self.backend.to_str().encode()).hexdigest()

    @cached_property
    def size(self) -> int:
        """Number of ids, added tokens included: one more than the largest id."""
        ids = self.backend.get_vocab(with_added_tokens=True).values()
        return max((row for row in (*ids, *self.again) if row != self.unknown), default=-1) + 1

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
        texts = [self.again.get(row, "") for row in range(rows)]
        for piece, row in self.backend.get_vocab(with_added_tokens=True).items():
            if row >= rows or row == self.unknown:
                continue
            if row in added:
                texts[row] = added[row].content
            else:  # of several names of a row, which come in no order, the last of the alphabet
                text = from_byte_level(piece) if byte_level else piece.replace("\u2581", " ")
                texts[row] = max(texts[row], text)
        return tuple(texts)

    def special(self, rows: int) -> Bool[np.ndarray, " v"]:
        """(rows,) which rows are special tokens, such as end of text."""
        mask = np.zeros(rows, dtype=np.bool_)
        for row, special in self.added.items():
            if special and row < rows:
                mask[row] = True
        return mask


def _is_byte_level(backend: Any) -> bool:
    """Whether tokens are in GPT-2's alphabet of bytes, as its decoder says, or where it has none, what splits text."""
    stage = backend.pre_tokenizer if backend.decoder is None else backend.decoder
    described = {} if stage is None else json.loads(stage.__getstate__())
    parts = described.get("decoders", described.get("pretokenizers", [described]))
    return any(part.get("type") == "ByteLevel" for part in parts)


def load_tokenizer(place: Path) -> Tokenizer:
    """Load a tokenizer from a model's folder, from one file, or from a list of words; no code of the folder is run.

    The file is a ``tokenizer.json`` by whatever name, a ``tekken.json``, a SentencePiece model (``.model``), or a
    vocabulary (``.txt``, ``.json`` or ``.parquet``).
    """
    if place.is_file():
        return _from_file(place)
    whole, pieces, tekken = place / "tokenizer.json", place / "tokenizer.model", place / "tekken.json"
    if whole.is_file():
        return _prepared(_read_json(whole), place)
    if tekken.is_file():
        return _prepared(_read_tekken(tekken))
    if pieces.is_file() and is_sentencepiece(pieces) and not _renumbered(place):
        prefix = read_json(place / "tokenizer_config.json").get("add_prefix_space")
        return _prepared(_read_pieces(pieces, prefix if isinstance(prefix, bool) else None), place)
    if not any((place / name).is_file() for name in _SLOW_FILES):
        raise NotFoundError(
            f"{place} has no tokenizer: there is no tokenizer.json, nor {', '.join(_SLOW_FILES)}.",
            "Put the model's tokenizer files beside its weights, or say where they are by --tokenizer.",
        )
    return _by_transformers(place)


def _from_file(path: Path) -> Tokenizer:
    suffix = path.suffix.lower()
    if suffix == ".json" and (kind := _kind_of_json(path)) is not None:
        return _prepared(_read_tekken(path) if kind == "tekken" else _read_json(path))
    if suffix == ".model" and is_sentencepiece(path):
        return _prepared(_read_pieces(path))
    return word_tokenizer(read_vocabulary(path))


def _by_transformers(folder: Path) -> Tokenizer:
    from transformers import AutoTokenizer

    code = read_json(folder / "tokenizer_config.json").get("auto_map")
    if isinstance(code, dict) and code.get("AutoTokenizer"):
        raise BadDataError(
            f"The tokenizer in {folder} is made by code of its own, which is never run.",
            "Save it as tokenizer.json where that code is trusted, and put that beside the weights.",
        )
    for name in (*_SLOW_FILES, *_SLOW_PARTS):
        if (folder / name).is_file():
            check_small(folder / name, _LARGEST)
    for name in _SENTENCEPIECE:
        if (folder / name).is_file() and is_sentencepiece(folder / name):
            check_charsmap(read_pieces(folder / name).charsmap)
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
        if (folder / name).is_file() and is_sentencepiece(folder / name):
            raise NotFoundError(
                f"The tokenizer {folder / name} is read by the package `sentencepiece`, which is not installed.",
                "Install it by: pip install sentencepiece. Or put the model's tokenizer.json beside its weights.",
            ) from error


def _kind_of_json(path: Path) -> Literal["tokenizer", "tekken"] | None:
    """Whether JSON is a whole tokenizer, one of Mistral's, or neither, such as a list of words."""
    content = read_small(path, _LARGEST)
    try:
        described = json.loads(content)
    except (ValueError, RecursionError):
        return "tokenizer" if b'"model"' in content else None  # as what it is damaged
    if not isinstance(described, dict):
        return None
    if isinstance(described.get("config"), dict) and isinstance(described.get("vocab"), list):
        return "tekken"
    return "tokenizer" if isinstance(described.get("model"), dict) else None


def word_tokenizer(words: Sequence[str]) -> Tokenizer:
    """A tokenizer of whole words, a row each in this order; what is none of them is left out."""
    first: dict[str, int] = {}
    for row, word in enumerate(words):
        first.setdefault(word, row)
    again = {row: word for row, word in enumerate(words) if first[word] != row}
    notes = (SPLITTING, *([f"Words that come again, counted in their first row: {len(again):,}."] if again else ()))
    return Tokenizer(word_backend(words), len(words), notes, again)


def _renumbered(folder: Path) -> bool:
    """Whether a model's rows are not those of the pieces in its `tokenizer.model`."""
    return str(read_json(folder / "config.json").get("model_type", "")).startswith("seamless")


def _read_pieces(path: Path, prefix: bool | None = None) -> Any:
    with refused_by_library(f"{path} is not a SentencePiece model", "Download the file again."):
        pieces = read_pieces(path)
        check_charsmap(pieces.charsmap)
        return pieces_backend(pieces if prefix is None else replace(pieces, prefix=prefix))


def _read_tekken(path: Path) -> Any:
    with refused_by_library(f"{path} is not a Tekken tokenizer", "Download the file again."):
        return tekken_backend(json.loads(read_small(path, _LARGEST)))


def _read_json(path: Path) -> Any:
    import tokenizers

    content = read_small(path, _LARGEST)
    with refused_by_library(f"{path} is not a tokenizer", "Download the file again."):
        check_growth(stated_normalizer(content))
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


def _prepared(backend: Any, folder: Path | None = None) -> Tokenizer:
    """A tokenizer as it counts, with what the other files of its folder say of it."""
    notes: tuple[str, ...] = ()
    if folder is not None:
        with refused_by_library(f"The tokenizer files in {folder} contradict each other", "Download them again."):
            backend, notes = with_settings(backend, folder)
    # a saved tokenizer may cut or pad what it is given: counting needs every token, and no others
    backend.no_truncation()
    backend.no_padding()
    tokenizer = Tokenizer(backend, notes=(*without_dropout(backend), *notes))
    with refused_by_library("The tokenizer cannot be used", "Download its files again."):
        check_model(backend.model)
        tokenizer.growth  # noqa: B018 (one beyond bounds is refused before it meets a text)
    return tokenizer
