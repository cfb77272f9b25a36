"""Two-parameter families that bend a power law, and hold it at the edge of their parameters.

``p(x)`` is proportional to ``exp(-a y - b h)`` over integers x >= q, with ``y = log(x / q)`` and h either
``x - q`` (a power law with exponential cut-off) or ``y**2`` (a lognormal). Both are exponential families: the
log-likelihood is concave in (a, b), so there is one maximum, and b = 0 is the power law.

The normalising sum and its moments are added directly while the terms are few or steep; what remains is an
integral in log x by Gauss–Legendre panels with Euler–Maclaurin's corrections, whose derivatives come from Taylor
coefficients.
"""

# mypy: allow-untyped-defs

import math

import numpy as np

from geoprobe.stats.kernel import kernel

CUTOFF = 0
LOGNORMAL = 1

_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(16)
# B_2j / (2j): Euler–Maclaurin's coefficients for Taylor coefficients in place of derivatives
_CORRECTIONS = np.array([1 / 12, -1 / 120, 1 / 252, -1 / 240, 1 / 132, -691 / 32760])
_ORDER = 12
_DROP = 46.0  # exp(-46) = 1e-20
_MOST_TERMS = 100_000


@kernel(error_model="numpy")
def _exponent(kind, c, b, scale, u):
    """Log of the integrand in u = log(x / M), relative to u = 0; `scale` is M."""
    if kind == CUTOFF:
        return (1.0 - c) * u - b * scale * math.expm1(u)
    return (1.0 - c) * u - b * u * u


@kernel(error_model="numpy")
def _peak(kind, c, b, scale):
    """Where the (concave) exponent is largest, for u >= 0."""
    if c >= 1.0:
        return 0.0
    if kind == CUTOFF:
        return max(0.0, math.log((1.0 - c) / (b * scale)))
    return (1.0 - c) / (2.0 * b)


@kernel(error_model="numpy")
def _range(kind, c, b, scale):
    """Peak, and the interval of u outside which the integrand has fallen by `_DROP` from it."""
    peak = _peak(kind, c, b, scale)
    top = _exponent(kind, c, b, scale, peak)
    width = 1.0
    while _exponent(kind, c, b, scale, peak + width) > top - _DROP:
        width *= 2.0
    low, high = peak + 0.5 * width, peak + width
    if width == 1.0:
        low = peak
    for _ in range(40):
        middle = 0.5 * (low + high)
        if _exponent(kind, c, b, scale, middle) > top - _DROP:
            low = middle
        else:
            high = middle
    end = high
    start = 0.0
    if peak > 0.0 and _exponent(kind, c, b, scale, 0.0) < top - _DROP:
        low, high = 0.0, peak
        for _ in range(40):
            middle = 0.5 * (low + high)
            if _exponent(kind, c, b, scale, middle) > top - _DROP:
                high = middle
            else:
                low = middle
        start = low
    return peak, start, end


@kernel(error_model="numpy")
def _multiply(left, right, out):
    for k in range(_ORDER):
        total = 0.0
        for i in range(k + 1):
            total += left[i] * right[k - i]
        out[k] = total


@kernel(error_model="numpy")
def _correction(series):
    """Half the end value, less Euler–Maclaurin's derivative terms."""
    total = 0.5 * series[0]
    for j in range(_CORRECTIONS.size):
        total -= _CORRECTIONS[j] * series[2 * j + 1]
    return total


@kernel(error_model="numpy")
def _end_terms(kind, a, b, q, m, log_top, sums):
    """Add Euler–Maclaurin's end terms at M = m to the six sums."""
    y = np.empty(_ORDER, np.float64)
    h = np.zeros(_ORDER, np.float64)
    y[0] = math.log(m / q)
    power = 1.0
    for k in range(1, _ORDER):
        power /= m
        y[k] = power / k if k % 2 == 1 else -power / k
    if kind == CUTOFF:
        h[0] = m - q
        h[1] = 1.0
    else:
        _multiply(y, y, h)
    f = np.empty(_ORDER, np.float64)
    f[0] = math.exp(-a * y[0] - b * h[0] - log_top)
    for k in range(1, _ORDER):
        total = 0.0
        for i in range(1, k + 1):
            total += i * (-a * y[i] - b * h[i]) * f[k - i]
        f[k] = total / k
    fy = np.empty(_ORDER, np.float64)
    fh = np.empty(_ORDER, np.float64)
    other = np.empty(_ORDER, np.float64)
    _multiply(f, y, fy)
    _multiply(f, h, fh)
    sums[0] += _correction(f)
    sums[1] += _correction(fy)
    sums[2] += _correction(fh)
    _multiply(fy, y, other)
    sums[3] += _correction(other)
    _multiply(fy, h, other)
    sums[4] += _correction(other)
    _multiply(fh, h, other)
    sums[5] += _correction(other)


@kernel(error_model="numpy")
def _add(sums, f, y, h):
    sums[0] += f
    sums[1] += f * y
    sums[2] += f * h
    sums[3] += f * y * y
    sums[4] += f * y * h
    sums[5] += f * h * h


