"""Taxonomies that are none."""

from __future__ import annotations

from bad_inputs.case import Case

__all__ = ["TAXONOMIES"]

SCAN = "scan tiny --corpus good.txt --analyzer hierarchy:taxonomy="


def table(name: str, content: bytes, code: int, says: str) -> Case:
    return Case(SCAN + name, code, says, {name: content})


def wordnet(data: bytes, index: bytes, says: str) -> Case:
    return Case(f"{SCAN}dict", 5, says, {"dict/data.noun": data, "dict/index.noun": index})


ENTITY = b"00001740 03 n 01 entity 0 000 | x\n"

TAXONOMIES: dict[str, Case] = {
    "no such taxonomy": Case(f"{SCAN}nowhere.csv", 3, "There is no taxonomy 'nowhere.csv'"),
    "no such taxonomy, by its own option": Case(
        "scan tiny --corpus good.txt --taxonomy nowhere.csv", 3, "There is no taxonomy 'nowhere.csv'"
    ),
    "no name": Case(SCAN, 3, "There is no taxonomy ''"),
    "a name too long": Case(f"{SCAN}{'x' * 5000}", 3, "There is no taxonomy"),
    "before the corpus, which is not there either": Case(
        f"{SCAN}nowhere.csv --corpus charm.txt", 3, "There is no taxonomy 'nowhere.csv'"
    ),
    "of another kind": table("a.docx", b"PK", 2, "not named as a taxonomy is: .docx"),
    "of no kind": table("README", b"x", 2, "no suffix"),
    "a folder of nothing": Case(f"{SCAN}f", 3, "There is no f/data.noun", {"f/a": b""}),
    "no bytes": table("a.csv", b"", 5, "holds no pair of child and parent"),
    "other columns": table("a.csv", b"a,b\nc,d\n", 5, "no column child or parent"),
    "a circle": table("a.csv", b"child,parent\na,b\nb,a\n", 5, "goes in a circle"),
    "a long chain": table(
        "a.csv", b"child,parent\n" + b"".join(b"a%d,a%d\n" % (n, n + 1) for n in range(9999)), 5, "9,999 steps deep"
    ),
    "cells too many": table("a.tsv", b"child\tparent\na\tb\tc\n", 5, "3 cells under a header of 2"),
    "not text": table("a.csv", b"child,parent\n\xff,b\n", 5, "not UTF-8 text"),
    "not packed": table("a.csv.gz", b"child,parent\n", 5, "not a whole gzip file"),
    "wordnet of rubbish": wordnet(b"rubbish\n", b"", "line 1, is not as WordNet's noun files are"),
    "wordnet that claims a billion pointers": wordnet(
        b"00001740 03 n 01 entity 0 1000000000 @ 00000000 n 0000 | x\n", b"", "line 1, is not as WordNet's"
    ),
    "wordnet that claims a billion words": wordnet(
        b"00001740 03 n 3b9aca00 entity 0 000 | x\n", b"", "line 1, is not as WordNet's"
    ),
    "a number of 5,000 digits": wordnet(
        b"00001740 03 n 01 entity 0 " + b"9" * 5000 + b" | x\n", b"", "line 1, is not as WordNet's"
    ),
    "an index to nothing": wordnet(ENTITY, b"entity n 1 0 1 0 00000007\n", "line 1, is not as WordNet's"),
    "wordnet in latin-1": wordnet(b"00001740 03 n 01 \xe9 0 000 | x\n", b"", "line 1, is not as WordNet's"),
    "a parent that is not there": wordnet(
        b"00001740 03 n 01 entity 0 001 @ 00000009 n 0000 | x\n", b"", "one at 00000009"
    ),
    "too few draws": Case(f"{SCAN}a.csv,draws=5", 2, "draws is 5, which cannot reject"),
}
