"""Are a model's hidden states tree-like? The paper's δ of a layer beside its null, and a statistic that can tell."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
from jaxtyping import Int64

from geoprobe.data import ScanInputs
from geoprobe.diagnostics.hyperbolicity.prompt_shares import even_shares
from geoprobe.diagnostics.hyperbolicity.treelikeness import PROMPT_POINTS
from geoprobe.diagnostics.null_figure import null_figure
from geoprobe.diagnostics.paper import CITATION, FINAL_DELTA
from geoprobe.diagnostics.states.layers import LEVEL, LayerStates, StatesTest, measure_layer
from geoprobe.errors import UsageError
from geoprobe.figure import Axis, Figure, Forest, floats
from geoprobe.results import Estimate, Interval, NullDistribution, Result, Row, Table, Verdict, VerdictLabel, number
from geoprobe.stats.multiplicity import holm

__all__ = ["StatesAnalyzer", "StatesResult"]

MIN_PROMPTS = 10
MIN_TOKENS = 8
ROTATED = "states of each prompt mixed by a random rotation: covariance and norms about the mean kept"
RULE = (
    "A layer's states are called more tree-like than a null where Holland's index is lower at 5%, Holm-corrected over "
    "layers and nulls. Supported where at every layer looked at they are more tree-like than covariance and norms "
    "explain and than as many states of other prompts; weak where only some of this holds; not supported where at no "
    f"layer covariance and norms fail to explain them; inconclusive with fewer than {MIN_PROMPTS} prompts of at least "
    f"{MIN_TOKENS} different tokens. The paper's δ decides nothing."
)


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
    question: ClassVar[str] = "Are the hidden states tree-like?"

    layers: tuple[LayerStates, ...]
    blocks: int
    n_prompts: int
    max_tokens: int

    def rows(self) -> tuple[Row, ...]:
        """Holland's index and δ of every layer, the deepest first."""
        shown = []
        for each in reversed(self.layers):
            shown += [
                Row(f"Holland's index, layer {each.layer}", each.holland, each.low, each.high, "mean over prompts"),
                Row(f"relative δ, layer {each.layer}", each.delta, note="the paper's, mean over prompts"),
                Row(f"relative δ of the Gaussian null, layer {each.layer}", each.delta_null),
            ]
        return (*shown, Row("prompts", self.n_prompts), Row("transformer blocks", self.blocks))

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
                "The paper's statistic: mean over prompts and one standard deviation, and the mean of Gaussian vectors "
                "of the same number and width.",
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
            "and nearly its covariance, which restoring norms moves (a random rotation of the rows), and beside as "
            "many states of other prompts.",
            "States of one prompt share its context: where they are no more tree-like than states of other prompts, "
            "it is how states lie at that layer, not what the prompt says.",
        )


