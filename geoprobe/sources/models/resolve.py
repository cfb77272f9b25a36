"""From what a user calls a model to its embedding table and tokenizer, reading nothing else of it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from geoprobe.data import EmbeddingTable
from geoprobe.errors import AccessError, NotFoundError, UsageError
from geoprobe.files import escaped_name, given_path, what_is_at
from geoprobe.sources.models.architectures import choose_tensor, vocabulary_size
from geoprobe.sources.models.checkpoint import INDEX, Checkpoint, SafetensorsFiles, read_json, shard_files
from geoprobe.sources.models.demo import DEMO_NAME, demo_model
from geoprobe.sources.models.gguf import is_whole_or_first, open_gguf
from geoprobe.sources.models.gguf_tokenizer import gguf_tokenizer
from geoprobe.sources.models.hub import open_repository
from geoprobe.sources.models.hub_checkpoint import HubCheckpoint
from geoprobe.sources.models.opened import OpenedModel
from geoprobe.sources.models.pickled import PICKLED_SUFFIXES, PickledFiles
from geoprobe.sources.models.quantised import refuse_packed
from geoprobe.sources.models.tokenizer import Tokenizer, load_tokenizer, word_tokenizer
from geoprobe.sources.models.vocabulary import SPLITTING
from geoprobe.sources.models.word_vectors import read_array_file, read_word_vectors

__all__ = ["LoadedModel", "load_model", "open_model"]

_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*(/[\w.-]+)?")
_PICKLED_INDEX = "pytorch_model.bin.index.json"
_WORD_VECTORS = (".txt", ".vec", ".gz")
_FILES = (".gguf", ".safetensors", ".npy", *PICKLED_SUFFIXES, *_WORD_VECTORS)


@dataclass(frozen=True, eq=False)
class LoadedModel:
    """A model's embedding and tokenizer."""

    embedding: EmbeddingTable
    tokenizer: Tokenizer


