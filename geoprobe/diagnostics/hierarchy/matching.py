"""The nulls of a taxonomy: other words of equal frequency in the places of its words.

Blocks of equal frequency are never so narrow that no trend is left in them. So of lengths only what frequency and merge
rank do not explain is permuted (Freedman and Lane 1983, Journal of Business and Economic Statistics 1, 292-298).
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float64, Int64

from geoprobe.stats.nulls.tokens import token_classes

#: Words of a block; some blocks have up to twice as many, or all words of a class.
BLOCK = 16
#: Knots of a spline inside its range, at even quantiles of the distinct values.
_KNOTS = 8


def blocks_of(counts: Int64[np.ndarray, " n"], rows: Int64[np.ndarray, " n"]) -> Int64[np.ndarray, " n"]:
    """Blocks of words of equal frequency: a class of occurrences (a doubling) each, and near in the order of ids.

    Ids are the order of merges, or of frequency, so that words of a block were about as frequent in the text that the
    vocabulary is from, whether or not the corpora hold them.
    """
    classes = token_classes(counts).labels
    order = np.lexsort((rows, classes))
    blocks = np.empty(len(rows), dtype=np.int64)
    first = 0
    for members in np.split(order, np.flatnonzero(np.diff(classes[order])) + 1):
        parts = max(1, len(members) // BLOCK)
        for part in np.array_split(members, parts):
            blocks[part] = first
            first += 1
    return blocks


def shuffled(blocks: Int64[np.ndarray, " n"], rng: np.random.Generator) -> Int64[np.ndarray, " n"]:
    """(n,) which word stands in the place of each: a random permutation within the blocks."""
    places = np.argsort(blocks, kind="stable")
    words = np.lexsort((rng.random(len(blocks)), blocks))
    drawn = np.empty(len(blocks), dtype=np.int64)
    drawn[places] = words
    return drawn


def explained(
    lengths: Float64[np.ndarray, " n"], counts: Int64[np.ndarray, " n"], rows: Int64[np.ndarray, " n"]
) -> Float64[np.ndarray, " n"]:
    """(n,) what the logarithms of occurrences and of token ids explain of lengths: the sum of two cubic splines."""
    columns = np.concatenate([_spline(np.log1p(counts)), _spline(np.log1p(rows))], axis=1)
    coefficients = np.linalg.lstsq(columns, lengths, rcond=1e-10)[0]
    fitted: Float64[np.ndarray, " n"] = columns @ coefficients
    return fitted


def _spline(values: Float64[np.ndarray, " n"]) -> Float64[np.ndarray, "n b"]:
    """A basis of cubic splines, which holds the constant."""
    from scipy.interpolate import BSpline

    low, high = float(values.min()), float(values.max())
    if high <= low:
        return np.ones((len(values), 1))
    inside = np.unique(np.quantile(np.unique(values), np.linspace(0, 1, _KNOTS + 2)[1:-1]))
    knots = np.concatenate([[low] * 4, inside[(inside > low) & (inside < high)], [high] * 4])
    basis: Float64[np.ndarray, "n b"] = BSpline.design_matrix(values, knots, 3).toarray()
    return basis