@dataclass(frozen=True)
class StatesAnalyzer:
    """Run the model over prompts and measure its states.

    Parameters
    ----------
    layers : tuple of int
        Which; negative ones count from the last.
    prompts : int
        How many, spread over the corpora.
    max_tokens : int
        Longer prompts are cut to this.
    draws : int
        Of each null.
    """

    name: ClassVar[str] = "states"
    result: ClassVar[type[Result]] = StatesResult

    layers: tuple[int, ...] = (-1,)
    prompts: int = 32
    max_tokens: int = 128
    draws: int = 199

    def run(self, inputs: ScanInputs, rng: np.random.Generator) -> StatesResult:
        """Run, measure, simulate and decide.

        Raises
        ------
        UsageError
            When the inputs have no model to run, or it has no such layer.
        """
        source = inputs.states
        if source is None:
            raise UsageError("Hidden states need a model that can be run.", "Give layers to the scan.")
        chosen = self._chosen(inputs)
        numbers = sorted({layer if layer >= 0 else source.layers + 1 + layer for layer in self.layers})
        if len(chosen) < MIN_PROMPTS:
            return self._too_few(len(chosen), source.layers)
        states = source.read(chosen, numbers)
        measured = [
            measure_layer(layer, [each.astype(np.float64) for each in clouds], self.draws, stream)
            for layer, clouds, stream in zip(numbers, states, rng.spawn(len(numbers)), strict=True)
        ]
        corrected = iter(holm([test.pvalue for each in measured for test in (each.rotated, each.mixed)]))
        found = tuple(
            replace(
                each,
                rotated=replace(each.rotated, holm=next(corrected)),
                mixed=replace(each.mixed, holm=next(corrected)),
            )
            for each in measured
        )
        deepest = found[-1]
        return StatesResult(
            estimate=Estimate(
                "h",
                f"Holland's index of layer {deepest.layer}, mean over prompts",
                deepest.holland,
                Interval(deepest.low, deepest.high, "bootstrap over prompts"),
            ),
            null=NullDistribution(
                model=ROTATED,
                statistic=f"Holland's index of layer {deepest.layer}, mean over {len(chosen)} prompts",
                observed=deepest.holland,
                distribution=deepest.rotated.null,
                alternative="less",
                pvalue=deepest.rotated.pvalue,
            ),
            verdict=_judge(found),
            layers=found,
            blocks=source.layers,
            n_prompts=len(chosen),
            max_tokens=self.max_tokens,
        )

    def _chosen(self, inputs: ScanInputs) -> list[Int64[np.ndarray, " _"]]:
        kept = [
            [ids for ids in (each[: self.max_tokens] for each in corpus.ids) if len(np.unique(ids[1:])) >= MIN_TOKENS]
            for corpus in inputs.prompts
        ]
        shares = even_shares([len(each) for each in kept], self.prompts)
        return [ids for each, share in zip(kept, shares, strict=True) for ids in each[:share]]

    def _too_few(self, n: int, blocks: int) -> StatesResult:
        reason = f"Only {n} prompts of at least {MIN_TOKENS} different tokens were found. Give more documents."
        return StatesResult(
            estimate=Estimate("h", "Holland's index, mean over prompts", None),
            null=NullDistribution("not simulated: too few prompts", "Holland's index", None, (), "less", None),
            verdict=Verdict("inconclusive", reason, RULE),
            layers=(),
            blocks=blocks,
            n_prompts=n,
            max_tokens=self.max_tokens,
        )


def _judge(layers: Sequence[LayerStates]) -> Verdict:
    beyond_covariance = [each.layer for each in layers if each.rotated.more_treelike]
    beyond_others = [each.layer for each in layers if each.rotated.more_treelike and each.mixed.more_treelike]
    label: VerdictLabel = "weak" if beyond_covariance else "not supported"
    if len(beyond_others) == len(layers):
        label = "supported"
    shown = next((each for each in reversed(layers) if each.layer in beyond_covariance), layers[-1])
    figures = f"{number(shown.holland)} against {number(shown.rotated.null_mean)} at layer {shown.layer}"
    if not beyond_covariance:
        said = f"States are no more tree-like than their covariance and norms explain (Holland's index {figures})"
    else:
        said = (
            f"At {_layers(beyond_covariance, len(layers))} states are more tree-like than their covariance and norms "
            f"explain (Holland's index {figures}), "
        )
        said += (
            f"at {_layers(beyond_others, len(layers))} more than states of other prompts"
            if beyond_others
            else f"but not more than states of other prompts ({number(shown.mixed.null_mean)})"
        )
    deepest = layers[-1]
    below = "below" if deepest.delta_pvalue <= LEVEL else "not below"
    told = (
        f"The paper's δ of layer {deepest.layer} is {number(deepest.delta)} where Gaussian vectors of the same shape "
        f"give {number(deepest.delta_null)}: {below} its null."
    )
    sinks = [each.layer for each in layers if each.has_sink]
    if sinks:
        told += (
            f" At {_layers(sinks, len(layers))} the first token is an attention sink, and a low δ there is about that "
            "token alone."
        )
    return Verdict(label, f"{said}. {told}", RULE)


def _columns(test: StatesTest) -> tuple[float | None, ...]:
    return (test.null_mean, test.z, test.holm)


def _layers(numbers: Sequence[int], looked_at: int) -> str:
    if len(numbers) == looked_at > 1:
        return "every layer looked at"
    return f"layer{'s' if len(numbers) > 1 else ''} {', '.join(map(str, numbers))}"
