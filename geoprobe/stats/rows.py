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
    """What one pass over a matrix gives.

    Attributes
    ----------
    norms
        (V,) Euclidean lengths; NaN or infinite exactly where the row holds such an element.
    mean
        (d,) of the finite rows; zeros where there are none.
    """

    norms: Float64[np.ndarray, " v"]
    mean: Float64[np.ndarray, " d"]

    @property
    def finite(self) -> Bool[np.ndarray, " v"]:
        """(V,) which rows hold neither NaN nor infinity."""
        found: np.ndarray = np.isfinite(self.norms)
        return found

    @property
    def zero(self) -> Bool[np.ndarray, " v"]:
        """(V,) which rows are zero throughout."""
        found: np.ndarray = self.norms == 0
        return found


def row_statistics(read: ReadBlock, shape: tuple[int, int]) -> RowStatistics:
    """Lengths of all rows and the mean of the finite ones, in one pass.

    Parameters
    ----------
    read
        Gives a block of rows.
    shape
        (V, d).

    Returns
    -------
    RowStatistics
    """
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
    """Products of all rows with a few directions, in one pass for every four of them.

    Parameters
    ----------
    read, shape
        As of `row_statistics`.
    directions
        (k, d).

    Returns
    -------
    (V, k) in float64; NaN or infinite where a row is.
    """
    found = np.empty((shape[0], len(directions)))
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
            found[start:stop, first : first + taken] = part[:, :taken]

        run_tasks(multiply, _blocks(shape))
    return found


def _blocks(shape: tuple[int, int]) -> list[tuple[int, int]]:
    step = max(4, _BLOCK_ELEMENTS // max(shape[1], 1))
    return [(start, min(start + step, shape[0])) for start in range(0, shape[0], step)]
