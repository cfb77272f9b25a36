"""Maximum likelihood at every candidate x_min, and the search for the least Kolmogorov–Smirnov distance.

The search is exact: a candidate is dropped as soon as one point shows that its distance exceeds the best
found, and a block of points is passed over when monotonicity shows that it holds no larger deviation.
"""

# mypy: allow-untyped-defs

import math

import numpy as np

from geoprobe.stats.kernel import kernel
from geoprobe.stats.powerlaw.zeta_kernels import scaled_zeta, scaled_zeta_slopes

_BLOCK = 16
_STEEP = 1e3  # an exponent to which the difference of two logarithms has too few digits


@kernel("(float64, float64)", error_model="numpy")
def solve_alpha(mean_log, q):
    """Exponent whose expected ``log(x / q)`` over integers from q up is `mean_log` (> 0).

    Newton in log(alpha - 1) on the logarithm of the expectation, which is straight where q is large, kept
    inside a bracket.
    """
    target = math.log(mean_log)
    w = -math.log(mean_log - math.log1p(-0.5 / q))
    low = -40.0
    high = 40.0
    for _ in range(200):
        alpha = 1.0 + math.exp(w)
        g, g1, g2 = scaled_zeta_slopes(alpha, q)
        mean = -g1 / g
        if mean <= 0.0:
            high = w
            w = 0.5 * (low + high)
            continue
        error = math.log(mean) - target
        if error > 0.0:
            low = w
        else:
            high = w
        slope = (alpha - 1.0) * (mean * mean - g2 / g) / mean
        step = -error / slope if slope < 0.0 else math.inf
        if not abs(step) < 2.0:
            step = 2.0 if error > 0.0 else -2.0
        moved = w + step
        if not low < moved < high:
            if abs(step) < 1e-13:
                break
            moved = 0.5 * (low + high)
        w = moved
        # the step squared is the error that remains
        if abs(step) < 1e-9:
            break
    return 1.0 + math.exp(w)


@kernel("(float64[::1], int64[::1])", error_model="numpy")
def tail_sums(values, counts):
    """Types at or above each value, and their mean of ``log(x / value)``."""
    k = values.size
    above = np.empty(k + 1, np.float64)
    mean_log = np.empty(k, np.float64)
    above[k] = 0.0
    total = 0.0
    for i in range(k - 1, -1, -1):
        if i < k - 1:
            # a sum of positive terms: nothing cancels, however narrow the tail
            total += above[i + 1] * math.log1p((values[i + 1] - values[i]) / values[i])
        above[i] = above[i + 1] + counts[i]
        mean_log[i] = total / above[i]
    return above, mean_log


@kernel(error_model="numpy")
def _deviation(alpha, i, j, g, values, logs, next_logs, above, integers):
    """Largest difference of the two survival functions at point j, and the model's P(X >= values[j])."""
    fall = logs[i] - logs[j] if alpha < _STEEP else -math.log1p((values[j] - values[i]) / values[i])
    model = math.exp(alpha * fall) * scaled_zeta(alpha, values[j]) / g
    worst = abs(model - above[j] / above[i])
    if integers:
        fall = logs[i] - next_logs[j] if alpha < _STEEP else -math.log1p((values[j] + 1.0 - values[i]) / values[i])
        after = math.exp(alpha * fall) * scaled_zeta(alpha, values[j] + 1.0) / g
        worst = max(worst, abs(after - above[j + 1] / above[i]))
    return worst, model


