"""Do frequent tokens sit near the origin? Rank correlation of norm and frequency, and what it hides."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import ClassVar

import numpy as np
from jaxtyping import Bool, Float64, Int64

from geoprobe.data import EmbeddingTable, ScanInputs
from geoprobe.diagnostics.norms.correlations import (
    MIN_SEEN,
    SEEN,
    SPEARMAN,
    Association,
    Associations,
    Confound,
    associate,
)
from geoprobe.diagnostics.norms.curve import NormCurve, curve_rows, norm_curve
from geoprobe.diagnostics.norms.distances import Distance, other_distances, summarise
from geoprobe.diagnostics.norms.figures import norms_figures
from geoprobe.diagnostics.norms.radial_link import RadialLink, link_radii, link_rows
from geoprobe.diagnostics.norms.scatter import vocabulary_scatter
from geoprobe.diagnostics.norms.tables import METHODS, norms_tables
from geoprobe.diagnostics.norms.undertrained import UnusualRows, survey
from geoprobe.diagnostics.norms.verdict import FrequencyClass, judge
from geoprobe.diagnostics.norms.word_groups import WordGroup, word_groups
from geoprobe.figure import Figure, floats
from geoprobe.results import Estimate, Interval, NullDistribution, Result, Row, Table
from geoprobe.scatter import VocabularyScatter
from geoprobe.stats.correlation import permutation_null
from geoprobe.stats.resampling import monte_carlo_pvalue
from geoprobe.stats.weighted import effective_size, weighted_spearman

__all__ = ["NormsAnalyzer", "NormsResult"]

CLASS_EDGES = (1, 2, 5, 20, 100, 500, 2_000, 10_000, 50_000, 250_000, 1_000_000, 10_000_000)
#: Rows named in a warning.
NAMED = 10


@dataclass(frozen=True, kw_only=True)
class NormsResult(Result):
    """Norms of the embedding's rows, by the frequency of their tokens.

    Attributes
    ----------
    n_seen : int
        Tokens seen in the corpora, over which everything is computed.
    mean, sd, low, high : float or None
        Of the seen tokens' norms.
    classes : tuple of FrequencyClass
        From rare to frequent.
    groups : tuple of WordGroup
        The paper's four, from frequent to rare.
    associations : tuple of Association
        Over all seen tokens, with traits held, among the more frequent ones, and by other coefficients.
    confounds : tuple of Confound
        Traits of tokens that could stand behind the relation.
    curve : NormCurve or None
        The relation as curves, and whether it is monotone.
    distances : tuple of Distance
        From the origin, the mean vector and the geometric median, in the input embedding and the output matrix.
    link : RadialLink or None
        The paper's link of radii and counts.
    unusual : UnusualRows
        Rows that look hardly trained or unused.
    lookup_scale : float
        The factor that the model applies after look-up; norms here are without it.
    n_not_finite, n_zero, n_unnamed : int
        Rows with NaN or infinity, left out; rows of zeros; rows that no token has.
    points : VocabularyScatter or None
        Every row.
    """

    name: ClassVar[str] = "norms"
    title: ClassVar[str] = "Norms and frequency"
    question: ClassVar[str] = "Do frequent tokens sit near the origin?"

    n_seen: int
    mean: float | None
    sd: float | None
    low: float | None
    high: float | None
    classes: tuple[FrequencyClass, ...]
    groups: tuple[WordGroup, ...]
    associations: tuple[Association, ...]
    confounds: tuple[Confound, ...]
    curve: NormCurve | None
    distances: tuple[Distance, ...]
    link: RadialLink | None
    unusual: UnusualRows
    lookup_scale: float
    n_not_finite: int
    n_zero: int
    n_unnamed: int
    points: VocabularyScatter | None

    def rows(self) -> tuple[Row, ...]:
        """Every quantity of the result, the estimate first."""
        interval = self.estimate.interval
        low, high = (interval.low, interval.high) if interval else (None, None)
        return (
            Row(self.estimate.label, self.estimate.value, low, high, interval.method if interval else ""),
            *(
                Row(f"{each.coefficient}, {each.name}", each.value, each.low, each.high, f"{each.n:,} tokens")
                for each in self.associations[1:]
            ),
            Row("p under permutation", self.null.pvalue, note=self.null.model),
            *(curve_rows(self.curve) if self.curve else ()),
            *(link_rows(self.link) if self.link else ()),
            Row("tokens seen", self.n_seen),
            Row("mean norm", self.mean, note="of the seen tokens"),
            Row("standard deviation of norms", self.sd),
            Row("smallest norm", self.low),
            Row("largest norm", self.high),
            Row("factor after look-up", self.lookup_scale, note="reported, not applied"),
            Row("rows with NaN or infinity", self.n_not_finite, note="left out"),
            Row("rows of zeros", self.n_zero),
            Row("rows of no token", self.n_unnamed),
            *(Row(f"rows: {name}", n) for name, n in self.unusual.counts[2:]),
        )

    def figures(self) -> tuple[Figure, ...]:
        """Norm by frequency class, the word groups, ρ with confounds held and among the frequent, and the null."""
        return norms_figures(self)

    def tables(self) -> tuple[Table, ...]:
        """Frequency classes, confounds, distances, the word groups beside the paper's models, and unusual rows."""
        return norms_tables(self)

    def scatter(self) -> VocabularyScatter | None:
        """Every row by frequency and norm."""
        return self.points

    def methods(self) -> tuple[str, ...]:
        """How the numbers were made and what they do not show."""
        return METHODS


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

    replicates: int = 999
    bootstrap: int = 200

    def run(self, inputs: ScanInputs, rng: np.random.Generator) -> NormsResult:
        """Measure, resample, permute and decide."""
        table, counts = inputs.embedding, inputs.counts
        found = survey(table, counts)
        here = found.here
        finite = np.isfinite(here.norms)
        seen = (counts > 0) & finite & table.named
        lengths = here.norms[seen]
        others = other_distances(here, found.there, table.size)
        usable = lengths.size >= MIN_SEEN and lengths.min() < lengths.max() and np.ptp(counts[seen]) > 0
        asked = (
            associate(inputs, here.norms, others, bootstrap=self.bootstrap, rng=rng)
            if usable
            else Associations((), (), (), "")
        )
        weights = None if table.weights is None else table.weights[seen]
        if usable and weights is not None:
            asked = _of_all_rows(asked, counts[seen], lengths, weights)
        first = next((each for each in asked.coefficients if (each.name, each.coefficient) == (SEEN, SPEARMAN)), None)
        rho = first.value if first else math.nan
        interval = _interval(first, asked.method)
        curve = norm_curve(counts[seen], lengths, bootstrap=self.bootstrap, rng=rng) if usable else None
        groups = word_groups(inputs, here.norms)
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
            verdict=judge(rho, interval, pvalue, lengths, curve, groups, asked.coefficients, asked.distances),
            warnings=_warnings(table, found.equal),
            n_seen=int(lengths.size),
            mean=float(lengths.mean()) if lengths.size else None,
            sd=float(lengths.std(ddof=1)) if lengths.size > 1 else None,
            low=float(lengths.min()) if lengths.size else None,
            high=float(lengths.max()) if lengths.size else None,
            classes=_classes(counts[seen], lengths),
            groups=groups,
            associations=asked.coefficients,
            confounds=asked.confounds,
            curve=curve,
            distances=summarise(here.norms, others, seen, table.lookup_scale, first, asked.distances),
            link=link_radii(counts[seen], lengths, rng) if usable else None,
            unusual=found.unusual,
            lookup_scale=table.lookup_scale,
            n_not_finite=int((table.rows_at_hand & ~finite).sum()),
            n_zero=int(table.row_statistics.zero.sum()),
            n_unnamed=int((~table.named).sum()),
            points=vocabulary_scatter(table, counts, here.norms, found.flagged),
        )


