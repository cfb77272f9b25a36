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
    points = theta.reshape(n, -1)
    slopes = gradient.reshape(n, -1)
    slopes[:] = 0.0
    total = 0.0
    left = 0.0
    for i in range(n):
        for j in range(i):
            square = 0.0
            for c in range(points.shape[1]):
                square += (points[i, c] - points[j, c]) ** 2
            here = math.sqrt(square)
            miss = here - distances[i, j]
            total += distances[i, j] ** 2
            left += miss * miss
            if here > 0:
                pull = 2.0 * miss / here
                for c in range(points.shape[1]):
                    slope = pull * (points[i, c] - points[j, c])
                    slopes[i, c] += slope
                    slopes[j, c] -= slope
    gradient /= total
    return left / total


@kernel
def spherical_stress(theta, distances, gradient):
    """``theta``: n vectors of R^(k+1) of any length, whose directions count, then the logarithm of the radius R."""
    n = distances.shape[0]
    vectors = theta[:-1].reshape(n, -1)
    slopes = gradient[:-1].reshape(n, -1)
    radius = math.exp(theta[-1])
    units = np.empty(vectors.shape)
    lengths = np.empty(n)
    for i in range(n):
        lengths[i] = max(math.sqrt((vectors[i] ** 2).sum()), 1e-300)
        units[i] = vectors[i] / lengths[i]
    slopes[:] = 0.0
    total = 0.0
    left = 0.0
    stretch = 0.0
    for i in range(n):
        for j in range(i):
            square = 0.0
            for c in range(units.shape[1]):
                square += (units[i, c] - units[j, c]) ** 2
            angle = 2.0 * math.asin(min(1.0, 0.5 * math.sqrt(square)))
            miss = radius * angle - distances[i, j]
            total += distances[i, j] ** 2
            left += miss * miss
            stretch += miss * angle
            sine = math.sin(angle)
            if sine > 1e-12:
                pull = 2.0 * radius * miss / sine
                for c in range(units.shape[1]):
                    slopes[i, c] -= pull * units[j, c]
                    slopes[j, c] -= pull * units[i, c]
    for i in range(n):
        along = (slopes[i] * units[i]).sum()
        slopes[i] = (slopes[i] - along * units[i]) / lengths[i]
    gradient[-1] = 2.0 * radius * stretch
    gradient /= total
    return left / total


@kernel
def hyperbolic_stress(theta, distances, gradient):
    """``theta``: n points of R^k by the exponential map at an origin, then the logarithm of √K.

    With radii a, b over √K and angle t, sinh²(d / 2√K) = sinh²((a - b) / 2) + sinh a sinh b sin²(t / 2).
    """
    n = distances.shape[0]
    vectors = theta[:-1].reshape(n, -1)
    slopes = gradient[:-1].reshape(n, -1)
    scale = math.exp(theta[-1])
    units = np.empty(vectors.shape)
    radii = np.empty(n)
    reach = np.empty(n)
    half = np.empty(n)
    sines = np.empty(n)
    cosines = np.empty(n)
    outward = np.zeros(n)
    for i in range(n):
        radii[i] = max(math.sqrt((vectors[i] ** 2).sum()), 1e-12 * scale)
        units[i] = vectors[i] / radii[i]
        reach[i] = min(radii[i] / scale, STEEPEST)
        half[i] = math.exp(0.5 * reach[i])
        sines[i] = math.sinh(reach[i])
        cosines[i] = math.cosh(reach[i])
    slopes[:] = 0.0
    total = 0.0
    left = 0.0
    stretch = 0.0
    for i in range(n):
        for j in range(i):
            square = 0.0
            for c in range(units.shape[1]):
                square += (units[i, c] - units[j, c]) ** 2
            up = half[i] / half[j]
            down = half[j] / half[i]
            apart = 0.5 * (up - down)
            cross = 0.25 * square
            inside = apart * apart + sines[i] * sines[j] * cross
            root = math.sqrt(inside)
            length = 2.0 * math.asinh(root)
            miss = scale * length - distances[i, j]
            total += distances[i, j] ** 2
            left += miss * miss
            stretch += miss * length
            if root > 0:
                pull = 2.0 * scale * miss / (root * math.sqrt(1.0 + inside))
                tilt = 0.5 * apart * (up + down)
                outward[i] += pull * (tilt + cosines[i] * sines[j] * cross)
                outward[j] += pull * (cosines[j] * sines[i] * cross - tilt)
                turn = 0.5 * pull * sines[i] * sines[j]
                for c in range(units.shape[1]):
                    slope = turn * (units[i, c] - units[j, c])
                    slopes[i, c] += slope
                    slopes[j, c] -= slope
    shrink = 0.0
    for i in range(n):
        along = (slopes[i] * units[i]).sum()
        slopes[i] = (slopes[i] - along * units[i]) / radii[i] + outward[i] / scale * units[i]
        shrink += reach[i] * outward[i]
    gradient[-1] = 2.0 * scale * stretch - shrink
    gradient /= total
    return left / total


@kernel
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


@kernel
def descend(kind, theta, distances, low, high, iterations):
    """Move ``theta`` to a local minimum of the stress and return that: L-BFGS of memory 10, weak Wolfe steps.

    Steps are found by bisection (Lewis and Overton 2013); it ends where ten of them gain less than 1e-8 of what is
    left. A library's routine would hold the GIL, and on a busy machine lose most of its time to threads of BLAS.
    """
    memory = 10
    size = theta.size
    moves = np.zeros((memory, size))
    turns = np.zeros((memory, size))
    weights = np.zeros(memory)
    shares = np.zeros(memory)
    recent = np.full(10, np.inf)
    gradient = np.empty(size)
    value = stress_within(kind, theta, distances, low, high, gradient)
    trial = np.empty(size)
    slope = np.empty(size)
    stored = 0
    for iteration in range(iterations):
        if recent[iteration % 10] - value <= 1e-8 * value + 1e-22:
            break
        recent[iteration % 10] = value
        step = -gradient
        for back in range(min(stored, memory)):
            m = (stored - 1 - back) % memory
            shares[m] = inner(moves[m], step) / weights[m]
            step -= shares[m] * turns[m]
        if stored > 0:
            last = (stored - 1) % memory
            step *= weights[last] / inner(turns[last], turns[last])
        for m in range(max(0, stored - memory), stored):
            at = m % memory
            step += (shares[at] - inner(turns[at], step) / weights[at]) * moves[at]
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
            trial[:] = theta + length * step
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
            moves[m] = trial - theta
            turns[m] = slope - gradient
            weights[m] = weight
            stored += 1
        theta[:] = trial
        gradient[:] = slope
        value = reached
    if kind != 0:
        theta[-1] = min(max(theta[-1], low), high)
    return value


@kernel
def inner(a, b):
    """Inner product, summed in order."""
    total = 0.0
    for k in range(a.size):
        total += a[k] * b[k]
    return total
