"""What a user calls a model, resolved to where it is: the one answer that every command starts from."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from geoprobe.errors import AccessError, NotFoundError, UsageError, some_of
from geoprobe.files import check_not_sparse, given_path, read_small, what_is_at
from geoprobe.sources.models.checkpoint import read_json
from geoprobe.sources.models.demo import DEMO_NAME, demo_model
from geoprobe.sources.models.formats import FORMATS, GGUF, SUFFIXES, Format

_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*(/[\w.-]+)?")
#: A file of a repository, in a folder or not.
_HUB_FILE = re.compile(
    r"(?P<id>[A-Za-z0-9][\w.-]*(/[\w.-]+)?):(?P<file>(?!.*\.\.)[\w.-]+(/[\w. -]+)*\.gguf)", re.IGNORECASE
)
_COMMIT = re.compile(r"[0-9a-f]{40}")
#: What an adapter is known by.
ADAPTER = "adapter_config.json"
#: Parts of a model that was cut across its width, for several devices.
_WIDTH_PART = re.compile(r"consolidated\.\d\d\.pth")
_OTHERS = (".onnx", ".h5", ".msgpack", ".pb", ".tflite")
#: Bytes of a file of settings that is read at all.
_SMALL = 1 << 20


@dataclass(frozen=True)
class ModelLocation:
    """Where a model is: files of one format, or a repository on the hub.

    `given` is what the user wrote, `label` what a report calls it, `title` the name it is known by, where that is
    neither in its files nor what the user wrote. `files` are its weights; of a split GGUF file, the part that was
    named. `revision` is the branch, tag or commit asked for, or the commit of a snapshot in the hub's cache, and `file`
    the GGUF file that was named in a repository.
    """

    given: str
    label: str
    format: Format | None = None
    files: tuple[Path, ...] = ()
    repository: str | None = None
    revision: str | None = None
    title: str | None = None
    file: str | None = None

    def pretrained(self, *, offline: bool = False) -> tuple[str, dict[str, Any]]:
        """What transformers' ``from_pretrained`` takes to load the whole model: a folder or hub id, and options.

        It is a `UsageError` where transformers loads no such files, or would load others than were named.
        """
        if self.format is None:
            options: dict[str, Any] = {} if self.revision is None else {"revision": self.revision}
            if self.file is not None:
                options |= {"gguf_file": self.file, "use_safetensors": None}
            return str(self.repository), {"local_files_only": offline, **options}
        folder, named = self.files[0].parent, ", ".join(path.name for path in self.files[:4])
        if (folder / ADAPTER).is_file():  # transformers would load the adapter's base, wherever that is
            raise adapter_error(folder)
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

    In the order looked for: ``demo``; a folder of safetensors, of PyTorch files or with one GGUF file; such a file
    itself, word vectors as text (GloVe, word2vec; also ``.gz``) or ``.npy``; a hub id; ``owner/name:FILE.gguf``. The
    revision is a branch, tag or commit of a hub model.
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
    of_repository = _HUB_FILE.fullmatch(name)
    if of_repository is not None:
        repository, file = of_repository["id"], of_repository["file"]
        return ModelLocation(name, name, repository=repository, revision=revision, file=file)
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
    """The model of a folder, or of the folder that it stands for: of the first format that it has weights of."""
    meant = _cached(folder) or _first_module(folder) or folder
    label, revision = _repository_of(meant)
    for format in FORMATS:
        files = format.in_folder(meant)
        if files:
            if files[0].name.startswith("adapter_model"):
                raise adapter_error(folder)
            label = label or folder.resolve().name
            for path in files:
                check_not_sparse(path)
            return ModelLocation(name, label, format, tuple(files), revision=revision)
    raise adapter_error(folder) if (folder / ADAPTER).is_file() else _no_weights(folder)


def _cached(folder: Path) -> Path | None:
    """The snapshot that is meant by a repository's folder in the hub's cache."""
    snapshots = folder / "snapshots"
    if not (folder.name.startswith("models--") and snapshots.is_dir()):
        return None
    main = folder / "refs" / "main"
    commit = read_small(main, _SMALL).decode("utf-8", "replace").strip() if main.is_file() else ""
    if _COMMIT.fullmatch(commit) and (snapshots / commit).is_dir():
        return snapshots / commit
    found = sorted(path for path in snapshots.iterdir() if path.is_dir())
    return found[0] if len(found) == 1 else None


def _repository_of(folder: Path) -> tuple[str | None, str | None]:
    """The hub id and the commit of a snapshot in the hub's cache, which is named by digits."""
    whole = folder.absolute()
    cached = whole.parent.parent.name
    if whole.parent.name != "snapshots" or not cached.startswith("models--") or not _COMMIT.fullmatch(whole.name):
        return None, None
    return cached.removeprefix("models--").replace("--", "/"), whole.name


