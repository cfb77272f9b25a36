"""Whether a parent is among its child's neighbours, and whether a child lies at a right angle from it."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float64, Int64

from geoprobe.diagnostics.hierarchy.finding import SWAPPED, Finding, beside
from geoprobe.diagnostics.hierarchy.matching import shuffled
from geoprobe.stats.resampling import bootstrap_ratio_of_groups

#: Neighbours among which a parent is sought.
NEAREST = 10
_BLOCK = 128


def relatives(
    vectors: Float64[np.ndarray, "n d"],
    pairs: Int64[np.ndarray, "p 2"],
    blocks: Int64[np.ndarray, " n"],
    draws: int,
    rng: np.random.Generator,
) -> tuple[Finding, ...]:
    """Where parents stand among all words by their distance and angle from the child, beside swapped parents.

    Vectors are about the mean vector.
    """
    swap_rng, interval_rng = rng.spawn(2)
    targets = _targets(pairs, blocks, draws, swap_rng)
    n = len(vectors)
    squares = np.einsum("nd,nd->n", vectors, vectors)
    lengths = np.sqrt(squares)
    before = {key: np.empty(targets.shape) for key in ("distance", "angle")}
    for start in range(0, len(pairs), _BLOCK):
        part = slice(start, start + _BLOCK)
        child = pairs[part, 0]
        products = vectors[child] @ vectors.T
        measures = {"distance": squares - 2 * products, "angle": -products / lengths}
        for key, measure in measures.items():
            aims = np.take_along_axis(measure, targets[part], axis=1)
            measure[np.arange(len(child)), child] = np.inf  # no word is its own neighbour
            measure.sort(axis=1)
            for row, (ordered, aim) in enumerate(zip(measure, aims, strict=True), start):
                before[key][row] = np.searchsorted(ordered, aim)
    itself = targets == pairs[:, :1]
    statistics = {
        "nearer_words_distance": (
            "share of words nearer to the child than its parent, by distance",
            before["distance"] / (n - 2),
        ),
        "nearer_words_angle": (
            "share of words nearer to the child than its parent, by angle about the mean",
            before["angle"] / (n - 2),
        ),
        "among_nearest": (
            f"share of parents among the {NEAREST} words nearest to the child by angle",
            1.0 * (before["angle"] < NEAREST),
        ),
    }
    return tuple(
        _finding(key, name, np.where(itself, np.nan, values), pairs, interval_rng)
        for key, (name, values) in statistics.items()
    )


def right_angles(
    vectors: Float64[np.ndarray, "n d"],
    pairs: Int64[np.ndarray, "p 2"],
    blocks: Int64[np.ndarray, " n"],
    draws: int,
    rng: np.random.Generator,
    *,
    key: str,
    space: str,
) -> Finding:
    """Mean cosine of a parent's vector and its child's less its own, of (n, d) vectors about their mean.

    Two vectors of one length that have nothing to do with each other give −√½, and a child that is its parent and
    something at a right angle to it gives 0.
    """
    swap_rng, interval_rng = rng.spawn(2)
    targets = _targets(pairs, blocks, draws, swap_rng)
    squares = np.einsum("nd,nd->n", vectors, vectors)
    cosines = np.empty(targets.shape)
    for start in range(0, len(pairs), _BLOCK):
        part = slice(start, start + _BLOCK)
        child = pairs[part, :1]
        products = np.take_along_axis(vectors[child[:, 0]] @ vectors.T, targets[part], axis=1)
        parent = squares[targets[part]]
        difference = np.sqrt(np.maximum(squares[child] + parent - 2 * products, 0))
        with np.errstate(invalid="ignore", divide="ignore"):
            cosines[part] = (products - parent) / (np.sqrt(parent) * difference)
    cosines[(targets == pairs[:, :1]) | ~np.isfinite(cosines)] = np.nan
    return _finding(key, f"cos(parent, child − parent) of words, {space}", cosines, pairs, interval_rng)


def _targets(
    pairs: Int64[np.ndarray, "p 2"], blocks: Int64[np.ndarray, " n"], draws: int, rng: np.random.Generator
) -> Int64[np.ndarray, "p draws_and_one"]:
    """The parent of each pair, and the words that take its place in each draw."""
    return np.stack([pairs[:, 1], *(shuffled(blocks, rng)[pairs[:, 1]] for _ in range(draws))], axis=1)


def _finding(
    key: str,
    name: str,
    values: Float64[np.ndarray, "p draws_and_one"],
    pairs: Int64[np.ndarray, "p 2"],
    rng: np.random.Generator,
) -> Finding:
    known = np.isfinite(values[:, 0])
    own, parents = values[known, 0], pairs[known, 1]
    if not len(own):
        return beside(key, name, float("nan"), None, 0, "pairs", ())
    interval = bootstrap_ratio_of_groups(own, np.ones(len(own)), parents, rng)
    return beside(
        key, name, float(own.mean()), interval, len(own), "pairs", ((SWAPPED, np.nanmean(values[:, 1:], axis=0)),)
    )
