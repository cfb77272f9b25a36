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

WORDNET = "wordnet"
_CHILD, _PARENT = "child", "parent"
_SUFFIXES = (".csv", ".tsv")


def find_taxonomy(given: str) -> Path:
    """The folder of WordNet's files, or the table, that a user's name for a taxonomy means; its content is not read."""
    if given == WORDNET:
        return find_wordnet()
    path = given_path(given)
    kind = what_is_at(path)
    if not given or kind == "nothing":
        raise NotFoundError(
            f"There is no taxonomy {given!r}.",
            f"Give {WORDNET}, the folder of its files, or a CSV or TSV with the columns {_CHILD} and {_PARENT}.",
        )
    suffix = Source.of(path.name, path).suffix
    if kind == "file" and suffix not in _SUFFIXES:
        raise UsageError(
            f"{path} is not named as a taxonomy is: {suffix or 'no suffix'}.",
            f"Give a CSV or TSV with the columns {_CHILD} and {_PARENT}.",
        )
    return path


def read_taxonomy(given: str) -> Taxonomy:
    """Read a taxonomy: ``wordnet`` for the one that is installed, the folder of WordNet's files, or a table.

    That is a CSV or TSV (also ``.gz``, ``.zst``) with the columns child and parent, a line for each kind of something.
    """
    path = find_taxonomy(given)
    return _table(path) if what_is_at(path) == "file" else read_wordnet(path)


def _table(path: Path) -> Taxonomy:
    """A concept a word, under the first parent that it is listed with; what has no parent is a root."""
    source = Source.of(path.name, path)
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
    senses: dict[str, list[int]] = {}
    for word, number in place.items():
        senses.setdefault(word.lower(), []).append(number)
    return Taxonomy(
        escaped_name(path.name),
        tuple((word,) for word in above),
        tuple(tuple(place[parent] for parent in dict.fromkeys(parents)) for parents in above.values()),
        {word: tuple(numbers) for word, numbers in senses.items()},
        digest.hexdigest(),
    )
