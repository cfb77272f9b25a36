"""Whether a category within another is that one's vector and something at a right angle to it (Park et al. 2025).

Park et al. (ICLR 2025, arXiv 2406.01506) estimate the vector of a category from the words under it, and find that of a
child less that of its parent at a right angle to the parent's. That holds of any words whatever: where z is part of w,
the mean over z less the mean over w is uncorrelated with the latter. What does not hold of any words is that a category
has a vector at all: that two parts of it, which share no branch of the taxonomy, lie in one direction.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float64, Int64

from geoprobe.diagnostics.hierarchy.finding import SHUFFLED, Finding, beside
from geoprobe.diagnostics.hierarchy.matching import shuffled
from geoprobe.diagnostics.hierarchy.taxonomy import Taxonomy
from geoprobe.diagnostics.hierarchy.words import Words
from geoprobe.stats.resampling import bootstrap_ratio_of_groups

if TYPE_CHECKING:
    from scipy.sparse import csr_array

#: Words that a category must have, and its parent beside it, and each of its parts.
FEWEST = 20


@dataclass(frozen=True, eq=False)
class Categories:
    """Categories, each with the nearest larger one around it, and those that can be split.

    Every row of a matrix is a mean over words: their weights add up to 1. `inner` and `outer` are the (m, n) words
    under each category and under the one around it, `parents` the concept around; `first` and `second` (k, n) two parts
    of each category `split`: whole branches just below it, so that the parts share none. `sisters` are pairs of the m
    around which is the same one.
    """

    inner: csr_array
    outer: csr_array
    parents: Int64[np.ndarray, " m"]
    first: csr_array
    second: csr_array
    split: Int64[np.ndarray, " k"]
    sisters: Int64[np.ndarray, "s 2"]


def categories(taxonomy: Taxonomy, words: Words, rng: np.random.Generator) -> Categories:
    """Concepts with at least `FEWEST` words, by the first sense, under them.

    The one around has as many more. What has most of the words is not split: its parts are one another's opposites
    about the mean of all.
    """
    under: dict[int, list[int]] = {}
    for word, concept in enumerate(words.concepts.tolist()):
        for each in (concept, *taxonomy.ancestors(concept)):
            under.setdefault(each, []).append(word)
    inner, outer, first, second = (list[list[int]]() for _ in range(4))
    parents, split = list[int](), list[int]()
    before: list[int] = []
    for concept in sorted(under):
        own = under[concept]
        # a concept that is alone under another has the same words: one of them is taken
        if len(own) < FEWEST or own == before:
            continue
        before = own
        around = next((up for up in taxonomy.ancestors(concept) if len(under[up]) >= len(own) + FEWEST), None)
        if around is not None:
            inner.append(own)
            outer.append(under[around])
            parents.append(around)
        if len(own) <= len(words.rows) / 2:
            part = _branches(taxonomy, words, own, concept, rng)
            rest = sorted(set(own) - set(part))
            if min(len(part), len(rest)) >= FEWEST:
                first.append(part)
                second.append(rest)
                split.append(concept)
    sisters = [(i, j) for j in range(len(parents)) for i in range(j) if parents[i] == parents[j]]
    n = len(words.rows)
    return Categories(
        _means(inner, n),
        _means(outer, n),
        np.array(parents, dtype=np.int64),
        _means(first, n),
        _means(second, n),
        np.array(split, dtype=np.int64),
        np.array(sisters, dtype=np.int64).reshape(-1, 2),
    )


def _branches(
    taxonomy: Taxonomy, words: Words, members: list[int], concept: int, rng: np.random.Generator
) -> list[int]:
    """About half of the words under a concept, by whole branches just below it."""
    of: dict[int, list[int]] = {}
    for word in members:
        way = [int(words.concepts[word]), *taxonomy.ancestors(int(words.concepts[word]))]
        of.setdefault(way[max(way.index(concept) - 1, 0)], []).append(word)
    branches, taken = list(of.values()), list[int]()
    for at in rng.permutation(len(branches)).tolist():
        if 2 * len(taken) + len(branches[at]) <= len(members):
            taken += branches[at]
    return taken


def _means(members: list[list[int]], n: int) -> csr_array:
    """(m, n) weights of the words of each."""
    from scipy.sparse import csr_array

    starts = np.cumsum([0, *map(len, members)])
    columns = np.concatenate([*members, []]).astype(np.int64)
    weights = np.concatenate([*(np.full(len(each), 1 / len(each)) for each in members), []])
    return csr_array((weights, columns, starts), shape=(len(members), n))


def category_findings(
    found: Categories,
    vectors: Float64[np.ndarray, "n d"],
    blocks: Int64[np.ndarray, " n"],
    draws: int,
    rng: np.random.Generator,
    *,
    key: str,
    space: str,
) -> tuple[Finding, ...]:
    """Right angles, parts of one category, and angles of sisters, of (n, d) vectors about their mean."""
    null_rng, interval_rng = rng.spawn(2)
    statistics = (
        (f"{key}_right_angle", f"cos(parent, child − parent) of categories, {space}", found.parents, "categories"),
        (f"{key}_parts", f"cos of two parts of a category that share no branch, {space}", found.split, "categories"),
        (
            f"{key}_sisters",
            f"cos(child − parent, sister − parent) of categories, {space}",
            found.parents[found.sisters[:, 0]],
            "pairs",
        ),
    )
    own = _measure(found, vectors)
    drawn = [[_mean(each) for each in _measure(found, vectors[shuffled(blocks, null_rng)])] for _ in range(draws)]
    nulls = np.array(drawn)
    return tuple(
        beside(
            name,
            title,
            _mean(own[at]),
            bootstrap_ratio_of_groups(own[at], np.ones(len(own[at])), groups, interval_rng),
            len(groups),
            unit,
            ((SHUFFLED, nulls[:, at]),),
        )
        for at, (name, title, groups, unit) in enumerate(statistics)
    )


def _measure(
    found: Categories, vectors: Float64[np.ndarray, "n d"]
) -> tuple[Float64[np.ndarray, " m"], Float64[np.ndarray, " k"], Float64[np.ndarray, " s"]]:
    """Cosines: of parent and child less parent; of two parts, about the mean of all words; of sisters less parents."""
    parent = found.outer @ vectors
    difference = found.inner @ vectors - parent
    one, other = found.sisters.T
    # what all categories have in common is no category's own
    middle = vectors.mean(axis=0)
    parts = _cosines(found.first @ vectors - middle, found.second @ vectors - middle)
    return _cosines(parent, difference), parts, _cosines(difference[one], difference[other])


def _cosines(x: Float64[np.ndarray, "r d"], y: Float64[np.ndarray, "r d"]) -> Float64[np.ndarray, " r"]:
    """Of each pair of rows; 0 where one is zero."""
    lengths = np.linalg.norm(x, axis=1) * np.linalg.norm(y, axis=1)
    cosines: Float64[np.ndarray, " r"] = (x * y).sum(axis=1) / np.where(lengths > 0, lengths, 1.0)
    return cosines


def _mean(values: Float64[np.ndarray, " r"]) -> float:
    return float(values.mean()) if len(values) else float("nan")
