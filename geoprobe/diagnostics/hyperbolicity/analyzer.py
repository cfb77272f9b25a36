"""Is the embedding space hyperbolic? The paper's δ beside its null, and whether tokens are tree-like at all."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from jaxtyping import Float64, Int64

from geoprobe.data import EmbeddingTable, Prompts, ScanInputs
from geoprobe.diagnostics.hyperbolicity.figures import hyperbolicity_figures
from geoprobe.diagnostics.hyperbolicity.prompt_shares import even_shares
from geoprobe.diagnostics.hyperbolicity.prompt_trees import FEWEST, MOST, PromptTree, join_prompt
from geoprobe.diagnostics.hyperbolicity.tables import other_tables
from geoprobe.diagnostics.hyperbolicity.treelikeness import (
    PROMPT_POINTS,
    TreeLikeness,
    drawable,
    first_distinct,
    holland_index,
    measure,
    usable_rows,
)
from geoprobe.diagnostics.hyperbolicity.verdict import MIN_PROMPTS, RULE, DeltaTest, judge
from geoprobe.diagnostics.paper import CITATION, DELTA
from geoprobe.figure import Figure, floats
from geoprobe.results import Estimate, Interval, NullDistribution, Result, Row, Table, Verdict
from geoprobe.stats.hyperbolicity import delta_basepoint_batch, euclidean_distances
from geoprobe.stats.nulls import delta_basepoint_gaussian_null
from geoprobe.stats.resampling import bootstrap_mean, monte_carlo_pvalue

__all__ = ["CorpusDelta", "HyperbolicityAnalyzer", "HyperbolicityResult", "PromptDelta"]

MIN_POINTS = 4
PROMPTS_A_CALL = 16
GAUSSIAN_NULL = "independent Gaussian vectors of the same dimension, one for each distinct token of the prompt"
ROTATED_NULL = "rows of each prompt mixed by a random rotation: covariance and norms about the mean kept"


@dataclass(frozen=True)
class PromptDelta:
    """One prompt: its corpus, tokens and distinct tokens, relative δ, the mean of δ's null, and Holland's index."""

    corpus: str
    tokens: int
    distinct: int
    delta: float
    null_mean: float
    holland: float


@dataclass(frozen=True)
class CorpusDelta:
    """Prompts of one corpus: mean and standard deviation of relative δ, of its null, and mean of Holland's index."""

    corpus: str
    n_prompts: int
    mean: float
    sd: float
    null_mean: float
    null_sd: float
    holland: float


