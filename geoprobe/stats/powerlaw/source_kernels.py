"""Maximum likelihood for rates of types that are seen through Poisson counts, by classes of counts.

A type of rate λ is counted k times with Poisson's probability. The density of y = log λ over types is proportional to
``exp(-β y - c y**2 / 2 - δ max(y - z, 0))`` between two cuts: a power law of rates with c = δ = 0, which is a
Zipf-Mandelbrot law of ranks with s = 1/β; a log-normal law with c > 0; a double power law with δ other than 0, whose
density jumps by 1 + δ/β at z, so that rates as a function of rank have a kink there and no gap.
"""

# mypy: allow-untyped-defs

import math

import numpy as np

from geoprobe.stats.kernel import kernel

#: Places of the parameters.
BETA, LOW, HIGH, BEND, KINK, AT = range(6)
_BAD = 1e300
_MARGIN = 0.15


@kernel(
    "(float64[::1], float64[::1], float64[::1], float64[::1], float64[:, ::1], int64[:, ::1], int64, float64[::1])",
    error_model="numpy",
)
def class_probabilities(parameters, cells, y, weights, chances, bands, least, out):
    """Probability of each class of counts; False where no type could be seen.

    `chances` (nodes, classes) is the chance that a node's rate is counted in a class, `bands` (nodes, 2) where that is
    more than nothing, `least` the smallest count.
    """
    beta, low, high, bend, kink, at = parameters
    jump = math.log1p(kink / beta) if beta > 0.0 and beta + kink > 0.0 else 0.0
    per_cell = y.size // (cells.size - 1)
    peak = -math.inf
    for cell in range(cells.size - 1):
        if min(cells[cell + 1], high) > max(cells[cell], low):
            for j in range(cell * per_cell, (cell + 1) * per_cell):
                # rates far below the smallest count are many but seldom seen
                seen = least * min(y[j] - math.log(least), 0.0)
                peak = max(peak, -beta * y[j] - 0.5 * bend * y[j] * y[j] - kink * max(y[j] - at, 0.0) + seen)
    if not -math.inf < peak < math.inf:
        return False
    out[:] = 0.0
    for cell in range(cells.size - 1):
        share = (min(cells[cell + 1], high) - max(cells[cell], low)) / (cells[cell + 1] - cells[cell])
        if share <= 0.0:
            continue
        for j in range(cell * per_cell, (cell + 1) * per_cell):
            height = -beta * y[j] - 0.5 * bend * y[j] * y[j] - peak
            if kink != 0.0 and y[j] > at:
                height += jump - kink * (y[j] - at)
            mass = share * weights[j] * math.exp(min(height, 600.0))
            for k in range(bands[j, 0], bands[j, 1]):
                out[k] += mass * chances[j, k]
    total = out.sum()
    if not 0.0 < total < math.inf:
        return False
    out /= total
    return True


@kernel(error_model="numpy")
def _cost(free, base, point, types, cells, y, weights, chances, bands, least, work):
    """Minus the log-likelihood of the types by class."""
    parameters = base.copy()
    for i in range(free.size):
        parameters[free[i]] = point[i]
    parameters[LOW] = max(parameters[LOW], cells[0])
    if (
        parameters[HIGH] > cells[-1]
        or parameters[LOW] > parameters[HIGH] - 0.05
        or abs(parameters[BETA]) > 30.0
        or abs(parameters[BEND]) > 30.0
        or abs(parameters[KINK]) > 30.0
    ):
        return _BAD
    if parameters[KINK] != 0.0:
        # a break at an end of the rates is another cut
        bottom = max(parameters[LOW], math.log(least))
        margin = _MARGIN * (parameters[HIGH] - bottom)
        if not bottom + margin <= parameters[AT] <= parameters[HIGH] - margin:
            return _BAD
    if not class_probabilities(parameters, cells, y, weights, chances, bands, least, work):
        return _BAD
    total = 0.0
    for k in range(types.size):
        if types[k] > 0.0:
            total -= types[k] * math.log(max(work[k], 1e-300))
    return total


@kernel(
    "(int64[::1], float64[::1], float64[::1], float64[::1], float64[::1], float64[::1], float64[::1], "
    "float64[:, ::1], int64[:, ::1], int64)",
    error_model="numpy",
)
def maximise(free, base, steps, types, cells, y, weights, chances, bands, least):
    """Parameters of the greatest likelihood by Nelder and Mead's simplex, `free` of them, from `base`; and its value.

    The likelihood has kinks where a cut passes a cell of rates, so no slopes are used.
    """
    d = free.size
    work = np.empty(types.size)
    points = np.empty((d + 1, d))
    for i in range(d + 1):
        for j in range(d):
            points[i, j] = base[free[j]] + (steps[free[j]] if i == j + 1 else 0.0)
    costs = np.empty(d + 1)
    for i in range(d + 1):
        costs[i] = _cost(free, base, points[i], types, cells, y, weights, chances, bands, least, work)
    for _ in range(250 * d):
        order = np.argsort(costs)
        points = points[order].copy()
        costs = costs[order].copy()
        if costs[d] - costs[0] < 1e-3 and np.abs(points[1:] - points[0]).max() < 2e-3:
            break
        centre = np.zeros(d)
        for i in range(d):
            centre += points[i] / d
        mirrored = 2.0 * centre - points[d]
        cost = _cost(free, base, mirrored, types, cells, y, weights, chances, bands, least, work)
        if cost < costs[0]:
            further = 3.0 * centre - 2.0 * points[d]
            beyond = _cost(free, base, further, types, cells, y, weights, chances, bands, least, work)
            if beyond < cost:
                points[d] = further
                costs[d] = beyond
            else:
                points[d] = mirrored
                costs[d] = cost
            continue
        if cost < costs[d - 1]:
            points[d] = mirrored
            costs[d] = cost
            continue
        inner = 0.5 * (centre + (mirrored if cost < costs[d] else points[d]))
        inside = _cost(free, base, inner, types, cells, y, weights, chances, bands, least, work)
        if inside < min(cost, costs[d]):
            points[d] = inner
            costs[d] = inside
            continue
        for i in range(1, d + 1):
            points[i] = 0.5 * (points[0] + points[i])
            costs[i] = _cost(free, base, points[i], types, cells, y, weights, chances, bands, least, work)
    best = int(np.argmin(costs))
    found = base.copy()
    for j in range(d):
        found[free[j]] = points[best, j]
    found[LOW] = max(found[LOW], cells[0])
    return found, -costs[best]
