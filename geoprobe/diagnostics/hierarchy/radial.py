"""Whether parents lie nearer the origin, or the mean vector, than their children, and whether depth goes with norm."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Float64, Int64

from geoprobe.diagnostics.hierarchy.finding import RANDOM, SHUFFLED, SWAPPED, Finding, beside
from geoprobe.diagnostics.hierarchy.matching import explained, shuffled
from geoprobe.diagnostics.hierarchy.words import Words
from geoprobe.stats.correlation import average_ranks, correlation_matrix, fisher_interval, partial_correlation
from geoprobe.stats.resampling import bootstrap_ratio_of_groups

#: Key of each centre from which lengths are measured, and its name.
CENTRES = {"origin": "from the origin", "mean": "from the mean vector"}
#: (n,) distance of each word from each of these.
Lengths = dict[str, Float64[np.ndarray, " n"]]
#: Words that a depth must have to be drawn.
_FEWEST = 10
#: Columns of the correlation matrix: depth, both lengths, occurrences, merge rank.
_DEPTH, _HELD = 0, [3, 4]


@dataclass(frozen=True)
class Depth:
    """Words so deep in the taxonomy: how many, their mean norm, and mean and middle 95% of that in the null."""

    depth: int
    n: int
    mean: float
    null_mean: float
    null_low: float
    null_high: float


@dataclass(frozen=True)
class Radial:
    """What lengths say of the taxonomy: a finding each, and mean norms by depth."""

    findings: tuple[Finding, ...]
    depths: tuple[Depth, ...]


def radial(
    words: Words,
    lengths: Lengths,
    counts: Int64[np.ndarray, " n"],
    blocks: Int64[np.ndarray, " n"],
    draws: int,
    rng: np.random.Generator,
) -> Radial:
    """Measure the words, and the same with what frequency does not explain of lengths permuted.

    `lengths` are the distances of each word from each of `CENTRES`.
    """
    children = words.children
    first = np.stack([children, words.parents[children]], axis=1)
    kinds = (
        ("nearer", "share of a parent's children further {} than it, mean over parents", first, True),
        ("pairs", "share of pairs whose parent is the nearer, {}", first, False),
        (
            "senses",
            "share of a parent's children by all senses further {} than it, mean over parents",
            words.pairs,
            True,
        ),
    )
    shares = [
        _Share(f"{key}_{centre}", name.format(where), centre, pairs, by_parent)
        for key, name, pairs, by_parent in kinds
        for centre, where in CENTRES.items()
    ]
    held = [average_ranks(counts), average_ranks(words.rows)]
    depth_ranks = average_ranks(words.depths)

    def correlations(lengths: Lengths) -> list[float]:
        matrix = correlation_matrix(
            np.stack([depth_ranks, *(average_ranks(lengths[centre]) for centre in CENTRES), *held])
        )
        raw = [float(matrix[_DEPTH, 1 + at]) for at in range(len(CENTRES))]
        return raw + [partial_correlation(matrix, _DEPTH, 1 + at, _HELD) for at in range(len(CENTRES))]

    fitted = {centre: explained(lengths[centre], counts, words.rows) for centre in CENTRES}
    share_rng, null_rng, random_rng = rng.spawn(3)
    drawn, swapped, random = (np.empty((draws, len(shares))) for _ in range(3))
    rhos, random_rhos = np.empty((draws, 2 * len(CENTRES))), np.empty((draws, 2 * len(CENTRES)))
    by_depth = np.empty((draws, int(words.depths.max()) + 1))
    sizes = np.bincount(words.depths)
    for draw in range(draws):
        word_at = shuffled(blocks, null_rng)
        moved = {centre: fitted[centre] + (lengths[centre] - fitted[centre])[word_at] for centre in CENTRES}
        drawn[draw] = [share.of(moved, moved) for share in shares]
        swapped[draw] = [share.of(lengths, moved) for share in shares]
        rhos[draw] = correlations(moved)
        word_at = random_rng.permutation(len(word_at))
        anywhere = {centre: lengths[centre][word_at] for centre in CENTRES}
        random[draw] = [share.of(anywhere, anywhere) for share in shares]
        random_rhos[draw] = correlations(anywhere)
        by_depth[draw] = np.bincount(words.depths, weights=moved["origin"]) / np.maximum(sizes, 1)
    findings = [
        share.finding(
            lengths, ((SHUFFLED, drawn[:, at]), (SWAPPED, swapped[:, at]), (RANDOM, random[:, at])), share_rng
        )
        for at, share in enumerate(shares)
    ]
    n = len(words.rows)
    for at, value in enumerate(correlations(lengths)):
        centre = list(CENTRES)[at % len(CENTRES)]
        is_held = at >= len(CENTRES)
        findings.append(
            beside(
                f"depth_{centre}" + ("_held" if is_held else ""),
                f"ρ of depth and distance {CENTRES[centre]}" + (", frequency and merge rank held" if is_held else ""),
                value,
                fisher_interval(value, n, "spearman", held=2 if is_held else 0),
                n,
                "words",
                ((SHUFFLED, rhos[:, at]), (RANDOM, random_rhos[:, at])),
            )
        )
    means = np.bincount(words.depths, weights=lengths["origin"]) / np.maximum(sizes, 1)
    low, high = np.quantile(by_depth, [0.025, 0.975], axis=0)
    by_depths = [
        Depth(depth, int(sizes[depth]), *(float(each[depth]) for each in (means, by_depth.mean(axis=0), low, high)))
        for depth in np.flatnonzero(sizes >= _FEWEST).tolist()
    ]
    return Radial(tuple(findings), tuple(by_depths))


@dataclass(frozen=True, eq=False)
class _Share:
    """How often parents are nearer than their children: of pairs, or of each parent's and then of parents."""

    key: str
    name: str
    centre: str
    pairs: Int64[np.ndarray, "p 2"]
    by_parent: bool

    @cached_property
    def weights(self) -> Float64[np.ndarray, " p"]:
        """(p,) of each pair; their sum is the number of parents, or of pairs."""
        parents = self.pairs[:, 1]
        return 1 / np.bincount(parents)[parents] if self.by_parent else np.ones(len(parents))

    def of(self, child: Lengths, parent: Lengths) -> float:
        """The share with these lengths of children and of parents."""
        return float(self._nearer(child, parent).sum() / self.weights.sum())

    def _nearer(self, child: Lengths, parent: Lengths) -> Float64[np.ndarray, " p"]:
        """Weights of the pairs whose parent is the nearer, half of it where both are as near."""
        own, above = child[self.centre][self.pairs[:, 0]], parent[self.centre][self.pairs[:, 1]]
        weights: Float64[np.ndarray, " p"] = self.weights * ((above < own) + 0.5 * (above == own))
        return weights

    def finding(
        self, lengths: Lengths, nulls: Sequence[tuple[str, Float64[np.ndarray, " _"]]], rng: np.random.Generator
    ) -> Finding:
        """Beside its nulls."""
        parents = self.pairs[:, 1]
        values = self._nearer(lengths, lengths)
        interval = bootstrap_ratio_of_groups(values, self.weights, parents, rng)
        n, unit = (len(np.unique(parents)), "parents") if self.by_parent else (len(parents), "pairs")
        return beside(self.key, self.name, float(values.sum() / self.weights.sum()), interval, n, unit, nulls)