@dataclass(frozen=True, kw_only=True)
class HyperbolicityResult(Result):
    """How tree-like prompts and tokens are, by the paper's δ and by statistics that can tell.

    Attributes
    ----------
    delta : DeltaTest or None
        The paper's protocol; None where there are too few prompts.
    tree : TreeLikeness or None
        Holland's index and NJ* against matched nulls.
    trees : tuple of PromptTree
        The most and the least tree-like prompt.
    prompts : tuple of PromptDelta
        Every prompt measured.
    corpora : tuple of CorpusDelta
        The same by corpus.
    n_short, n_not_finite, n_cut : int
        Prompts left out for having fewer than four distinct tokens, or a token whose row holds NaN or infinity, and
        prompts cut to `max_tokens`.
    max_tokens : int
        The longest prompt measured.
    dimension : int
        The embedding width.
    """

    name: ClassVar[str] = "hyperbolicity"
    title: ClassVar[str] = "Hyperbolicity"
    question: ClassVar[str] = "Is the embedding space hyperbolic?"

    delta: DeltaTest | None
    tree: TreeLikeness | None
    trees: tuple[PromptTree, ...]
    prompts: tuple[PromptDelta, ...]
    corpora: tuple[CorpusDelta, ...]
    n_short: int
    n_not_finite: int
    n_cut: int
    max_tokens: int
    dimension: int

    def rows(self) -> tuple[Row, ...]:
        """Every quantity of the result, the estimate first."""
        shape = (Row("prompts", len(self.prompts)), Row("embedding width d", self.dimension))
        if self.delta is None:
            return (Row("Holland's index, mean over prompts", None), *shape)
        delta, holland = self.delta, self.estimate.interval
        low, high = (holland.low, holland.high) if holland else (None, None)
        return (
            Row(
                "Holland's index, mean over prompts", self.estimate.value, low, high, "0 for a tree, near 0.5 for noise"
            ),
            Row("relative δ, mean over prompts", delta.mean, delta.interval.low, delta.interval.high, "the paper's"),
            Row("relative δ, standard deviation over prompts", delta.sd),
            Row("relative δ of the null, mean", delta.null.mean, note=delta.null.model),
            Row("p that δ's null is as low", delta.null.pvalue),
            *shape,
        )

    def figures(self) -> tuple[Figure, ...]:
        """The ladder, the prompts' δ beside its null, δ against the number of points, and δ by corpus."""
        return hyperbolicity_figures(self)

    def tables(self) -> tuple[Table, ...]:
        """Tests against nulls, corpora, and the paper's own values."""
        tests = self.tree.tests if self.tree is not None else ()
        return (
            Table(
                "tests",
                "More tree-like than what?",
                ("tokens", "statistic", "null", "observed", "null mean", "z", "p", "p, corrected"),
                tuple((t.subject, t.statistic, t.null, t.observed, t.null_mean, t.z, t.pvalue, t.holm) for t in tests),
                "Holland's index is 0 for a tree and near 0.5 for noise; NJ*, the share of the distances that a "
                "neighbour-joining tree explains beyond a star, is 1 for a tree and about 0 for noise. p is one-sided "
                "towards a tree; corrected after Holm over all rows.",
            ),
            *other_tables(self.tree),
            Table(
                "corpora",
                "By corpus",
                ("corpus", "prompts", "relative δ", "sd", "δ of the null", "sd of the null", "Holland"),
                tuple((c.corpus, c.n_prompts, c.mean, c.sd, c.null_mean, c.null_sd, c.holland) for c in self.corpora),
            ),
            Table(
                "paper",
                "Relative δ in the paper",
                ("model", "MAWPS", "SVAMP", "GSM8K", "AQuA"),
                tuple((model, *values) for model, values in DELTA.items()),
                f"Mean over prompts as printed in {CITATION}, without a null. In higher dimension δ is lower "
                "for any vectors, so the models cannot be compared by it.",
            ),
        )

    def methods(self) -> tuple[str, ...]:
        """How the numbers were made and what they do not show."""
        tested = f"{self.tree.n_prompts} prompts and sets of {self.tree.n_tokens} tokens" if self.tree else "Prompts"
        return (
            "A prompt's points are the input embeddings of its tokens in order, no special tokens added, up to "
            f"{self.max_tokens} of them, under Euclidean distance. δ is the largest violation of the four-point "
            "condition from the first token as base point, and relative δ is 2δ/diameter: 0 for a tree, at most 1. "
            f"This is the paper's protocol ({CITATION}). Relative δ of any cloud falls with its dimension, since "
            "distances concentrate, grows with the number of points, and depends on the spread of norms. So a value "
            "means nothing without its null.",
            "Holland's index is the mean over quadruples of (d1 - d2)/(d1 - d3), with d1 ≥ d2 ≥ d3 the three sums of "
            "opposite distances (Holland et al. 2002). Adding a length to a point, which concentration does, leaves it "
            "unmoved, and so does the number of points.",
            f"{tested} (of a prompt the first {PROMPT_POINTS} distinct ones) were held against draws that keep the "
            "norms about the mean and nearly the covariance, which restoring norms moves, and lose everything else (a "
            "random rotation of the rows), that keep ten clusters nearly where they are (the same inside each), and "
            "against other tokens of equal frequency. A plane, a grid and clusters have a low index too: no value by "
            "itself is proof of a tree, and more tree-like than a null is not the same as hyperbolic.",
        )


