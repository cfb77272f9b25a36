"""Sums over ranks for Zipf–Mandelbrot's law ``p(r)`` proportional to ``(r + q)**-s``, r = 1 ... R."""

# mypy: allow-untyped-defs

import math

import numpy as np

from geoprobe.stats.kernel import kernel


@kernel("(int64[::1], float64, float64)", error_model="numpy")
def rank_sums(frequencies, s, q):
    """Log-likelihood, score and Fisher information in (s, log(1 + q)).

    Returns (loglikelihood, score_s, score_t, info_ss, info_st, info_tt).
    """
    z = 0.0
    moments = np.zeros(5, np.float64)
    data = np.zeros(2, np.float64)
    n = 0.0
    for i in range(frequencies.size):
        shifted = i + 1 + q
        # slopes of the log-weight in s and in log(1 + q)
        a = -math.log(shifted)
        b = -s * (1.0 + q) / shifted
        weight = math.exp(s * (a + math.log1p(q)))
        z += weight
        moments[0] += weight * a
        moments[1] += weight * b
        moments[2] += weight * a * a
        moments[3] += weight * a * b
        moments[4] += weight * b * b
        data[0] += frequencies[i] * a
        data[1] += frequencies[i] * b
        n += frequencies[i]
    mean_a = moments[0] / z
    mean_b = moments[1] / z
    value = s * data[0] - n * (math.log(z) - s * math.log1p(q))
    return (
        value,
        data[0] - n * mean_a,
        data[1] - n * mean_b,
        n * (moments[2] / z - mean_a * mean_a),
        n * (moments[3] / z - mean_a * mean_b),
        n * (moments[4] / z - mean_b * mean_b),
    )
