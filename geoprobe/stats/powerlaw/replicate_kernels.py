"""One bootstrap replicate: draw a histogram, fit it. Rows of results are written by the caller's index alone."""

# mypy: allow-untyped-defs

import numpy as np

from geoprobe.stats.kernel import kernel
from geoprobe.stats.powerlaw.fit_kernels import alphas_and_distances, best_candidate
from geoprobe.stats.powerlaw.histogram_kernels import distinct_values, extremes
from geoprobe.stats.powerlaw.sampling_kernels import compact, draw_semiparametric, resample


@kernel(error_model="numpy")
def refit(values, counts, xmin, fixed, integers):
    """Exponent, x_min and distance of a drawn histogram; NaN where it has too few distinct values."""
    if values.size < 2:
        return np.nan, np.nan, np.nan
    start = 0
    while start < values.size and values[start] < xmin:
        start += 1
    if not fixed:
        index, alpha, distance = best_candidate(values, counts, start, integers)
        return alpha, values[index], distance
    size = values.size - start
    if size < 2:
        return np.nan, xmin, np.nan
    led = 0 if values[start] == xmin else 1  # by x_min itself, which no type may have
    tail = np.empty(size + led, np.float64)
    weights = np.empty(size + led, np.int64)
    tail[0] = xmin
    weights[0] = 0
    for i in range(size):
        tail[led + i] = values[start + i]
        weights[led + i] = counts[start + i]
    alphas, distances = alphas_and_distances(tail, weights, np.zeros(1, np.int64), integers)
    return alphas[0], xmin, distances[0]


@kernel(
    "(npy_rng, int64, int64, float64[::1], int64[::1], float64, float64, float64[::1], boolean, boolean, float64[::1])",
    error_model="numpy",
)
def semiparametric_replicate(rng, n, n_tail, body_values, body_counts, alpha, xmin, hazards, fixed, integers, out):
    """Fit a sample of the null into out = (alpha, xmin, ks)."""
    values, counts = draw_semiparametric(rng, n, n_tail, body_values, body_counts, alpha, xmin, hazards)
    out[0], out[1], out[2] = refit(values, counts, xmin, fixed, integers)


@kernel("(npy_rng, int64, float64[::1], int64[::1], float64, boolean, boolean, float64[::1])", error_model="numpy")
def resampled_replicate(rng, n, values, counts, xmin, fixed, integers, out):
    """Fit a resample of the types, with replacement, into out = (alpha, xmin, ks)."""
    drawn = np.zeros(counts.size, np.int64)
    resample(rng, n, counts, drawn)
    kept = np.empty(values.size, np.float64)
    weights = np.empty(values.size, np.int64)
    size = compact(values, drawn, kept, weights)
    out[0], out[1], out[2] = refit(kept[:size], weights[:size], xmin, fixed, integers)


@kernel(error_model="numpy")
def resampled_totals(rng, indptr, ids, counts, types):
    """Count of each type over as many documents as there are, drawn with replacement."""
    n = indptr.size - 1
    drawn = np.zeros(n, np.int64)
    for _ in range(n):
        drawn[int(rng.random() * n)] += 1
    totals = np.zeros(types, np.int64)
    for d in range(n):
        if drawn[d]:
            for e in range(indptr[d], indptr[d + 1]):
                totals[ids[e]] += drawn[d] * counts[e]
    return totals


@kernel(
    "(npy_rng, int64[::1], int64[::1], int64[::1], int64, float64, boolean, boolean, float64[::1])",
    error_model="numpy",
)
def document_replicate(rng, indptr, ids, counts, types, xmin, fixed, integers, out):
    """Fit a resample of the documents, with replacement, into out = (alpha, xmin, ks)."""
    totals = resampled_totals(rng, indptr, ids, counts, types)
    _, high = extremes(totals)
    values, multiplicities = distinct_values(totals, high)
    floats = np.empty(values.size, np.float64)
    for i in range(values.size):
        floats[i] = values[i]
    out[0], out[1], out[2] = refit(floats, multiplicities, xmin, fixed, integers)
