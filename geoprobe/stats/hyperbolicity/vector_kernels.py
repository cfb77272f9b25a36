# mypy: disable-error-code="no-untyped-def"
"""The four-point condition of two points with all pairs below them, four quadruples to a vector.

Written in LLVM's vectors: of a loop LLVM makes them too, but leaves the ends of lines, which are most of what small
clouds have, to scalar code. Lanes are added up in an order that no processor changes.
"""

from geoprobe.stats.kernel import Kernel

LANES = 4


def _add_pair():
    from llvmlite import ir
    from numba import types
    from numba.core import cgutils
    from numba.extending import intrinsic

    integer, half = ir.IntType(64), ir.IntType(32)
    vector, places = ir.VectorType(ir.DoubleType(), LANES), ir.VectorType(integer, LANES)
    zeros, lanes = ir.Constant(vector, [0.0] * LANES), ir.Constant(places, list(range(LANES)))

    def splat(builder, value, kind):
        unset = ir.Constant(kind, ir.Undefined)
        first = builder.insert_element(unset, value, half(0))
        return builder.shuffle_vector(first, unset, ir.Constant(ir.VectorType(half, LANES), [0] * LANES))

    def choose(builder, sign, a, b):  # the callers see to it that no NaN occurs
        return builder.select(builder.fcmp_ordered(sign, a, b, flags=("nnan", "nsz")), a, b)

    @intrinsic
    def add_pair(typing_context, distances, j, k, flat, sums):
        """Add to `sums` (4, LANES) ratio, d1 - d2 and d1 - d3 (of the second the maximum too) of l < i < j < k."""

        def generate(context, builder, signature, arguments):
            matrix = context.make_array(distances)(context, builder, arguments[0])
            n = cgutils.unpack_tuple(builder, matrix.shape)[0]
            out = context.make_array(sums)(context, builder, arguments[4]).data
            j, k = arguments[1], arguments[2]
            flat = splat(builder, arguments[3], vector)
            totals = [cgutils.alloca_once_value(builder, zeros) for _ in range(4)]

            def place(x, y):
                return builder.gep(matrix.data, [builder.add(builder.mul(x, n), y)])

            def one(x, y):
                return splat(builder, builder.load(place(x, y)), vector)

            def line(x, y):
                return builder.load(builder.bitcast(place(x, y), vector.as_pointer()), align=8)

            def add(i, start, sides, rest):
                """A vector of fourth points from `start`; where `rest` is given, only those below it count."""
                dij, dik, djk = sides
                u = builder.fadd(dij, line(k, start))
                v = builder.fadd(dik, line(j, start))
                w = builder.fadd(djk, line(i, start))
                low, high = choose(builder, "<", u, v), choose(builder, ">", u, v)
                top = choose(builder, ">", high, w)
                gap = builder.fsub(top, choose(builder, ">", low, choose(builder, "<", high, w)))
                spread = builder.fsub(top, choose(builder, "<", low, w))
                if rest is not None:
                    counted = builder.icmp_signed("<", lanes, splat(builder, rest, places))
                    gap, spread = builder.select(counted, gap, zeros), builder.select(counted, spread, zeros)
                above = builder.select(builder.fcmp_ordered(">", spread, flat), gap, zeros)
                share = builder.fdiv(above, choose(builder, ">", spread, flat))
                for total, value in zip(totals, (share, gap, spread), strict=False):
                    builder.store(builder.fadd(builder.load(total), value), total)
                builder.store(choose(builder, ">", builder.load(totals[3]), gap), totals[3])

            djk = one(j, k)
            with cgutils.for_range(builder, j) as pairs:
                i = pairs.index
                sides = one(i, j), one(i, k), djk
                whole = builder.and_(i, integer(-LANES))
                with cgutils.for_range_slice(builder, integer(0), whole, integer(LANES), integer) as (start, _):
                    add(i, start, sides, None)
                rest = builder.sub(i, whole)
                # what is read beyond i are points up to k, and so of the same row
                with builder.if_then(builder.icmp_signed(">", rest, integer(0))):
                    add(i, whole, sides, rest)
            for row, total in enumerate(totals):
                kept = builder.bitcast(builder.gep(out, [integer(row * LANES)]), vector.as_pointer())
                before = builder.load(kept, align=8)
                value = builder.load(total)
                after = builder.fadd(before, value) if row < 3 else choose(builder, ">", before, value)
                builder.store(after, kept, align=8)
            return context.get_dummy_value()

        return types.void(distances, j, k, flat, sums), generate

    return add_pair


add_pair = Kernel(_add_pair)
