"""Do frequent tokens sit near the origin? Rank correlation of norm and frequency, and what it hides."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
from jaxtyping import Bool, Float64, Int64

from geoprobe.data import EmbeddingTable, ScanInputs
from geoprobe.diagnostics.base import Draws, Need
from geoprobe.diagnostics.norms.classes import frequency_classes
from geoprobe.diagnostics.norms.correlations import (
    BY_DOCUMENTS,
    MIN_SEEN,
    SEEN,
    SPEARMAN,
    Correlation,
    Correlations,
    correlate,
)
from geoprobe.diagnostics.norms.curve import norm_curve
from geoprobe.diagnostics.norms.distances import other_distances, summarise
from geoprobe.diagnostics.norms.radial_link import link_radii
from geoprobe.diagnostics.norms.result import NormsResult
from geoprobe.diagnostics.norms.scatter import vocabulary_scatter
from geoprobe.diagnostics.norms.undertrained import survey
from geoprobe.diagnostics.norms.verdict import judge
from geoprobe.diagnostics.norms.word_groups import group_order, word_groups
from geoprobe.figure import floats
from geoprobe.results import Estimate, Interval, NullDistribution, Result
from geoprobe.stats.correlation import permutation_null
from geoprobe.stats.resampling import monte_carlo_pvalue
from geoprobe.stats.weighted import effective_size, weighted_spearman

#: Rows named in a warning.
_NAMED = 10


@dataclass(frozen=True)
class NormsAnalyzer:
    """Relate the norm of each token's embedding to how often it occurs.

    Parameters
    ----------
    replicates : int
        Permutations for the null.
    bootstrap : int
        Resamples of documents for the interval.
    """

    name: ClassVar[str] = "norms"
    result: ClassVar[type[Result]] = NormsResult
    needs: ClassVar[frozenset[Need]] = frozenset({"counts"})

    replicates: Draws = 999
    bootstrap: Draws = 200

    def run(self, inputs: ScanInputs, rng: np.random.Generator) -> NormsResult:
        """Measure, resample, permute and decide."""
        table, counts = inputs.embedding, inputs.counts
        surveyed = survey(table, counts)
        here = surveyed.here
        finite = np.isfinite(here.norms)
        seen = (counts > 0) & finite & table.named
        lengths = here.norms[seen]
        others = other_distances(here, surveyed.there, table.size)
        usable = lengths.size >= MIN_SEEN and lengths.min() < lengths.max() and np.ptp(counts[seen]) > 0
        correlations = (
            correlate(inputs, here.norms, others, bootstrap=self.bootstrap, rng=rng)
            if usable
            else Correlations((), (), (), "")
        )
        weights = None if table.weights is None else table.weights[seen]
        if usable and weights is not None:
            correlations = _of_all_rows(correlations, counts[seen], lengths, weights)
        first = next(
            (row for row in correlations.coefficients if (row.name, row.coefficient) == (SEEN, SPEARMAN)), None
        )
        rho = first.value if first else math.nan
        interval = _interval(first, correlations.method)
        effect = correlations.effect
        curve = norm_curve(counts[seen], lengths, bootstrap=self.bootstrap, rng=rng, effect=effect) if usable else None
        groups = word_groups(inputs, here.norms)
        order = group_order(groups, replicates=self.replicates, rng=rng)
        shuffled = (
            permutation_null(counts[seen], lengths, self.replicates, rng, weights=weights) if usable else np.empty(0)
        )
        pvalue = monte_carlo_pvalue(rho, shuffled, "two-sided") if usable else None
        return NormsResult(
            estimate=Estimate("ρ", "Spearman's ρ of frequency and norm", rho if usable else None, interval),
            null=NullDistribution(
                model=f"{self.replicates} permutations of the norms over the seen tokens"
                + ("" if weights is None else ", weighted by the sample's design"),
                statistic="Spearman's ρ",
                observed=rho if usable else None,
                distribution=floats(shuffled),
                alternative="two-sided",
                pvalue=pvalue,
            ),
            verdict=judge(
                rho, interval, pvalue, lengths, curve, order, correlations.coefficients, correlations.distances
            ),
            warnings=_warnings(table, surveyed.equal),
            n_seen=int(lengths.size),
            mean=float(lengths.mean()) if lengths.size else None,
            sd=float(lengths.std(ddof=1)) if lengths.size > 1 else None,
            low=float(lengths.min()) if lengths.size else None,
            high=float(lengths.max()) if lengths.size else None,
            classes=frequency_classes(counts[seen], lengths),
            groups=groups,
            associations=correlations.coefficients,
            confounds=correlations.confounds,
            curve=curve,
            distances=summarise(here.norms, others, seen, table.lookup_scale, first, correlations.distances),
            link=link_radii(counts[seen], lengths, rng) if usable else None,
            unusual=surveyed.undertrained,
            lookup_scale=table.lookup_scale,
            n_not_finite=int((table.rows_at_hand & ~finite).sum()),
            n_zero=int(table.row_statistics.zero.sum()),
            n_unnamed=int((~table.named).sum()),
            points=vocabulary_scatter(table, counts, here.norms, surveyed.flagged),
            group_order=order,
            subject_effect=correlations.effect if correlations.method == BY_DOCUMENTS else None,
        )


def _of_all_rows(
    correlations: Correlations,
    counts: Int64[np.ndarray, " n"],
    norms: Float64[np.ndarray, " n"],
    weights: Float64[np.ndarray, " n"],
) -> Correlations:
    """The first coefficient of all seen rows, of which a sample was read that has more of the frequent ones."""
    weighted = weighted_spearman(counts, norms, weights)
    first = replace(correlations.coefficients[0], value=weighted.value, low=weighted.low, high=weighted.high)
    method = f"rows weighted by the sample's design, effective number {effective_size(weights):,}"
    return replace(correlations, coefficients=(first, *correlations.coefficients[1:]), method=method)


def _interval(rho: Correlation | None, method: str) -> Interval | None:
    if rho is None or rho.low is None or rho.high is None or not math.isfinite(rho.high - rho.low):
        return None
    return Interval(rho.low, rho.high, method)


def _warnings(table: EmbeddingTable, equal: Bool[np.ndarray, " v"]) -> tuple[str, ...]:
    statistics = table.row_statistics
    warnings = []
    spoilt = table.rows_at_hand & ~statistics.finite
    if spoilt.any():
        warnings.append(f"Tokens whose vector holds NaN or infinity, left out: {_named(spoilt)}.")
    if table.weights is not None:
        warnings.append("A sample of the rows was read: only the first coefficient is weighted to stand for all rows.")
    if statistics.zero.any():
        warnings.append(f"Tokens whose vector is zero: {_named(statistics.zero)}.")
    if not table.named.all():
        warnings.append(f"Rows that no token has: {_named(~table.named)}.")
    if equal.any():
        warnings.append(f"Tokens whose vector equals another token's: {_named(equal)}.")
    output = table.output
    if output is not None:
        if output.shape[0] != table.size:
            warnings.append(f"The output matrix has {output.shape[0]:,} rows, the embedding {table.size:,}.")
        bad = 0 if table.output_statistics is None else int((~table.output_statistics.finite).sum())
        if bad:
            warnings.append(f"Rows of the output matrix that hold NaN or infinity, left out: {bad:,}.")
    return tuple(warnings)


def _named(mask: Bool[np.ndarray, " v"]) -> str:
    rows = np.flatnonzero(mask)
    first = ", ".join(f"{row}" for row in rows[:_NAMED].tolist())
    return f"{rows.size:,} (row{'s' if rows.size > 1 else ''} {first}{', …' if rows.size > _NAMED else ''})"
