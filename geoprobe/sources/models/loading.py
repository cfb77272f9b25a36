"""From where a model is to its embedding table and tokenizer, reading nothing else of it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from geoprobe.errors import AccessError, NotFoundError
from geoprobe.files import escaped_name, given_path, what_is_at
from geoprobe.sources.hub_errors import LacksFileError
from geoprobe.sources.models.architectures import choose_tensor, embedding_by_name, vocabulary_size
from geoprobe.sources.models.checkpoint import read_json
from geoprobe.sources.models.formats import Stored, stored_gguf
from geoprobe.sources.models.hub import gguf_repository, open_repository
from geoprobe.sources.models.hub_checkpoint import HubCheckpoint
from geoprobe.sources.models.hub_gguf import Listener, open_hub_gguf
from geoprobe.sources.models.opened import OpenedModel
from geoprobe.sources.models.quantised import refuse_packed
from geoprobe.sources.models.resolve import ModelLocation, reading, resolve_model
from geoprobe.sources.models.tokenizer import Tokenizer, load_tokenizer


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

    `model` is what `resolve_model` takes; `tensor` names the embedding, where geoprobe should not choose; `tokenizer`
    is a folder, a ``tokenizer.json`` or a list of words, where none is beside the weights. Offline, hub models come
    from the cache. `progress` is called with (bytes here, bytes in all) while a tensor is fetched.
    """
    given = _given_tokenizer(tokenizer)
    location = resolve_model(model, revision=revision)
    if location.repository is not None:
        stored, commit = _on_hub(location, tensor, offline, progress, tokenizer=given is None)
        return _opened(location, stored, given, tensor, commit)
    with reading(location.files[0]):
        return _opened(location, _stored(location), given, tensor, location.revision)


def open_tokenizer(model: str | Path, *, revision: str | None = None, offline: bool = False) -> Tokenizer:
    """A model's tokenizer alone; of a hub model only small files are fetched."""
    location = resolve_model(model, revision=revision)
    if location.repository is not None:
        if location.file is None:
            with suppress(LacksFileError):
                return load_tokenizer(open_repository(location.repository, revision=revision, offline=offline).folder)
        return _gguf_on_hub(location, offline)[0].tokenizer()
    with reading(location.files[0]):
        return _stored(location).tokenizer()


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


def _stored(location: ModelLocation) -> Stored:
    assert location.format is not None
    stored = location.format.open(location.files)
    stored.checkpoint.names()  # a damaged file is said before a missing tokenizer
    return stored


def _on_hub(
    location: ModelLocation, tensor: str | None, offline: bool, progress: Listener, *, tokenizer: bool
) -> tuple[Stored, str]:
    """A repository's safetensors, or the GGUF file that is named or the only one there; and the commit."""
    assert location.repository is not None
    lacking: LacksFileError | None = None
    if location.file is None:
        try:
            repository = open_repository(
                location.repository, revision=location.revision, offline=offline, tokenizer=tokenizer
            )
            checkpoint = HubCheckpoint(repository, tensor, progress)
            checkpoint.names()
            config = read_json(repository.folder / "config.json")
            return Stored(checkpoint, config, lambda: load_tokenizer(repository.folder)), repository.commit
        except LacksFileError as error:
            lacking = error
    try:
        return _gguf_on_hub(location, offline, progress)
    except LacksFileError as error:
        raise (lacking or error) from None


def _gguf_on_hub(location: ModelLocation, offline: bool, progress: Listener = None) -> tuple[Stored, str]:
    repository, file = gguf_repository(
        str(location.repository), location.file, revision=location.revision, offline=offline
    )
    return stored_gguf(open_hub_gguf(repository, file, progress), Path(file)), repository.commit


def _opened(
    location: ModelLocation, stored: Stored, given: Tokenizer | None, tensor: str | None, commit: str | None = None
) -> OpenedModel:
    tokenizer = given if given is not None else stored.tokenizer()
    checkpoint, config, label = stored.checkpoint, stored.config, location.label
    if tensor is None and embedding_by_name(checkpoint.names()) is None:
        refuse_packed(checkpoint.names(), config, label)
    vocabulary = vocabulary_size(config) or tokenizer.size
    chosen, decided = choose_tensor(checkpoint.shapes(), wanted=tensor, vocabulary=vocabulary, where=label)
    label = escaped_name(label)
    name = location.title or stored.name or label
    named = location.repository is not None or location.title is not None
    path = None if named else escaped_name(location.given)
    opened = OpenedModel(checkpoint, chosen, tokenizer, config, label, name, decided, commit, path)
    opened.shape  # noqa: B018 (what no embedding has is refused before a row of it is fetched)
    return opened
