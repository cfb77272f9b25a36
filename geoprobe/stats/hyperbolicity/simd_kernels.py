# mypy: disable-error-code="no-untyped-def"
"""Minimum and maximum of two floats that the compiler can turn into one vector instruction.

Python's ``min`` and ``max`` on floats carry rules for NaN that keep LLVM from vectorising a loop over them.
These intrinsics promise that no NaN occurs, which the callers' checks ensure.
"""

import functools

from geoprobe.stats.kernel import Kernel


def _pair_intrinsic(name):
    from llvmlite import ir
    from numba.extending import intrinsic

    def declare(typing_context, a, b):
        def generate(context, builder, signature, arguments):
            kind = arguments[0].type
            function = builder.module.declare_intrinsic(name, [kind], ir.FunctionType(kind, [kind, kind]))
            return builder.call(function, arguments, fastmath=("nnan", "nsz"))

        return a(a, a), generate

    return intrinsic(declare)


fmin = Kernel(functools.partial(_pair_intrinsic, "llvm.minnum"))
fmax = Kernel(functools.partial(_pair_intrinsic, "llvm.maxnum"))
