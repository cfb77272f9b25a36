"""A whole model for transformers to load, and no other one: neither an adapter's base nor what its files name."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from geoprobe.sources.hub_responses import watched
from geoprobe.sources.models.hub import gguf_repository, open_repository
from geoprobe.sources.models.resolve import ADAPTER, adapter_error, resolve_model


@contextmanager
def whole_model(
    model: str | Path, *, revision: str | None = None, offline: bool = False
) -> Iterator[tuple[str, dict[str, Any]]]:
    """What ``from_pretrained`` takes to load a model, and while the block lasts, no network for files that are here.

    A configuration can name other models, such as a backbone, and an adapter its base: transformers would fetch them
    with the user's token. Of a repository one commit is loaded, and none that holds an adapter.
    """
    location = resolve_model(model, revision=revision)
    name, options = location.pretrained(offline=offline)
    if location.repository is None:
        with _network_off():
            yield name, options
        return
    if location.file is None:
        repository = open_repository(name, revision=revision, offline=offline, tokenizer=False)
    else:
        repository, _ = gguf_repository(name, location.file, revision=revision, offline=offline)
    adapter = repository.small_file(ADAPTER)
    if adapter is not None:
        raise adapter_error(adapter.parent, name)
    with watched():
        yield name, {**options, "revision": repository.commit}


@contextmanager
def _network_off() -> Iterator[None]:
    """Have the hub's library refuse every request."""
    from huggingface_hub import constants

    before = constants.HF_HUB_OFFLINE
    constants.HF_HUB_OFFLINE = True
    try:
        yield
    finally:
        constants.HF_HUB_OFFLINE = before
