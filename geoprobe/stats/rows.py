"""One pass over a matrix that is read in row blocks: lengths, which rows are finite or zero, their mean; products.

Blocks are float32, or bfloat16 as its bits in uint16; sums are in float64. The matrix is cut by its shape alone, so
results do not depend on the number of threads.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64, Shaped

from geoprobe.stats.row_kernels import add_one, products, squares_and_sums
from geoprobe.stats.threads import run_tasks

#: Rows start to stop (exclusive), as float32 or as bfloat16 bits; called from several threads at once.
ReadBlock = Callable[[int, int], Shaped[np.ndarray, "rows d"]]

#: Elements of a block: 16 MB in float32, which bounds memory; many blocks, which keep every core busy.
_BLOCK_ELEMENTS = 1 << 22
#: Directions that one pass takes.
_LANES = 4


@dataclass(frozen=True, eq=False)
class RowStatistics:
    """(V,) Euclidean norms, not finite exactly where a row is not, and the (d,) mean of the finite rows."""

    norms: Float64[np.ndarray, " v"]
    mean: Float64[np.ndarray, " d"]

    @property
    def finite(self) -> Bool[np.ndarray, " v"]:
        """(V,) which rows hold neither NaN nor infinity."""
        return np.asarray(np.isfinite(self.norms))

    @property
    def zero(self) -> Bool[np.ndarray, " v"]:
        """(V,) which rows are zero throughout."""
        return np.asarray(self.norms == 0)


def row_statistics(read: ReadBlock, shape: tuple[int, int]) -> RowStatistics:
    """Norms of all rows and mean of the finite ones of a (V, d) table, in one pass; ``read`` gives blocks of rows."""
    squares = np.empty(shape[0])

    def measure(block: tuple[int, int]) -> Float64[np.ndarray, " d"]:
        start, stop = block
        return _measure(read(start, stop), squares[start:stop])

    parts = run_tasks(measure, _blocks(shape))
    total = np.zeros(shape[1])
    for part in parts:  # in the order of the rows, whichever came first
        total += part
    return RowStatistics(np.sqrt(squares), total / max(int(np.isfinite(squares).sum()), 1))


def _measure(rows: Shaped[np.ndarray, "rows d"], squares: Float64[np.ndarray, " rows"]) -> Float64[np.ndarray, " d"]:
    """Fill the sum of squares of each row; the (d,) sum of the rows that are finite."""
    sums = np.zeros(rows.shape[1])
    whole = len(rows) - len(rows) % 8
    squares_and_sums(rows[:whole], squares[:whole], sums)
    if whole < len(rows):
        # the last few as eight too, filled up with zeros: an equal row must sum in the same order wherever it stands
        rest, ends = np.zeros((8, rows.shape[1]), rows.dtype), np.empty(8)
        rest[: len(rows) - whole] = rows[whole:]
        squares_and_sums(rest, ends, sums)
        squares[whole:] = ends[: len(rows) - whole]
    finite = np.isfinite(squares)
    if not finite.all():  # seldom: once more without those rows
        sums[:] = 0
        for i in np.flatnonzero(finite):
            add_one(rows[i], sums)
    return sums


def project(
    read: ReadBlock, shape: tuple[int, int], directions: Float64[np.ndarray, "k d"]
) -> Float64[np.ndarray, "v k"]:
    """(V, k) float64 products of all rows with (k, d) directions; not finite where a row is not."""
    projected = np.empty((shape[0], len(directions)))
    for first in range(0, len(directions), _LANES):
        lanes = np.zeros((_LANES, shape[1]))
        taken = min(_LANES, len(directions) - first)
        lanes[:taken] = directions[first : first + taken]

        def multiply(
            block: tuple[int, int], lanes: Float64[np.ndarray, "k d"] = lanes, first: int = first, taken: int = taken
        ) -> None:
            start, stop = block
            part = np.empty((stop - start, _LANES))
            products(read(start, stop), lanes[0], lanes[1], lanes[2], lanes[3], part)
            projected[start:stop, first : first + taken] = part[:, :taken]

        run_tasks(multiply, _blocks(shape))
    return projected


def _blocks(shape: tuple[int, int]) -> list[tuple[int, int]]:
    step = max(4, _BLOCK_ELEMENTS // max(shape[1], 1))
    return [(start, min(start + step, shape[0])) for start in range(0, shape[0], step)]
