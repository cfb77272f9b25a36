"""Rows of a matrix that are equal, or point nearly the same way."""

from collections.abc import Callable

import numpy as np
from jaxtyping import Float, Float64, Int64

_BLOCK = 512
#: Rows compared at a time.
_COMPARED = 1024


def equal_rows(
    norms: Float64[np.ndarray, " v"], take: Callable[[Int64[np.ndarray, " r"]], Float[np.ndarray, "r d"]]
) -> list[Int64[np.ndarray, " _"]]:
    """Groups of at least two rows that are equal element by element, from the (V,) norms of all rows.

    Equal rows have equal norms to the last bit, if those were summed in one order, as `row_statistics` does, so
    ``take`` reads only such rows. Rows of zeros and rows that are not finite are left out: they are seen from the norm
    alone.
    """
    usable = np.flatnonzero(np.isfinite(norms) & (norms > 0))
    _, first, times = np.unique(norms[usable], return_inverse=True, return_counts=True)
    shared = usable[times[first] > 1]
    groups: dict[tuple[float, bytes], list[int]] = {}
    for start in range(0, shared.size, _COMPARED):
        rows = shared[start : start + _COMPARED]
        block = np.ascontiguousarray(take(rows)) + np.float32(0)  # -0 becomes 0
        for row, vector in zip(rows.tolist(), block, strict=True):
            groups.setdefault((float(norms[row]), _digest(vector)), []).append(row)
    return [np.array(group, dtype=np.int64) for group in groups.values() if len(group) > 1]


def nearest_cosines(
    vectors: Float[np.ndarray, "n d"],
) -> tuple[Int64[np.ndarray, " n"], Float64[np.ndarray, " n"]]:
    """(n,) the other row with the smallest angle, of (n, d) nonzero rows, and (n,) its cosine to four digits.

    -1 and -1 for a single row.
    """
    n = len(vectors)
    wide = vectors.astype(np.float64)
    units = (wide / np.sqrt(np.einsum("nd,nd->n", wide, wide))[:, None]).astype(np.float32)
    nearest, cosines = np.full(n, -1, dtype=np.int64), np.full(n, -1.0)
    if n < 2:
        return nearest, cosines
    for start in range(0, n, _BLOCK):
        products = units[start : start + _BLOCK] @ units.T
        places = np.arange(len(products))
        products[places, start + places] = -2
        others = products.argmax(axis=1)
        nearest[start : start + _BLOCK] = others
        # float32 products may differ in their last bits from machine to machine
        cosines[start : start + _BLOCK] = products[places, others].astype(np.float64).round(4)
    return nearest, cosines


def _digest(vector: Float[np.ndarray, " d"]) -> bytes:
    import hashlib

    return hashlib.blake2b(vector.tobytes(), digest_size=16).digest()
