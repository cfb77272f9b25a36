"""The discrete Weibull (stretched exponential) above q, in a form that reaches its power-law edge.

``P(X >= x) = exp(-k B(x))`` with ``B(x) = ((x / q)**beta - 1) / beta``; at beta = 0 this is ``(x / q)**-k``, a
rounded Pareto law, and at beta = 1 a geometric one. Nakagawa and Osaki (1975) give the distribution from 1 up.
"""

# mypy: allow-untyped-defs

import math

import numpy as np

from geoprobe.stats.kernel import kernel

STEEPEST = 55.0  # a shape beyond which the law is a step
_GRID = np.array(
    [
        0.0,
        0.01,
        0.03,
        0.06,
        0.1,
        0.15,
        0.2,
        0.3,
        0.4,
        0.6,
        0.8,
        1.0,
        1.4,
        2.0,
        3.0,
        5.0,
        8.0,
        13.0,
        21.0,
        34.0,
        STEEPEST,
    ]
)
_GOLDEN = 0.5 * (math.sqrt(5.0) - 1.0)


@kernel(error_model="numpy")
def _box_cox(values, beta, q, heights, gaps):
    """B at each value, and its rise to the next integer."""
    for j in range(values.size):
        y = math.log(values[j] / q)
        step = math.log1p(1.0 / values[j])
        if beta == 0.0:
            heights[j] = y
            gaps[j] = step
        else:
            heights[j] = math.expm1(beta * y) / beta
            gaps[j] = math.exp(beta * y) * math.expm1(beta * step) / beta


@kernel(error_model="numpy")
def _best_rate(counts, n, heights, gaps):
    """The rate k at which the log-likelihood, concave in k, is greatest; and the log-likelihood."""
    total = 0.0
    for j in range(heights.size):
        total += counts[j] * (heights[j] + 0.5 * gaps[j])
    log_rate = math.log(n / total)
    low = -math.inf
    high = math.inf
    for _ in range(200):
        rate = math.exp(log_rate)
        slope = 0.0
        curve = 0.0
        for j in range(heights.size):
            if counts[j] == 0:
                continue
            v = rate * gaps[j]
            # v / (e**v - 1), which is 0 where the gap swallows the rest
            part = v / math.expm1(v) if v < 700.0 else 0.0
            slope += counts[j] * (part - rate * heights[j])
            # d part / d log k
            bend = part * (1.0 - v - part) if v > 1e-5 else -0.5 * v
            curve += counts[j] * (bend - rate * heights[j])
        if slope > 0.0:
            low = log_rate
        else:
            high = log_rate
        step = -slope / curve if curve < 0.0 else (1.0 if slope > 0.0 else -1.0)
        step = min(2.0, max(-2.0, step))
        moved = log_rate + step
        if not low < moved < high:
            if abs(step) < 1e-14:
                break
            moved = 0.5 * (low + high) if math.isfinite(low) and math.isfinite(high) else moved
        log_rate = moved
        if abs(step) < 1e-9:
            break
    rate = math.exp(log_rate)
    return rate, _loglikelihood(counts, rate, heights, gaps)


@kernel(error_model="numpy")
def _loglikelihood(counts, rate, heights, gaps):
    total = 0.0
    for j in range(heights.size):
        if counts[j] > 0:
            total += counts[j] * (math.log(-math.expm1(-rate * gaps[j])) - rate * heights[j])
    return total


@kernel("(float64[::1], int64[::1])", error_model="numpy")
def fit_weibull(values, counts):
    """Shape beta, rate k and log-likelihood at the maximum over beta > 0; then rate and log-likelihood at beta = 0."""
    q = values[0]
    n = 0.0
    for c in counts:
        n += c
    heights = np.empty(values.size, np.float64)
    gaps = np.empty(values.size, np.float64)
    longest = math.log((values[-1] + 1.0) / q)
    profile = np.full(_GRID.size, -math.inf)
    tried = 0
    edge_rate = 0.0
    for g in range(_GRID.size):
        if _GRID[g] * longest > 600.0:
            break
        _box_cox(values, _GRID[g], q, heights, gaps)
        rate, profile[g] = _best_rate(counts, n, heights, gaps)
        if g == 0:
            edge_rate = rate
        tried = g + 1
    best = int(np.argmax(profile))
    low = _GRID[max(0, best - 1)]
    high = _GRID[min(tried - 1, best + 1)]
    left = high - _GOLDEN * (high - low)
    right = low + _GOLDEN * (high - low)
    _box_cox(values, left, q, heights, gaps)
    _, at_left = _best_rate(counts, n, heights, gaps)
    _box_cox(values, right, q, heights, gaps)
    _, at_right = _best_rate(counts, n, heights, gaps)
    while high - low > 1e-7 * (1e-3 + high):
        if at_left >= at_right:
            high, right, at_right = right, left, at_left
            left = high - _GOLDEN * (high - low)
            _box_cox(values, left, q, heights, gaps)
            _, at_left = _best_rate(counts, n, heights, gaps)
        else:
            low, left, at_left = left, right, at_right
            right = low + _GOLDEN * (high - low)
            _box_cox(values, right, q, heights, gaps)
            _, at_right = _best_rate(counts, n, heights, gaps)
    beta = 0.5 * (low + high)
    _box_cox(values, beta, q, heights, gaps)
    rate, value = _best_rate(counts, n, heights, gaps)
    return beta, rate, value, edge_rate, profile[0]


@kernel("(float64[::1], float64, float64, float64)", error_model="numpy")
def weibull_logpmf(values, beta, rate, q):
    """Log-probability of each value."""
    heights = np.empty(values.size, np.float64)
    gaps = np.empty(values.size, np.float64)
    _box_cox(values, beta, q, heights, gaps)
    out = np.empty(values.size, np.float64)
    for j in range(values.size):
        out[j] = math.log(-math.expm1(-rate * gaps[j])) - rate * heights[j]
    return out
