"""Whether a taxonomy shows in the embedding: in norms, distances, neighbours and right angles, beyond frequency."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from jaxtyping import Float64

from geoprobe.data import EmbeddingTable, Rows, ScanInputs
from geoprobe.diagnostics.base import Draws, Need, Size
from geoprobe.diagnostics.hierarchy.categories import categories, category_findings
from geoprobe.diagnostics.hierarchy.finding import Finding
from geoprobe.diagnostics.hierarchy.matching import blocks_of
from geoprobe.diagnostics.hierarchy.radial import radial
from geoprobe.diagnostics.hierarchy.reading import WORDNET, find_taxonomy, read_taxonomy
from geoprobe.diagnostics.hierarchy.relatives import relatives, right_angles
from geoprobe.diagnostics.hierarchy.result import HierarchyResult, Parent
from geoprobe.diagnostics.hierarchy.steps import tree_distances
from geoprobe.diagnostics.hierarchy.taxonomy import Taxonomy
from geoprobe.diagnostics.hierarchy.verdict import LEVEL, MIN_PAIRS, RULE, judge
from geoprobe.diagnostics.hierarchy.words import Words, token_words
from geoprobe.errors import UsageError
from geoprobe.results import Estimate, Interval, NullDistribution, Result, Verdict
from geoprobe.stats.threads import one_blas_thread

_LABEL = "share of a parent's children further from the origin than it"
_BY_PARENTS = "bootstrap of parents, each with its children"
#: Rows from which the covariance of an output matrix is taken, and the smallest of its variances beside their mean.
_COVARIANCE_ROWS, _SMALLEST = 16_384, 1e-4
_LISTED = 12


@dataclass(frozen=True)
class HierarchyAnalyzer:
    """Set a taxonomy's words beside others of equal frequency.

    Parameters
    ----------
    taxonomy : str
        ``wordnet``, the folder of WordNet's files, or a CSV or TSV with the columns child and parent.
    draws : int
        Permutations, at least 39, as fewer could not reject at a two-sided 5%.
    clouds : int
        Of the nulls that take longer: clouds of the same covariance and norms, and shuffled categories.
    words, samples : int
        Words of a sample whose distances are compared, and samples.
    pairs : int
        Of child and parent at most, whose neighbours are looked at.
    """

    name: ClassVar[str] = "hierarchy"
    result: ClassVar[type[Result]] = HierarchyResult
    needs: ClassVar[frozenset[Need]] = frozenset({"counts"})

    taxonomy: str = WORDNET
    draws: Draws = 199
    clouds: Draws = 39
    words: Size = 750
    samples: Draws = 4
    pairs: Size = 2000

    def check(self) -> None:
        """Refuse too few draws, and a taxonomy that is not there, before anything is read."""
        least = round(2 / LEVEL) - 1
        for option in ("draws", "clouds"):
            if getattr(self, option) < least:
                raise UsageError(
                    f"{option} is {getattr(self, option)}, which cannot reject at {LEVEL:g}, two-sided.",
                    f"Give at least {least}.",
                )
        find_taxonomy(self.taxonomy)

    def still_holds(self, result: HierarchyResult) -> bool:
        """Whether a saved result is of the taxonomy as it is now."""
        return read_taxonomy(self.taxonomy).sha256 == result.taxonomy_sha256

    def run(self, inputs: ScanInputs, rng: np.random.Generator) -> HierarchyResult:
        """Read the taxonomy, find its words, measure, shuffle and decide."""
        self.check()
        taxonomy = read_taxonomy(self.taxonomy)
        words = token_words(inputs.embedding, taxonomy)
        if len(words.children) < MIN_PAIRS:
            return _too_few(taxonomy, words)
        with one_blas_thread():
            return self._measured(inputs, taxonomy, words, rng)

    def _measured(
        self, inputs: ScanInputs, taxonomy: Taxonomy, words: Words, rng: np.random.Generator
    ) -> HierarchyResult:
        """Measure the words of which there are enough."""
        table, children = inputs.embedding, words.children
        radial_rng, steps_rng, pair_rng, relatives_rng, category_rng = rng.spawn(5)
        counts = inputs.counts[words.rows]
        blocks = blocks_of(counts, words.rows)
        about = table.vectors.take(words.rows).astype(np.float64) - table.row_statistics.mean
        lengths = {"origin": table.row_statistics.norms[words.rows], "mean": np.linalg.norm(about, axis=1)}
        lying = radial(words, lengths, counts, blocks, self.draws, radial_rng)
        steps = tree_distances(
            taxonomy,
            words,
            about,
            counts,
            size=self.words,
            samples=self.samples,
            draws=self.draws,
            clouds=self.clouds,
            rng=steps_rng,
        )
        drawn = np.sort(pair_rng.permutation(children)[: self.pairs])
        pairs = np.stack([drawn, words.parents[drawn]], axis=1)
        near_rng, angle_rng, causal_rng = relatives_rng.spawn(3)
        split_rng, mean_rng, output_rng = category_rng.spawn(3)
        under = categories(taxonomy, words, split_rng)
        near = relatives(about, pairs, blocks, self.draws, near_rng)
        parks: list[Finding] = []
        spaces = [("mean", "about the mean vector", about, angle_rng, mean_rng)]
        causal = _causal(table, words)
        if causal is not None:
            spaces.append(("causal", "causal inner product", causal, causal_rng, output_rng))
        for key, space, points, word_rng, other_rng in spaces:
            parks.append(right_angles(points, pairs, blocks, self.draws, word_rng, key=f"{key}_words", space=space))
            parks.extend(category_findings(under, points, blocks, self.clouds, other_rng, key=key, space=space))
        findings = (*lying.findings, *steps, *near, *parks)
        first = findings[0]
        return HierarchyResult(
            estimate=Estimate("s", _LABEL, first.value, _interval(first)),
            null=first.nulls[0],
            verdict=judge(
                {finding.key: finding for finding in findings},
                float(lengths["origin"].std() / lengths["origin"].mean()),
            ),
            warnings=_warnings(table, causal is not None),
            taxonomy=taxonomy.name,
            taxonomy_sha256=taxonomy.sha256,
            n_concepts=len(taxonomy.words),
            n_words=len(words.rows),
            n_pairs=len(children),
            findings=findings,
            depths=lying.depths,
            largest=_largest(words, lengths["origin"]),
        )


def _causal(table: EmbeddingTable, words: Words) -> Float64[np.ndarray, "n d"] | None:
    """The words' rows of the output matrix about their mean, over the root of its covariance; None where there is none.

    In these coordinates the usual inner product is the causal one (Park et al. 2024, arXiv 2311.03658).
    """
    output: Rows | None = table.vectors if table.tied else table.output
    if output is None or int(words.rows.max()) >= output.shape[0]:
        return None
    own = output.take(words.rows).astype(np.float64)
    sample = np.linspace(0, output.shape[0] - 1, min(output.shape[0], _COVARIANCE_ROWS)).astype(np.int64)
    rows = output.take(np.unique(sample)).astype(np.float64)
    rows = rows[np.isfinite(rows).all(axis=1)]
    if len(rows) < 2 or not np.isfinite(own).all():
        return None
    mean = rows.mean(axis=0)
    values, axes = np.linalg.eigh(np.cov(rows, rowvar=False))
    if values[-1] <= 0:
        return None
    roots = np.sqrt(np.maximum(values, _SMALLEST * values.mean()))
    found: Float64[np.ndarray, "n d"] = (own - mean) @ (axes / roots)
    return found


def _interval(finding: Finding) -> Interval | None:
    if finding.low is None or finding.high is None:
        return None
    return Interval(finding.low, finding.high, _BY_PARENTS)


def _largest(words: Words, norms: Float64[np.ndarray, " n"]) -> tuple[Parent, ...]:
    children = words.children
    parents = words.parents[children]
    counts = np.bincount(parents, minlength=len(norms))
    larger = np.bincount(parents, weights=norms[children] > norms[parents], minlength=len(norms))
    order = np.argsort(-counts, kind="stable")[:_LISTED]
    return tuple(
        Parent(words.names[word], int(counts[word]), float(larger[word] / counts[word]))
        for word in order.tolist()
        if counts[word]
    )


def _warnings(table: EmbeddingTable, causal: bool) -> tuple[str, ...]:
    warnings = []
    if table.weights is not None:
        warnings.append("A sample of the rows was read: only words in it take part, and parents may be further up.")
    if not causal:
        warnings.append("There is no output matrix at hand, so nothing is said in the causal inner product.")
    return tuple(warnings)


def _too_few(taxonomy: Taxonomy, words: Words) -> HierarchyResult:
    n = len(words.children)
    reason = f"Only {n} pairs of {taxonomy.name} have words of one token each here; the verdict takes {MIN_PAIRS}."
    return HierarchyResult(
        estimate=Estimate("s", _LABEL, None),
        null=NullDistribution("not simulated: too few pairs", _LABEL, None, (), "two-sided", None),
        verdict=Verdict("inconclusive", reason, RULE),
        taxonomy=taxonomy.name,
        taxonomy_sha256=taxonomy.sha256,
        n_concepts=len(taxonomy.words),
        n_words=len(words.rows),
        n_pairs=n,
        findings=(),
        depths=(),
        largest=(),
    )
