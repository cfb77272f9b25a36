"""Is token frequency a power law? Fit, test, alternatives and coverage, after Clauset, Shalizi and Newman."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from jaxtyping import Int64

from geoprobe.data import ScanInputs, TokenCounts
from geoprobe.diagnostics.base import Draws, Need, Size
from geoprobe.diagnostics.frequency.fit import describe_tail
from geoprobe.diagnostics.frequency.result import CorpusFit, FrequencyResult
from geoprobe.diagnostics.frequency.source import describe_source
from geoprobe.diagnostics.frequency.verdict import RULE, judge
from geoprobe.figure import floats
from geoprobe.results import Estimate, NullDistribution, Result, Verdict
from geoprobe.stats import powerlaw
from geoprobe.stats.resampling import monte_carlo_pvalue

_MIN_DISTINCT = 10


@dataclass(frozen=True)
class FrequencyAnalyzer:
    """Fit a power law to the token counts of all corpora together, and of each.

    Parameters
    ----------
    replicates : int
        Synthetic data sets for the p of the fit.
    bootstrap : int
        Resamples for the intervals.
    repeats : int
        Thinned corpora at each size.
    samples : int
        Samples of the fitted source for its p, in each range of counts.
    frequent : int
        How many of the most frequent tokens are listed.
    """

    name: ClassVar[str] = "frequency"
    result: ClassVar[type[Result]] = FrequencyResult
    needs: ClassVar[frozenset[Need]] = frozenset({"counts"})

    replicates: Draws = 1000
    bootstrap: Draws = 200
    repeats: Size = 5
    samples: Draws = 199
    frequent: Size = 12

    def run(self, inputs: ScanInputs, rng: np.random.Generator) -> FrequencyResult:
        """Fit, test, compare and decide."""
        values, multiplicities = _histogram(inputs.counts)
        top = np.argsort(-inputs.counts, kind="stable")[: self.frequent]
        null = NullDistribution(
            "not simulated: too little data", "Kolmogorov-Smirnov distance", None, (), "greater", None
        )
        estimate = Estimate("γ", "count exponent", None)
        fit = source = None
        if values.size < _MIN_DISTINCT:
            reason = f"Only {values.size} distinct counts were seen. Give a larger corpus."
            verdict = Verdict("inconclusive", reason, RULE)
        else:
            assessed = powerlaw.assess(values, multiplicities, replicates=self.replicates, rng=rng)
            fit = describe_tail(
                inputs.counts, inputs.documents, assessed, resamples=self.bootstrap, repeats=self.repeats, rng=rng
            )
            simulated = assessed.goodness.null_distribution
            # a replicate whose tail cannot be fitted is no evidence of a bad fit: as in `goodness_of_fit`, it is closer
            closer = np.where(np.isnan(simulated), -np.inf, simulated)
            null = NullDistribution(
                model=f"{self.replicates} synthetic data sets from the fitted power law, refitted",
                statistic="Kolmogorov-Smirnov distance",
                observed=fit.ks,
                distribution=floats(simulated[np.isfinite(simulated)]),
                alternative="greater",
                pvalue=monte_carlo_pvalue(fit.ks, closer, "greater"),
            )
            estimate = Estimate("γ", "count exponent", fit.gamma, fit.intervals[0])
            source = describe_source(inputs.counts, inputs.documents, replicates=self.samples, rng=rng)
            verdict = judge(assessed, source)
        return FrequencyResult(
            estimate=estimate,
            null=null,
            verdict=verdict,
            fit=fit,
            source=source,
            values=tuple(int(value) for value in values),
            multiplicities=tuple(int(types) for types in multiplicities),
            vocabulary=inputs.embedding.size,
            corpora=tuple(_corpus_fit(corpus) for corpus in inputs.corpora),
            frequent=tuple(
                (inputs.embedding.tokens[row], int(inputs.counts[row])) for row in top if inputs.counts[row]
            ),
        )


def _histogram(counts: Int64[np.ndarray, " v"]) -> tuple[Int64[np.ndarray, " k"], Int64[np.ndarray, " k"]]:
    values, multiplicities = np.unique(counts[counts > 0], return_counts=True)
    return values, multiplicities


def _corpus_fit(corpus: TokenCounts) -> CorpusFit:
    values, multiplicities = _histogram(corpus.counts)
    size = (corpus.corpus, corpus.n_documents, corpus.n_tokens, corpus.n_types)
    if values.size < _MIN_DISTINCT:
        return CorpusFit(*size, None, None, None)
    fitted = powerlaw.fit(values, multiplicities)
    return CorpusFit(*size, fitted.alpha, fitted.xmin, fitted.ks)
