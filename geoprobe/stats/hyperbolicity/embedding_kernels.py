# mypy: disable-error-code="no-untyped-def"
"""Normalised squared stress of a configuration and its gradient, in the three spaces of constant curvature.

Each returns the sum over pairs of (d - D)² over the sum of D² and writes the gradient of that. Where two points
coincide (or are opposite on the sphere) the distance has no gradient, and the pair adds none.
"""

import math

import numpy as np

from geoprobe.stats.kernel import kernel

STEEPEST = 345.0
"""Largest radius over √K: beyond, the product of two hyperbolic sines leaves float64."""


@kernel
def euclidean_stress(theta, distances, gradient):
    """``theta``: n points of R^k, flat."""
    n = distances.shape[0]
    k = theta.size // n
    for c in range(theta.size):
        gradient[c] = 0.0
    total = 0.0
    left = 0.0
    for i in range(n):
        for j in range(i):
            square = squared_gap(theta, k * i, k * j, k)
            here = math.sqrt(square)
            miss = here - distances[i, j]
            total += distances[i, j] * distances[i, j]
            left += miss * miss
            if here > 0:
                pull = 2.0 * miss / here
                for c in range(k):
                    slope = pull * (theta[k * i + c] - theta[k * j + c])
                    gradient[k * i + c] += slope
                    gradient[k * j + c] -= slope
    for c in range(theta.size):
        gradient[c] /= total
    return left / total


@kernel
def squared_gap(points, a, b, k):
    """Squared distance of the points whose k coordinates start at a and b."""
    square = 0.0
    for c in range(k):
        gap = points[a + c] - points[b + c]
        square += gap * gap
    return square


@kernel
def unit_vectors(theta, k, units, lengths, least):
    """Write the directions and lengths, of at least ``least``, of vectors of k coordinates each."""
    for i in range(lengths.size):
        square = 0.0
        for c in range(k):
            square += theta[k * i + c] * theta[k * i + c]
        lengths[i] = max(math.sqrt(square), least)
        for c in range(k):
            units[k * i + c] = theta[k * i + c] / lengths[i]


@kernel
def across(gradient, units, i, k):
    """Component of the gradient at point i along its unit vector."""
    along = 0.0
    for c in range(k):
        along += gradient[k * i + c] * units[k * i + c]
    return along


@kernel
def spherical_stress(theta, distances, gradient):
    """``theta``: n vectors of R^(k+1) of any length, whose directions count, then the logarithm of the radius R."""
    n = distances.shape[0]
    k = (theta.size - 1) // n
    radius = math.exp(theta[n * k])
    units = np.empty(n * k)
    lengths = np.empty(n)
    unit_vectors(theta, k, units, lengths, 1e-300)
    for c in range(n * k):
        gradient[c] = 0.0
    total = 0.0
    left = 0.0
    stretch = 0.0
    for i in range(n):
        for j in range(i):
            square = squared_gap(units, k * i, k * j, k)
            angle = 2.0 * math.asin(min(1.0, 0.5 * math.sqrt(square)))
            miss = radius * angle - distances[i, j]
            total += distances[i, j] * distances[i, j]
            left += miss * miss
            stretch += miss * angle
            sine = math.sin(angle)
            if sine > 1e-12:
                pull = 2.0 * radius * miss / sine
                for c in range(k):
                    gradient[k * i + c] -= pull * units[k * j + c]
                    gradient[k * j + c] -= pull * units[k * i + c]
    for i in range(n):
        along = across(gradient, units, i, k)
        for c in range(k):
            gradient[k * i + c] = (gradient[k * i + c] - along * units[k * i + c]) / lengths[i]
    gradient[n * k] = 2.0 * radius * stretch
    for c in range(theta.size):
        gradient[c] /= total
    return left / total


@kernel
def hyperbolic_stress(theta, distances, gradient):
    """``theta``: n points of R^k by the exponential map at an origin, then the logarithm of √K.

    With radii a, b over √K and angle t, sinh²(d / 2√K) = sinh²((a - b) / 2) + sinh a sinh b sin²(t / 2).
    """
    n = distances.shape[0]
    k = (theta.size - 1) // n
    scale = math.exp(theta[n * k])
    units = np.empty(n * k)
    radii = np.empty(n)
    reach = np.empty(n)
    half = np.empty(n)
    shrunk = np.empty(n)
    sines = np.empty(n)
    cosines = np.empty(n)
    outward = np.zeros(n)
    unit_vectors(theta, k, units, radii, 1e-12 * scale)
    for i in range(n):
        reach[i] = min(radii[i] / scale, STEEPEST)
        half[i] = math.exp(0.5 * reach[i])
        shrunk[i] = 1.0 / half[i]
        sines[i] = math.sinh(reach[i])
        cosines[i] = math.cosh(reach[i])
    for c in range(n * k):
        gradient[c] = 0.0
    total = 0.0
    left = 0.0
    stretch = 0.0
    for i in range(n):
        for j in range(i):
            square = squared_gap(units, k * i, k * j, k)
            up = half[i] * shrunk[j]
            down = shrunk[i] * half[j]
            apart = 0.5 * (up - down)
            cross = 0.25 * square
            inside = apart * apart + sines[i] * sines[j] * cross
            root = math.sqrt(inside)
            outer = math.sqrt(1.0 + inside)
            # the inverse hyperbolic sine; of lengths near 0 the digits that it loses are far below those of a miss
            length = 2.0 * math.log(root + outer)
            miss = scale * length - distances[i, j]
            total += distances[i, j] * distances[i, j]
            left += miss * miss
            stretch += miss * length
            if root > 0:
                pull = 2.0 * scale * miss / (root * outer)
                tilt = 0.5 * apart * (up + down)
                outward[i] += pull * (tilt + cosines[i] * sines[j] * cross)
                outward[j] += pull * (cosines[j] * sines[i] * cross - tilt)
                turn = 0.5 * pull * sines[i] * sines[j]
                for c in range(k):
                    slope = turn * (units[k * i + c] - units[k * j + c])
                    gradient[k * i + c] += slope
                    gradient[k * j + c] -= slope
    shrink = 0.0
    for i in range(n):
        along = across(gradient, units, i, k)
        for c in range(k):
            inward = (gradient[k * i + c] - along * units[k * i + c]) / radii[i]
            gradient[k * i + c] = inward + outward[i] / scale * units[k * i + c]
        shrink += reach[i] * outward[i]
    gradient[n * k] = 2.0 * scale * stretch - shrink
    for c in range(theta.size):
        gradient[c] /= total
    return left / total


