# mypy: disable-error-code="no-untyped-def"
"""Kernel that looks at a distance matrix once for everything its checks need."""

from geoprobe.stats.hyperbolicity.simd_kernels import fmax, fmin
from geoprobe.stats.kernel import kernel

TILE = 8


@kernel("(float64[:, ::1], int64, int64)", fastmath={"reassoc"})
def scan_rows(matrix, start, stop):
    """(largest, smallest, 0 or NaN, largest diagonal, largest asymmetry) of rows [start, stop) up to the diagonal.

    The third is a sum of 0 * value, which only infinity or NaN can disturb; the mirror of each row is read in
    tiles that stay in cache.
    """
    largest = 0.0
    smallest = 0.0
    poison = 0.0
    diagonal = 0.0
    asymmetry = 0.0
    for first in range(start, stop, TILE):
        last = min(first + TILE, stop)
        for left in range(0, last, TILE):
            for x in range(first, last):
                for y in range(left, min(left + TILE, x)):
                    here = matrix[x, y]
                    there = matrix[y, x]
                    poison += 0.0 * here + 0.0 * there
                    largest = fmax(largest, fmax(here, there))
                    smallest = fmin(smallest, fmin(here, there))
                    asymmetry = fmax(asymmetry, abs(here - there))
        for x in range(first, last):
            poison += 0.0 * matrix[x, x]
            diagonal = fmax(diagonal, abs(matrix[x, x]))
    return largest, smallest, poison, diagonal, asymmetry
