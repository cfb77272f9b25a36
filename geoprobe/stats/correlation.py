"""Rank correlation with ties: intervals, nulls, and controlling for covariates."""

from dataclasses import dataclass
from math import atanh, sqrt, tanh

import numpy as np
from jaxtyping import Float, Int64, Shaped
from scipy.special import ndtri

from geoprobe.stats.rank_kernels import products_of_pairs


@dataclass(frozen=True)
class Correlation:
    """A coefficient of n pairs.

    NaN where one side is constant; the interval takes pairs as independent, and is NaN for too few of them.
    """

    value: float
    low: float
    high: float
    level: float
    n: int


#: Counts up to this are coded by a table of that size instead of by sorting.
_TABLE = 1 << 22


def codes_of(values: Shaped[np.ndarray, " n"]) -> tuple[Int64[np.ndarray, " n"], Shaped[np.ndarray, " k"]]:
    """Each value's place among the distinct ones from 0, and those."""
    if values.dtype == np.int64 and values.size and values.min() >= 0 and values.max() < _TABLE:
        distinct = np.flatnonzero(np.bincount(values))
        places = np.zeros(int(distinct[-1]) + 1, dtype=np.int64)
        places[distinct] = np.arange(distinct.size)
        return places[values], distinct
    distinct, inverse = np.unique(values, return_inverse=True)
    return inverse.astype(np.int64), distinct


def average_ranks(values: Shaped[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
    """Ranks from 1, ties sharing the mean of theirs."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    return np.asarray((last - (counts - 1) / 2)[inverse], dtype=np.float64)


def weighted_ranks(codes: Int64[np.ndarray, " n"], weights: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
    """Mean ranks in a population from 1, ties sharing: a value of weight w stands for w equal ones.

    Codes are places among the distinct values, as by `codes_of`; weights are positive.
    """
    shares = np.bincount(codes, weights=weights)
    ranks: Float[np.ndarray, " n"] = (np.cumsum(shares) - shares / 2 + 0.5)[codes]
    return ranks


def spearman(x: Shaped[np.ndarray, " n"], y: Shaped[np.ndarray, " n"], *, level: float = 0.95) -> Correlation:
    """Spearman's ρ: Pearson's correlation of average ranks.

    Interval: Fisher's z with variance (1 + ρ²/2) / (n - 3), Bonett and Wright (2000), Psychometrika 65, 23-28.
    """
    _check(x, y)
    rho = _correlation(_centred(average_ranks(x)), _centred(average_ranks(y)))
    return Correlation(rho, *fisher_interval(rho, x.size, "spearman", level=level), level, x.size)


#: Variance of Fisher's z of each coefficient: numerator at its value, and what n loses.
_VARIANCE = {
    "pearson": (lambda _: 1.0, 3),
    "spearman": (lambda rho: 1 + rho * rho / 2, 3),
    "kendall": (lambda _: 0.437, 4),
}


def fisher_interval(
    value: float, n: int, kind: str, *, held: int = 0, level: float = 0.95, effect: float = 1.0, more: float = 0.0
) -> tuple[float, float]:
    """Interval of a coefficient by Fisher's z, pairs taken as independent, with `held` covariates held.

    The kind is ``pearson``, ``spearman`` or ``kendall``. `effect` is a factor on the variance of z where pairs are not
    independent, `more` what else adds to it. Both ends are NaN for too few pairs, and the value itself where that is -1
    or 1.
    """
    numerator, lost = _VARIANCE[kind]
    if not np.isfinite(value) or n - held <= lost:
        return float("nan"), float("nan")
    if abs(value) >= 1.0:
        return value, value
    half = float(ndtri(0.5 + level / 2)) * sqrt(effect * numerator(value) / (n - held - lost) + more)
    return tanh(atanh(value) - half), tanh(atanh(value) + half)


def permutation_null(
    x: Shaped[np.ndarray, " n"],
    y: Shaped[np.ndarray, " n"],
    replicates: int,
    rng: np.random.Generator,
    *,
    weights: Float[np.ndarray, " n"] | None = None,
) -> Float[np.ndarray, " replicates"]:
    """Spearman's ρ after shuffling y: what it gives where the two have nothing to do with each other.

    With weights, it is `weighted_spearman` that is shuffled. They stay with x: the test is exact where y has to do
    neither with x nor with them.
    """
    if weights is None:
        first, second = _centred(average_ranks(x)), _centred(average_ranks(y))
        return np.array([_correlation(first, rng.permutation(second)) for _ in range(replicates)])
    first_codes, codes = codes_of(x)[0], codes_of(y)[0]
    if not first_codes.any() or not codes.any():  # constant
        return np.full(replicates, np.nan)
    shares, root = weights / weights.sum(), np.sqrt(weights)

    def scaled(codes: Int64[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
        ranks = weighted_ranks(codes, weights)
        found: np.ndarray = (ranks - (shares * ranks).sum()) * root
        return found

    first = scaled(first_codes)
    # a value shuffled to another weight moves the ranks of all
    return np.array([_correlation(first, scaled(rng.permutation(codes))) for _ in range(replicates)])


def correlation_matrix(columns: Float[np.ndarray, "c n"]) -> Float[np.ndarray, "c c"]:
    """Pearson's correlation of each pair of rows; zero off the diagonal and 0 on it where one is constant."""
    centred = columns - columns.mean(axis=1, keepdims=True)
    products = products_of_pairs(centred)
    scale = np.sqrt(np.diag(products))
    scale[scale <= 1e-12 * np.abs(columns).max(axis=1, initial=1.0)] = np.inf
    found: np.ndarray = products / scale / scale[:, None]
    return found


def partial_correlation(matrix: Float[np.ndarray, "c c"], x: int, y: int, held: list[int]) -> float:
    """Correlation of x and y with others held, all by their place in a correlation matrix.

    It is NaN where the others explain x or y entirely, or one of these is constant.
    """
    kept = [column for column in held if matrix[column, column] > 0]
    pair = matrix[np.ix_([x, y], [x, y])]
    if kept:
        cross = matrix[np.ix_(kept, [x, y])]
        between = matrix[np.ix_(kept, kept)]
        # covariates may be combinations of each other: what they explain is the same
        inverse = 1 / between if len(kept) == 1 else np.linalg.pinv(between, rcond=1e-10, hermitian=True)
        pair = pair - cross.T @ inverse @ cross
    left = np.diag(pair)
    if not (left > 1e-9).all():  # what is left by rounding alone is nothing
        return float("nan")
    return max(-1.0, min(1.0, float(pair[0, 1] / np.sqrt(left[0] * left[1]))))


def _check(x: Shaped[np.ndarray, " n"], y: Shaped[np.ndarray, " n"]) -> None:
    for name, side in (("x", x), ("y", y)):
        if not np.isfinite(side).all():
            raise ValueError(
                f"{name} holds {int((~np.isfinite(side)).sum())} values that are NaN or infinite; drop them."
            )
    if x.shape != y.shape:
        raise ValueError(f"x has {x.size} values but y has {y.size}; give pairs.")


def _centred(ranks: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
    return ranks - (ranks.size + 1) / 2


def _correlation(x: Float[np.ndarray, " n"], y: Float[np.ndarray, " n"]) -> float:
    products = products_of_pairs(np.stack([x, y]))
    scale = sqrt(products[0, 0] * products[1, 1])
    return max(-1.0, min(1.0, float(products[0, 1]) / scale)) if scale > 0 else float("nan")