@dataclass(frozen=True)
class HyperbolicityAnalyzer:
    """Measure prompts and token sets, and the same on their nulls.

    Parameters
    ----------
    prompts : int
        How many of each corpus, in the order given; a scan gives them sampled, in random order.
    max_tokens : int
        Longer prompts are cut to this.
    replicates : int
        Draws of δ's null for every prompt.
    tested : int
        Prompts held against the costlier nulls, spread over the corpora.
    tokens : int
        Tokens in each set.
    draws : int
        Draws of each of the costlier nulls.
    """

    name: ClassVar[str] = "hyperbolicity"
    result: ClassVar[type[Result]] = HyperbolicityResult

    prompts: int = 150
    max_tokens: int = 256
    replicates: int = 99
    tested: int = 16
    tokens: int = 128
    draws: int = 199

    def run(self, inputs: ScanInputs, rng: np.random.Generator) -> HyperbolicityResult:
        """Measure, simulate and decide."""
        null_rng, interval_rng, tree_rng, triple_rng = rng.spawn(4)
        # of a sampled table, only prompts all of whose tokens were read are prompts at all
        whole = [self._whole(corpus, inputs.embedding) for corpus in inputs.prompts]
        long_enough = [[ids for ids in kept if len(np.unique(ids)) >= MIN_POINTS] for kept in whole]
        usable = [[ids for ids in kept if inputs.embedding.finite[ids].all()] for kept in long_enough]
        chosen = [(corpus.corpus, ids) for corpus, kept in zip(inputs.prompts, usable, strict=True) for ids in kept]
        looked_at = [ids for kept in whole for ids in kept]
        described = {
            "n_short": len(looked_at) - sum(map(len, long_enough)),
            "n_not_finite": sum(map(len, long_enough)) - len(chosen),
            "n_cut": sum(len(ids) > self.max_tokens for corpus in inputs.prompts for ids in corpus.ids[: self.prompts]),
            "max_tokens": self.max_tokens,
            "dimension": inputs.embedding.dimension,
        }
        if len(chosen) < MIN_PROMPTS:
            return _too_few(f"{len(chosen)} prompts of at least {MIN_POINTS} distinct tokens were found", described)
        ordinary = usable_rows(inputs)
        seen = drawable(inputs, ordinary[inputs.counts[ordinary] > 0])
        if seen < MIN_POINTS:
            return _too_few(f"{seen} ordinary tokens were seen", described)
        relative = _relative(inputs, [ids for _, ids in chosen])
        # a repeated token is a point at distance 0 from its twin and adds nothing to δ: neither repeats it
        distinct = [np.unique(ids) for _, ids in chosen]
        sizes = [len(ids) for ids in distinct]
        holland = np.array(
            [holland_index(euclidean_distances(inputs.embedding.vectors.take(ids)), triple_rng) for ids in distinct]
        )
        simulated = delta_basepoint_gaussian_null(sizes, inputs.embedding.dimension, self.replicates, null_rng)
        delta = _delta_test(relative, simulated, interval_rng)
        shares = even_shares([len(kept) for kept in usable], max(self.tested, 1))
        tree = measure(
            inputs,
            [ids for kept, share in zip(usable, shares, strict=True) for ids in kept[:share]],
            n_tokens=self.tokens,
            replicates=self.draws,
            rng=tree_rng,
        )
        labels = np.array([corpus for corpus, _ in chosen])
        low, high = bootstrap_mean(holland, interval_rng)
        first = tree.tests[0]
        return HyperbolicityResult(
            estimate=Estimate(
                "h",
                "Holland's index, mean over prompts",
                float(holland.mean()),
                Interval(low, high, "bootstrap over prompts"),
            ),
            null=NullDistribution(
                model=ROTATED_NULL,
                statistic=f"Holland's index, mean over {tree.n_prompts} prompts",
                observed=first.observed,
                distribution=tree.null,
                alternative="less",
                pvalue=first.pvalue,
            ),
            verdict=judge(delta, tree),
            warnings=_warnings(**described) + self._unread(inputs, len(looked_at)),
            delta=delta,
            tree=tree,
            trees=_extremes(inputs, chosen, holland),
            prompts=tuple(
                PromptDelta(corpus, len(ids), size, float(value), float(below), float(index))
                for (corpus, ids), size, value, below, index in zip(
                    chosen, sizes, relative, simulated.mean(axis=0), holland, strict=True
                )
            ),
            corpora=tuple(
                _corpus_delta(corpus.corpus, relative, simulated, holland, labels == corpus.corpus)
                for corpus in inputs.prompts
                if (labels == corpus.corpus).any()
            ),
            **described,
        )

    def _whole(self, corpus: Prompts, table: EmbeddingTable) -> list[Int64[np.ndarray, " _"]]:
        cut = (ids[: self.max_tokens] for ids in corpus.ids[: self.prompts])
        return [ids for ids in cut if table.at_hand(ids).all()]

    def _unread(self, inputs: ScanInputs, whole: int) -> tuple[str, ...]:
        if inputs.embedding.weights is None:
            return ()
        of = sum(min(len(corpus.ids), self.prompts) for corpus in inputs.prompts)
        return (
            f"Only {whole} of {of} prompts had all their tokens read (quick scan): intervals are over those, and many "
            "of the tokens of equal frequency that they are held against are prompts' own, which hides differences.",
        )


