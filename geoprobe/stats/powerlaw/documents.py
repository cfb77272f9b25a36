"""A corpus as sparse rows: which types each document holds, and how often."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Int
from numpy.typing import ArrayLike


@dataclass(frozen=True, eq=False)
class Documents:
    """Counts by document in compressed sparse rows.

    Document d holds the types ``ids[indptr[d]:indptr[d + 1]]``, each as often as `counts` says.
    """

    indptr: Int[np.ndarray, "rows"]
    ids: Int[np.ndarray, "entries"]
    counts: Int[np.ndarray, "entries"]

    @property
    def n(self) -> int:
        """Number of documents."""
        return self.indptr.size - 1

    def totals(self) -> Int[np.ndarray, "types"]:
        """Count of each type over all documents."""
        totals = np.zeros(int(self.ids.max()) + 1, dtype=np.int64)
        np.add.at(totals, self.ids, self.counts)
        return totals


def documents(indptr: ArrayLike, ids: ArrayLike, counts: ArrayLike | None = None) -> Documents:
    """Check counts by document in compressed sparse rows; malformed ones raise ValueError.

    `indptr` is where each document's entries start, from 0, and their number last; an entry is a type (the token ids of
    all documents, one after another, will do) and how often the document holds it, 1 by default. A type may have
    several entries in one document.
    """
    rows = _whole(indptr, "indptr")
    types = _whole(ids, "ids")
    weights = np.ones(types.size, dtype=np.int64) if counts is None else _whole(counts, "counts")
    if rows.size < 3:
        raise ValueError(f"indptr has {rows.size} entries: resampling documents needs at least two of them")
    if rows[0] != 0 or np.any(np.diff(rows) < 0):
        raise ValueError("indptr must start at 0 and never fall: give the running number of entries by document")
    if rows[-1] != types.size or types.size != weights.size:
        raise ValueError(
            f"indptr ends at {rows[-1]}, ids has {types.size} entries and counts {weights.size}: the three must agree"
        )
    if types.size == 0:
        raise ValueError("ids is empty: no document holds a token")
    for array, name in ((types, "ids"), (weights, "counts")):
        if array.min() < 0:
            raise ValueError(f"{name} holds {array.min()}: it cannot be negative; drop or repair that entry")
    return Documents(rows, types, weights)


def _whole(given: ArrayLike, name: str) -> Int[np.ndarray, "n"]:
    array = np.asarray(given)
    if array.ndim != 1 or array.dtype.kind not in "iu":
        raise ValueError(
            f"{name} has shape {array.shape} and dtype {array.dtype}: give a one-dimensional array of integers"
        )
    return np.ascontiguousarray(array, dtype=np.int64)
