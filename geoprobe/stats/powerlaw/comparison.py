"""The power law against each alternative on the same tail."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from geoprobe.stats.powerlaw.alternatives import NAMES, Distribution, fit_alternative, power_law_logpmf, summarised
from geoprobe.stats.powerlaw.estimation import fit_histogram, tail
from geoprobe.stats.powerlaw.histogram import Histogram, histogram
from geoprobe.stats.powerlaw.vuong import VuongTest, vuong

LEVEL = 0.1
"""A ratio with a larger p favours neither (the paper's threshold)."""


@dataclass(frozen=True)
class Alternative:
    """One alternative against the power law.

    Attributes
    ----------
    name : str
        One of :data:`alternatives.NAMES`.
    distribution : Distribution
        The fitted one, for :func:`survival`.
    parameters : dict of str to float
        Its parameters; empty where degenerate.
    loglikelihood : float
        Of the alternative, in nats; of the limit where degenerate.
    loglikelihood_ratio : float
        Power law less alternative: positive favours the power law.
    statistic : float
        Vuong's normal statistic; ``2 |ratio|`` where nested.
    pvalue : float
        Two-sided; how easily a ratio of that size arises where neither is closer.
    distinguishable : bool
        Whether the two distributions differ enough on these counts for `pvalue` to mean anything.
    nested : bool
        Whether the family contains the power law, so that the ratio cannot be positive.
    degenerate : bool
        Whether the maximum lies at the edge of the family, where it is another distribution: not a fit of the family.
    limit : str or None
        Its name.
    favours : {"power law", "alternative", "neither"}
        By the ratio's sign where p is at most 0.1; "neither" where degenerate or not distinguishable.
    """

    name: str
    distribution: Distribution
    parameters: dict[str, float]
    loglikelihood: float
    loglikelihood_ratio: float
    statistic: float
    pvalue: float
    distinguishable: bool
    nested: bool
    degenerate: bool
    limit: str | None
    favours: Literal["power law", "alternative", "neither"]


@dataclass(frozen=True)
class Comparison:
    """All alternatives on one tail; iterating gives the rows, indexing by name one of them."""

    alpha: float
    xmin: int
    loglikelihood: float
    n_tail: int
    rows: tuple[Alternative, ...]
    inconclusive: str | None

    def __iter__(self) -> Iterator[Alternative]:
        return iter(self.rows)

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, name: str) -> Alternative:
        for row in self.rows:
            if row.name == name:
                return row
        raise KeyError(f"no alternative is called {name!r}: use one of {', '.join(r.name for r in self.rows)}")

    @property
    def beaten_by(self) -> tuple[str, ...]:
        """Names of the alternatives that are favoured over the power law."""
        return tuple(row.name for row in self.rows if row.favours == "alternative")


def compare(values: ArrayLike, multiplicities: ArrayLike | None = None, *, xmin: int | None = None) -> Comparison:
    """Fit the alternatives to the tail that a power law is fitted to, and test each against it.

    They are a lognormal and a power law with exponential cut-off (their densities at the integers, normalised by
    their sum), an exponential (geometric), a stretched exponential (discrete Weibull: the difference of its survival
    function) and Yule–Simon's.

    Parameters
    ----------
    values, multiplicities
        As for :func:`fit`.
    xmin : int, optional
        Smallest count of the tail. By default that of :func:`fit`; 1 compares over the whole range.

    Returns
    -------
    Comparison

    Raises
    ------
    ValueError
        If the counts are unusable (see :func:`histogram`) or `xmin` leaves fewer than two distinct values.

    References
    ----------
    Clauset, Shalizi and Newman (2009), SIAM Review 51, 661–703: section 5 and appendix C.
    """
    return compare_histogram(histogram(values, multiplicities), xmin=xmin)


def compare_histogram(counts: Histogram, *, xmin: int | None = None) -> Comparison:
    """:func:`compare` for counts that are already in (value, multiplicity) form."""
    lower = fit_histogram(counts).xmin if xmin is None else xmin
    shared = summarised(*tail(counts, lower))
    reference = power_law_logpmf(shared)
    rows = []
    for name in NAMES:
        fitted, logpmf = fit_alternative(name, shared)
        nested = name == "power_law_with_cutoff"
        parameters = 1 + len(fitted.parameters or (0, 0))
        test = vuong(np.asarray(reference - logpmf), shared.counts, parameters=parameters, nested=nested)
        rows.append(
            Alternative(
                name=name,
                distribution=fitted,
                parameters=fitted.parameters,
                loglikelihood=math.fsum(logpmf * shared.counts),
                loglikelihood_ratio=test.ratio,
                statistic=test.statistic,
                pvalue=test.pvalue,
                distinguishable=test.distinguishable,
                nested=nested,
                degenerate=fitted.limit is not None,
                limit=fitted.limit,
                favours=_favoured(test, degenerate=fitted.limit is not None),
            )
        )
    return Comparison(
        alpha=shared.alpha,
        xmin=int(lower),
        loglikelihood=math.fsum(reference * shared.counts),
        n_tail=shared.n,
        rows=tuple(rows),
        inconclusive=counts.inconclusive,
    )


def _favoured(test: VuongTest, *, degenerate: bool) -> Literal["power law", "alternative", "neither"]:
    if degenerate or not test.distinguishable or test.pvalue > LEVEL:
        return "neither"
    return "power law" if test.ratio > 0 else "alternative"
