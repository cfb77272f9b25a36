"""A taxonomy by the name that a user gives it: WordNet, its folder, or a table of child and parent."""

from __future__ import annotations

import hashlib
from pathlib import Path

from geoprobe.diagnostics.hierarchy.taxonomy import Taxonomy
from geoprobe.diagnostics.hierarchy.wordnet import find_wordnet, read_wordnet
from geoprobe.errors import BadDataError, NotFoundError, UsageError
from geoprobe.files import escaped_name, given_path, what_is_at
from geoprobe.sources.corpora.streams import Source
from geoprobe.sources.corpora.tables import csv_rows

__all__ = ["WORDNET", "read_taxonomy"]

WORDNET = "wordnet"
_CHILD, _PARENT = "child", "parent"
_SUFFIXES = (".csv", ".tsv")


def read_taxonomy(given: str) -> Taxonomy:
    """Read a taxonomy.

    Parameters
    ----------
    given : str
        ``wordnet`` for the one that is installed, the folder of WordNet's files, or the path of a CSV or TSV (also
        ``.gz``, ``.zst``) with the columns child and parent, a line for each kind of something.

    Raises
    ------
    NotFoundError
        When it is not there.
    UsageError
        When it is a file of another kind.
    BadDataError
        When its content is no taxonomy.
    """
    if given == WORDNET:
        return read_wordnet(find_wordnet())
    path = given_path(given)
    kind = what_is_at(path)
    if kind == "nothing":
        raise NotFoundError(
            f"There is no taxonomy {given!r}.",
            f"Give {WORDNET}, the folder of its files, or a CSV or TSV with the columns {_CHILD} and {_PARENT}.",
        )
    return read_wordnet(path) if kind == "folder" else _table(path)


def _table(path: Path) -> Taxonomy:
    """A concept a word, under the first parent that it is listed with; what has no parent is a root."""
    source = Source.of(path.name, path)
    if source.suffix not in _SUFFIXES:
        raise UsageError(
            f"{source.where} is not named as a taxonomy is: {source.suffix or 'no suffix'}.",
            f"Give a CSV or TSV with the columns {_CHILD} and {_PARENT}.",
        )
    digest, above = hashlib.sha256(), dict[str, list[str]]()
    for record in csv_rows(source):
        missing = [name for name in (_CHILD, _PARENT) if name not in record]
        if missing or isinstance(record, str):
            raise BadDataError(
                f"{source.where} has no column {' or '.join(missing)}.", f"Name its columns {_CHILD},{_PARENT}."
            )
        child, parent = (str(record[name]).strip() for name in (_CHILD, _PARENT))
        if not child:
            raise BadDataError(f"{source.where} has a parent, {parent!r}, without a child.", "Take the line out.")
        digest.update(f"{child}\t{parent}\n".encode())
        listed = above.setdefault(child, [])
        if parent:
            above.setdefault(parent, [])
            listed.append(parent)
    if not any(above.values()):
        raise BadDataError(f"{source.where} holds no pair of child and parent.", "Give at least one.")
    place = {word: number for number, word in enumerate(above)}
    senses: dict[str, tuple[int, ...]] = {}
    for word, number in place.items():
        senses[word.lower()] = (*senses.get(word.lower(), ()), number)
    return Taxonomy(
        escaped_name(path.name),
        tuple((word,) for word in above),
        tuple(tuple(place[parent] for parent in dict.fromkeys(parents)) for parents in above.values()),
        senses,
        digest.hexdigest(),
    )
