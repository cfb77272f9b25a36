"""What a user calls a data set, resolved to where it is, whatever it is then used for; and opened as a corpus."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from geoprobe.errors import NotFoundError, UsageError, meant
from geoprobe.files import given_path, what_is_at
from geoprobe.sources.corpora.corpus import Corpus
from geoprobe.sources.corpora.hub_sets import HubSet, hub_corpus, parse_hub_id
from geoprobe.sources.corpora.named import (
    NAMED_SETS,
    PYTHON_DOCS,
    NamedSet,
    local_folder,
    local_set,
    named_set,
    python_docs,
)
from geoprobe.sources.corpora.readers import file_corpus, folder_corpus, readable, stdin_corpus

#: Environment variable that names the data folder where no option does.
DATA_VARIABLE = "GEOPROBE_DATA"


@dataclass(frozen=True)
class SetLocation:
    """Where a data set is.

    ``manual`` is the text inside CPython, ``set`` a folder of splits in the data folder; `given` is what the user
    wrote, `known` the set that geoprobe knows by this name, `split` the one asked for.
    """

    given: str
    kind: Literal["manual", "stdin", "set", "folder", "file", "hub"]
    path: Path | None = None
    known: NamedSet | None = None
    hub_id: str | None = None
    config: str | None = None
    split: str | None = None

    def on_hub(self, split: str, field: str | None = None) -> HubSet:
        """The set on the hub: the split that was asked for, or this one."""
        return HubSet(str(self.hub_id), self.config, self.split or split, field)


def resolve_set(name: str, *, data: str | Path | None = None, what: str = "corpus") -> SetLocation:
    """Say where a data set is; no file of it is read, and no network is asked.

    In the order looked for: ``python-docs``; ``-`` or ``-.SUFFIX`` for standard input; a folder in the data folder, as
    ``NAME`` or ``NAME:SPLIT``; the path of a file or folder; a known set, as ``NAME`` or ``NAME:SPLIT``; a set on the
    hub, as ``owner/name``, ``owner/name:config`` or ``owner/name:config:split``. The data folder holds local sets, a
    folder each; by default it is what `DATA_VARIABLE` names, if anything.
    """
    if not name.strip():
        raise UsageError(f"The name of the {what} is empty.", "Give a file, a folder or a name; `.` is this folder.")
    if name == PYTHON_DOCS:
        return SetLocation(name, "manual")
    if name == "-" or name.startswith("-."):
        return SetLocation(name, "stdin")
    title, _, split = name.partition(":")
    where = data or os.environ.get(DATA_VARIABLE)
    if where and "/" not in title and (folder := local_folder(given_path(where), title)):
        return SetLocation(name, "set", folder, named_set(title), split=split or None)
    path = given_path(name)
    kind = what_is_at(path)
    if kind != "nothing":
        return SetLocation(name, kind, path)
    if (known := named_set(title)) is not None:
        return SetLocation(name, "hub", None, known, known.hub_id, known.config, split or None)
    on_hub = parse_hub_id(name)
    if on_hub is not None and not readable(name):
        return SetLocation(name, "hub", None, None, on_hub.id, on_hub.config, on_hub.split)
    raise NotFoundError(
        f"There is no {what} {name!r}: neither a known name, a file, a folder nor a hub id.",
        f"{meant(title, [*NAMED_SETS, PYTHON_DOCS])}"
        "Give the path of a file or folder, a hub id such as owner/name:config:split, or a name that "
        "`geoprobe corpora` lists.",
    )


def open_corpus(
    name: str, *, field: str | None = None, data: str | Path | None = None, offline: bool = False
) -> Corpus:
    """Find a corpus by name, path or hub id, as `resolve_set` takes them; `field` is the column that holds the text.

    Content is read, and its errors raised, when the documents are. The network is asked for a known set that is neither
    in the data folder nor here, or for a hub id, and for nothing else.
    """
    location = resolve_set(name, data=data)
    if location.kind == "manual":
        return python_docs()
    if location.kind == "stdin":
        return stdin_corpus(name, field)
    if location.path is None:
        known = location.known
        wanted = location.on_hub(known.split if known else "train", field or (known.field if known else None))
        return hub_corpus(wanted, name, offline=offline)
    if location.kind == "set":
        return local_set(location.path, location.known, location.split, field)
    return (folder_corpus if location.kind == "folder" else file_corpus)(location.path, field)
