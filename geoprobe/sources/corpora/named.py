"""Sets with names: the manual inside CPython, and the benchmarks that the field asks its questions of."""

from __future__ import annotations

import platform
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from geoprobe.errors import AccessError, NotFoundError
from geoprobe.files import what_is_at
from geoprobe.sources.corpora.corpus import Corpus, bounded
from geoprobe.sources.corpora.readers import file_corpus, folder_corpus, split_file

PYTHON_DOCS = "python-docs"


@dataclass(frozen=True)
class NamedSet:
    """A set on the hub, its split and column of text, and what local folders of it are called, in any case.

    The repository is one without code, since code of a repository is never run.
    """

    name: str
    hub_id: str
    config: str | None
    split: str
    field: str
    folders: tuple[str, ...] = ()


NAMED_SETS = {
    known.name: known
    for known in (
        NamedSet("gsm8k", "openai/gsm8k", "main", "test", "question"),
        NamedSet("aqua", "deepmind/aqua_rat", "raw", "test", "question"),
        NamedSet("mawps", "MU-NLPC/Calc-mawps", None, "test", "question"),
        NamedSet("multiarith", "ChilleD/MultiArith", None, "test", "question"),
        NamedSet("svamp", "ChilleD/SVAMP", None, "test", "question_concat"),
        NamedSet("boolq", "google/boolq", None, "validation", "question"),
        NamedSet("piqa", "baber/piqa", None, "validation", "goal"),
        NamedSet("siqa", "lighteval/siqa", None, "validation", "question", ("social_i_qa",)),
        NamedSet("hellaswag", "Rowan/hellaswag", None, "validation", "ctx"),
        NamedSet("winogrande", "allenai/winogrande", "winogrande_xl", "validation", "sentence"),
        NamedSet("arc-easy", "allenai/ai2_arc", "ARC-Easy", "test", "question"),
        NamedSet("arc-challenge", "allenai/ai2_arc", "ARC-Challenge", "test", "question"),
        NamedSet("openbookqa", "allenai/openbookqa", "main", "test", "question_stem", ("obqa",)),
        NamedSet("wikitext", "Salesforce/wikitext", "wikitext-2-raw-v1", "test", "text"),
    )
}


def named_set(name: str) -> NamedSet | None:
    """The set of this name, or of which it is another name, whatever its case."""
    called = name.lower()
    return next((known for known in NAMED_SETS.values() if called in (known.name, *known.folders)), None)


def python_docs() -> Corpus:
    """The reference manual that every CPython carries."""
    version = f"{platform.python_implementation()} {platform.python_version()}"
    note = f"The reference manual inside {version}: small and technical English, for a first look."
    return Corpus(PYTHON_DOCS, (_topics,), note)


def _topics() -> Iterator[str]:
    from pydoc_data import topics

    yield from bounded(text for _, text in sorted(topics.topics.items()))


def local_folders(data: Path) -> list[Path]:
    """The folders in a data folder, in order of their names."""
    if what_is_at(data) != "folder":
        raise NotFoundError(f"There is no data folder {str(data)!r}.", "Name another by --data or GEOPROBE_DATA.")
    try:
        return sorted(path for path in data.iterdir() if path.is_dir())
    except PermissionError as error:
        raise AccessError(f"The data folder {str(data)!r} may not be read.", "Check its permissions.") from error


def local_folder(data: Path, name: str) -> Path | None:
    """The folder of a set in a data folder, whatever the case of its name; None if it has none."""
    known = named_set(name)
    called = {name.lower(), *((known.name, *known.folders) if known else ())}
    return next((path for path in local_folders(data) if path.name.lower() in called), None)


def local_set(folder: Path, known: NamedSet | None, split: str | None, field: str | None) -> Corpus:
    """One split of a set in a folder of files named after splits, such as ``test.json``.

    Without a split, that of the known set on the hub is taken, else ``test``, or everything where the folder has no
    file of either name.
    """
    if split is not None:
        return file_corpus(split_file(folder, split), field)
    try:
        return file_corpus(split_file(folder, *([known.split] if known else []), "test"), field)
    except NotFoundError:
        return folder_corpus(folder, field)
