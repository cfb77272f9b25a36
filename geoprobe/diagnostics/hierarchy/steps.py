"""Whether words few steps apart in the taxonomy lie near one another: Mantel's correlation of two distances.

Mantel (1967), Cancer Research 27, 209-220: Pearson's correlation of two matrices of distances over all pairs, tested by
permuting the objects of one. Here the permutation is of words of equal frequency.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float64, Int64

from geoprobe.diagnostics.hierarchy.finding import SHUFFLED, Finding, beside
from geoprobe.diagnostics.hierarchy.matching import blocks_of, shuffled
from geoprobe.diagnostics.hierarchy.taxonomy import Taxonomy
from geoprobe.diagnostics.hierarchy.words import Words
from geoprobe.stats.nulls.elliptical import elliptical_null
from geoprobe.stats.resampling import student_mean

METRICS = {"distance": "Euclidean distance", "angle": "cosine distance about the mean vector"}
ROTATED = "directions drawn anew, covariance and norms kept"


def tree_distances(
    taxonomy: Taxonomy,
    words: Words,
    vectors: Float64[np.ndarray, "n d"],
    counts: Int64[np.ndarray, " n"],
    *,
    size: int,
    samples: int,
    draws: int,
    clouds: int,
    rng: np.random.Generator,
) -> tuple[Finding, ...]:
    """Mantel's r of steps in the taxonomy and each of `METRICS`, over samples of words that share none.

    Vectors are about the mean vector; `size` is the words of a sample at most, `draws` are permutations, and `clouds`
    those of the same covariance and norms.
    """
    word_rng, null_rng, cloud_rng = rng.spawn(3)
    n = min(size, len(words.rows) // samples)
    parts = np.split(word_rng.permutation(len(words.rows))[: n * samples], samples)
    found = np.empty((samples, len(METRICS)))
    permuted, rotated = np.empty((samples, draws, len(METRICS))), np.empty((samples, clouds, len(METRICS)))
    for at, part in enumerate(parts):
        steps = taxonomy.distances(words.concepts[part].tolist()).astype(np.float64)
        centred = _standard(steps)
        points = vectors[part]
        measured = [_standard(each) for each in _distances(points)]
        found[at] = [np.vdot(centred, each) for each in measured]
        blocks = blocks_of(counts[part], words.rows[part])
        for draw in range(draws):
            order = shuffled(blocks, null_rng)
            moved = centred[np.ix_(order, order)]
            permuted[at, draw] = [np.vdot(moved, each) for each in measured]
        shape = elliptical_null(points)
        for draw in range(clouds):
            cloud = shape.placed(shape.draw(1, cloud_rng)[0]) if len(shape.roots) else points
            rotated[at, draw] = [np.vdot(centred, _standard(each)) for each in _distances(cloud)]
    return tuple(
        beside(
            f"steps_{key}",
            f"Mantel's r of steps in the taxonomy and {name}",
            float(found[:, at].mean()),
            student_mean(found[:, at]),
            n * samples,
            f"words in {samples} samples",
            ((SHUFFLED, permuted[:, :, at].mean(axis=0)), (ROTATED, rotated[:, :, at].mean(axis=0))),
        )
        for at, (key, name) in enumerate(METRICS.items())
    )


def _distances(points: Float64[np.ndarray, "n d"]) -> tuple[Float64[np.ndarray, "n n"], Float64[np.ndarray, "n n"]]:
    """Euclidean and cosine distances."""
    products = points @ points.T
    squares = np.diag(products)
    lengths = np.sqrt(squares)
    euclidean = np.sqrt(np.maximum(squares[:, None] + squares - 2 * products, 0))
    return euclidean, 1 - products / np.maximum(np.outer(lengths, lengths), np.finfo(np.float64).tiny)


def _standard(distances: Float64[np.ndarray, "n n"]) -> Float64[np.ndarray, "n n"]:
    """Off the diagonal less their mean and of unit length, 0 on it; NaN where all are the same."""
    off = ~np.eye(len(distances), dtype=bool)
    centred: Float64[np.ndarray, "n n"] = np.where(off, distances - distances[off].mean(), 0.0)
    length = float(np.linalg.norm(centred))
    return (
        centred / length if length > 1e-12 * max(1.0, float(np.abs(distances).max())) else np.full_like(centred, np.nan)
    )
