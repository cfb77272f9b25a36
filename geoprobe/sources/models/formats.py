"""The formats that weights are kept in: how each is known by its files, and how those are opened.

A new format is a module with a `Checkpoint` of its own, and a row of `FORMATS` here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from geoprobe.errors import UsageError
from geoprobe.files import escaped_name
from geoprobe.sources.models.checkpoint import Checkpoint, SafetensorsFiles, read_json, shard_files
from geoprobe.sources.models.fasttext import MAGIC, read_fasttext
from geoprobe.sources.models.gguf import GgufFile, is_whole_or_first, open_gguf
from geoprobe.sources.models.gguf_tokenizer import gguf_tokenizer
from geoprobe.sources.models.pickled import PICKLED_SUFFIXES, PickledFiles
from geoprobe.sources.models.tokenizer import Tokenizer, load_tokenizer, word_tokenizer
from geoprobe.sources.models.word_vectors import (
    WordVectors,
    is_binary_word2vec,
    read_array_file,
    read_binary_word2vec,
    read_word_vectors,
)


@dataclass(frozen=True, eq=False)
class Stored:
    """What a model's files hold; the configuration of a GGUF file is its metadata under a configuration's names."""

    checkpoint: Checkpoint
    config: Mapping[str, Any]
    tokenizer: Callable[[], Tokenizer]
    name: str | None = None


def _nothing(_: Path) -> list[Path]:
    return []


@dataclass(frozen=True)
class Format:
    """One format.

    `open` reads no tensor; `label` is what a report calls a model that is one such file; `in_folder` gives the files
    that make up the model of a folder, none where it holds none of this format; `loaded` those that transformers loads,
    to run or train the model; `begins` says whether a file's first bytes are of the format, whatever its name.
    """

    name: str
    suffixes: tuple[str, ...]
    open: Callable[[tuple[Path, ...]], Stored]
    label: Callable[[Path], str]
    in_folder: Callable[[Path], list[Path]] = _nothing
    loaded: Callable[[Path], list[Path]] | None = None
    begins: Callable[[bytes], bool] = lambda _: False


def _open_safetensors(files: tuple[Path, ...]) -> Stored:
    return _beside(SafetensorsFiles(files), files[0].parent)


def _open_pickled(files: tuple[Path, ...]) -> Stored:
    if is_binary_word2vec(files[0]):  # its files have the suffix of PyTorch's
        return _stored(*read_binary_word2vec(files[0]))
    return _beside(PickledFiles(files), files[0].parent)


def _beside(checkpoint: Checkpoint, folder: Path) -> Stored:
    """Weights whose configuration and tokenizer are files beside them."""
    return Stored(checkpoint, read_json(folder / "config.json"), lambda: load_tokenizer(folder))


def _open_gguf(files: tuple[Path, ...]) -> Stored:
    return stored_gguf(open_gguf(files[0]), files[0])


def stored_gguf(file: GgufFile, path: Path) -> Stored:
    """What a GGUF file holds; `path` is for its name."""
    architecture = str(file.metadata.get("general.architecture", "unknown"))
    config: dict[str, Any] = {"model_type": architecture}
    if not _is_encoder(architecture, file.metadata):
        config["tie_word_embeddings"] = "output.weight" not in file.names()
    scale = file.metadata.get(f"{architecture}.embedding_scale")
    if scale is not None:
        config["embedding_multiplier"] = scale
    depth = file.metadata.get(f"{architecture}.block_count")
    if depth is not None:
        config["num_hidden_layers"] = depth
    name = str(file.metadata.get("general.name", escaped_name(path.stem)))
    return Stored(file, config, partial(gguf_tokenizer, file), name)


def _is_encoder(architecture: str, metadata: Mapping[str, Any]) -> bool:
    """Whether a GGUF file's model has no output matrix, be it the embedding or another one."""
    named = "bert" in architecture or architecture == "t5encoder"
    return named or metadata.get(f"{architecture}.attention.causal") is False


def _open_array(files: tuple[Path, ...]) -> Stored:
    def no_words() -> Tokenizer:
        raise UsageError(f"{files[0]} holds vectors and no words.", "Give its vocabulary by --tokenizer.")

    return Stored(read_array_file(files[0]), {}, no_words)


def _open_fasttext(files: tuple[Path, ...]) -> Stored:
    return _stored(*read_fasttext(files[0]))


def _open_word_vectors(files: tuple[Path, ...]) -> Stored:
    return _stored(*read_word_vectors(files[0]))


def _stored(vectors: WordVectors, words: tuple[str, ...]) -> Stored:
    """Vectors and the words that they are of."""
    return Stored(vectors, {}, lambda: word_tokenizer(words))


def _one_gguf(folder: Path) -> list[Path]:
    files = [path for path in sorted(folder.iterdir()) if path.suffix.lower() == ".gguf" and path.is_file()]
    whole = [path for path in files if is_whole_or_first(path)]
    return whole if len(whole) == 1 else []


def _sharded(folder: Path, single: str, others: str) -> list[Path]:
    return shard_files(folder, single) or sorted(path for path in folder.glob(others) if path.is_file())


def _own_name(path: Path) -> str:
    """A file's name, or its folder's where the file has a name that every model's has."""
    standard = _STANDARD.match(path.name) or (path.parent / "config.json").is_file()
    return path.parent.resolve().name if standard else path.stem


_SAFETENSORS, _PICKLED = "model.safetensors", "pytorch_model.bin"
_STANDARD = re.compile(r"(model|pytorch_model|consolidated)\b", re.IGNORECASE)
GGUF = Format(
    "GGUF", (".gguf",), _open_gguf, lambda path: path.stem, _one_gguf, _one_gguf, lambda head: head[:4] == b"GGUF"
)
#: In the order in which a folder is looked at.
FORMATS: tuple[Format, ...] = (
    Format(
        "safetensors",
        (".safetensors",),
        _open_safetensors,
        _own_name,
        partial(_sharded, single=_SAFETENSORS, others="*.safetensors"),
        partial(shard_files, single=_SAFETENSORS),
        lambda head: head[8:9] == b"{" and head[5:8] == b"\0\0\0",
    ),
    Format(
        "PyTorch",
        PICKLED_SUFFIXES,
        _open_pickled,
        _own_name,
        partial(_sharded, single=_PICKLED, others="pytorch_model*.bin"),
        partial(shard_files, single=_PICKLED),
        lambda head: head[:4] == b"PK\x03\x04",
    ),
    GGUF,
    Format("NumPy", (".npy",), _open_array, lambda path: path.stem, begins=lambda head: head[:6] == b"\x93NUMPY"),
    Format("fastText", (".ftz",), _open_fasttext, lambda path: path.stem, begins=lambda head: head[:4] == MAGIC),
    Format("word vectors", (".txt", ".vec", ".gz"), _open_word_vectors, lambda path: path.name),
)
#: Every suffix of a file that can be scanned.
SUFFIXES = tuple(suffix for format in FORMATS for suffix in format.suffixes)
