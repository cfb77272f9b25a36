# mypy: disable-error-code="no-untyped-def"
"""Kernels over blocks of rows: squared lengths, sums and products, of float32 rows or of bfloat16 rows as their bits.

A bfloat16 is the upper half of a float32. Elements are widened one by one in registers, so that a table is never
held in another type than its own.
"""

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.core.errors import TypingError
from numba.extending import intrinsic


@intrinsic
def widened(typing_context, element):
    """A float32, or a bfloat16 given as uint16, as float64."""
    if element not in (types.float32, types.uint16):
        raise TypingError(f"rows of {element} cannot be read: give float32, or bfloat16 as uint16")

    def generate(context, builder, signature, arguments):
        (value,) = arguments
        if signature.args[0] == types.uint16:
            bits = builder.shl(builder.zext(value, ir.IntType(32)), ir.Constant(ir.IntType(32), 16))
            value = builder.bitcast(bits, ir.FloatType())
        return builder.fpext(value, ir.DoubleType())

    return types.float64(element), generate


@njit(nogil=True, cache=True, fastmath={"reassoc", "contract", "nsz"})
def squared_lengths(rows, squares):
    """Sum of squares of each row; NaN or infinite exactly where the row holds such an element."""
    for i in range(rows.shape[0]):
        row = rows[i]
        total = 0.0
        for k in range(rows.shape[1]):
            x = widened(row[k])
            total += x * x
        squares[i] = total


@njit(nogil=True, cache=True, fastmath={"reassoc", "contract", "nsz"})
def add_four(a, b, c, d, sums):
    """Add four rows to `sums`: one load and store of a sum for four elements."""
    for k in range(sums.shape[0]):
        sums[k] += (widened(a[k]) + widened(b[k])) + (widened(c[k]) + widened(d[k]))


@njit(nogil=True, cache=True)
def add_one(a, sums):
    """Add a row to `sums`."""
    for k in range(sums.shape[0]):
        sums[k] += widened(a[k])


@njit(nogil=True, cache=True)
def lengths_and_sums(rows, squares, sums):
    """Sum of squares of each row, and the sum of the rows that are finite: four at a time, while they are at hand."""
    n = rows.shape[0]
    for start in range(0, n, 4):
        stop = min(start + 4, n)
        squared_lengths(rows[start:stop], squares[start:stop])
        if stop - start == 4 and np.isfinite(squares[start:stop]).all():
            add_four(rows[start], rows[start + 1], rows[start + 2], rows[start + 3], sums)
        else:
            for i in range(start, stop):
                if np.isfinite(squares[i]):
                    add_one(rows[i], sums)


@njit(nogil=True, cache=True, fastmath={"reassoc", "contract", "nsz"})
def products(rows, a, b, c, d, out):
    """Products of each row with four directions, an element widened once for all four."""
    for i in range(rows.shape[0]):
        row = rows[i]
        first = second = third = fourth = 0.0
        for k in range(rows.shape[1]):
            x = widened(row[k])
            first += x * a[k]
            second += x * b[k]
            third += x * c[k]
            fourth += x * d[k]
        out[i, 0] = first
        out[i, 1] = second
        out[i, 2] = third
        out[i, 3] = fourth
