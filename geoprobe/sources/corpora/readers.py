"""Files and folders as corpora: which format a file's name says, and what of a folder can be read."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from geoprobe.errors import AccessError, NotFoundError, UsageError, some_of
from geoprobe.files import escaped_name
from geoprobe.sources.corpora.corpus import Corpus, bounded
from geoprobe.sources.corpora.fields import Record, texts
from geoprobe.sources.corpora.json_records import json_lines, json_list
from geoprobe.sources.corpora.paragraphs import paragraphs
from geoprobe.sources.corpora.streams import STDIN, Source
from geoprobe.sources.corpora.tables import csv_rows, parquet_rows

#: Suffix to reader; each may be followed by .gz or .zst.
_READERS: dict[str, Callable[[Source], Iterator[Record]]] = {
    ".txt": paragraphs,
    ".md": paragraphs,
    ".json": json_list,
    ".jsonl": json_lines,
    ".ndjson": json_lines,
    ".csv": csv_rows,
    ".tsv": csv_rows,
}
FORMATS = (*_READERS, ".parquet")
_SKIPPED_SHOWN = 5


def read_source(source: Source, field: str | None) -> Iterator[str]:
    """A source's documents."""
    reader = _READERS.get(source.suffix) or partial(parquet_rows, field=field)
    return bounded(texts(reader(source), source.where, field))


def readable(name: str) -> bool:
    """Whether a file of this name is of a known format."""
    return Source.of(name, None).suffix in FORMATS


def file_corpus(path: Path, field: str | None) -> Corpus:
    """One file."""
    _known(path.name, f"corpus {str(path)!r}")
    return Corpus(
        escaped_name(f"{path.resolve().parent.name}/{path.name}"),
        (partial(read_source, Source.of(path.name, path), field),),
    )


def file_records(path: Path) -> Iterator[Record]:
    """A file's records with all their fields."""
    if not path.is_file():
        raise NotFoundError(f"There is no file {str(path)!r}.", "Give the path of a file of records.")
    _known(path.name, f"file {str(path)!r}")
    source = Source.of(path.name, path)
    reader = _READERS.get(source.suffix) or partial(parquet_rows, field=None, whole=True)
    return reader(source)


def split_file(folder: Path, *splits: str) -> Path:
    """The file of the first of these splits that a folder has one of, such as ``test.json``."""
    files = sorted(path for path in folder.iterdir() if path.is_file() and readable(path.name))
    for split in splits:
        for path in files:
            if path.name.split(".")[0].lower() == split.lower():
                return path
    raise NotFoundError(
        f"{folder} has no file for the split {splits[0]!r}; it has {', '.join(path.name for path in files) or 'none'}.",
        "Name a split that is there.",
    )


def stdin_corpus(name: str, field: str | None) -> Corpus:
    """Standard input: ``-`` for text, ``-.jsonl`` and the like for other formats."""
    name = "-.txt" if name == "-" else name
    _known(name, f"format of {STDIN}, {name!r},")
    return Corpus(STDIN, (partial(read_source, Source.of(name, None), field),))


def _known(name: str, what: str) -> None:
    if not readable(name):
        raise UsageError(
            f"The {what} is a {Source.of(name, None).suffix or 'suffixless'} file, which cannot be read.",
            f"Files that can: {', '.join(FORMATS)}, each also with .gz or .zst.",
        )


def folder_corpus(folder: Path, field: str | None) -> Corpus:
    """Every readable file in a folder and those below it, in order of their paths; hidden ones are left out."""
    files, links = _files(folder)
    known = [path for path in files if readable(path.name)]
    skipped = [path for path in files if not readable(path.name)]
    if not known:
        raise NotFoundError(
            f"The corpus {str(folder)!r} is a folder without a file that can be read; it has {len(files)} others.",
            f"Files that can: {', '.join(FORMATS)}, each also with .gz or .zst.",
        )
    note = f"{len(known):,} file{'s' * (len(known) > 1)}."
    for paths, why in ((skipped, "of a kind that cannot be read"), (links, "links to folders")):
        if paths:
            names = [escaped_name(str(path.relative_to(folder))) for path in paths]
            note += f" Left out, {why}: {some_of(names, _SKIPPED_SHOWN)}."
    return Corpus(
        escaped_name(folder.resolve().name or str(folder)),
        tuple(partial(read_source, Source.of(path.name, path), field) for path in known),
        note,
    )


def _files(folder: Path) -> tuple[list[Path], list[Path]]:
    """Files of a folder and those below it, and links to folders, which may lead round in circles."""

    def fail(error: OSError) -> None:
        raise AccessError(f"{error.filename} may not be read.", "Check its permissions.") from error

    files, links = [], []
    for root, folders, names in os.walk(folder, onerror=fail):
        folders[:] = [name for name in folders if not name.startswith(".")]
        links += [path for name in folders if (path := Path(root, name)).is_symlink()]
        files += [Path(root, name) for name in names if not name.startswith(".")]
    return sorted((path for path in files if path.is_file()), key=os.fsencode), sorted(links, key=os.fsencode)
