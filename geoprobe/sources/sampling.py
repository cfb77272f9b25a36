"""Which rows of a table to read when not all are: the tokens of a few prompts, and a sample stratified by frequency.

Rows are classed by how often their token was counted (never, once, 2-3, 4-7, ...). Prompts are taken whole, since a
statistic of a prompt needs all its tokens. Of what is left of the budget one half is shared out over the classes in
proportion to their size, so that rare tokens are seen as they are in the table, and one half equally, so that the few
frequent ones are seen at all. A row's weight says how many rows of its class it stands for.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from statistics import NormalDist

import numpy as np
from jaxtyping import Float64, Int64

from geoprobe.data import EmbeddingTable, Prompts

#: Bytes of rows that a quick scan reads: 488 rows of Llama 3 8B.
QUICK_BYTES = 4_000_000
#: How the note of a sampled table begins.
QUICK_SCAN = "Quick scan"
_PROMPT_TOKENS = 256
_PROMPT_SHARE = 0.6
_LEVEL = 0.95


def sample_weights(
    counts: Int64[np.ndarray, " v"], prompts: Sequence[Prompts], budget: int, rng: np.random.Generator
) -> Float64[np.ndarray, " v"]:
    """Choose rows to read, at most `budget`: how many each stands for, 0 where left out; they sum to V."""
    budget = min(budget, len(counts))
    weights = np.zeros(len(counts))
    certain = _prompt_rows(prompts, int(_PROMPT_SHARE * budget), len(counts))
    weights[certain] = 1.0
    budget -= len(certain)
    left = _merged([rows[weights[rows] == 0] for rows in _classes(counts)], budget)
    for rows, n in zip(left, _shares([len(rows) for rows in left], budget), strict=True):
        if n:
            weights[rng.choice(rows, n, replace=False)] = len(rows) / n
    return weights


def _classes(counts: Int64[np.ndarray, " v"]) -> list[Int64[np.ndarray, " n"]]:
    # 0 for never, else one more than the whole part of the binary logarithm
    label = np.where(counts > 0, 1 + np.floor(np.log2(np.maximum(counts, 1))), 0).astype(np.int64)
    return [np.flatnonzero(label == number) for number in np.unique(label)]


def _merged(classes: list[Int64[np.ndarray, " _"]], budget: int) -> list[Int64[np.ndarray, " _"]]:
    """So few classes that an equal half of the budget is two rows of each: the smallest neighbours are made one."""
    classes = [rows for rows in classes if len(rows)]
    while len(classes) > 1 and 4 * len(classes) > budget:
        place = min(range(len(classes) - 1), key=lambda i: len(classes[i]) + len(classes[i + 1]))
        classes[place : place + 2] = [np.concatenate(classes[place : place + 2])]
    return classes


def _prompt_rows(prompts: Sequence[Prompts], budget: int, rows: int) -> Int64[np.ndarray, " n"]:
    """Distinct tokens of as many whole prompts as the budget allows, a prompt of each corpus in turn."""
    taken: set[int] = set()
    for ids in _in_turn(prompts):
        wanted = taken | {int(row) for row in ids[:_PROMPT_TOKENS] if row < rows}
        if len(wanted) <= budget:
            taken = wanted
    return np.array(sorted(taken), dtype=np.int64)


def _in_turn(prompts: Sequence[Prompts]) -> Iterator[Int64[np.ndarray, " _"]]:
    for position in range(max(map(len, prompts), default=0)):
        for corpus in prompts:
            if position < len(corpus):
                yield corpus.ids[position]


def _shares(sizes: list[int], budget: int) -> list[int]:
    """Rows of each class: half of the budget by size, half equally; every class gets two, or the one it has."""
    total = sum(sizes)
    if total <= budget:
        return sizes
    wanted = [budget * (size / total + 1 / len(sizes)) / 2 for size in sizes]
    shares = [min(size, int(share)) for size, share in zip(sizes, wanted, strict=True)]
    # what small classes cannot use, and what rounding left, goes to the largest
    for place in sorted(range(len(sizes)), key=lambda i: -sizes[i]):
        shares[place] = min(sizes[place], shares[place] + budget - sum(shares))
    return shares


def sample_note(table: EmbeddingTable, counts: Int64[np.ndarray, " v"]) -> str:
    """Say how much of a table was read and how far off that may be: the mean norm with its stratified interval."""
    assert table.weights is not None
    read = np.flatnonzero(table.weights)
    norms = np.linalg.norm(table.vectors.take(read).astype(np.float64), axis=1)
    weights = table.weights[read]
    finite = np.isfinite(norms)
    mean = float(np.average(norms[finite], weights=weights[finite])) if finite.any() else float("nan")
    variance = 0.0
    drawn = np.zeros(len(read), dtype=np.bool_)
    for rows in _classes(counts):
        drawn |= finite & np.isin(read, rows) & (weights > 1)
        n, size = int(drawn.sum()), float(weights[drawn].sum())
        if n > 1:  # one row says nothing of its class: it is taken together with the next
            # simple random sampling without replacement in each class
            variance += size**2 * (1 - n / size) * float(norms[drawn].var(ddof=1)) / n
            drawn[:] = False
    margin = NormalDist().inv_cdf((1 + _LEVEL) / 2) * math.sqrt(variance) / table.size
    seen = int((counts[read] > 0).sum())
    return (
        f"{QUICK_SCAN}: {len(read):,} of {table.size:,} rows were read, {seen:,} of them of the "
        f"{np.count_nonzero(counts):,} tokens seen; the others are left out everywhere. The vocabulary's mean norm is "
        f"{mean:.4g} ± {margin:.2g} ({_LEVEL:.0%}, by frequency class); a correlation over the seen rows read "
        f"has a standard error of about {1 / math.sqrt(max(seen - 3, 1)):.2g} from the sampling alone. Scan without "
        "--quick for figures to rely on."
    )