def load_model(
    model: str | Path,
    *,
    tensor: str | None = None,
    tokenizer: str | Path | None = None,
    revision: str | None = None,
    offline: bool = False,
    output: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> LoadedModel:
    """Find a model and open its embedding and tokenizer.

    Parameters
    ----------
    model, tensor, tokenizer, revision, offline, progress
        As of `open_model`.
    output : bool
        Fetch a hub model's output matrix too, where it is not the embedding.

    Raises
    ------
    GeoprobeError
        As `open_model`.
    """
    opened = open_model(
        model, tensor=tensor, tokenizer=tokenizer, revision=revision, offline=offline, progress=progress
    )
    return LoadedModel(opened.table(output=output), opened.tokenizer)


def open_model(
    model: str | Path,
    *,
    tensor: str | None = None,
    tokenizer: str | Path | None = None,
    revision: str | None = None,
    offline: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> OpenedModel:
    """Find a model's embedding and load its tokenizer, reading no row yet.

    Parameters
    ----------
    model : str or Path
        ``demo``; a folder of safetensors, of PyTorch files (where torch is installed) or with one GGUF file; such a
        file itself; word vectors as text (GloVe, word2vec; also ``.gz``) or ``.npy``; or a hub id.
    tensor : str, optional
        The embedding's tensor, where geoprobe should not choose.
    tokenizer : str or Path, optional
        The tokenizer, where it is not beside the weights: a folder, a ``tokenizer.json``, or a list of words.
    revision : str, optional
        Branch, tag or commit of a hub model.
    offline : bool
        Ask no network: hub models come from the cache.
    progress : callable, optional
        Called with (bytes here, bytes in all) while a tensor is fetched.

    Raises
    ------
    NotFoundError
        No such path, repository, tensor or tokenizer.
    AccessError
        Gated, private or unreadable.
    BadDataError
        A file that is not what its name says.
    UsageError
        A file of a kind that cannot be scanned.
    """
    name = str(model)
    if not name:
        raise UsageError("The name of the model is empty.", "Give `demo`, a folder, a file or a hub id.")
    given = _given_tokenizer(tokenizer)
    if name == "demo":
        return _open_gguf(demo_model(), "demo", tensor, given, name=DEMO_NAME)
    path = given_path(name)
    try:
        kind = what_is_at(path)
        if kind == "folder":
            return _open_folder(path, tensor, given)
        if kind == "file":
            return _open_file(path, tensor, given)
    except PermissionError as error:
        raise AccessError(f"{error.filename or path} may not be read.", "Check its permissions.") from error
    except OSError as error:
        raise NotFoundError(f"{path} cannot be read: {error.strerror}.", "Check the path.") from error
    if not _HUB_ID.fullmatch(name) or path.suffix.lower() in _FILES:
        raise NotFoundError(
            f"There is no model at {name!r}.",
            "Give `demo`, a folder, a .gguf file or a hub id such as owner/name.",
        )
    repository = open_repository(name, revision=revision, offline=offline, tokenizer=given is None)
    config = read_json(repository.folder / "config.json")
    return _open(
        HubCheckpoint(repository, tensor, progress),
        given or load_tokenizer(repository.folder),
        config,
        tensor,
        label=repository.name,
        revision=repository.commit,
    )


def _given_tokenizer(tokenizer: str | Path | None) -> Tokenizer | None:
    if tokenizer is None:
        return None
    path = given_path(tokenizer)
    if what_is_at(path) == "nothing":
        raise NotFoundError(f"There is no tokenizer at {str(tokenizer)!r}.", "Give a folder or a file.")
    try:
        return load_tokenizer(path)
    except PermissionError as error:
        raise AccessError(f"{error.filename or path} may not be read.", "Check its permissions.") from error


def _open_file(path: Path, tensor: str | None, tokenizer: Tokenizer | None) -> OpenedModel:
    suffix = path.suffix.lower()
    if suffix == ".gguf":
        return _open_gguf(path, path.stem, tensor, tokenizer)
    if suffix == ".safetensors" or suffix in PICKLED_SUFFIXES:
        pickled = suffix in PICKLED_SUFFIXES
        checkpoint = PickledFiles((path,)) if pickled else SafetensorsFiles((path,))
        checkpoint.names()  # a damaged file is said before a missing tokenizer
        config = read_json(path.parent / "config.json")
        own = tokenizer or load_tokenizer(path.parent)
        return _open(checkpoint, own, config, tensor, label=path.parent.resolve().name)
    if suffix == ".npy":
        if tokenizer is None:
            raise UsageError(f"{path} holds vectors and no words.", "Give its vocabulary by --tokenizer.")
        return _open(read_array_file(path), tokenizer, {}, tensor, label=path.stem, notes=_splitting(tokenizer))
    if suffix in _WORD_VECTORS:
        vectors, words = read_word_vectors(path)
        tokenizer = tokenizer or word_tokenizer(words)
        return _open(vectors, tokenizer, {}, tensor, label=path.name, notes=_splitting(tokenizer))
    raise UsageError(
        f"The model file {path} is a {path.suffix or 'suffixless'} file, which cannot be scanned.",
        f"Files that can: {', '.join(_FILES)}.",
    )


def _splitting(tokenizer: Tokenizer) -> tuple[str, ...]:
    return () if tokenizer.unknown is None else (SPLITTING,)


def _open_gguf(
    path: Path, label: str, tensor: str | None, tokenizer: Tokenizer | None, name: str | None = None
) -> OpenedModel:
    file = open_gguf(path)
    own, assumed = (tokenizer, ()) if tokenizer is not None else gguf_tokenizer(file)
    architecture = str(file.metadata.get("general.architecture", "unknown"))
    config: dict[str, Any] = {"model_type": architecture}
    if not _is_encoder(architecture, file.metadata):
        config["tie_word_embeddings"] = "output.weight" not in file.names()
    scale = file.metadata.get(f"{architecture}.embedding_scale")
    if scale is not None:
        config["embedding_multiplier"] = scale
    called = name or str(file.metadata.get("general.name", escaped_name(path.stem)))
    return _open(file, own, config, tensor, label=label, name=called, notes=assumed)


def _is_encoder(architecture: str, metadata: Mapping[str, Any]) -> bool:
    """Whether a GGUF file's model has no output matrix, be it the embedding or another one."""
    named = "bert" in architecture or architecture == "t5encoder"
    return named or metadata.get(f"{architecture}.attention.causal") is False


def _open_folder(folder: Path, tensor: str | None, tokenizer: Tokenizer | None) -> OpenedModel:
    label = folder.resolve().name
    config = read_json(folder / "config.json")
    checkpoint = _folder_checkpoint(folder)
    if checkpoint is None:
        quantised = sorted(path for path in folder.iterdir() if path.suffix.lower() == ".gguf")
        first = [path for path in quantised if is_whole_or_first(path)]
        if len(first) == 1:
            return _open_gguf(first[0], label, tensor, tokenizer)
        raise NotFoundError(
            f"{folder} holds no weights: no *.safetensors and {len(quantised)} *.gguf files.",
            "Give a folder with safetensors, or name one .gguf file.",
        )
    checkpoint.names()  # a damaged file is said before a missing tokenizer
    return _open(checkpoint, tokenizer or load_tokenizer(folder), config, tensor, label=label)


def _folder_checkpoint(folder: Path) -> Checkpoint | None:
    paths = shard_files(folder, INDEX, "*.safetensors")
    if paths:
        return SafetensorsFiles(tuple(paths))
    pickled = shard_files(folder, _PICKLED_INDEX, "pytorch_model*.bin")
    return PickledFiles(tuple(pickled)) if pickled else None


def _open(
    checkpoint: Checkpoint,
    tokenizer: Tokenizer,
    config: Mapping[str, Any],
    tensor: str | None,
    *,
    label: str,
    name: str | None = None,
    notes: tuple[str, ...] = (),
    revision: str | None = None,
) -> OpenedModel:
    if tensor is None:
        refuse_packed(checkpoint.names(), config, label)
    vocabulary = vocabulary_size(config) or tokenizer.size
    chosen, decided = choose_tensor(checkpoint.shapes(), wanted=tensor, vocabulary=vocabulary, where=label)
    label = escaped_name(label)
    called = name or str(config.get("_name_or_path") or label)
    return OpenedModel(checkpoint, chosen, tokenizer, config, label, called, decided + notes, revision)
