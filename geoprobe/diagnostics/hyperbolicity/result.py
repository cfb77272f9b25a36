"""What is known of how tree-like prompts and tokens are, and how it is shown."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from geoprobe.diagnostics.hyperbolicity.against_null import MARGIN, test_table
from geoprobe.diagnostics.hyperbolicity.curved_fit import fit_table
from geoprobe.diagnostics.hyperbolicity.delta import (
    CorpusDelta,
    DeltaTest,
    PromptDelta,
    corpus_figure,
    corpus_table,
    paper_table,
    prompt_figure,
)
from geoprobe.diagnostics.hyperbolicity.ladder import ladder_figure, size_figure
from geoprobe.diagnostics.hyperbolicity.nesting import nesting_table
from geoprobe.diagnostics.hyperbolicity.other_metrics import other_table
from geoprobe.diagnostics.hyperbolicity.prompt_trees import PromptTree, tree_figure
from geoprobe.diagnostics.hyperbolicity.token_map import TokenMap, map_figures, word_map
from geoprobe.diagnostics.hyperbolicity.treelikeness import MATCHED, PROMPT_POINTS, TreeLikeness
from geoprobe.diagnostics.null_figure import null_figure
from geoprobe.diagnostics.paper import CITATION
from geoprobe.figure import Figure
from geoprobe.results import Estimate, NullDistribution, Result, Row, Table, number
from geoprobe.word_map import WordMap


@dataclass(frozen=True, kw_only=True)
class HyperbolicityResult(Result):
    """How tree-like tokens and prompts are, by statistics that can tell and by the paper's δ.

    Attributes
    ----------
    delta : DeltaTest or None
        The paper's protocol; None where there are too few prompts.
    tree : TreeLikeness or None
        Holland's index against matched nulls, and whether a tree is the best account.
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
    token_map : TokenMap or None
        Frequent words in two planes; None where that was left out, and in older reports.
    """

    name: ClassVar[str] = "hyperbolicity"
    title: ClassVar[str] = "Tree-likeness"
    question: ClassVar[str] = "Are distances between tokens those of a tree?"
    sides: ClassVar[tuple[str, str, str]] = (
        "more tree-like than chance gives",
        "as tree-like as chance gives",
        "less tree-like than chance gives",
    )
    floor: ClassVar[float] = MARGIN
    claim: ClassVar[str] = "distances between tokens are those of a tree"
    tree_like: ClassVar[str] = "tokens"

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
    token_map: TokenMap | None = None

    def rows(self) -> tuple[Row, ...]:
        """Every quantity of the result, the estimate first."""
        shape = (
            Row("prompts", len(self.prompts), key="prompts"),
            Row("embedding width d", self.dimension, key="dimension"),
        )
        if self.delta is None:
            return (Row(self.estimate.label, None, key="holland"), *shape)
        delta, holland = self.delta, self.estimate.interval
        low, high = (holland.low, holland.high) if holland else (None, None)
        return (
            Row(self.estimate.label, self.estimate.value, low, high, "0 for a tree, near 0.5 for noise", "holland"),
            *self._tree_rows(),
            Row(
                "relative δ, mean over prompts",
                delta.mean,
                delta.interval.low,
                delta.interval.high,
                "the paper's",
                "delta",
            ),
            Row("relative δ, standard deviation over prompts", delta.sd, key="delta_sd"),
            Row("relative δ of the null, mean", delta.null.mean, note=delta.null.model, key="delta_null"),
            Row("p that δ's null is as low", delta.null.pvalue, key="delta_pvalue"),
            *shape,
        )

    def _tree_rows(self) -> tuple[Row, ...]:
        if self.tree is None:
            return ()
        rows = [
            Row(
                "Holland's index, covariance and norms kept",
                self.null.mean,
                note="mean of the null",
                key="holland_null",
            )
        ]
        if (nesting := self.tree.vocabulary_nesting) is not None:
            note = "above 0: a tree is the best account"
            rows.append(
                Row("gain of a tree over other accounts", nesting.gain, nesting.low, nesting.high, note, "tree_gain")
            )
        if (prompts := next((t for t in self.tree.tests if t.null == MATCHED), None)) is not None:
            label = "Holland's index, mean over prompts"
            rows.append(Row(label, prompts.observed, prompts.low, prompts.high, key="holland_prompts"))
            label = "Holland's index, other tokens of equal frequency"
            rows.append(Row(label, prompts.null_mean, key="holland_matched"))
        return tuple(rows)

    def others(self) -> tuple[tuple[Estimate, NullDistribution], ...]:
        """The paper's relative δ."""
        if self.delta is None:
            return ()
        delta = Estimate("δ", "relative δ, mean over prompts", self.delta.mean, self.delta.interval)
        return ((delta, self.delta.null),)

    def figures(self) -> tuple[Figure, ...]:
        """The ladder, the prompts' δ beside its null, δ against the number of points, and by corpus."""
        if self.delta is None or self.tree is None:
            return ()
        return (
            prompt_figure(self.prompts, self.delta),
            ladder_figure(self.tree.ladder, self.tree.n_tokens),
            self._null_figure(),
            size_figure(self.tree.sizes),
            *map(tree_figure, self.trees),
            *([corpus_figure(self.corpora)] if len(self.corpora) > 1 else []),
            *(map_figures(self.token_map) if self.token_map else ()),
        )

    def word_map(self) -> WordMap | None:
        """Frequent words in the hyperbolic plane and in the flat one."""
        return None if self.token_map is None else word_map(self.token_map)

    def _null_figure(self) -> Figure:
        return null_figure(
            self.null,
            title="Holland's index beside its null",
            caption=f"{self.null.statistic}: the data (line), and draws that keep covariance and norms (bars). A line "
            "to the left of the bars is more tree-like than those explain.",
            axis="Holland's index",
            draws="draws",
            bars="covariance and norms kept",
            line=f"data, {number(self.null.observed)}",
        )

    def tables(self) -> tuple[Table, ...]:
        """Tests against nulls, other metrics and curved spaces, corpora, and the paper's own values."""
        tree = self.tree
        return (
            test_table(tree.tests if tree is not None else ()),
            *(
                (nesting_table(tree.nesting), other_table(tree.others), fit_table(tree.fits))
                if tree is not None
                else ()
            ),
            corpus_table(self.corpora),
            paper_table(),
        )

    def methods(self) -> tuple[str, ...]:
        """How the numbers were made and what they do not show."""
        tree = self.tree
        tested = f"{tree.n_sets} sets of {tree.n_tokens} tokens" if tree else "Sets of tokens"
        return (
            "Holland's index is the mean over quadruples of (d1 - d2)/(d1 - d3), with d1 ≥ d2 ≥ d3 the three sums of "
            "opposite Euclidean distances (Holland et al. 2002). Adding a length to a point, which concentration does, "
            "leaves it unmoved, and so does the number of points.",
            f"{tested}, drawn at random from the vocabulary and from the tokens seen, and {PROMPT_POINTS} distinct "
            "tokens of each prompt tested, were compared with draws that keep covariance and norms and lose everything "
            "else: lengths are divided out, rows mixed by a random rotation, and lengths given back, with as much of "
            "them as goes with direction. Prompts were compared with other tokens of equal frequency too, a token that "
            "several prompts share being replaced in all of them at once.",
            "Clusters, planes and overlapping features have a low index as well. So a tree, flat clusters, a flat "
            "space and close pairs were each made from one half of the coordinates, turned at random, and compared "
            "with the other half: a hierarchy is where the tree foretells best.",
            "What this cannot see: points that are spread evenly in a hyperbolic plane or ball and given as vectors by "
            "direction and distance from the origin are, by Euclidean distances, a sphere. That the vectors are no "
            "tree by Euclidean distances does not exclude that another metric finds one.",
            "A prompt's points for δ are the input embeddings of its tokens in order, no special tokens added, up to "
            f"{self.max_tokens} of them. δ is the largest violation of the four-point condition from the first token "
            f"as base point, and relative δ is 2δ/diameter: the paper's protocol ({CITATION}). Relative δ of any cloud "
            "falls with its dimension, since distances concentrate, grows with the number of points, and falls with "
            "the spread of norms. So a value means nothing without its null, random directions with the same norms.",
        )
