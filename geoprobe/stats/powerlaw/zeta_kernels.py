"""The Hurwitz zeta function and its derivatives in the exponent, scaled so that nothing overflows.

With ``G(s, q) = q**s * zeta(s, q)``, Euler and Maclaurin's formula gives, for q large against s,

    G = q / (s - 1) + 1/2 + sum_j B_2j / (2j)! * s (s + 1) ... (s + 2j - 2) * q**(1 - 2j)   (DLMF 25.11.28).

A smaller q is raised term by term first. ``log zeta = log G - s log q``, so the ratios and the slopes that
a power law needs come from G alone, with no power or logarithm where q is large.
"""

# mypy: allow-untyped-defs

import math

import numpy as np

from geoprobe.stats.kernel import kernel

# B_2j / (2j)! for j = 1 ... 12
_BERNOULLI = np.array(
    [
        1 / 12,
        -1 / 720,
        1 / 30240,
        -1 / 1209600,
        1 / 47900160,
        -691 / 1307674368000,
        1 / 74724249600,
        -3617 / 10670622842880000,
        43867 / 5109094217170944000,
        -174611 / 802857662698291200000,
        77683 / 14101100039391805440000,
        -236364091 / 1693824136731743669452800000,
    ]
)
_TERM = 1e-18  # a term this small against its sum changes no digit


@kernel(error_model="numpy")
def _series(s, q):
    """Value, first and second derivative in s of the expansion, for q that needs no raising."""
    inverse = 1.0 / (s - 1.0)
    value = q * inverse + 0.5
    slope = -q * inverse * inverse
    curve = -2.0 * slope * inverse
    product = s / q
    harmonic = 1.0 / s
    squares = harmonic * harmonic
    for j in range(12):
        term = _BERNOULLI[j] * product
        value += term
        slope += term * harmonic
        curve += term * (harmonic * harmonic - squares)
        if abs(term) * (1.0 + harmonic * harmonic) < _TERM * value:
            break
        a = 1.0 / (s + 2 * j + 1)
        b = 1.0 / (s + 2 * j + 2)
        product *= (s + 2 * j + 1) * (s + 2 * j + 2) / (q * q)
        harmonic += a + b
        squares += a * a + b * b
    return value, slope, curve


@kernel("(float64, float64)", error_model="numpy")
def scaled_zeta_slopes(s, q):
    """``G(s, q)`` and its first two derivatives in s."""
    limit = max(12.0, s + 8.0)
    if q >= limit:
        return _series(s, q)
    value = slope = curve = 0.0
    steps = 0.0  # counted by themselves: next to a large q a step of 1 may be lost
    while q + steps < limit:
        log = math.log1p(steps / q)
        term = math.exp(-s * log)
        value += term
        slope -= log * term
        curve += log * log * term
        steps += 1.0
        if term < _TERM * value:
            return value, slope, curve
    log = math.log1p(steps / q)
    factor = math.exp(-s * log)
    g, g1, g2 = _series(s, q + steps)
    value += factor * g
    slope += factor * (g1 - log * g)
    curve += factor * (g2 - 2.0 * log * g1 + log * log * g)
    return value, slope, curve


@kernel("(float64, float64)", error_model="numpy")
def scaled_zeta(s, q):
    """``G(s, q) = q**s * zeta(s, q)``."""
    if q >= max(12.0, s + 8.0):
        value = q / (s - 1.0) + 0.5
        product = s / q
        for j in range(12):
            term = _BERNOULLI[j] * product
            value += term
            if abs(term) < _TERM * value:
                break
            product *= (s + 2 * j + 1) * (s + 2 * j + 2) / (q * q)
        return value
    value, _, _ = scaled_zeta_slopes(s, q)
    return value


@kernel("(float64, float64)", error_model="numpy")
def log_zeta(s, q):
    """Natural logarithm of the Hurwitz zeta function."""
    return math.log(scaled_zeta(s, q)) - s * math.log(q)
