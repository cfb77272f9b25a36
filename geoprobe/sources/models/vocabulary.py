"""Vocabularies of whole words: how a list of them is read, and how text is split into them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from geoprobe.errors import BadDataError, GeoprobeError, UsageError
from geoprobe.files import read_small
from geoprobe.sources.parquet_pages import rows_at_a_time

#: Words much as the Penn Treebank has them: numbers with their points, contractions apart, hyphens kept, marks apart.
_WORD = (
    r"\p{N}+(?:[.,:]\p{N}+)*|\p{L}+?(?=n't\b)|n't\b|'(?:s|re|ve|ll|d|m)\b"
    r"|[\p{L}\p{M}\p{N}_]+(?:-[\p{L}\p{M}\p{N}_]+)*|[^\s\p{L}\p{N}]"
)
SPLITTING = "Text is split into words, numbers and marks by rule; words that are not in the vocabulary are not counted."
#: A vocabulary with fewer capitals than this share is one of lower-cased text.
_FEW_CAPITALS = 0.001
#: No vocabulary is larger, in tokens or bytes; bounds what a file can make a reader hold.
MAX_TOKENS, _MAX_BYTES = 1 << 24, 1 << 28
#: Letters that are looked at to cut tokens at every place: for 262,144 tokens, some ten millions.
_MOST_CUT = 1 << 33


def check_lengths(tokens: Iterable[str | bytes]) -> None:
    """Refuse, by ValueError, tokens that take hours to be cut in two everywhere, to find the merges that make them.

    Those are tokens whose squared lengths add up to more than any vocabulary's.
    """
    if sum(len(token) ** 2 for token in tokens) > _MOST_CUT:
        raise ValueError("its tokens are longer than those of any vocabulary")


def word_backend(words: Sequence[str]) -> Any:
    """A `tokenizers` tokenizer of whole words; ``len(words)`` is the id of what is none of them."""
    from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers

    vocabulary: dict[str, int] = {}
    for row, word in enumerate(words):
        vocabulary.setdefault(word, row)  # a word that comes again keeps its first row
    unknown = _unused(vocabulary)
    backend = Tokenizer(models.WordLevel({**vocabulary, unknown: len(words)}, unk_token=unknown))
    if sum(word != word.lower() for word in vocabulary) <= _FEW_CAPITALS * len(vocabulary):
        backend.normalizer = normalizers.Lowercase()
    backend.pre_tokenizer = pre_tokenizers.Split(Regex(_WORD), behavior="removed", invert=True)
    return backend


def _unused(vocabulary: dict[str, int]) -> str:
    name = "[not in the vocabulary]"
    while name in vocabulary:
        name += "]"
    return name


def read_vocabulary(path: Path) -> tuple[str, ...]:
    """Read words in the order of their rows: a line each, a JSON list or mapping to rows, or a parquet column."""
    readers = {".txt": _lines, ".json": _json, ".parquet": _parquet}
    suffix = path.suffix.lower()
    if suffix not in readers:
        raise UsageError(
            f"{path} is no tokenizer: it is a {suffix or 'suffixless'} file.",
            "Give a folder with tokenizer files, a tokenizer.json, or a vocabulary as .txt, .json or .parquet.",
        )
    try:
        words = readers[suffix](path)
    except GeoprobeError:
        raise
    except (ValueError, OSError, RecursionError) as error:
        raise BadDataError(f"{path} is not a vocabulary: {error}.", "Give a word a line, or a JSON list.") from error
    if not words or not all(isinstance(word, str) for word in words):
        raise BadDataError(f"{path} holds no list of words.", "Give a word a line, a JSON list, or a parquet column.")
    return tuple(words)


def _lines(path: Path) -> list[str]:
    lines = (
        read_small(path, _MAX_BYTES)
        .decode("utf-8-sig")
        .replace("\r\n", "\n")
        .replace("\r", "\n")
        .rstrip("\n")
        .split("\n")
    )
    return [line.split("\t")[0] for line in lines]


def _json(path: Path) -> list[str]:
    listed = json.loads(read_small(path, _MAX_BYTES).decode("utf-8-sig"))
    if isinstance(listed, dict):
        if not all(type(row) is int for row in listed.values()) or sorted(listed.values()) != list(range(len(listed))):
            raise ValueError("its rows are not 0 to the number of words")
        return sorted(listed, key=listed.__getitem__)
    return listed if isinstance(listed, list) else []


def _parquet(path: Path) -> list[str]:
    import pyarrow as pa
    from pyarrow import parquet

    words: list[str] = []
    size = 0
    with path.open("rb") as stream, parquet.ParquetFile(stream, pre_buffer=False, buffer_size=1 << 16) as file:
        schema = file.schema_arrow
        texts = [name for name in schema.names if schema.field(name).type in (pa.string(), pa.large_string())]
        if len(texts) != 1:
            raise ValueError(f"it has {len(texts)} columns of text, and one is needed")
        # a small file can hold the same word any number of times
        rows = rows_at_a_time(stream, file.metadata, texts, 1 << 10)
        for batch in file.iter_batches(batch_size=rows, columns=texts, use_threads=False):
            size += batch.nbytes
            if len(words) + len(batch) > MAX_TOKENS or size > _MAX_BYTES:
                raise ValueError(f"it holds over {MAX_TOKENS:,} words or {_MAX_BYTES:,} bytes of them")
            words += batch.column(0).to_pylist()
    return words
