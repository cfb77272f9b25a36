"""WordNet's nouns, from the two files of its database that hold them (format: wndb(5WN) of WordNet 3.0).

The files are small, plain and documented, so no package is asked for: nltk and wn bring data of their own, or fetch it.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path

from geoprobe.diagnostics.hierarchy.taxonomy import Taxonomy
from geoprobe.errors import AccessError, BadDataError, NotFoundError
from geoprobe.files import what_is_at

DATA, INDEX = "data.noun", "index.noun"
#: Where Debian's wordnet-base, WordNet's own installation and Homebrew put the files.
_USUAL = ("/usr/share/wordnet", "/usr/local/WordNet-3.0/dict", "/opt/homebrew/opt/wordnet/dict")
#: Pointers from a concept to those that it is a kind of, and an instance of.
_KIND, _INSTANCE = "@", "@i"
_VERSION = re.compile(r"WordNet (\d+(?:\.\d+)*) Copyright")


def find_wordnet() -> Path:
    """The folder with WordNet's files: by WNSEARCHDIR, by WNHOME, or where systems put it."""
    named = []
    if searched := os.environ.get("WNSEARCHDIR"):
        named.append(Path(searched))
    if home := os.environ.get("WNHOME"):
        named.append(Path(home) / "dict")
    places = [*named, *map(Path, _USUAL)]
    for folder in places:
        if what_is_at(folder / DATA) == "file":
            return folder
    raise NotFoundError(
        f"There is no WordNet here: no {DATA} in {', '.join(map(str, places))}.",
        "Install it (Debian: apt install wordnet-base), name the folder of its files by WNSEARCHDIR or by "
        "taxonomy=FOLDER, or give a file of your own with the columns child and parent: taxonomy=FILE.csv.",
    )


def read_wordnet(folder: Path) -> Taxonomy:
    """WordNet's nouns: a concept a synset, its hypernyms above it, senses in the order of WordNet's frequencies.

    What is an instance alone (Paris, of national capital) is an individual. Words of several parts have spaces.
    """
    digest, version = hashlib.sha256(), ""
    place: dict[int, int] = {}
    words: list[tuple[str, ...]] = []
    above: list[tuple[int, ...]] = []
    individuals: set[int] = set()
    for where, line in _lines(folder / DATA, digest.update):
        if line.startswith("  "):
            found = _VERSION.search(line)
            version = found[1] if found else version
            continue
        try:
            offset, spelled, parents, individual = _synset(line)
        except (ValueError, IndexError) as error:
            raise _not_wordnet(where) from error
        place[offset] = len(words)
        if individual:
            individuals.add(len(words))
        words.append(spelled)
        above.append(parents)
    senses: dict[str, tuple[int, ...]] = {}
    for where, line in _lines(folder / INDEX, digest.update):
        if line.startswith("  "):
            continue
        try:
            lemma, offsets = _entry(line)
            senses[lemma] = tuple(place[offset] for offset in offsets)
        except (ValueError, IndexError, KeyError) as error:
            raise _not_wordnet(where) from error
    try:
        parents_of = tuple(tuple(place[offset] for offset in offsets) for offsets in above)
    except KeyError as error:
        raise BadDataError(
            f"{folder / DATA} has a concept under one at {error.args[0]:08d}, where there is none.",
            "The file may have been cut short: install WordNet again.",
        ) from error
    name = f"WordNet {version} nouns" if version else "WordNet nouns"
    return Taxonomy(name, tuple(words), parents_of, senses, digest.hexdigest(), frozenset(individuals))


def _synset(line: str) -> tuple[int, tuple[str, ...], tuple[int, ...], bool]:
    """Offset, words, the offsets of what it is a kind of, and whether it is an instance alone."""
    fields = line.partition(" | ")[0].split()
    count = int(fields[3], 16)
    spelled = tuple(_spelled(fields[4 + 2 * each]) for each in range(count))
    start = 4 + 2 * count
    if not 0 <= int(fields[start]) <= len(fields):  # or what a line claims would be allocated
        raise ValueError(line)
    pointers = [fields[start + 1 + 4 * each : start + 5 + 4 * each] for each in range(int(fields[start]))]
    parents = tuple(int(offset) for symbol, offset, _, _ in pointers if symbol == _KIND)
    individual = not parents and any(symbol == _INSTANCE for symbol, *_ in pointers)
    if not spelled or fields[2] != "n":
        raise ValueError(line)
    return int(fields[0]), spelled, parents, individual


def _entry(line: str) -> tuple[str, tuple[int, ...]]:
    """A word in lower case, and the offsets of its concepts by falling frequency."""
    fields = line.split()
    count, pointers = int(fields[2]), int(fields[3])
    offsets = tuple(map(int, fields[6 + pointers :]))
    if len(offsets) != count:
        raise ValueError(line)
    return _spelled(fields[0]).lower(), offsets


def _spelled(word: str) -> str:
    return word.replace("_", " ")


def _lines(path: Path, digest: Callable[[bytes], None]) -> Iterator[tuple[str, str]]:
    """Each line with its place, for errors; its bytes go into the digest."""
    if what_is_at(path) != "file":
        raise NotFoundError(f"There is no {path}.", f"WordNet's folder has {DATA} and {INDEX}: give that folder.")
    try:
        with path.open("rb") as file:
            for number, line in enumerate(file, start=1):
                digest(line)
                try:
                    yield f"{path}, line {number:,}", line.decode().rstrip("\n")
                except UnicodeDecodeError as error:
                    raise _not_wordnet(f"{path}, line {number:,}") from error
    except PermissionError as error:
        raise AccessError(f"{path} may not be read.", "Check its permissions.") from error


def _not_wordnet(where: str) -> BadDataError:
    return BadDataError(
        f"{where}, is not as WordNet's noun files are.",
        "Give the folder of WordNet 3.0 or 3.1 as it was installed.",
    )
