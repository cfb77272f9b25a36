"""What is known of how tree-like prompts and tokens are, and how it is shown."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

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
from geoprobe.diagnostics.hyperbolicity.other_metrics import other_table
from geoprobe.diagnostics.hyperbolicity.prompt_trees import PromptTree, tree_figure
from geoprobe.diagnostics.hyperbolicity.treelikeness import PROMPT_POINTS, TreeLikeness, test_table
from geoprobe.diagnostics.null_figure import null_figure
from geoprobe.diagnostics.paper import CITATION
from geoprobe.figure import Figure
from geoprobe.results import Result, Row, Table, number

__all__ = ["HyperbolicityResult"]


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
    title: ClassVar[str] = "Tree-likeness"
    question: ClassVar[str] = "Are tokens more tree-like than chance?"
    claim: ClassVar[str] = "tokens are more tree-like than chance"
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

    def rows(self) -> tuple[Row, ...]:
        """Every quantity of the result, the estimate first."""
        shape = (
            Row("prompts", len(self.prompts), key="prompts"),
            Row("embedding width d", self.dimension, key="dimension"),
        )
        if self.delta is None:
            return (Row("Holland's index, mean over prompts", None, key="holland"), *shape)
        delta, holland = self.delta, self.estimate.interval
        low, high = (holland.low, holland.high) if holland else (None, None)
        return (
            Row(
                "Holland's index, mean over prompts",
                self.estimate.value,
                low,
                high,
                "0 for a tree, near 0.5 for noise",
                "holland",
            ),
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

    def figures(self) -> tuple[Figure, ...]:
        """The ladder, the prompts' δ beside its null, δ against the number of points, and δ by corpus."""
        if self.delta is None or self.tree is None:
            return ()
        return (
            prompt_figure(self.prompts, self.delta),
            ladder_figure(self.tree.ladder, self.tree.n_tokens),
            self._null_figure(),
            size_figure(self.tree.sizes),
            *map(tree_figure, self.trees),
            corpus_figure(self.corpora),
        )

    def _null_figure(self) -> Figure:
        return null_figure(
            self.null,
            title="Holland's index of prompts beside its null",
            caption=f"{self.null.statistic}: the data (line), and draws that keep each prompt's covariance and norms "
            "(bars). A line to the left of the bars is more tree-like than those explain.",
            axis="Holland's index, mean over prompts",
            draws="draws",
            bars="covariance and norms kept",
            line=f"data, {number(self.null.observed)}",
        )

    def tables(self) -> tuple[Table, ...]:
        """Tests against nulls, other metrics and curved spaces, corpora, and the paper's own values."""
        tree = self.tree
        return (
            test_table(tree.tests if tree is not None else ()),
            *((other_table(tree.others), fit_table(tree.fits)) if tree is not None else ()),
            corpus_table(self.corpora),
            paper_table(),
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
