"""A repository on the Hugging Face hub: its small files, through the hub's own cache."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from difflib import get_close_matches
from functools import partial
from pathlib import Path
from typing import Any

from geoprobe.errors import BadDataError, NotFoundError, some_of
from geoprobe.files import write_whole
from geoprobe.sources.hub_errors import LacksFileError, offline_error, reachable, translated, unreachable_error
from geoprobe.sources.hub_responses import patiently
from geoprobe.sources.models.gguf import is_whole_or_first

#: What may change a whole tokenizer, and what one can be made of where there is none.
_WHOLE = ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json")
_PARTS = (
    "tekken.json",
    "tokenizer.model",
    "spiece.model",
    "spm.model",
    "sentencepiece.bpe.model",
    "vocab.json",
    "merges.txt",
    "vocab.txt",
)
#: Bytes of the largest small file: tokenizers of 262,144 tokens take 35 million.
_LARGEST = 1 << 27
_COMMIT = re.compile(r"[0-9a-f]{40}")
_UNPACKED = {"Accept-Encoding": "identity"}


@dataclass(frozen=True)
class HubRepository:
    """One revision of a repository, by its commit, and the folder where its small files are."""

    name: str
    commit: str
    folder: Path
    offline: bool

    def small_file(self, file: str) -> Path | None:
        """A small file, fetched whole; None where the repository has none such."""
        return _optional(self.name, file, self.commit, self.offline)

    def cached(self, file: str) -> Path | None:
        """A file that somebody has fetched whole already."""
        from huggingface_hub import try_to_load_from_cache

        cached = try_to_load_from_cache(self.name, file, revision=self.commit)
        return Path(cached) if isinstance(cached, str) else None

    def kept(self, name: str) -> Path:
        """Where a part of this revision's files is kept between runs, there or not."""
        return _assets(self.name, self.commit) / name

    def has(self, file: str) -> bool:
        """Whether the repository holds a file, which is not fetched; offline, whether it is known to."""
        from huggingface_hub.errors import EntryNotFoundError

        if self.offline:
            return self.cached(file) is not None
        with self.asked(file):
            try:
                self._metadata(file)
            except EntryNotFoundError:
                return False
            return True

    def size(self, file: str) -> int | None:
        """Bytes of a file, which is not fetched, where the hub says it."""
        with self.asked(file):
            found = self._metadata(file)
            return None if found.size is None else int(found.size)

    def _metadata(self, file: str) -> Any:
        from huggingface_hub import get_hf_file_metadata, hf_hub_url

        return patiently(lambda: get_hf_file_metadata(hf_hub_url(self.name, file, revision=self.commit)))

    @contextmanager
    def asked(self, file: str) -> Iterator[None]:
        """Hold what asks the network for a file: refuse it offline, and give the hub's errors in geoprobe's terms."""
        with translated(self.name, file, self.offline):
            if self.offline:
                raise offline_error(self.name, file)
            yield


def open_repository(
    name: str, *, revision: str | None = None, offline: bool = False, tokenizer: bool = True
) -> HubRepository:
    """Fetch a repository's configuration and tokenizer; offline, from the cache alone, as HF_HUB_OFFLINE says too."""
    from huggingface_hub import is_offline_mode, try_to_load_from_cache

    offline = offline or is_offline_mode()
    if not offline and not reachable():
        offline = True
        if not isinstance(try_to_load_from_cache(name, "config.json", revision=revision), str):
            raise unreachable_error(name)
    config = _optional(name, "config.json", revision, offline)
    if config is None:
        raise LacksFileError(
            f"The repository {name} has no config.json.", "Name a repository that holds a transformers model."
        )
    repository = HubRepository(name, config.parent.name, config.parent, offline)
    for file in _WHOLE if tokenizer else ():
        repository.small_file(file)
    # what holds the whole tokenizer is enough: vocabularies beside it say the same again
    for file in _PARTS if tokenizer and not (repository.folder / _WHOLE[0]).is_file() else ():
        repository.small_file(file)
    return repository