@kernel(error_model="numpy")
def ks_distance(alpha, i, hint, bound, values, logs, next_logs, above, integers, marks):
    """Distance of the tail from candidate i, and where; cut short once it is known to exceed `bound`."""
    k = values.size
    g = scaled_zeta(alpha, values[i])
    worst = 0.0
    where = i
    if hint > i:
        worst, _ = _deviation(alpha, i, hint, g, values, logs, next_logs, above, integers)
        where = hint
        if worst > bound:
            return worst, where
    blocks = (k - 1 - i) // _BLOCK + 1
    for b in range(blocks):
        d, marks[b] = _deviation(alpha, i, i + b * _BLOCK, g, values, logs, next_logs, above, integers)
        if d > worst:
            worst = d
            where = i + b * _BLOCK
            if worst > bound:
                return worst, where
    for b in range(blocks):
        first = i + b * _BLOCK
        last = min(first + _BLOCK, k)
        end = marks[b + 1] if b + 1 < blocks else 0.0
        # between two marks both survival functions fall, so their difference is bounded by the corners
        reach = max(marks[b] - above[last] / above[i], above[first + 1] / above[i] - end)
        if reach <= worst:
            continue
        for j in range(first + 1, last):
            d, _ = _deviation(alpha, i, j, g, values, logs, next_logs, above, integers)
            if d > worst:
                worst = d
                where = j
                if worst > bound:
                    return worst, where
    return worst, where


@kernel("(float64[::1], int64[::1], int64[::1], boolean)", error_model="numpy")
def alphas_and_distances(values, counts, candidates, integers):
    """Exponent and full distance at each candidate index."""
    logs = np.log(values)
    next_logs = np.log(values + 1.0)
    above, mean_log = tail_sums(values, counts)
    marks = np.empty(values.size // _BLOCK + 2, np.float64)
    alphas = np.empty(candidates.size, np.float64)
    distances = np.empty(candidates.size, np.float64)
    hint = -1
    for c in range(candidates.size):
        i = candidates[c]
        alphas[c] = solve_alpha(mean_log[i], values[i])
        distances[c], hint = ks_distance(alphas[c], i, hint, math.inf, values, logs, next_logs, above, integers, marks)
    return alphas, distances


@kernel("(float64[::1], int64[::1], int64, boolean)", error_model="numpy")
def best_candidate(values, counts, first, integers):
    """Index, exponent and distance of the candidate with the least distance; the smaller x_min on a tie.

    Every value but the largest is a candidate: an exponent needs two distinct values. `first` is looked at
    first (a good one makes the rest quick) and changes nothing in the answer.
    """
    k = values.size
    logs = np.log(values)
    next_logs = np.log(values + 1.0) if integers else logs
    above, mean_log = tail_sums(values, counts)
    marks = np.empty(k // _BLOCK + 2, np.float64)
    best = min(max(first, 0), k - 2)
    best_alpha = solve_alpha(mean_log[best], values[best])
    bound, hint = ks_distance(best_alpha, best, -1, math.inf, values, logs, next_logs, above, integers, marks)
    stride = max(1, int(math.sqrt(k)))
    start = best
    # a coarse pass finds a tight bound, then every other candidate meets it
    for coarse in range(2):
        for i in range(0, k - 1, stride if coarse == 0 else 1):
            if i == start or (coarse == 1 and i % stride == 0):
                continue
            alpha = solve_alpha(mean_log[i], values[i])
            d, hint = ks_distance(alpha, i, hint, bound, values, logs, next_logs, above, integers, marks)
            if d < bound or (d == bound and i < best):
                bound = d
                best = i
                best_alpha = alpha
    return best, best_alpha, bound


@kernel("(float64, float64[::1], int64[::1])", error_model="numpy")
def tail_loglikelihood(alpha, values, counts):
    """Log-likelihood from the first value up, by compensated sums, and the information on alpha per type."""
    n = 0.0
    total = 0.0
    lost = 0.0
    for j in range(values.size):
        n += counts[j]
        term = counts[j] * math.log1p((values[j] - values[0]) / values[0])
        summed = total + term
        lost += (total - summed) + term if total >= term else (term - summed) + total
        total = summed
    g, g1, g2 = scaled_zeta_slopes(alpha, values[0])
    return -alpha * (total + lost) - n * math.log(g), g2 / g - (g1 / g) ** 2
