"""Rank against frequency with ranks from one half of the corpus and frequencies from the other."""

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from numpy.typing import ArrayLike

from geoprobe.stats.powerlaw.histogram import histogram
from geoprobe.stats.powerlaw.rank_kernels import rank_sums
from geoprobe.stats.powerlaw.replication import generator

_SINGLE = 20  # ranks up to here are shown one by one
_PER_DECADE = 20
_STEPS = 500
_ROUNDED = 1e-13
_FAR = 15.0  # log(1 + q) beyond which the shift has left every vocabulary


@dataclass(frozen=True, eq=False)
class RankFrequency:
    """Zipf–Mandelbrot's law ``p(r) = (r + q)**-s / Z`` over ranks 1 ... `n_ranks`.

    s is the rank exponent (Zipf's; not the exponent of the counts, from which it follows only asymptotically), q
    Mandelbrot's shift, above -1. Their standard errors are from the Fisher information, tokens taken as independent:
    lower bounds on real text. The log-likelihood is of the second half's tokens, in nats, less the multinomial
    coefficient; `limit` says why the parameters are not an estimate, where the likelihood has no maximum at finite
    values. `n_ranks` are the types seen in the first half, `n_tokens` and `token_share` the tokens of the second that
    belong to them.

    For drawing: `ranks` one by one, then geometric means of bins of equal width in log rank; `frequency`, the mean
    count in the second half of the types in each bin; `fitted`, the same under the law; `types` in each bin.
    """

    s: float
    q: float
    s_se_asymptotic: float
    q_se_asymptotic: float
    loglikelihood: float
    limit: str | None
    n_ranks: int
    n_tokens: int
    token_share: float
    ranks: Float[np.ndarray, "m"]
    frequency: Float[np.ndarray, "m"]
    fitted: Float[np.ndarray, "m"]
    types: Int[np.ndarray, "m"]


def rank_frequency(counts: ArrayLike, *, rng: np.random.Generator | int | None = None) -> RankFrequency:
    """Fit Zipf–Mandelbrot's law to frequencies by rank, with no count used twice.

    Ranking types by the very counts that are then plotted makes the curve fall by construction, chance included. Each
    token is therefore put in one half or the other with equal odds; the first half gives the ranks (ties in random
    order) and the second the frequencies. It takes three types in the first half and a token of theirs in the second,
    else ValueError.

    Ranks of rare types from half of the text are noisy, which makes the curve steeper at its end: with 155,000 tokens
    of an exact law with s = 1 over 49,152 types, s comes out at 1.024. The exponent without that bias is the one of
    :func:`assess_source`.

    Piantadosi (2014), Psychonomic Bulletin & Review 21, 1112–1130 (the split); Mandelbrot (1953).
    """
    histogram(counts)
    source = generator(rng)
    every = np.asarray(counts).astype(np.int64)
    first = source.binomial(every, 0.5)
    second = every - first
    order = np.lexsort((source.random(every.size), -first))[: np.count_nonzero(first)]
    frequencies = second[order]
    if order.size < 3 or frequencies.sum() == 0:
        raise ValueError(
            f"half of the corpus shows {order.size} types and the other {int(frequencies.sum())} tokens of theirs: "
            "too few to rank; count more text"
        )
    s, q, value, errors, limit = fit_zipf_mandelbrot(frequencies)
    ranks, members, mean = _binned(frequencies.astype(np.float64))
    logs = -s * np.log(np.arange(1, order.size + 1) + q)
    weights = np.exp(logs - logs.max())
    _, _, fitted = _binned(frequencies.sum() * weights / weights.sum())
    return RankFrequency(
        s=s,
        q=q,
        s_se_asymptotic=errors[0],
        q_se_asymptotic=errors[1],
        loglikelihood=value,
        limit=limit,
        n_ranks=int(order.size),
        n_tokens=int(frequencies.sum()),
        token_share=float(frequencies.sum() / second.sum()),
        ranks=ranks,
        frequency=mean,
        fitted=fitted,
        types=members,
    )


def fit_zipf_mandelbrot(
    frequencies: Int[np.ndarray, "r"],
) -> tuple[float, float, float, tuple[float, float], str | None]:
    """Maximum likelihood by Fisher scoring in (s, log(1 + q)): s, q, log-likelihood, standard errors, limit."""
    s, t = 1.0, math.log(3.0)
    value, score_s, score_t, ss, st, tt = rank_sums(frequencies, s, math.expm1(t))
    limit: str | None = "the likelihood has no maximum at a finite shift"
    for _ in range(_STEPS):
        # towards q = -1 all weight falls on the first rank; towards infinity the law becomes exponential
        if not -_FAR < t < _FAR:
            break
        determinant = ss * tt - st * st
        # flat frequencies: with s near 0 the shift changes nothing
        if not determinant > 1e-12 * ss * tt:
            limit = "the frequencies are too flat to determine the shift"
            break
        step_s = (tt * score_s - st * score_t) / determinant
        step_t = (ss * score_t - st * score_s) / determinant
        gain = score_s * step_s + score_t * step_t
        # nats that the next step could win; the sum over millions of tokens is rounded to some 1e-13 of itself
        if gain < max(1e-10, _ROUNDED * abs(value)):
            limit = None
            break
        scale = min(1.0, 2.0 / max(abs(step_s), abs(step_t)))
        while True:
            found = rank_sums(frequencies, s + scale * step_s, math.expm1(t + scale * step_t))
            if found[0] >= value + 1e-4 * scale * gain or scale < 1e-9:
                break
            scale *= 0.5
        s, t = s + scale * step_s, t + scale * step_t
        value, score_s, score_t, ss, st, tt = found
    q = math.expm1(t)
    errors = (math.nan, math.nan)
    if limit is None:
        determinant = ss * tt - st * st
        errors = (math.sqrt(tt / determinant), (1 + q) * math.sqrt(ss / determinant))
    return s, q, value, errors, limit


def _binned(
    by_rank: Float[np.ndarray, "r"],
) -> tuple[Float[np.ndarray, "m"], Int[np.ndarray, "m"], Float[np.ndarray, "m"]]:
    """Geometric mean of the ranks, number of types, and mean of `by_rank` in each bin."""
    size = by_rank.size
    steps = max(0, math.ceil(_PER_DECADE * math.log10(size / _SINGLE))) if size > _SINGLE else 0
    later = np.round(_SINGLE * 10 ** (np.arange(1, steps + 1) / _PER_DECADE)).astype(np.int64)
    edges = np.unique(np.r_[np.arange(min(_SINGLE, size) + 1), np.minimum(later, size), size])
    types = np.diff(edges)
    logs = np.add.reduceat(np.log(np.arange(1, size + 1)), edges[:-1]) / types
    return np.exp(logs), types, np.add.reduceat(by_rank, edges[:-1]) / types
