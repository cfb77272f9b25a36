"""Which words of a taxonomy are tokens of a vocabulary, and the nearest token above each."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int64

from geoprobe.data import EmbeddingTable
from geoprobe.diagnostics.hierarchy.taxonomy import Taxonomy
from geoprobe.diagnostics.norms.token_traits import starts_a_word

#: A vocabulary has upper case if so many of its words do.
_CASED = 0.01


@dataclass(frozen=True, eq=False)
class Words:
    """The words of a taxonomy that are one token, each by its first sense.

    `rows` are tokens' ids, `depths` how deep the concept lies, and `parents` which of these words is the parent: of the
    nearest concept above that is the first sense of a word here, the word listed first; -1 where there is none. `pairs`
    are each child and parent, by all senses of both: a word and the nearest one above any of its senses.
    """

    names: tuple[str, ...]
    rows: Int64[np.ndarray, " n"]
    concepts: Int64[np.ndarray, " n"]
    depths: Int64[np.ndarray, " n"]
    parents: Int64[np.ndarray, " n"]
    pairs: Int64[np.ndarray, "p 2"]

    @property
    def children(self) -> Int64[np.ndarray, " m"]:
        """The words that have a parent."""
        return np.flatnonzero(self.parents >= 0)


def token_words(table: EmbeddingTable, taxonomy: Taxonomy) -> Words:
    """Look every word of a taxonomy up: as one token that starts a word, and has a finite vector that is not zero.

    A vocabulary without upper case has words in lower case, and all senses of each however it is spelled.
    """
    statistics = table.row_statistics
    usable = table.named & statistics.finite & ~statistics.zero & ~table.special
    starts = starts_a_word(table.tokens)
    row_of: dict[str, int] = {}
    for row in np.flatnonzero(usable).tolist():
        token = table.tokens[row]
        if starts(token):
            row_of.setdefault(token.removeprefix(" "), row)
    cased = sum(word != word.lower() for word in row_of) > _CASED * len(row_of)
    spelled = dict.fromkeys(word if cased else word.lower() for words in taxonomy.words for word in words)
    names = [word for word in spelled if word in row_of and taxonomy.senses_of(word, cased=cased)]
    senses = [taxonomy.senses_of(word, cased=cased) for word in names]
    first = [each[0] for each in senses]
    by_first, by_any = (
        _listed(taxonomy, names, ((each,) for each in first), cased),
        _listed(taxonomy, names, senses, cased),
    )
    parents = [next(iter(_above(taxonomy, concept, by_first, word)), -1) for word, concept in enumerate(first)]
    pairs = dict.fromkeys(
        (word, parent)
        for word, concepts in enumerate(senses)
        for concept in concepts
        for parent in _above(taxonomy, concept, by_any, word)
    )
    concepts = np.array(first, dtype=np.int64)
    return Words(
        tuple(names),
        np.array([row_of[word] for word in names], dtype=np.int64),
        concepts,
        taxonomy.depths[concepts],
        np.array(parents, dtype=np.int64),
        np.array(list(pairs), dtype=np.int64).reshape(-1, 2),
    )


def _listed(
    taxonomy: Taxonomy, names: list[str], senses: Iterable[tuple[int, ...]], cased: bool
) -> dict[int, list[int]]:
    """The words of each concept that has any, in its own order."""
    of: dict[int, list[int]] = {}
    for word, concepts in enumerate(senses):
        for concept in concepts:
            of.setdefault(concept, []).append(word)
    for concept, members in of.items():
        order = {
            spelled if cased else spelled.lower(): at for at, spelled in reversed([*enumerate(taxonomy.words[concept])])
        }
        members.sort(key=lambda word: order[names[word]])
    return of


def _above(taxonomy: Taxonomy, concept: int, of: dict[int, list[int]], word: int) -> list[int]:
    """The first word, other than this one, of the nearest concept above that has one; at most one."""
    for each in taxonomy.ancestors(concept):
        for other in of.get(each, ()):
            if other != word:
                return [other]
    return []
