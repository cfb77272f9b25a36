# mypy: disable-error-code="no-untyped-def"
"""Kernels over blocks of rows: squared lengths, sums and products, of float32 rows or of bfloat16 rows as their bits.

A bfloat16 is the upper half of a float32. Elements are widened one by one in registers, so that a table is never
held in another type than its own.
"""

from geoprobe.stats.kernel import Kernel, kernel

#: Types that rows come in; those of a memory map cannot be written.
ROWS = [f"Array({element}, 2, 'C', readonly={mapped})" for element in ("float32", "uint16") for mapped in (True, False)]


def _widened():
    from llvmlite import ir
    from numba import types
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

    return widened


widened = Kernel(_widened)


@kernel(fastmath={"reassoc", "contract", "nsz"})
def add_one(row, sums):
    """Add a row to `sums`."""
    for k in range(sums.shape[0]):
        sums[k] += widened(row[k])


@kernel(forceinline=True, fastmath={"reassoc", "contract", "nsz"})
def add_eight(rows, squares, sums):
    """Add eight rows to `sums`; their sums of squares, NaN or infinite exactly where a row holds such an element.

    An element is widened once, and one load and store of a sum serves eight of them.
    """
    a, b, c, d = rows[0], rows[1], rows[2], rows[3]
    e, f, g, h = rows[4], rows[5], rows[6], rows[7]
    aa = bb = cc = dd = ee = ff = gg = hh = 0.0
    for k in range(sums.shape[0]):
        p, q, r, s = widened(a[k]), widened(b[k]), widened(c[k]), widened(d[k])
        t, u, v, w = widened(e[k]), widened(f[k]), widened(g[k]), widened(h[k])
        aa += p * p
        bb += q * q
        cc += r * r
        dd += s * s
        ee += t * t
        ff += u * u
        gg += v * v
        hh += w * w
        sums[k] += ((p + q) + (r + s)) + ((t + u) + (v + w))
    squares[0], squares[1], squares[2], squares[3] = aa, bb, cc, dd
    squares[4], squares[5], squares[6], squares[7] = ee, ff, gg, hh


@kernel(*(f"({rows}, float64[::1], float64[::1])" for rows in ROWS))
def squares_and_sums(rows, squares, sums):
    """Sums of squares of 8 m rows; the rows are added to `sums`."""
    for i in range(0, rows.shape[0], 8):
        add_eight(rows[i : i + 8], squares[i : i + 8], sums)


@kernel(
    *(f"({rows}, float64[::1], float64[::1], float64[::1], float64[::1], float64[:, ::1])" for rows in ROWS),
    fastmath={"reassoc", "contract", "nsz"},
)
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
