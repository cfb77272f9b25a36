"""One pass over a matrix that is read in row blocks: lengths, which rows are finite or zero, their mean; products.

Blocks are float32, or bfloat16 as its bits in uint16; sums are in float64. The matrix is cut by its shape alone, so
results do not depend on the number of threads.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64, Shaped

from geoprobe.stats.row_kernels import lengths_and_sums, products
from geoprobe.stats.threads import run_tasks

__all__ = ["ReadBlock", "RowStatistics", "project", "row_statistics"]

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
        sums = np.empty(shape[1])
        lengths_and_sums(read(start, stop), squares[start:stop], sums)
        return sums

    parts = run_tasks(measure, _blocks(shape))
    total = np.zeros(shape[1])
    for part in parts:  # in the order of the rows, whichever came first
        total += part
    return RowStatistics(np.sqrt(squares), total / max(int(np.isfinite(squares).sum()), 1))


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
