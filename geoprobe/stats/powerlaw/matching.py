"""Thinning a corpus to a number of tokens, so that exponents are compared at equal size."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from numpy.typing import ArrayLike

from geoprobe.stats.powerlaw.estimation import Support, fit_histogram
from geoprobe.stats.powerlaw.histogram import histogram
from geoprobe.stats.powerlaw.replication import generator

_HYPERGEOMETRIC_LIMIT = 10**9  # numpy's sampler takes no larger totals


@dataclass(frozen=True, eq=False)
class SizeCurve:
    """Exponents of a corpus thinned to several numbers of tokens.

    Fits are NaN where a thinned corpus has fewer than two distinct counts; `types` are those seen in it. The spread
    over repeats is the part of the error that comes from thinning.
    """

    tokens: Int[np.ndarray, "m"]
    alpha: Float[np.ndarray, "m repeats"]
    xmin: Float[np.ndarray, "m repeats"]
    types: Int[np.ndarray, "m repeats"]

    @property
    def alpha_mean(self) -> Float[np.ndarray, "m"]:
        """Mean exponent by size."""
        return np.asarray(self.alpha.mean(axis=1))

    @property
    def alpha_sd(self) -> Float[np.ndarray, "m"]:
        """Standard deviation over repeats by size (0 for a single one)."""
        return np.asarray(self.alpha.std(axis=1, ddof=1 if self.alpha.shape[1] > 1 else 0))


def thin(counts: ArrayLike, tokens: int, *, rng: np.random.Generator | int | None = None) -> Int[np.ndarray, "types"]:
    """Counts of a random subset of exactly `tokens` tokens, each token as likely to be kept as any other.

    Multivariate hypergeometric. Above 1e9 tokens each type is thinned binomially instead, and the sum is `tokens` to
    within its standard error, at most ``sqrt(tokens)``.
    """
    histogram(counts)
    array = np.asarray(counts).astype(np.int64)
    total = int(array.sum())
    if not 1 <= tokens <= total:
        raise ValueError(f"tokens is {tokens}, but the corpus has {total}: give a size from 1 to that")
    source = generator(rng)
    if total >= _HYPERGEOMETRIC_LIMIT:
        return source.binomial(array, tokens / total)
    return source.multivariate_hypergeometric(array, tokens, method="marginals")


def alpha_over_size(
    counts: ArrayLike,
    tokens: ArrayLike,
    *,
    repeats: int = 10,
    rng: np.random.Generator | int | None = None,
    xmin: int | None = None,
    support: Support = "observed",
) -> SizeCurve:
    """Fit the exponent of a corpus thinned to several sizes.

    The exponent of counts drifts with corpus size, so two corpora are compared at equal numbers of tokens. Sizes are in
    tokens, each at most the sum of `counts`; `repeats` are the thinned corpora at each. The rest is as for :func:`fit`.
    """
    if repeats < 1:
        raise ValueError(f"repeats is {repeats}: give at least 1")
    sizes = np.atleast_1d(np.asarray(tokens, dtype=np.int64))
    source = generator(rng)
    alpha = np.full((sizes.size, repeats), np.nan)
    bound = np.full((sizes.size, repeats), np.nan)
    types = np.zeros((sizes.size, repeats), dtype=np.int64)
    for i, size in enumerate(sizes):
        for r in range(repeats):
            kept = thin(counts, int(size), rng=source)
            types[i, r] = np.count_nonzero(kept)
            if np.unique(kept[kept >= (xmin or 1)]).size < 2:
                continue
            fitted = fit_histogram(histogram(kept), xmin=xmin, support=support)
            alpha[i, r], bound[i, r] = fitted.alpha, fitted.xmin
    return SizeCurve(sizes, alpha, bound, types)
