"""What a user calls a corpus, resolved: a name, a path, standard input or a hub id."""

from __future__ import annotations

import os
from pathlib import Path

from geoprobe.errors import NotFoundError, UsageError
from geoprobe.files import given_path, what_is_at
from geoprobe.sources.corpora.corpus import Corpus
from geoprobe.sources.corpora.files import file_corpus, folder_corpus, readable, stdin_corpus
from geoprobe.sources.corpora.hub_sets import HubSet, hub_corpus, parse_hub_id
from geoprobe.sources.corpora.named import NAMED_SETS, PYTHON_DOCS, local_folder, local_set, python_docs

__all__ = ["DATA_VARIABLE", "open_corpus"]

#: Environment variable that names the data folder where no option does.
DATA_VARIABLE = "GEOPROBE_DATA"


def open_corpus(
    name: str, *, field: str | None = None, data: str | Path | None = None, offline: bool = False
) -> Corpus:
    """Find a corpus by name, path or hub id.

    Parameters
    ----------
    name : str
        In the order looked for: ``python-docs``; ``-`` or ``-.SUFFIX`` for standard input; a named set, or a folder in
        the data folder, as ``NAME`` or ``NAME:SPLIT``; the path of a file or folder; a set on the hub, as
        ``owner/name``, ``owner/name:config`` or ``owner/name:config:split``.
    field : str, optional
        The column that holds the text; by default the first of `FIELDS` that is there.
    data : str or Path, optional
        Folder of local sets, a folder each; by default what `DATA_VARIABLE` names, if anything.
    offline : bool
        Ask no network.

    Raises
    ------
    NotFoundError
        When there is no such corpus.
    UsageError
        When the file's kind is not known, or the name is empty.

    Notes
    -----
    Content is read, and its errors raised, when the documents are. The network is asked for a named set that the data
    folder lacks, or for a hub id, and for nothing else.
    """
    if not name:
        raise UsageError("The name of the corpus is empty.", "Give a file, a folder or a name; `.` is this folder.")
    if name == PYTHON_DOCS:
        return python_docs()
    if name == "-" or name.startswith("-."):
        return stdin_corpus(name, field)
    title, _, split = name.partition(":")
    where = data or os.environ.get(DATA_VARIABLE)
    if where and "/" not in title and (folder := local_folder(given_path(where), title)):
        return local_set(folder, title, split or None, field)
    if (known := NAMED_SETS.get(title)) is not None:
        wanted = HubSet(known.hub_id, known.config, split or known.split, field or known.field)
        return hub_corpus(wanted, name, offline=offline)
    path = given_path(name)
    kind = what_is_at(path)
    if kind == "folder":
        return folder_corpus(path, field)
    if kind == "file":
        return file_corpus(path, field)
    on_hub = parse_hub_id(name)
    if on_hub is not None and not readable(name):
        return hub_corpus(HubSet(on_hub.id, on_hub.config, on_hub.split, field), name, offline=offline)
    raise NotFoundError(
        f"There is no corpus {name!r}: neither a known name, a file, a folder nor a hub id.",
        "Give the path of a file or folder, a hub id such as owner/name:config:split, or a name that "
        "`geoprobe corpora` lists.",
    )
