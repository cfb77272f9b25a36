"""The figures of the hyperbolicity diagnostic, described from its result."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from geoprobe.diagnostics.hyperbolicity.prompt_trees import tree_figure
from geoprobe.diagnostics.null_figure import null_figure
from geoprobe.figure import Axis, Bars, Figure, Forest, Line, Points, Rule, floats
from geoprobe.results import number

if TYPE_CHECKING:
    from geoprobe.diagnostics.hyperbolicity.analyzer import HyperbolicityResult
    from geoprobe.diagnostics.hyperbolicity.treelikeness import TreeLikeness
    from geoprobe.diagnostics.hyperbolicity.verdict import DeltaTest

__all__ = ["hyperbolicity_figures"]


def hyperbolicity_figures(result: HyperbolicityResult) -> tuple[Figure, ...]:
    """The prompts' δ and Holland's index beside their nulls, the ladder, δ by size and corpus, two prompts as trees."""
    if result.delta is None:
        return ()
    drawn = [_prompts(result, result.delta)]
    if result.tree is not None:
        drawn += [_ladder(result.tree), _null(result), _sizes(result.tree)]
    return (*drawn, *map(tree_figure, result.trees), _corpora(result))


def _prompts(result: HyperbolicityResult, delta: DeltaTest) -> Figure:
    deltas = np.array([prompt.delta for prompt in result.prompts])
    nulls = np.array([prompt.null_mean for prompt in result.prompts])
    edges = np.linspace(0.0, max(deltas.max(), nulls.max(), 1e-9) * 1.05, 41)
    return Figure(
        "prompts",
        "Relative δ of prompts",
        f"The paper's statistic on {len(deltas)} prompts, and on Gaussian vectors of the same number and width. "
        "Evidence for a hyperbolic space would lie to the left of the null.",
        Axis("relative δ = 2δ / diameter"),
        Axis("prompts"),
        (
            Bars(floats(edges), floats(np.histogram(nulls, edges)[0]), "Gaussian null, mean by prompt", "null"),
            Bars(floats(edges), floats(np.histogram(deltas, edges)[0]), "prompts", "data"),
            Rule(delta.mean, f"mean of the prompts, {number(delta.mean)}", "data"),
        ),
    )


def _ladder(tree: TreeLikeness) -> Figure:
    rows = {None: ("these tokens", "data"), True: ("made from a tree", "alternative"), False: ("no tree", "muted")}
    names = tuple(rung.name for rung in tree.ladder)
    layers: list[Forest | Points] = [Forest(names, (), (), (), "", "muted")]
    for kind, (label, role) in rows.items():
        mine = [(rung.holland, float(row)) for row, rung in enumerate(tree.ladder) if rung.treelike is kind]
        size = 7.0 if kind is None else 5.0
        layers.append(Points(floats(x for x, _ in mine), floats(y for _, y in mine), label, role, size))  # type: ignore[arg-type]
    return Figure(
        "ladder",
        "Holland's index from tree to noise",
        f"{tree.n_tokens} tokens of the vocabulary and of the prompts, among spaces of the same number of points whose "
        "nature is known. A plane, a grid and clusters stand low too: the place on the ladder is no proof by itself.",
        Axis("Holland's index: 0 tree, near 0.5 noise", limits=(-0.02, 0.55)),
        Axis(""),
        tuple(layers),
    )


def _null(result: HyperbolicityResult) -> Figure:
    return null_figure(
        result.null,
        title="Holland's index of prompts beside its null",
        caption=f"{result.null.statistic}: the data (line), and draws that keep each prompt's covariance and norms "
        "(bars). A line to the left of the bars is more tree-like than those explain.",
        axis="Holland's index, mean over prompts",
        draws="draws",
        bars="covariance and norms kept",
        line=f"data, {number(result.null.observed)}",
    )


def _sizes(tree: TreeLikeness) -> Figure:
    n = floats(point.n for point in tree.sizes)
    return Figure(
        "sizes",
        "What the number of points does",
        "Random tokens of the vocabulary, more and more of them. Relative δ is a maximum and grows; Holland's index is "
        "a mean and stays.",
        Axis("number of tokens", "log"),
        Axis("statistic"),
        (
            Line(n, floats(point.holland for point in tree.sizes), "Holland's index", "data"),
            Points(n, floats(point.holland for point in tree.sizes), "", "data", 4.0),
            Line(n, floats(point.relative_delta for point in tree.sizes), "relative δ", "null"),
            Points(n, floats(point.relative_delta for point in tree.sizes), "", "null", 4.0),
        ),
    )


def _corpora(result: HyperbolicityResult) -> Figure:
    names = tuple(corpus.corpus for corpus in result.corpora)
    return Figure(
        "corpora",
        "Relative δ by corpus",
        "Mean and one standard deviation over prompts, of each corpus and of its Gaussian null.",
        Axis("relative δ"),
        Axis(""),
        (
            Forest(
                names,
                tuple(corpus.mean for corpus in result.corpora),
                tuple(corpus.mean - corpus.sd for corpus in result.corpora),
                tuple(corpus.mean + corpus.sd for corpus in result.corpora),
                "prompts",
                "data",
                -0.12,
            ),
            Forest(
                names,
                tuple(corpus.null_mean for corpus in result.corpora),
                tuple(corpus.null_mean - corpus.null_sd for corpus in result.corpora),
                tuple(corpus.null_mean + corpus.null_sd for corpus in result.corpora),
                "Gaussian null",
                "null",
                0.12,
            ),
        ),
    )