def _optional(name: str, file: str, revision: str | None, offline: bool) -> Path | None:
    """A small file of a repository, or None where the repository has none such."""
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import EntryNotFoundError, LocalEntryNotFoundError

    with translated(name, file, offline):
        try:
            ask = partial(hf_hub_download, name, file, revision=revision, local_files_only=offline, headers=_UNPACKED)
            return Path(patiently(ask, limit=_LARGEST))
        except LocalEntryNotFoundError:
            # not cached: in a repository that is cached otherwise, that says it has no such file
            if offline and file != "config.json":
                return None
            raise
        except EntryNotFoundError:
            return None


def gguf_repository(
    name: str, file: str | None, *, revision: str | None = None, offline: bool = False
) -> tuple[HubRepository, str]:
    """A repository by a GGUF file in it: the one that is named, or the only one there.

    What the repository holds is kept, so that the file is known again without the network.
    """
    from huggingface_hub import is_offline_mode

    offline = offline or is_offline_mode() or not reachable()
    commit, files = _listing(name, revision, offline)
    repository = HubRepository(name, commit, _assets(name, commit), offline)
    models = sorted(each for each in files if each.lower().endswith(".gguf") and is_whole_or_first(Path(each)))
    if file is not None:
        if file not in files:
            near = get_close_matches(file, models, 1) or models[:6]
            raise NotFoundError(
                f"The repository {name} has no file {file!r}.",
                f"It has: {', '.join(near)}." if near else "It has no GGUF file.",
            )
        return repository, file
    if len(models) == 1:
        return repository, models[0]
    if models:
        raise NotFoundError(
            f"The repository {name} has no weights in safetensors, and {len(models):,} GGUF files: "
            f"{some_of(models, 6)}.",
            f"Name one of them as {name}:FILE.",
        )
    raise LacksFileError(
        f"The repository {name} has no weights in safetensors, and no GGUF file.", "Name another repository."
    )


def _listing(name: str, revision: str | None, offline: bool) -> tuple[str, list[str]]:
    """The commit of a revision, and the repository's files: as the hub says, or as it said last."""
    from huggingface_hub import HfApi, constants

    kept = _assets(name, "revisions") / f"{kept_name(revision or 'main', revision or 'main')}.json"
    if offline:
        if not kept.is_file():
            raise offline_error(name, "The list of files")
        listed = json.loads(kept.read_bytes())
        return listed["commit"], listed["files"]
    with translated(name, "the list of files", offline):
        ask = partial(HfApi(constants.ENDPOINT).model_info, name, revision=revision)
        found = patiently(ask, limit=_LARGEST)
    commit, files = str(found.sha), [str(each.rfilename) for each in found.siblings or ()]
    if not _COMMIT.fullmatch(commit):
        raise BadDataError(f"The hub names {commit[:60]!r} as the commit of {name}.", "Check HF_ENDPOINT.")
    write_whole({kept: json.dumps({"commit": commit, "files": files}).encode()})
    return commit, files


def _assets(name: str, part: str) -> Path:
    """Where parts of a repository's files are kept between runs, made if need be."""
    from huggingface_hub import cached_assets_path, constants

    with translated(name, part, False):
        try:
            root = constants.HF_ASSETS_CACHE
            return Path(cached_assets_path("geoprobe", namespace=name, subfolder=part, assets_dir=root))
        except ValueError as error:  # so the library says that a file is where the folder should be
            raise NotADirectoryError(str(error)) from error


def kept_name(name: str, whole: str) -> str:
    """A file's name for a tensor or a file, whose own may hold anything, a path of folders included."""
    letters = "".join(c if c.isascii() and (c.isalnum() or c in "._-") else "_" for c in name)[-80:]
    return f"{letters}.{hashlib.sha256(whole.encode('utf-8', 'surrogatepass')).hexdigest()[:12]}"