@kernel("(int64, float64[::1], float64[:, ::1], float64, float64, float64[::1])")
def stress_within(kind, theta, distances, low, high, gradient):
    """Stress in E^k (kind 0), H^k (-1) or S^k (1); outside [low, high] the last variable stands still at the end."""
    if kind == 0:
        return euclidean_stress(theta, distances, gradient)
    own = theta[-1]
    theta[-1] = min(max(own, low), high)
    value = hyperbolic_stress(theta, distances, gradient) if kind < 0 else spherical_stress(theta, distances, gradient)
    if theta[-1] != own:
        gradient[-1] = 0.0
    theta[-1] = own
    return value


@kernel("(int64, float64[::1], float64[:, ::1], float64, float64, int64)")
def descend(kind, theta, distances, low, high, iterations):
    """Move ``theta`` to a local minimum of the stress and return that: L-BFGS of memory 10, weak Wolfe steps.

    Steps are found by bisection (Lewis and Overton 2013); it ends where ten of them gain less than 1e-8 of what is
    left. A library's routine would hold the GIL, and on a busy machine lose most of its time to threads of BLAS.
    """
    memory = 10
    size = theta.size
    moves = np.zeros((memory, size))
    turns = np.zeros((memory, size))
    step = np.empty(size)
    weights = np.zeros(memory)
    shares = np.zeros(memory)
    recent = np.empty(10)
    for k in range(10):
        recent[k] = np.inf
    gradient = np.empty(size)
    value = stress_within(kind, theta, distances, low, high, gradient)
    trial = np.empty(size)
    slope = np.empty(size)
    stored = 0
    for iteration in range(iterations):
        if recent[iteration % 10] - value <= 1e-8 * value + 1e-22:
            break
        recent[iteration % 10] = value
        for k in range(size):
            step[k] = -gradient[k]
        for back in range(min(stored, memory)):
            m = (stored - 1 - back) % memory
            shares[m] = inner(moves[m], step) / weights[m]
            add_multiple(step, turns[m], -shares[m])
        if stored > 0:
            last = (stored - 1) % memory
            shrink = weights[last] / inner(turns[last], turns[last])
            for k in range(size):
                step[k] *= shrink
        for m in range(max(0, stored - memory), stored):
            at = m % memory
            add_multiple(step, moves[at], shares[at] - inner(turns[at], step) / weights[at])
        fall = inner(gradient, step)
        if not fall < 0:
            if stored == 0:
                break
            stored = 0
            recent[iteration % 10] = np.inf
            continue
        least = 0.0
        most = np.inf
        length = 1.0 if stored > 0 else 0.1 * math.sqrt(inner(theta, theta) / inner(gradient, gradient))
        reached = value
        for _ in range(40):
            for k in range(size):
                trial[k] = theta[k] + length * step[k]
            reached = stress_within(kind, trial, distances, low, high, slope)
            if not reached <= value + 1e-4 * length * fall:
                most = length
            elif inner(slope, step) < 0.9 * fall:
                least = length
            else:
                break
            length = 0.5 * (least + most) if most < np.inf else 2.0 * least
        if not reached <= value:
            if stored == 0:
                break
            stored = 0
            recent[iteration % 10] = np.inf
            continue
        weight = 0.0
        for k in range(size):
            weight += (trial[k] - theta[k]) * (slope[k] - gradient[k])
        if weight > 0:  # else keep the memory as it is
            m = stored % memory
            for k in range(size):
                moves[m, k] = trial[k] - theta[k]
                turns[m, k] = slope[k] - gradient[k]
            weights[m] = weight
            stored += 1
        for k in range(size):
            theta[k] = trial[k]
            gradient[k] = slope[k]
        value = reached
    if kind != 0:
        theta[-1] = min(max(theta[-1], low), high)
    return value


@kernel
def add_multiple(target, source, factor):
    """Add ``factor * source`` to ``target``."""
    for k in range(target.size):
        target[k] += factor * source[k]


@kernel
def inner(a, b):
    """Inner product, summed in order."""
    total = 0.0
    for k in range(a.size):
        total += a[k] * b[k]
    return total
