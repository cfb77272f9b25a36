"""The fitted tail of token counts, with everything that a report shows of it, as plain values."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Int64

from geoprobe.compact import Compact
from geoprobe.data import Documents
from geoprobe.figure import floats
from geoprobe.results import Interval
from geoprobe.stats import powerlaw

MIN_DOCUMENTS = 20
#: Corpus sizes, in tokens, at which every report gives γ, so that reports can be compared.
_SIZES = (10_000, 20_000, 50_000, 100_000, 200_000, 500_000, 1_000_000, 2_000_000, 5_000_000, 10_000_000)


@dataclass(frozen=True)
class Curve(Compact):
    """A named curve through points (x, y)."""

    name: str
    x: tuple[float, ...]
    y: tuple[float, ...]


@dataclass(frozen=True)
class AlternativeFit:
    """Another distribution on the same counts.

    The ratio is power law less alternative, in nats: negative speaks for the alternative. p is of Vuong's test (of the
    likelihood-ratio test for the nested cut-off). `limit` is another law, where the best member of the family is that:
    then there is no fit.
    """

    name: str
    xmin: int
    loglikelihood_ratio: float
    pvalue: float
    favours: str
    limit: str | None


@dataclass(frozen=True, kw_only=True)
class TailFit(Compact):
    """Everything about the fitted tail; absent where there is too little data.

    γ is the exponent of the counts: the share of types that occur k times falls as k^-γ. It is not Zipf's rank
    exponent; its intervals are by documents where they are known, by types, and asymptotic. `ks` is the
    Kolmogorov-Smirnov distance of the tail from the fit; alternatives are on the tail, and on the `whole` from 1 up.

    Curves: the share of types with at least x occurrences, by each law that was fitted to the tail; γ, and the share of
    types covered, for each lower bound; mean γ of the corpus thinned to fewer tokens; mean frequency in one half of the
    corpus by rank in the other, and Zipf-Mandelbrot's law, whose rank exponent s and shift q are None where the
    likelihood has no maximum.
    """

    gamma: float
    xmin: int
    ks: float
    n_tail: int
    type_share: float
    token_share: float
    intervals: tuple[Interval, ...]
    xmin_interval: tuple[float, float]
    tail: tuple[AlternativeFit, ...]
    whole: tuple[AlternativeFit, ...]
    survival: tuple[Curve, ...]
    gamma_by_xmin: Curve
    types_by_xmin: Curve
    gamma_by_size: Curve
    ranks: Curve
    ranks_fitted: Curve
    s: float | None
    q: float | None


def describe_tail(
    counts: Int64[np.ndarray, " v"],
    documents: Documents | None,
    assessed: powerlaw.Assessment,
    *,
    resamples: int,
    repeats: int,
    rng: np.random.Generator,
) -> TailFit:
    """Everything about a fitted tail; documents hold the same tokens, where they are known."""
    fitted = assessed.goodness.fit
    seen = counts[counts > 0]
    bounds = powerlaw.alpha_over_xmin(seen)
    total = int(counts.sum())
    sizes = [size for size in _SIZES if size < total] + [total]
    by_size = powerlaw.alpha_over_size(counts, sizes, repeats=repeats, rng=rng)
    finite = np.isfinite(by_size.alpha).all(axis=1)
    ranked = powerlaw.rank_frequency(counts, rng=rng)
    by_types = powerlaw.bootstrap(seen, replicates=resamples, rng=rng)
    return TailFit(
        gamma=fitted.alpha,
        xmin=fitted.xmin,
        ks=fitted.ks,
        n_tail=fitted.n_tail,
        type_share=fitted.type_share,
        token_share=fitted.token_share,
        intervals=_intervals(fitted, documents, by_types, resamples, rng),
        xmin_interval=(by_types.xmin.low, by_types.xmin.high),
        tail=_compared(assessed.tail),
        whole=_compared(assessed.whole),
        survival=_survival_curves(assessed, int(counts.max())),
        gamma_by_xmin=Curve("γ", floats(bounds.xmin), floats(bounds.alpha)),
        types_by_xmin=Curve("share of types", floats(bounds.xmin), floats(bounds.type_share)),
        gamma_by_size=Curve("γ", floats(by_size.tokens[finite]), floats(by_size.alpha_mean[finite])),
        ranks=Curve("frequency", floats(ranked.ranks), floats(ranked.frequency)),
        ranks_fitted=Curve("Zipf-Mandelbrot", floats(ranked.ranks), floats(ranked.fitted)),
        s=ranked.s if ranked.limit is None else None,
        q=ranked.q if ranked.limit is None else None,
    )


def _intervals(
    fitted: powerlaw.PowerLawFit,
    documents: Documents | None,
    by_types: powerlaw.Bootstrap,
    resamples: int,
    rng: np.random.Generator,
) -> tuple[Interval, ...]:
    """Intervals of γ: by documents where they are known, by types, and asymptotic."""

    def about(error: float, method: str) -> Interval:
        return Interval(fitted.alpha - 1.96 * error, fitted.alpha + 1.96 * error, method)

    intervals = [Interval(by_types.alpha.low, by_types.alpha.high, "bootstrap over types")]
    if documents is not None and len(documents) >= MIN_DOCUMENTS:
        drawn = powerlaw.document_bootstrap(documents.starts, documents.ids, replicates=resamples, rng=rng)
        # a resample holds some documents twice and so fewer types: its spread is the estimate's, its centre is not
        intervals.insert(0, about(drawn.alpha.se, "standard error over resampled documents"))
    return (*intervals, about(fitted.alpha_se_asymptotic, "asymptotic, x_min taken as known"))


def _compared(comparison: powerlaw.Comparison) -> tuple[AlternativeFit, ...]:
    return tuple(
        AlternativeFit(
            distribution_name(row.name),
            comparison.xmin,
            row.loglikelihood_ratio,
            row.pvalue,
            row.favours,
            row.limit,
        )
        for row in comparison
    )


def _survival_curves(assessed: powerlaw.Assessment, largest: int) -> tuple[Curve, ...]:
    """Each fitted law over the tail, the power law first, as a share of all types."""
    fitted = assessed.goodness.fit
    x = np.unique(np.round(np.geomspace(fitted.xmin, largest, 60)))
    curves = {"power law": powerlaw.survival(fitted, x)}
    curves |= {row.name: powerlaw.survival(row.distribution, x) for row in assessed.tail if not row.degenerate}
    return tuple(Curve(distribution_name(name), floats(x), floats(fitted.type_share * y)) for name, y in curves.items())


def distribution_name(name: str) -> str:
    """A distribution as a reader calls it."""
    return {"yule": "Yule", "power_law_with_cutoff": "power law with cut-off"}.get(name, name.replace("_", " "))