@kernel(error_model="numpy")
def _integral(kind, a, b, q, m, log_top, sums):
    """Add the integral from m up to the six sums."""
    offset = math.log(m / q)
    c = a if kind == CUTOFF else a + 2.0 * b * offset
    at_start = -a * offset - (b * (m - q) if kind == CUTOFF else b * offset * offset)
    _, start, end = _range(kind, c, b, m)
    panels = min(400, max(8, math.ceil((end - start) / 1.5)))
    half = 0.5 * (end - start) / panels
    for p in range(panels):
        centre = start + (2 * p + 1) * half
        for i in range(_NODES.size):
            u = centre + half * _NODES[i]
            weight = half * _WEIGHTS[i] * m * math.exp(at_start + _exponent(kind, c, b, m, u) - log_top)
            y = offset + u
            _add(sums, weight, y, m * math.expm1(u) + (m - q) if kind == CUTOFF else y * y)


@kernel("(int64, float64, float64, float64)", error_model="numpy")
def tilted_sums(kind, a, b, q):
    """Log of the sum of ``exp(-a y - b h)`` over x >= q, with means and (co)variances of y and h.

    Needs b > 0, or b = 0 and a > 1. NaN where the sum is not reached: a law so narrow, so far above q, that its
    terms are beyond float64's reach there.
    """
    sums = np.zeros(6, np.float64)
    peak = _peak(kind, a, b, q)
    log_top = max(0.0, _exponent(kind, a, b, q, peak) - peak)
    x = q
    for _ in range(_MOST_TERMS):
        y = math.log(x / q)
        local = a if kind == CUTOFF else a + 2.0 * b * y
        slope = abs(local) / x + (b if kind == CUTOFF else 0.0)
        if slope <= 0.25 and x >= 3.0 * (abs(local) + 10.0):
            _integral(kind, a, b, q, x, log_top, sums)
            _end_terms(kind, a, b, q, x, log_top, sums)
            break
        h = x - q if kind == CUTOFF else y * y
        f = math.exp(-a * y - b * h - log_top)
        _add(sums, f, y, h)
        falling = local > 1.0 if kind == LOGNORMAL else local + b * x > 1.0
        if falling and f * max(1.0, h * h) < 1e-20 * max(sums[0], sums[5]):
            break
        x += 1.0
    else:
        return np.nan, np.nan, np.nan, np.nan, np.nan, np.nan
    z = sums[0]
    if not z > 0.0 or not sums[1] > 0.0 or not sums[2] > 0.0:
        return np.nan, np.nan, np.nan, np.nan, np.nan, np.nan
    mean_y = sums[1] / z
    mean_h = sums[2] / z
    return (
        log_top + math.log(z),
        mean_y,
        mean_h,
        sums[3] / z - mean_y * mean_y,
        sums[4] / z - mean_y * mean_h,
        sums[5] / z - mean_h * mean_h,
    )


@kernel(error_model="numpy")
def _best_a(kind, q, mean_y, a, b):
    """The a at which y has its observed mean, for this b: Newton on the log of the mean, inside a bracket."""
    low = -math.inf
    high = math.inf
    sums = tilted_sums(kind, a, b, q)
    for _ in range(200):
        if not sums[3] > 0.0:
            break
        error = math.log(sums[1] / mean_y)
        if error > 0.0:
            low = a
        else:
            high = a
        step = error * sums[1] / sums[3]
        reach = 1.0 + abs(a)
        step = min(reach, max(-reach, step))
        moved = a + step
        if not low < moved < high:
            if abs(step) <= 1e-13 * reach:
                break
            moved = 0.5 * (low + high)
        a = moved
        sums = tilted_sums(kind, a, b, q)
        if abs(step) <= 1e-9 * reach:
            break
    return a, sums


@kernel("(int64, float64, float64, float64, float64, float64)", error_model="numpy")
def fit_tilted(kind, q, mean_y, mean_h, a, b):
    """Maximise the concave log-likelihood over b > 0, where it is known not to lie at b = 0, from (a, b).

    At the maximum y and h have their observed means. The log-likelihood with a at its best is concave in b, so one
    root in log b is looked for, by Newton inside a bracket: steps that shrink b tenfold cost no more than others.

    Returns a, b, the log-likelihood per type, and the relative error of the mean of h (NaN where sums are out of
    reach).
    """
    theta = math.log(b)
    low = -math.inf
    high = math.inf
    a, sums = _best_a(kind, q, mean_y, a, b)
    error = math.log(sums[2] / mean_h)
    for _ in range(200):
        if math.isnan(error) or not sums[3] > 0.0:
            error = math.nan
            break
        if error > 0.0:
            low = theta
        else:
            high = theta
        # variance of h that is left when y is held at its mean: how fast the mean of h falls along the ridge
        left = sums[5] - sums[4] * sums[4] / sums[3]
        step = error * sums[2] / (b * left) if left > 0.0 else (5.0 if error > 0.0 else -5.0)
        step = min(5.0, max(-5.0, step))
        moved = theta + step
        if not low < moved < high:
            if abs(step) < 1e-13:
                break
            moved = 0.5 * (low + high)
        # beyond these, b is 0 or the law a point
        if abs(moved) > 300.0:
            break
        theta = moved
        b = math.exp(theta)
        a, sums = _best_a(kind, q, mean_y, a, b)
        error = math.log(sums[2] / mean_h)
        if abs(step) < 1e-9:
            break
    return a, b, -a * mean_y - b * mean_h - sums[0], error
