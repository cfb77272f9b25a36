"""What is known of how tree-like hidden states are, layer by layer, and how it is shown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from geoprobe.diagnostics.hyperbolicity.against_null import MARGIN
from geoprobe.diagnostics.hyperbolicity.treelikeness import PROMPT_POINTS
from geoprobe.diagnostics.null_figure import null_figure
from geoprobe.diagnostics.paper import CITATION, FINAL_DELTA
from geoprobe.diagnostics.states.layers import LayerStates, StatesTest
from geoprobe.figure import Axis, Figure, Forest, floats
from geoprobe.results import Result, Row, Table, number


@dataclass(frozen=True, kw_only=True)
class StatesResult(Result):
    """How tree-like hidden states are, layer by layer.

    Attributes
    ----------
    layers : tuple of LayerStates
        In rising order; none where there were too few prompts.
    blocks : int
        The model's transformer blocks.
    n_prompts, max_tokens : int
        Prompts run, and where longer ones were cut.
    """

    name: ClassVar[str] = "states"
    title: ClassVar[str] = "Hidden states"
    question: ClassVar[str] = "Are hidden states more tree-like than chance?"
    sides: ClassVar[tuple[str, str, str]] = (
        "more tree-like than chance gives",
        "as tree-like as chance gives",
        "less tree-like than chance gives",
    )
    floor: ClassVar[float] = MARGIN
    claim: ClassVar[str] = "hidden states are more tree-like than chance"
    tree_like: ClassVar[str] = "hidden states"

    layers: tuple[LayerStates, ...]
    blocks: int
    n_prompts: int
    max_tokens: int

    def rows(self) -> tuple[Row, ...]:
        """Holland's index and δ of every layer, the deepest first."""
        shown = []
        for of in reversed(self.layers):
            n = of.layer
            shown += [
                Row(
                    f"Holland's index, layer {n}",
                    of.holland,
                    of.low,
                    of.high,
                    "mean over prompts",
                    f"holland_layer_{n}",
                ),
                Row(f"relative δ, layer {n}", of.delta, note="the paper's, mean over prompts", key=f"delta_{n}"),
                Row(f"relative δ of random directions, layer {n}", of.delta_null, key=f"delta_null_{n}"),
            ]
        counts = (Row("prompts", self.n_prompts, key="prompts"), Row("transformer blocks", self.blocks, key="blocks"))
        return (*shown, *counts)

    def figures(self) -> tuple[Figure, ...]:
        """Holland's index and δ by layer beside their nulls, and the deepest layer's null."""
        if not self.layers:
            return ()
        deepest = self.layers[-1].layer
        return (
            self._by_layer(
                "layers",
                "Holland's index by layer",
                "Mean over prompts with its interval, and the mean of draws that keep each prompt's covariance and "
                "norms. To the left of the null is more tree-like than those explain.",
                "Holland's index: 0 tree, near 0.5 noise",
                [(each.holland, each.low, each.high, each.rotated.null_mean) for each in self.layers],
            ),
            self._by_layer(
                "delta",
                "Relative δ by layer",
                "The paper's statistic: mean over prompts and one standard deviation, and the mean of random "
                "directions with the same norms.",
                "relative δ",
                [
                    (each.delta, each.delta - each.delta_sd, each.delta + each.delta_sd, each.delta_null)
                    for each in self.layers
                ],
            ),
            null_figure(
                self.null,
                title=f"Holland's index of layer {deepest} beside its null",
                caption=f"{self.null.statistic}: the data (line), and draws that keep each prompt's covariance and "
                "norms (bars).",
                axis="Holland's index, mean over prompts",
                draws="draws",
                bars="covariance and norms kept",
                line=f"data, {number(self.null.observed)}",
            ),
        )

    def _by_layer(
        self, name: str, title: str, caption: str, label: str, values: Sequence[tuple[float, float, float, float]]
    ) -> Figure:
        names = tuple(f"layer {each.layer}" for each in self.layers)
        seen, low, high, null = (floats(column) for column in zip(*values, strict=True))
        layers = (
            Forest(names, seen, low, high, "prompts", "data", -0.12),
            Forest(names, null, null, null, "null", "null", 0.12),
        )
        return Figure(name, title, caption, Axis(label), Axis(""), layers, aspect=0.3 + 0.06 * len(names))

    def tables(self) -> tuple[Table, ...]:
        """Every layer, and the paper's own values of the final one."""
        return (
            Table(
                "layers",
                "More tree-like than what? By layer",
                ("layer", "Holland", "covariance kept", "z", "p, corrected", "other prompts", "z", "p, corrected"),
                tuple((e.layer, e.holland, *_columns(e.rotated), *_columns(e.mixed)) for e in self.layers),
                "Means of each null's draws, z in their standard deviations, one-sided p towards a tree, corrected "
                "after Holm over layers and nulls.",
            ),
            Table(
                "delta",
                "The paper's δ by layer",
                ("layer", "relative δ", "sd", "δ of the null", "p", "without the first token", "norm of the first"),
                tuple(
                    (e.layer, e.delta, e.delta_sd, e.delta_null, e.delta_pvalue, e.delta_rest, e.first_norm)
                    for e in self.layers
                ),
                "Norm of the first token's state over the mean of the others', median over prompts. Far above 1 it is "
                "an attention sink: δ, which takes it as base point and whose diameter ends at it, is then near 0 "
                "whatever the other tokens do.",
            ),
            Table(
                "paper",
                "Relative δ of the final layer in the paper",
                ("model", "data", "base", "LoRA", "DoRA", "HypLoRA"),
                tuple((model, task, *values) for model, tasks in FINAL_DELTA.items() for task, values in tasks.items()),
                f"As printed in {CITATION}, tables 6 and 7, without a null.",
            ),
        )

    def methods(self) -> tuple[str, ...]:
        """How the numbers were made and what they do not show."""
        return (
            f"The model was run in float32 over prompts cut to {self.max_tokens} tokens, no special tokens added. "
            "A prompt's points are its tokens' states at a layer under Euclidean distance; layer 0 is the embedding, "
            "the last is after the model's final norm. δ is from the first token as base point, the paper's protocol. "
            f"Holland's index is over all quadruples of the {PROMPT_POINTS} different states behind the first, which "
            "in many models is an attention sink, beside draws that keep each prompt's norms about the mean "
            "and its covariance (lengths divided out, rows mixed by a random rotation, lengths given back), and beside "
            "draws that exchange states between prompts.",
            "States of one prompt share its context: where they are no more tree-like than states of other prompts, "
            "it is how states lie at that layer, not what the prompt says.",
        )


def _columns(test: StatesTest) -> tuple[float | None, ...]:
    return (test.null_mean, test.z, test.holm)
