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

SQRT_2, LOG_2 = math.sqrt(2.0), math.log(2.0)


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
            half = min(1.0, 0.5 * math.sqrt(square))
            angle = 2.0 * math.asin(half)
            miss = radius * angle - distances[i, j]
            total += distances[i, j] * distances[i, j]
            left += miss * miss
            stretch += miss * angle
            sine = 2.0 * half * math.sqrt((1.0 - half) * (1.0 + half))
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


@kernel(forceinline=True)
def hyperbolic_stress(theta, distances, gradient):
    """``theta``: n points of R^k by the exponential map at an origin, then the logarithm of √K.

    With radii a, b over √K and angle t, sinh²(d / 2√K) = sinh²((a - b) / 2) + sinh a sinh b sin²(t / 2).
    """
    n = distances.shape[0]
    k = (theta.size - 1) // n
    scale = math.exp(theta[n * k])
    units = np.empty(n * k)
    radii = np.empty(n)
    unit_vectors(theta, k, units, radii, 1e-12 * scale)
    # a coordinate a row: pairs of a point with all before it are then lines, which LLVM turns into vectors
    axes = np.ascontiguousarray(units.reshape(n, k).T)
    slopes = np.zeros((k, n))
    outward = np.zeros(n)
    reach = np.minimum(radii / scale, STEEPEST)
    half, shrunk = np.exp(0.5 * reach), np.exp(-0.5 * reach)
    sines, cosines = np.sinh(reach), np.cosh(reach)
    pairs = n * (n - 1) // 2
    aparts, crosses, insides, lengths = np.empty(pairs), np.empty(pairs), np.empty(pairs), np.empty(pairs)
    start = 0
    for i in range(n):
        end = start + i
        separate(axes, half, shrunk, sines, i, aparts[start:end], crosses[start:end], insides[start:end])
        start = end
    hyperbolic_lengths(insides, lengths)
    turns = np.empty(n)
    total = 0.0
    left = 0.0
    stretch = 0.0
    start = 0
    for i in range(n):
        end = start + i
        squares, misses, stretches, outward_here = pull_together(
            distances[i],
            half,
            shrunk,
            sines,
            cosines,
            scale,
            aparts[start:end],
            crosses[start:end],
            insides[start:end],
            lengths[start:end],
            outward,
            turns,
        )
        total += squares
        left += misses
        stretch += stretches
        outward[i] += outward_here
        turn_line(axes, turns, i, slopes)
        start = end
    for i in range(n):
        for c in range(k):
            gradient[k * i + c] = slopes[c, i]
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


@kernel(forceinline=True)  # no products and sums in one: points that coincide are exactly 0 apart
def separate(axes, half, shrunk, sines, i, aparts, crosses, insides):
    """Of point i and each before it: sinh((a - b) / 2), sin²(t / 2), and sinh²(d / 2√K)."""
    crosses[:] = 0.0
    for c in range(axes.shape[0]):
        axis = axes[c]
        for j in range(i):
            gap = axis[i] - axis[j]
            crosses[j] += 0.25 * gap * gap
    for j in range(i):
        aparts[j] = 0.5 * (half[i] * shrunk[j] - shrunk[i] * half[j])
        insides[j] = aparts[j] * aparts[j] + sines[i] * sines[j] * crosses[j]


@kernel(forceinline=True, fastmath={"reassoc", "contract", "nsz"}, error_model="numpy")
def pull_together(wanted, half, shrunk, sines, cosines, scale, aparts, crosses, insides, lengths, outward, turns):
    """Sums over a point's line: squared distances, squared misses, misses by length, slope of its radius.

    Slopes of the others' radii are added to ``outward``, and how far a pair turns is written into ``turns``.
    """
    i = lengths.shape[0]
    squares = 0.0
    misses = 0.0
    stretches = 0.0
    own = 0.0
    for j in range(i):
        miss = scale * lengths[j] - wanted[j]
        squares += wanted[j] * wanted[j]
        misses += miss * miss
        stretches += miss * lengths[j]
        steep = math.sqrt(insides[j] * (1.0 + insides[j]))
        pull = 2.0 * scale * miss / steep if steep > 0 else 0.0
        tilt = 0.5 * aparts[j] * (half[i] * shrunk[j] + shrunk[i] * half[j])
        own += pull * (tilt + cosines[i] * sines[j] * crosses[j])
        outward[j] += pull * (cosines[j] * sines[i] * crosses[j] - tilt)
        turns[j] = 0.5 * pull * sines[i] * sines[j]
    return squares, misses, stretches, own


@kernel(forceinline=True, fastmath={"reassoc", "contract", "nsz"})
def turn_line(axes, turns, i, slopes):
    """Add the slopes that turn point i and those before it towards or from each other."""
    for c in range(axes.shape[0]):
        axis, slope_of = axes[c], slopes[c]
        own = 0.0
        for j in range(i):
            slope = turns[j] * (axis[i] - axis[j])
            slope_of[j] -= slope
            own += slope
        slope_of[i] += own


@kernel(forceinline=True, fastmath={"contract", "nsz"}, error_model="numpy")
def hyperbolic_lengths(insides, lengths):
    """Write 2 asinh √x of each x >= 0, by a logarithm of its own, which unlike the library's comes in vectors.

    That is 2 log z with z = √x + √(1 + x) = 2^e m and m within √½ and √2, whose logarithm is 2 artanh((m - 1) /
    (m + 1)): a series that ends at float64's last digit. The last digits of a length near 0 that z >= 1 does not hold
    are far below what a miss is known to.
    """
    sums = np.empty(insides.size)
    for p in range(insides.size):
        sums[p] = math.sqrt(insides[p]) + math.sqrt(1.0 + insides[p])
    bits = sums.view(np.uint64)
    powers, parts = np.empty_like(bits), np.empty_like(bits)
    for p in range(bits.size):  # exponents as the last digits of 2^52, which makes floats of them
        powers[p] = (bits[p] >> np.uint64(52)) | np.uint64(0x4330000000000000)
        parts[p] = (bits[p] & np.uint64(0xFFFFFFFFFFFFF)) | np.uint64(0x3FF0000000000000)
    exponents, fractions = powers.view(np.float64), parts.view(np.float64)
    for p in range(insides.size):
        large = fractions[p] > SQRT_2
        m = 0.5 * fractions[p] if large else fractions[p]
        e = exponents[p] - (4503599627370496.0 + 1023.0) + (1.0 if large else 0.0)
        s = (m - 1.0) / (m + 1.0)
        q = s * s
        series = 0.0
        for odd in range(21, 0, -2):
            series = series * q + 1.0 / odd
        lengths[p] = 2.0 * (e * LOG_2 + 2.0 * s * series)


@kernel("(int64, float64[::1], float64[:, ::1], float64, float64, float64[::1])", forceinline=True)
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


@kernel(forceinline=True, fastmath={"reassoc", "contract", "nsz"})
def add_multiple(target, source, factor):
    """Add ``factor * source`` to ``target``."""
    for k in range(target.size):
        target[k] += factor * source[k]


@kernel(forceinline=True, fastmath={"reassoc", "contract", "nsz"})
def inner(a, b):
    """Inner product."""
    total = 0.0
    for k in range(a.size):
        total += a[k] * b[k]
    return total
