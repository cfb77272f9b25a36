"""From what a user calls a model to its tokenizer alone."""

from __future__ import annotations

import re
from pathlib import Path

from geoprobe.files import given_path, what_is_at
from geoprobe.sources.models.hub import open_repository
from geoprobe.sources.models.resolve import open_model
from geoprobe.sources.models.tokenizer import Tokenizer, load_tokenizer

__all__ = ["load_model_tokenizer"]

_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[\w.-]+")


def load_model_tokenizer(model: str | Path, *, revision: str | None = None, offline: bool = False) -> Tokenizer:
    """A model's tokenizer; of a hub model only small files are fetched.

    Raises
    ------
    GeoprobeError
        As `open_model` does.
    """
    name = str(model)
    path = given_path(name)
    if not _HUB_ID.fullmatch(name) or what_is_at(path) != "nothing" or path.suffix.lower() in (".gguf", ".safetensors"):
        return open_model(model, revision=revision, offline=offline).tokenizer
    return load_tokenizer(open_repository(name, revision=revision, offline=offline).folder)
