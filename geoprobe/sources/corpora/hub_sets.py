"""Sets on the Hugging Face hub, streamed through `datasets`: nothing is downloaded before it is counted."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

from geoprobe.errors import AccessError, BadDataError, GeoprobeError, NotFoundError
from geoprobe.sources.corpora.corpus import Corpus, bounded
from geoprobe.sources.corpora.fields import texts
from geoprobe.sources.hub_errors import reachable, unreachable_error
from geoprobe.sources.hub_responses import without_signature
from geoprobe.versions import install_command

_HUB_ID = re.compile(r"(?P<id>[A-Za-z0-9][\w.-]*/[\w.-]+)(:(?P<config>[^:/]*))?(:(?P<split>[^:/]+))?")


@dataclass(frozen=True)
class HubSet:
    """One split of a set on the hub; its configuration and field may be left to be found."""

    id: str
    config: str | None = None
    split: str = "train"
    field: str | None = None

    def __str__(self) -> str:
        return f"{self.id}:{self.config or ''}:{self.split}"


def parse_hub_id(name: str) -> HubSet | None:
    """``owner/name``, ``owner/name:config`` or ``owner/name:config:split``; None for anything else."""
    match = _HUB_ID.fullmatch(name)
    if match is None:
        return None
    return HubSet(match["id"], match["config"] or None, match["split"] or "train")


def hub_corpus(wanted: HubSet, name: str, *, offline: bool) -> Corpus:
    """A set on the hub."""
    _allowed(wanted, f"corpus {name!r}", offline)
    field = f", column {wanted.field}" if wanted.field else ""
    note = f"{wanted.id} on the hub, {wanted.config or 'default'} configuration, split {wanted.split}{field}."
    return Corpus(name, (partial(_documents, wanted),), note)


def hub_records(wanted: HubSet, name: str, *, offline: bool) -> Iterator[dict[str, Any]]:
    """The records of a set on the hub with all their fields; that there is no such set is said when they are read."""
    _allowed(wanted, f"set {name!r}", offline)
    return _rows(wanted)


def _allowed(wanted: HubSet, what: str, offline: bool) -> None:
    from huggingface_hub import is_offline_mode

    if offline or is_offline_mode():
        raise NotFoundError(
            f"The {what} is on the hub ({wanted.id}), and the network is switched off.",
            "Run without --offline (and with HF_HUB_OFFLINE unset), or name a folder that has it by --data.",
        )
    if not reachable():
        raise unreachable_error(wanted.id)
    _datasets()


def _datasets() -> Any:
    try:
        import datasets
    except ImportError as error:
        raise NotFoundError(
            "Corpora on the hub need the package `datasets`, which is not installed.",
            f"Install it by: {install_command('finetune')}",
        ) from error
    return datasets


def _documents(wanted: HubSet) -> Iterator[str]:
    return bounded(texts(_rows(wanted), str(wanted), wanted.field))


def _rows(wanted: HubSet) -> Iterator[dict[str, Any]]:
    datasets = _datasets()
    datasets.disable_progress_bars()
    try:
        yield from datasets.load_dataset(wanted.id, wanted.config, split=wanted.split, streaming=True)
    except GeoprobeError:
        raise
    except Exception as error:  # the library raises what its many back ends raise
        raise _translated(wanted, error) from error


def _translated(wanted: HubSet, error: Exception) -> GeoprobeError:
    kinds = {kind.__name__ for kind in type(error).__mro__}
    said = without_signature(error).strip().partition("\n")[0]
    if "gated" in str(error).lower() or "GatedRepoError" in kinds:
        return AccessError(
            f"The set {wanted.id} is gated.",
            f"Ask for access at https://huggingface.co/datasets/{wanted.id}, then set HF_TOKEN or run: hf auth login",
        )
    if "DatasetNotFoundError" in kinds:
        return NotFoundError(
            f"There is no set {wanted.id} on the hub, or it is private.",
            "Check the id; for a private set, set HF_TOKEN.",
        )
    if isinstance(error, ValueError):  # an unknown configuration or split; the library lists what there is
        return NotFoundError(
            f"The set {wanted.id} cannot be read as {wanted}: {said}",
            "Name configuration and split as owner/name:config:split.",
        )
    if "Dataset scripts are no longer supported" in said:
        return BadDataError(
            f"The set {wanted.id} is made by code of its repository, which is never run.",
            "Choose a copy of it in parquet.",
        )
    if isinstance(error, ConnectionError | TimeoutError) or {"ConnectError", "HfHubHTTPError"} & kinds:
        return GeoprobeError(
            f"The set {wanted.id} cannot be fetched: {said}", "Check the network, or name a local folder by --data."
        )
    return BadDataError(f"The set {wanted} cannot be read: {said}", "Name configuration and split, or another set.")
