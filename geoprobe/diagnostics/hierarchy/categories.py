"""Whether a category within another is that one's vector and something at a right angle to it (Park et al. 2025).

Park et al. (ICLR 2025, arXiv 2406.01506) estimate the vector of a category from the words under it, and find that of a
child less that of its parent at a right angle to the parent's. That holds of any words whatever: where z is part of w,
the mean over z less the mean over w is uncorrelated with the latter. So the vector of the parent is also taken from
words outside the child, in two parts a and b that share no branch: <a, z> is then <a, b> if the child holds the
parent's vector, and 0 if words are in no order. These two are about the mean of all words of the taxonomy, which all
categories have in common.
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

__all__ = ["FEWEST", "Nested", "category_findings", "nested_categories"]

#: Words that a category must have, and its parent beside it.
FEWEST = 20


@dataclass(frozen=True, eq=False)
class Nested:
    """Categories, each with the nearest larger one around it.

    Parameters
    ----------
    inner, outer, half : csr_array
        (m, n) which words are under each category, under the one around it, and in some branches of the latter, about
        half of them.
    parents : array of int
        (m,) the concept around.
    """

    inner: csr_array
    outer: csr_array
    half: csr_array
    parents: Int64[np.ndarray, " m"]


def nested_categories(taxonomy: Taxonomy, words: Words, rng: np.random.Generator) -> Nested:
    """Concepts with `FEWEST` words, and as many in each of two parts of what the nearest such concept above adds."""
    from scipy.sparse import csr_array

    under: dict[int, list[int]] = {}
    for word, concept in enumerate(words.concepts.tolist()):
        for each in (concept, *taxonomy.ancestors(concept)):
            under.setdefault(each, []).append(word)
    inner, outer, half = list[list[int]](), list[list[int]](), list[list[int]]()
    parents = list[int]()
    for concept in sorted(under):
        own = under[concept]
        # a concept that is alone under another has the same words: one of them is taken
        if len(own) < FEWEST or (inner and inner[-1] == own):
            continue
        around = next((up for up in taxonomy.ancestors(concept) if len(under[up]) >= len(own) + 2 * FEWEST), None)
        if around is None:
            continue
        part = _branches(taxonomy, words, np.setdiff1d(under[around], own), around, rng)
        if not FEWEST <= len(part) <= len(under[around]) - len(own) - FEWEST:
            continue
        inner.append(own)
        outer.append(under[around])
        half.append(part)
        parents.append(around)

    def rows(members: list[list[int]]) -> csr_array:
        starts = np.cumsum([0, *map(len, members)])
        columns = np.concatenate([*members, []]).astype(np.int64)
        return csr_array((np.ones(len(columns)), columns, starts), shape=(len(members), len(words.rows)))

    return Nested(rows(inner), rows(outer), rows(half), np.array(parents, dtype=np.int64))


def _branches(
    taxonomy: Taxonomy, words: Words, members: Int64[np.ndarray, " k"], around: int, rng: np.random.Generator
) -> list[int]:
    """About half of the words under a concept, by whole branches just below it."""
    of: dict[int, list[int]] = {}
    for word in members.tolist():
        concept = int(words.concepts[word])
        way = [concept, *taxonomy.ancestors(concept)]
        of.setdefault(way[max(way.index(around) - 1, 0)], []).append(word)
    branches, taken = list(of.values()), list[int]()
    for at in rng.permutation(len(branches)).tolist():
        if 2 * (len(taken) + len(branches[at]) / 2) <= len(members):
            taken += branches[at]
    return taken


def category_findings(
    nested: Nested,
    vectors: Float64[np.ndarray, "n d"],
    blocks: Int64[np.ndarray, " n"],
    draws: int,
    rng: np.random.Generator,
    *,
    key: str,
    space: str,
) -> tuple[Finding, ...]:
    """Right angles, what a child holds of its parent, and angles of sisters, of (n, d) vectors about their mean."""
    null_rng, interval_rng = rng.spawn(2)
    m = len(nested.parents)
    if m < 2:
        return ()
    sisters = np.array(
        [(i, j) for i in range(m) for j in range(i + 1, m) if nested.parents[i] == nested.parents[j]], dtype=np.int64
    ).reshape(-1, 2)
    # of a parent with most of the words, what is outside a child is what is opposite to it
    part = np.asarray(nested.outer.sum(axis=1)) <= len(vectors) / 2
    angles, held, whole, apart = _measure(nested, vectors, sisters)
    total = float(whole[part].sum())
    nulls = np.empty((draws, 3))
    for draw in range(draws):
        moved = _measure(nested, vectors[shuffled(blocks, null_rng)], sisters)
        nulls[draw] = _means(moved[0], moved[1][part], total, moved[3])
    own = _means(angles, held[part], total, apart)
    ones = np.ones(m)
    intervals = (
        bootstrap_ratio_of_groups(angles, ones, nested.parents, interval_rng),
        bootstrap_ratio_of_groups(held[part], whole[part], nested.parents[part], interval_rng),
        bootstrap_ratio_of_groups(apart, np.ones(len(apart)), nested.parents[sisters[:, 0]], interval_rng)
        if len(apart)
        else None,
    )
    named = (
        (f"{key}_right_angle", f"cos(parent, child − parent) of categories, {space}", m, "categories"),
        (f"{key}_held", f"share of the parent's vector that a category holds, {space}", int(part.sum()), "categories"),
        (f"{key}_sisters", f"cos(child − parent, sister − parent) of categories, {space}", len(sisters), "pairs"),
    )
    return tuple(
        beside(name, title, own[at], intervals[at], n, unit, ((SHUFFLED, nulls[:, at]),))
        for at, (name, title, n, unit) in enumerate(named)
    )


def _measure(
    nested: Nested, vectors: Float64[np.ndarray, "n d"], sisters: Int64[np.ndarray, "s 2"]
) -> tuple[Float64[np.ndarray, " m"], Float64[np.ndarray, " m"], Float64[np.ndarray, " m"], Float64[np.ndarray, " s"]]:
    """Cosines of parent and child less parent; <a, z> and <a, b>; cosines of sisters, each less their parent."""
    sizes = [np.asarray(each.sum(axis=1))[:, None] for each in (nested.inner, nested.outer, nested.half)]
    inner, outer, half = (each @ vectors for each in (nested.inner, nested.outer, nested.half))
    rest = (outer - inner - half) / (sizes[1] - sizes[0] - sizes[2])
    child, parent, first = inner / sizes[0], outer / sizes[1], half / sizes[2]
    difference = child - parent
    lengths = np.linalg.norm(difference, axis=1)
    angles = (parent * difference).sum(axis=1) / (np.linalg.norm(parent, axis=1) * lengths)
    one, other = sisters.T
    apart = (difference[one] * difference[other]).sum(axis=1) / (lengths[one] * lengths[other])
    middle = vectors.mean(axis=0)
    first = first - middle
    return angles, (first * (child - middle)).sum(axis=1), (first * (rest - middle)).sum(axis=1), apart


def _means(
    angles: Float64[np.ndarray, " m"], held: Float64[np.ndarray, " k"], total: float, apart: Float64[np.ndarray, " s"]
) -> tuple[float, float, float]:
    """The mean angle, what is held of the whole, and the sisters' mean angle; NaN where there is none."""
    nothing = float("nan")
    share = float(held.sum()) / total if total > 0 else nothing
    return float(angles.mean()), share, float(apart.mean()) if len(apart) else nothing
