"""Which points are measured: prompts of each corpus, rows of the vocabulary, distinct tokens of a prompt."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float64, Int64

from geoprobe.data import ScanInputs


def even_shares(available: Sequence[int], wanted: int) -> list[int]:
    """How many of the `wanted` prompts each corpus gives, as even as they allow: what one lacks, the others give."""
    shares = [0] * len(available)
    for _ in range(min(wanted, sum(available))):
        left = [place for place, most in enumerate(available) if shares[place] < most]
        shares[min(left, key=shares.__getitem__)] += 1
    return shares


def usable_rows(inputs: ScanInputs) -> Int64[np.ndarray, " u"]:
    """Rows of ordinary tokens with finite vectors."""
    table = inputs.embedding
    return np.flatnonzero(table.named & table.finite & ~table.special)


def drawable(inputs: ScanInputs, rows: Int64[np.ndarray, " u"]) -> int:
    """How many of these rows can be drawn so that each of the table's is as likely as another."""
    if inputs.embedding.weights is None:
        return len(rows)
    weights = inputs.embedding.weights[rows]
    return int(weights.sum() / weights.max())


def draw_rows(
    inputs: ScanInputs, rows: Int64[np.ndarray, " u"], n: int, rng: np.random.Generator
) -> Int64[np.ndarray, " n"]:
    """Rows without replacement; of a sampled table each as often as the rows it stands for (systematically)."""
    if inputs.embedding.weights is None:
        return np.asarray(rng.choice(rows, n, replace=False))
    order = rng.permutation(rows)
    reach = np.cumsum(inputs.embedding.weights[order])
    steps = (rng.random() + np.arange(n)) * reach[-1] / n
    return np.asarray(order[np.searchsorted(reach, steps, side="right").clip(max=len(order) - 1)])


def vectors_of(inputs: ScanInputs, rows: Int64[np.ndarray, " n"]) -> Float64[np.ndarray, "n d"]:
    """Rows of the embedding in double precision."""
    return inputs.embedding.vectors.take(rows).astype(np.float64)


def first_distinct(ids: Int64[np.ndarray, " _"], limit: int) -> Int64[np.ndarray, " _"]:
    """The first `limit` distinct tokens, in order of appearance."""
    _, first = np.unique(ids, return_index=True)
    return ids[np.sort(first)[:limit]]


def thinned(points: Float64[np.ndarray, "n d"], limit: int) -> Float64[np.ndarray, "m d"]:
    """At most `limit` rows, evenly spaced."""
    return points[np.linspace(0, len(points) - 1, min(limit, len(points))).astype(np.int64)]
