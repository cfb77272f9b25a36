"""The 8-bit floating-point types, each a table of its 256 values.

E4M3 here is the variant of machine learning (`float8_e4m3fn`): no infinities, and one bit pattern of each sign for NaN.
E5M2 is an IEEE type cut short.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float32

__all__ = ["FLOAT8_VALUES"]


def _values(exponent_bits: int, mantissa_bits: int) -> Float32[np.ndarray, " codes"]:
    code = np.arange(256)
    bias = 2 ** (exponent_bits - 1) - 1
    mantissa = (code & (2**mantissa_bits - 1)) / 2**mantissa_bits
    exponent = (code >> mantissa_bits) & (2**exponent_bits - 1)
    subnormal = exponent == 0
    magnitude = np.where(subnormal, mantissa, 1 + mantissa) * 2.0 ** (np.where(subnormal, 1, exponent) - bias)
    values: np.ndarray = np.where(code < 128, magnitude, -magnitude).astype(np.float32)
    return values


def _e4m3() -> Float32[np.ndarray, " codes"]:
    table = _values(4, 3)
    table[[0x7F, 0xFF]] = np.nan
    return table


def _e5m2() -> Float32[np.ndarray, " codes"]:
    table = _values(5, 2)
    table[[0x7C, 0xFC]] = np.inf, -np.inf
    table[[0x7D, 0x7E, 0x7F, 0xFD, 0xFE, 0xFF]] = np.nan
    return table


#: Name in a safetensors header to the float32 value of each byte.
FLOAT8_VALUES: dict[str, Float32[np.ndarray, " codes"]] = {"F8_E4M3": _e4m3(), "F8_E5M2": _e5m2()}