def _first_module(folder: Path) -> Path | None:
    """The subfolder that sentence-transformers keeps a model's first part in."""
    listed = folder / "modules.json"
    if not listed.is_file():
        return None
    try:
        part = Path(json.loads(read_small(listed, _SMALL))[0]["path"])
    except (ValueError, LookupError, TypeError, RecursionError):
        return None
    inside = len(part.parts) == 1 and part.name not in ("", "..") and (folder / part).is_dir()
    return folder / part if inside else None


def adapter_error(folder: Path, name: str = "") -> UsageError:
    """What to say of an adapter, by its folder or name: its base is not asked for, which may be on the hub."""
    settings = folder / ADAPTER
    described = read_json(settings) if settings.is_file() and settings.stat().st_size <= _SMALL else {}
    base, kind = str(described.get("base_model_name_or_path") or "no stated model")[:200], described.get("peft_type")
    return UsageError(
        f"{name or folder} holds an adapter{f' ({kind})' if kind else ''} of {base}, and no model.",
        "Scan that model, or the adapter merged into it and saved (peft: merge_and_unload, then save_pretrained).",
    )


def _no_weights(folder: Path) -> NotFoundError:
    """What a folder has instead of weights, and what may have been meant."""
    paths = sorted(folder.iterdir())
    names = [path.name + "/" * path.is_dir() for path in paths if not path.name.startswith(".")]
    models = [path.name for path in paths if path.is_dir() and any(_weighty(inner) for inner in path.iterdir())]
    files = [path.name for path in paths if path.is_file() and path.suffix.lower() in SUFFIXES[:-3]]
    hint = f"Give a folder with one of {', '.join(SUFFIXES[:5])}, or name such a file."
    if models:
        hint = f"Name one of the folders in it: {some_of(models, 6)}."
    elif files:
        hint = f"Name one of the files in it: {some_of(files, 6)}."
    elif any(path.suffix.lower() in _OTHERS or path.name == "tf_model.h5" for path in paths):
        hint = "Weights for ONNX, TensorFlow and Flax are not read: save the model as safetensors by transformers."
    return NotFoundError(
        f"{folder} holds no weights that can be read; it has {some_of(names, 6) if names else 'nothing'}.", hint
    )


def _weighty(path: Path) -> bool:
    return path.suffix.lower() in (".safetensors", ".gguf") or path.name.startswith("pytorch_model")


def _file(name: str, path: Path) -> ModelLocation:
    if path.name.startswith("adapter_model.") and (path.parent / ADAPTER).is_file():
        raise adapter_error(path.parent)
    part = _WIDTH_PART.fullmatch(path.name)
    if part and len(parts := sorted(path.parent.glob("consolidated.*.pth"))) > 1:
        raise UsageError(
            f"{path} is one of {len(parts)} parts into which a model was cut across its width.",
            "Convert it to safetensors by transformers, and scan that.",
        )
    suffix = path.suffix.lower()
    content = _by_content(path) if suffix == ".bin" else None  # of several programs
    format = content or next((format for format in FORMATS if suffix in format.suffixes), None) or _by_content(path)
    if format is None and (suffix == ".kv" or _is_pickle(path)):
        raise UsageError(
            f"{path} is a pickle, as gensim writes them, which is never opened.",
            "Save its vectors by gensim's save_word2vec_format, and scan that.",
        )
    if format is None:
        raise UsageError(
            f"The model file {path} is a {path.suffix or 'suffixless'} file, which cannot be scanned.",
            f"Files that can: {', '.join(SUFFIXES)}.",
        )
    check_not_sparse(path)
    return ModelLocation(name, format.label(path), format, (path,))


def _is_pickle(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(2) in {bytes((0x80, protocol)) for protocol in range(2, 6)}


def _by_content(path: Path) -> Format | None:
    """The format of a file whose name does not say it, such as one of Ollama's blobs."""
    with path.open("rb") as file:
        head = file.read(16)
    return next((format for format in FORMATS if format.begins(head)), None)
