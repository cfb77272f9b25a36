"""A taxonomy of words: concepts under concepts, the words of each, and the senses of each word."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Int64

from geoprobe.errors import BadDataError

#: Steps below a root; WordNet has 18. Time goes with words times depth.
DEEPEST = 200


@dataclass(frozen=True, eq=False)
class Taxonomy:
    """Concepts under concepts.

    Where a concept has several parents, depth, distance and ancestors follow the first, so that they are those of a
    tree (or of several, joined above their roots). Each of the C concepts has words as they are spelled, the usual one
    first, and parents, none for a root; `senses` are the concepts that a word in lower case names, the most frequent
    first. `individuals` are no kind of thing but one thing, such as Paris: words whose first sense they are do not
    count. A concept that is above itself, or too deep, is an error.
    """

    name: str
    words: tuple[tuple[str, ...], ...]
    parents: tuple[tuple[int, ...], ...]
    senses: Mapping[str, tuple[int, ...]]
    sha256: str
    individuals: frozenset[int] = frozenset()

    def __post_init__(self) -> None:
        seen = [0] * len(self.words)  # 1 on the way up from here, 2 known to lead to a root
        for start in range(len(self.words)):
            way, here = [], start
            while seen[here] == 0:
                seen[here] = 1
                way.append(here)
                if not self.parents[here]:
                    break
                here = self.parents[here][0]
            else:
                if seen[here] == 1:
                    circle = [self.words[each][0] for each in way[way.index(here) :]]
                    shown = ", ".join(map(repr, circle[:5])) + (", …" if len(circle) > 5 else "")
                    raise BadDataError(
                        f"The taxonomy {self.name} goes in a circle: each of {shown} is above the one before.",
                        "Take one of these lines out.",
                    )
            for each in way:
                seen[each] = 2
        if self.words and int(self.depths.max()) > DEEPEST:
            deepest = self.words[int(self.depths.argmax())][0]
            raise BadDataError(
                f"The taxonomy {self.name} is {int(self.depths.max()):,} steps deep at {deepest!r}.",
                f"Give one of at most {DEEPEST}: words under more general ones, not a list of one after another.",
            )

    def senses_of(self, word: str, *, cased: bool = True) -> tuple[int, ...]:
        """Concepts that a word names, the most frequent sense first; none where that is an individual.

        `cased`: only those that spell it like this.
        """
        found = self.senses.get(word.lower(), ())
        if cased:
            found = tuple(concept for concept in found if word in self.words[concept])
        if found and found[0] in self.individuals:
            return ()
        return tuple(concept for concept in found if concept not in self.individuals)

    @cached_property
    def depths(self) -> Int64[np.ndarray, " c"]:
        """(C,) steps from each concept up to its root."""
        depths = np.full(len(self.words), -1, dtype=np.int64)
        for start in range(len(self.words)):
            way, here = [], start
            while depths[here] < 0:
                way.append(here)
                if not self.parents[here]:
                    break
                here = self.parents[here][0]
            known = int(depths[here])  # -1 where the way ends at a root that is on it
            for step, each in enumerate(reversed(way), start=1):
                depths[each] = known + step
        return depths

    def ancestors(self, concept: int) -> list[int]:
        """The concepts above one, the nearest first."""
        found, here = [], concept
        while self.parents[here]:
            here = self.parents[here][0]
            found.append(here)
        return found

    def distances(self, concepts: Sequence[int]) -> Int64[np.ndarray, "n n"]:
        """(n, n) steps between concepts through the nearest one above both; roots are one step below a common one."""
        depths = self.depths[np.asarray(concepts, dtype=np.int64)]
        paths = np.full((len(depths), int(depths.max(initial=0)) + 1), -1, dtype=np.int64)
        for row, concept in enumerate(concepts):
            down = [*reversed(self.ancestors(concept)), concept]
            paths[row, : len(down)] = down
        shared = np.zeros((len(depths), len(depths)), dtype=np.int64)
        for column in paths.T:
            # in a tree those who share a concept share all above it
            shared += (column[:, None] == column) & (column >= 0)
        steps: Int64[np.ndarray, "n n"] = (depths[:, None] + 1 - shared) + (depths + 1 - shared)
        return steps