def _relative(inputs: ScanInputs, prompts: list[Int64[np.ndarray, " _"]]) -> Float64[np.ndarray, " m"]:
    """Relative δ of each prompt, a few prompts' vectors in memory at a time."""
    parts = [prompts[start : start + PROMPTS_A_CALL] for start in range(0, len(prompts), PROMPTS_A_CALL)]
    vectors = inputs.embedding.vectors
    return np.concatenate([delta_basepoint_batch([vectors.take(ids) for ids in part]).relative for part in parts])


def _delta_test(
    relative: Float64[np.ndarray, " m"], simulated: Float64[np.ndarray, "replicates m"], rng: np.random.Generator
) -> DeltaTest:
    low, high = bootstrap_mean(relative, rng)
    means, mean = simulated.mean(axis=1), float(relative.mean())
    null = NullDistribution(
        model=GAUSSIAN_NULL,
        statistic="relative δ, mean over prompts",
        observed=mean,
        distribution=floats(means),
        alternative="less",
        pvalue=monte_carlo_pvalue(mean, means, "less"),
    )
    return DeltaTest(mean, float(relative.std(ddof=1)), Interval(low, high, "bootstrap over prompts"), null)


def _corpus_delta(
    corpus: str,
    relative: Float64[np.ndarray, " m"],
    simulated: Float64[np.ndarray, "replicates m"],
    holland: Float64[np.ndarray, " m"],
    mine: np.ndarray,
) -> CorpusDelta:
    values, null = relative[mine], simulated[:, mine]
    several = values.size > 1
    return CorpusDelta(
        corpus,
        values.size,
        float(values.mean()),
        float(values.std(ddof=1)) if several else 0.0,
        float(null.mean()),
        # the null's own spread over prompts, averaged over draws, is what the data's compares with
        float(null.std(axis=1, ddof=1).mean()) if several else 0.0,
        float(holland[mine].mean()),
    )


def _extremes(
    inputs: ScanInputs, chosen: list[tuple[str, Int64[np.ndarray, " _"]]], holland: Float64[np.ndarray, " m"]
) -> tuple[PromptTree, ...]:
    """The prompts with the lowest and the highest Holland index, among those long enough to be worth a look."""
    long_enough = [place for place, (_, ids) in enumerate(chosen) if len(np.unique(ids)) >= FEWEST]
    if len(long_enough) < 2:
        return ()
    found = []
    for which, place in (
        ("most", min(long_enough, key=lambda place: holland[place])),
        ("least", max(long_enough, key=lambda place: holland[place])),
    ):
        corpus, ids = chosen[place]
        rows = first_distinct(ids, MOST)
        tokens = tuple(inputs.embedding.tokens[row] for row in rows)
        vectors = inputs.embedding.vectors.take(rows).astype(np.float64)
        found.append(join_prompt(which, corpus, float(holland[place]), tokens, vectors))
    return tuple(found)


def _too_few(found: str, described: dict[str, int]) -> HyperbolicityResult:
    reason = f"Only {found}. Give more documents."
    return HyperbolicityResult(
        estimate=Estimate("h", "Holland's index, mean over prompts", None),
        null=NullDistribution("not simulated: too few prompts", "Holland's index", None, (), "less", None),
        verdict=Verdict("inconclusive", reason, RULE),
        warnings=_warnings(**described),
        delta=None,
        tree=None,
        trees=(),
        prompts=(),
        corpora=(),
        **described,
    )


def _warnings(n_short: int, n_not_finite: int, n_cut: int, max_tokens: int, dimension: int) -> tuple[str, ...]:
    found = []
    if n_short:
        found.append(f"{n_short} prompts have fewer than {MIN_POINTS} distinct tokens and were left out.")
    if n_not_finite:
        found.append(f"{n_not_finite} prompts hold a token whose row is NaN or infinite and were left out.")
    if n_cut:
        found.append(f"{n_cut} prompts were cut to their first {max_tokens} tokens.")
    return tuple(found)