def _of_all_rows(
    asked: Associations,
    counts: Int64[np.ndarray, " n"],
    norms: Float64[np.ndarray, " n"],
    weights: Float64[np.ndarray, " n"],
) -> Associations:
    """The first coefficient of all seen rows, of which a sample was read that has more of the frequent ones."""
    found = weighted_spearman(counts, norms, weights)
    first = replace(asked.coefficients[0], value=found.value, low=found.low, high=found.high)
    method = f"rows weighted by the sample's design, effective number {effective_size(weights):,}"
    return replace(asked, coefficients=(first, *asked.coefficients[1:]), method=method)


def _interval(found: Association | None, method: str) -> Interval | None:
    if found is None or found.low is None or found.high is None or not math.isfinite(found.high - found.low):
        return None
    return Interval(found.low, found.high, method)


def _warnings(table: EmbeddingTable, equal: Bool[np.ndarray, " v"]) -> tuple[str, ...]:
    statistics = table.row_statistics
    found = []
    spoilt = table.rows_at_hand & ~statistics.finite
    if spoilt.any():
        found.append(f"Rows that hold NaN or infinity, left out: {_named(spoilt)}.")
    if table.weights is not None:
        found.append("A sample of the rows was read: only the first coefficient is weighted to stand for all rows.")
    if statistics.zero.any():
        found.append(f"Rows of zeros: {_named(statistics.zero)}.")
    if not table.named.all():
        found.append(f"Rows of no token: {_named(~table.named)}.")
    if equal.any():
        found.append(f"Rows equal to another: {_named(equal)}.")
    output = table.output
    if output is not None:
        if output.shape[0] != table.size:
            found.append(f"The output matrix has {output.shape[0]:,} rows, the embedding {table.size:,}.")
        bad = 0 if table.output_statistics is None else int((~table.output_statistics.finite).sum())
        if bad:
            found.append(f"Rows of the output matrix that hold NaN or infinity, left out: {bad:,}.")
    return tuple(found)


def _named(mask: Bool[np.ndarray, " v"]) -> str:
    rows = np.flatnonzero(mask)
    first = ", ".join(f"{row}" for row in rows[:NAMED].tolist())
    return f"{rows.size:,} ({first}{', …' if rows.size > NAMED else ''})"


def _classes(counts: Int64[np.ndarray, " n"], norms: Float64[np.ndarray, " n"]) -> tuple[FrequencyClass, ...]:
    found = []
    for low, above in pairwise((*CLASS_EDGES, np.iinfo(np.int64).max)):
        mine = (counts >= low) & (counts < above)
        members = norms[mine]
        if members.size:
            spread = float(members.std(ddof=1)) if members.size > 1 else 0.0
            centre = float(np.exp(np.log(counts[mine]).mean()))
            high = min(int(above) - 1, int(counts.max()))
            found.append(FrequencyClass(low, high, members.size, centre, float(members.mean()), spread))
    return tuple(found)
