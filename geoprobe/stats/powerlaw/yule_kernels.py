"""The Yule–Simon law above q: ``p(x) = (a - 1) * G(q + a - 1) / G(q) * G(x) / G(x + a)``, G the gamma function."""

# mypy: allow-untyped-defs

import math

import numpy as np

from geoprobe.stats.kernel import kernel

_RAISED = 15.0
#: Exponents above which differences of gamma functions are taken over counts, not over the exponent: either is a sum of
#: as many logarithms, and the longer one has no digits left near 2**53.
STEEP = 1e4


@kernel("(float64, float64)", error_model="numpy")
def log_gamma_ratio(x, a):
    """``log G(x + a) - log G(x)`` for x > 0, x + a > 0, by the difference of two Stirling series."""
    total = 0.0
    while x < _RAISED or x + a < _RAISED:
        total -= math.log1p(a / x)
        x += 1.0
    y = x + a
    ux = 1.0 / (x * x)
    uy = 1.0 / (y * y)
    tail_x = (1 / 12 - ux * (1 / 360 - ux * (1 / 1260 - ux * (1 / 1680 - ux * (1 / 1188))))) / x
    tail_y = (1 / 12 - uy * (1 / 360 - uy * (1 / 1260 - uy * (1 / 1680 - uy * (1 / 1188))))) / y
    return total + a * math.log(x) + (y - 0.5) * math.log1p(a / x) - a + tail_y - tail_x


@kernel(error_model="numpy")
def polygammas(x):
    """Digamma and trigamma functions of x > 0."""
    first = 0.0
    second = 0.0
    while x < _RAISED:
        first -= 1.0 / x
        second += 1.0 / (x * x)
        x += 1.0
    u = 1.0 / (x * x)
    first += math.log(x) - 0.5 / x - u * (1 / 12 - u * (1 / 120 - u * (1 / 252 - u * (1 / 240 - u / 132))))
    second += 1.0 / x + 0.5 * u + u / x * (1 / 6 - u * (1 / 30 - u * (1 / 42 - u * (1 / 30 - u * (5 / 66)))))
    return first, second


@kernel(error_model="numpy")
def digamma_difference(x, m):
    """Digamma of x + m less that of x, for x > 0 and m >= 0, to the last digits where m is small beside x."""
    total = 0.0
    while x < _RAISED:
        total += m / (x * (x + m))
        x += 1.0
    y = x + m
    ux = 1.0 / (x * x)
    uy = 1.0 / (y * y)
    tail_x = ux * (1 / 12 - ux * (1 / 120 - ux * (1 / 252 - ux * (1 / 240 - ux / 132))))
    tail_y = uy * (1 / 12 - uy * (1 / 120 - uy * (1 / 252 - uy * (1 / 240 - uy / 132))))
    return total + math.log1p(m / x) + 0.5 * m / (x * y) + tail_x - tail_y


@kernel("(float64[::1], int64[::1], float64)", error_model="numpy")
def fit_yule(values, counts, start):
    """Exponent at which the log-likelihood is greatest: Newton in log(a - 1), inside a bracket."""
    q = values[0]
    n = 0.0
    for c in counts:
        n += c
    w = math.log(start - 1.0)
    low = -40.0
    high = 40.0
    for _ in range(200):
        a = 1.0 + math.exp(w)
        slope = 0.0
        curve = 0.0
        for j in range(values.size):
            first, second = polygammas(values[j] + a)
            if a > STEEP:
                first = digamma_difference(q + a - 1.0, values[j] - q + 1.0)
            slope -= counts[j] * first
            curve -= counts[j] * second
        first, second = polygammas(q + a - 1.0)
        if a > STEEP:
            first = 0.0
        slope += n * (first + 1.0 / (a - 1.0))
        curve += n * (second - 1.0 / (a - 1.0) ** 2)
        if slope > 0.0:
            low = w
        else:
            high = w
        bend = curve * (a - 1.0) + slope
        step = -slope / bend if bend < 0.0 else math.inf
        if not abs(step) < 2.0:
            step = 2.0 if slope > 0.0 else -2.0
        moved = w + step
        if not low < moved < high:
            if abs(step) < 1e-13:
                break
            moved = 0.5 * (low + high)
        w = moved
        if abs(step) < 1e-9:
            break
    return 1.0 + math.exp(w)


@kernel("(float64[::1], float64, float64)", error_model="numpy")
def yule_logpmf(values, a, q):
    """Log-probability of each value."""
    out = np.empty(values.size, np.float64)
    if a > STEEP:
        for j in range(values.size):
            k = values[j] - q
            out[j] = math.log(a - 1.0) + log_gamma_ratio(q, k) - log_gamma_ratio(q + a - 1.0, k + 1.0)
        return out
    constant = math.log(a - 1.0) + log_gamma_ratio(q, a - 1.0)
    for j in range(values.size):
        out[j] = constant - log_gamma_ratio(values[j], a)
    return out
