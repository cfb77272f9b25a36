"""What a user calls a model, resolved to where it is: the one answer that every command starts from."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from geoprobe.errors import AccessError, NotFoundError, UsageError
from geoprobe.files import given_path, what_is_at
from geoprobe.sources.models.demo import DEMO_NAME, demo_model
from geoprobe.sources.models.formats import FORMATS, GGUF, SUFFIXES, Format

__all__ = ["ModelLocation", "reading", "resolve_model"]

_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*(/[\w.-]+)?")


@dataclass(frozen=True)
class ModelLocation:
    """Where a model is: files of one format, or a repository on the hub.

    Parameters
    ----------
    given : str
        As the user wrote it.
    label : str
        What a report calls it.
    format : Format or None
        Of its files; None for a repository.
    files : tuple of Path
        Its weights; of a split GGUF file, the part that was named.
    repository, revision : str or None
        The hub id, and the branch, tag or commit asked for.
    title : str or None
        The name it is known by, where that is neither in its files nor what the user wrote.
    """

    given: str
    label: str
    format: Format | None = None
    files: tuple[Path, ...] = ()
    repository: str | None = None
    revision: str | None = None
    title: str | None = None

    def pretrained(self, *, offline: bool = False) -> tuple[str, dict[str, Any]]:
        """What transformers' ``from_pretrained`` takes to load the whole model: a folder or hub id, and options.

        Raises
        ------
        UsageError
            When transformers loads no such files, or would load others than were named.
        """
        if self.format is None:
            options = {} if self.revision is None else {"revision": self.revision}
            return str(self.repository), {"local_files_only": offline, **options}
        folder, named = self.files[0].parent, ", ".join(path.name for path in self.files[:4])
        if self.format.loaded is None:
            raise UsageError(
                f"{self.given} is a file of the format {self.format.name}: a table of vectors, and no model that runs.",
                "Give a folder, a .gguf file or a hub id of a whole model.",
            )
        if self.format is GGUF:
            return str(folder), {"local_files_only": True, "use_safetensors": None, "gguf_file": self.files[0].name}
        loaded = self.format.loaded(folder)
        if set(loaded) != set(self.files):
            others = ", ".join(path.name for path in loaded[:4]) or "nothing"
            raise UsageError(
                f"To run or train a model, transformers takes the weights of {folder} by their standard names, which "
                f"gives {others}, and {self.given} is {named}.",
                "Put the weights into a folder as model.safetensors, with the model's config.json.",
            )
        return str(folder), {"local_files_only": True, "use_safetensors": self.format.name == "safetensors"}


def resolve_model(model: str | Path, *, revision: str | None = None) -> ModelLocation:
    """Say where a model is; nothing of it is read, and no network is asked.

    Parameters
    ----------
    model : str or Path
        In the order looked for: ``demo``; a folder of safetensors, of PyTorch files or with one GGUF file; such a file
        itself, word vectors as text (GloVe, word2vec; also ``.gz``) or ``.npy``; a hub id.
    revision : str, optional
        Branch, tag or commit of a hub model.

    Raises
    ------
    NotFoundError
        When there is no such path and the name is no hub id, or a folder holds no weights.
    AccessError
        When it may not be read.
    UsageError
        When the name is empty, or the file is of a kind that cannot be scanned.
    """
    name = str(model)
    if not name:
        raise UsageError("The name of the model is empty.", "Give `demo`, a folder, a file or a hub id.")
    if name == "demo":
        return ModelLocation(name, name, GGUF, (demo_model(),), title=DEMO_NAME)
    path = given_path(name)
    with reading(path):
        kind = what_is_at(path)
        if kind == "folder":
            return _in_folder(name, path)
        if kind == "file":
            return _file(name, path)
    if not _HUB_ID.fullmatch(name) or path.suffix.lower() in SUFFIXES:
        raise NotFoundError(
            f"There is no model at {name!r}.",
            "Give `demo`, a folder, a .gguf file or a hub id such as owner/name.",
        )
    return ModelLocation(name, name, repository=name, revision=revision)


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Say what the system refuses to read."""
    try:
        yield
    except PermissionError as error:
        raise AccessError(f"{error.filename or path} may not be read.", "Check its permissions.") from error
    except OSError as error:
        if isinstance(error, AccessError):
            raise
        raise NotFoundError(f"{path} cannot be read: {error.strerror}.", "Check the path.") from error


def _in_folder(name: str, folder: Path) -> ModelLocation:
    for format in FORMATS:
        files = format.in_folder(folder)
        if files:
            return ModelLocation(name, folder.resolve().name, format, tuple(files))
    quantised = sum(path.suffix.lower() == ".gguf" for path in folder.iterdir())
    raise NotFoundError(
        f"{folder} holds no weights: no *.safetensors and {quantised} *.gguf files.",
        "Give a folder with safetensors, or name one .gguf file.",
    )


def _file(name: str, path: Path) -> ModelLocation:
    for format in FORMATS:
        if path.suffix.lower() in format.suffixes:
            return ModelLocation(name, format.label(path), format, (path,))
    raise UsageError(
        f"The model file {path} is a {path.suffix or 'suffixless'} file, which cannot be scanned.",
        f"Files that can: {', '.join(SUFFIXES)}.",
    )
