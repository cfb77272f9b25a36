"""How far the exponent and x_min would move on another sample: resampling types, or whole documents."""

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float
from numpy.typing import ArrayLike

from geoprobe.stats.powerlaw.documents import documents
from geoprobe.stats.powerlaw.estimation import PowerLawFit, Support, fit_histogram, on_integers
from geoprobe.stats.powerlaw.histogram import histogram
from geoprobe.stats.powerlaw.replicate_kernels import document_replicate, resampled_replicate
from geoprobe.stats.powerlaw.replication import generator, replicated

Unit = Literal["types", "documents"]


@dataclass(frozen=True)
class Interval:
    """An estimate with its standard error and the ends of an interval."""

    estimate: float
    se: float
    low: float
    high: float


@dataclass(frozen=True, eq=False)
class Bootstrap:
    """Bootstrap of the whole procedure, the choice of x_min included.

    Types are resampled as if each were drawn by itself; documents keep together the tokens that a text brings together,
    and hold the vocabulary that the texts share. The two answer different questions: another vocabulary, or other texts
    from the same source. The distributions are the fits of the replicates; NaN where one had fewer than two distinct
    values. `inconclusive` says why no conclusion should be drawn, if there is a reason.
    """

    unit: Unit
    alpha: Interval
    xmin: Interval
    confidence: float
    alpha_distribution: Float[np.ndarray, "replicates"]
    xmin_distribution: Float[np.ndarray, "replicates"]
    ks_distribution: Float[np.ndarray, "replicates"]
    fit: PowerLawFit
    inconclusive: str | None


def bootstrap(
    values: ArrayLike,
    multiplicities: ArrayLike | None = None,
    *,
    replicates: int = 1000,
    rng: np.random.Generator | int | None = None,
    xmin: int | None = None,
    support: Support = "observed",
    confidence: float = 0.95,
) -> Bootstrap:
    """Standard errors and intervals from resampling types with replacement.

    The arguments are those of :func:`fit`, as are the errors; `xmin` is held in every resample where given, and chosen
    anew in each by default. The result is the same whatever the number of threads.

    Clauset, Shalizi and Newman (2009), SIAM Review 51, 661–703: section 3.3 (uncertainty by the bootstrap).
    """
    _check_confidence(confidence)
    counts = histogram(values, multiplicities)
    fitted = fit_histogram(counts, xmin=xmin, support=support)
    floats = counts.values.astype(np.float64)
    integers = on_integers(support)

    def replicate(child: np.random.Generator, row: np.ndarray) -> None:
        resampled_replicate(
            child, counts.n, floats, counts.multiplicities, float(fitted.xmin), xmin is not None, integers, row
        )

    rows = replicated(replicate, replicates, generator(rng))
    return _summarised("types", fitted, rows, confidence)


def document_bootstrap(
    indptr: ArrayLike,
    ids: ArrayLike,
    counts: ArrayLike | None = None,
    *,
    replicates: int = 200,
    rng: np.random.Generator | int | None = None,
    xmin: int | None = None,
    support: Support = "observed",
    confidence: float = 0.95,
) -> Bootstrap:
    """Standard errors and intervals from resampling whole documents with replacement.

    Counts by document are as for :func:`documents`, the rest as for :func:`bootstrap`; the `fit` is that of the counts
    summed over documents.
    """
    _check_confidence(confidence)
    rows = documents(indptr, ids, counts)
    totals = rows.totals()
    fitted = fit_histogram(histogram(totals), xmin=xmin, support=support)
    integers = on_integers(support)

    def replicate(child: np.random.Generator, row: np.ndarray) -> None:
        document_replicate(
            child, rows.indptr, rows.ids, rows.counts, totals.size, float(fitted.xmin), xmin is not None, integers, row
        )

    return _summarised("documents", fitted, replicated(replicate, replicates, generator(rng)), confidence)


def _summarised(
    unit: Unit, fitted: PowerLawFit, rows: Float[np.ndarray, "replicates 3"], confidence: float
) -> Bootstrap:
    alpha, xmin, ks = (rows[:, i].copy() for i in range(3))
    return Bootstrap(
        unit=unit,
        alpha=_interval(fitted.alpha, alpha, confidence),
        xmin=_interval(float(fitted.xmin), xmin, confidence),
        confidence=confidence,
        alpha_distribution=alpha,
        xmin_distribution=xmin,
        ks_distribution=ks,
        fit=fitted,
        inconclusive=fitted.inconclusive,
    )


def _interval(estimate: float, drawn: Float[np.ndarray, "replicates"], confidence: float) -> Interval:
    """Percentile interval: over samples of known laws it kept its level better than the basic and BC ones."""
    kept = drawn[~np.isnan(drawn)]
    if kept.size < 2:
        return Interval(estimate, math.nan, math.nan, math.nan)
    low, high = np.quantile(kept, [0.5 - confidence / 2, 0.5 + confidence / 2])
    return Interval(estimate, float(kept.std(ddof=1)), float(low), float(high))


def _check_confidence(confidence: float) -> None:
    if not 0 < confidence < 1:
        raise ValueError(f"confidence is {confidence}: give a level between 0 and 1, such as 0.95")
