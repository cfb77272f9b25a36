"""Are distances between token vectors those of a tree? Of the vocabulary, of prompts, and by the paper's δ."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

import msgspec
import numpy as np
from jaxtyping import Int64

from geoprobe.data import EmbeddingTable, Prompts, ScanInputs
from geoprobe.diagnostics.base import Draws, Need, Size
from geoprobe.diagnostics.hyperbolicity.against_null import check_draws
from geoprobe.diagnostics.hyperbolicity.delta import PromptDelta, corpus_delta, delta_test, norm_null, relative_delta
from geoprobe.diagnostics.hyperbolicity.ladder import holland_index
from geoprobe.diagnostics.hyperbolicity.points import drawable, even_shares, usable_rows
from geoprobe.diagnostics.hyperbolicity.prompt_trees import extreme_prompts
from geoprobe.diagnostics.hyperbolicity.result import HyperbolicityResult
from geoprobe.diagnostics.hyperbolicity.token_map import map_tokens
from geoprobe.diagnostics.hyperbolicity.treelikeness import ROTATED, TESTS, measure
from geoprobe.diagnostics.hyperbolicity.verdict import MIN_PROMPTS, RULE, judge
from geoprobe.results import Estimate, Interval, NullDistribution, Result, Verdict
from geoprobe.stats.hyperbolicity import euclidean_distances
from geoprobe.stats.threads import one_blas_thread

_MIN_POINTS = 4
_ROTATED_NULL = "directions drawn anew by a random rotation: covariance and norms about the mean kept"


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
        Prompts tested against the costlier nulls, spread over the corpora.
    tokens, sets : int
        Tokens in each set, and sets of random and of prompts' tokens; fewer where fewer tokens were seen.
    nested_sets : int
        Sets of up to 128 tokens that ask whether a tree is the best account.
    draws : int
        Draws of each of the costlier nulls, at most: fewer where it is clear earlier. At least 20 a test.
    shown : {"full", "off"}
        Whether what decides nothing is measured and shown too: other metrics, and embeddings in curved spaces.
    other_draws, fit_draws : int
        Draws of the null for those two.
    """

    name: ClassVar[str] = "hyperbolicity"
    result: ClassVar[type[Result]] = HyperbolicityResult
    needs: ClassVar[frozenset[Need]] = frozenset({"counts", "prompts"})

    prompts: Size = 150
    max_tokens: Size = 256
    replicates: Draws = 99
    tested: Size = 16
    tokens: Annotated[int, msgspec.Meta(ge=_MIN_POINTS)] = 64
    sets: Size = 6
    nested_sets: Size = 16
    draws: Draws = 199
    shown: Literal["full", "off"] = "full"
    other_draws: Draws = 49
    fit_draws: Draws = 19

    def run(self, inputs: ScanInputs, rng: np.random.Generator) -> HyperbolicityResult:
        """Measure, simulate and decide."""
        check_draws(self.draws, TESTS)
        null_rng, interval_rng, tree_rng, triple_rng, map_rng = rng.spawn(5)
        # of a sampled table, only prompts all of whose tokens were read are prompts at all
        whole = [self._whole(corpus, inputs.embedding) for corpus in inputs.prompts]
        long_enough = [[ids for ids in kept if len(np.unique(ids)) >= _MIN_POINTS] for kept in whole]
        usable = [[ids for ids in kept if inputs.embedding.finite[ids].all()] for kept in long_enough]
        chosen = [(corpus.corpus, ids) for corpus, kept in zip(inputs.prompts, usable, strict=True) for ids in kept]
        looked_at = [ids for kept in whole for ids in kept]
        described: dict[str, Any] = {
            "n_short": len(looked_at) - sum(map(len, long_enough)),
            "n_not_finite": sum(map(len, long_enough)) - len(chosen),
            "n_cut": sum(len(ids) > self.max_tokens for corpus in inputs.prompts for ids in corpus.ids[: self.prompts]),
            "max_tokens": self.max_tokens,
            "dimension": inputs.embedding.dimension,
        }
        if len(chosen) < MIN_PROMPTS:
            return _too_few(f"{len(chosen)} prompts of at least {_MIN_POINTS} distinct tokens were found", described)
        ordinary = usable_rows(inputs)
        seen = drawable(inputs, ordinary[inputs.counts[ordinary] > 0])
        if seen < _MIN_POINTS:
            return _too_few(f"{seen} ordinary tokens were seen", described)
        relative = relative_delta(inputs, [ids for _, ids in chosen])
        # a repeated token is a point at distance 0 from its twin and adds nothing to δ: neither repeats it
        distinct = [np.unique(ids) for _, ids in chosen]
        sizes = [len(ids) for ids in distinct]
        holland = np.array(
            [holland_index(euclidean_distances(inputs.embedding.vectors.take(ids)), triple_rng) for ids in distinct]
        )
        simulated = norm_null(inputs, [ids for _, ids in chosen], self.replicates, null_rng)
        delta = delta_test(relative, simulated, interval_rng)
        shares = even_shares([len(kept) for kept in usable], max(self.tested, 1))
        with one_blas_thread():
            tree = measure(
                inputs,
                [ids for kept, share in zip(usable, shares, strict=True) for ids in kept[:share]],
                n_tokens=self.tokens,
                sets=self.sets,
                nested_sets=self.nested_sets,
                replicates=self.draws,
                rng=tree_rng,
                other_draws=self.other_draws if self.shown == "full" else 0,
                fit_draws=self.fit_draws if self.shown == "full" else 0,
            )
            token_map = map_tokens(inputs, ordinary, map_rng) if self.shown == "full" and self.fit_draws else None
        labels = np.array([corpus for corpus, _ in chosen])
        first = tree.test("random tokens", "Holland", ROTATED)
        interval = None
        if first.low is not None and first.high is not None:
            interval = Interval(first.low, first.high, f"Student's, over {tree.n_sets} sets")
        return HyperbolicityResult(
            estimate=Estimate("h", "Holland's index of random tokens", first.observed, interval),
            null=NullDistribution(
                model=_ROTATED_NULL,
                statistic=f"Holland's index, mean over {tree.n_sets} sets of {tree.n_tokens} random tokens",
                observed=first.observed,
                distribution=tree.null,
                alternative="less",
                pvalue=first.pvalue,
            ),
            verdict=judge(delta, tree),
            warnings=_warnings(**described) + self._unread(inputs, len(looked_at)),
            delta=delta,
            tree=tree,
            trees=extreme_prompts(inputs, chosen, holland),
            prompts=tuple(
                PromptDelta(corpus, len(ids), size, float(value), float(below), float(index))
                for (corpus, ids), size, value, below, index in zip(
                    chosen, sizes, relative, simulated.mean(axis=0), holland, strict=True
                )
            ),
            corpora=tuple(
                corpus_delta(corpus.corpus, relative, simulated, holland, labels == corpus.corpus)
                for corpus in inputs.prompts
                if (labels == corpus.corpus).any()
            ),
            token_map=token_map,
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
            "of the tokens of equal frequency that they are compared with are prompts' own, which hides differences.",
        )


def _too_few(what: str, described: dict[str, Any]) -> HyperbolicityResult:
    reason = f"Only {what}. Give more documents."
    return HyperbolicityResult(
        estimate=Estimate("h", "Holland's index of random tokens", None),
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
    warnings = []
    if n_short:
        warnings.append(f"{n_short} prompts have fewer than {_MIN_POINTS} distinct tokens and were left out.")
    if n_not_finite:
        warnings.append(f"{n_not_finite} prompts hold a token whose row is NaN or infinite and were left out.")
    if n_cut:
        warnings.append(f"{n_cut} prompts were cut to their first {max_tokens} tokens.")
    return tuple(warnings)
