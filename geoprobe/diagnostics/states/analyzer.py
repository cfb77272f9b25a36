"""Are a model's hidden states tree-like? The paper's δ of a layer beside its null, and a statistic that can tell."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
from jaxtyping import Int64

from geoprobe.data import ScanInputs
from geoprobe.diagnostics.base import Draws, Need, Size
from geoprobe.diagnostics.hyperbolicity.against_null import DRAWS_A_TEST, check_draws
from geoprobe.diagnostics.hyperbolicity.points import even_shares
from geoprobe.diagnostics.states.layers import measure_layer
from geoprobe.diagnostics.states.result import StatesResult
from geoprobe.diagnostics.states.verdict import MIN_PROMPTS, MIN_TOKENS, RULE, judge
from geoprobe.errors import UsageError
from geoprobe.results import Estimate, Interval, NullDistribution, Result, Verdict
from geoprobe.stats.multiplicity import holm
from geoprobe.stats.threads import one_blas_thread

_ROTATED = (
    "directions of each prompt's states drawn anew by a random rotation: covariance and norms about the mean kept"
)
#: Draws of each null, or 20 for each test where there are many layers.
_DRAWS = 199


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
    draws : int or None
        Of each null, at most: fewer where it is clear earlier. At least 20 a test, two tests a layer; None is 199, or
        20 a test where there are more than four layers.
    """

    name: ClassVar[str] = "states"
    result: ClassVar[type[Result]] = StatesResult
    needs: ClassVar[frozenset[Need]] = frozenset({"prompts", "states"})

    layers: tuple[int, ...] = (-1,)
    prompts: Size = 32
    max_tokens: Size = 128
    draws: Draws | None = None

    def run(self, inputs: ScanInputs, rng: np.random.Generator) -> StatesResult:
        """Run, measure, simulate and decide."""
        source = inputs.states
        if source is None:
            raise UsageError("Hidden states need a model that can be run.", "Give layers to the scan.")
        chosen = self._chosen(inputs)
        numbers = sorted({layer if layer >= 0 else source.layers + 1 + layer for layer in self.layers})
        tests = 2 * len(numbers)
        draws = max(_DRAWS, DRAWS_A_TEST * tests - 1) if self.draws is None else self.draws
        check_draws(draws, tests)
        if len(chosen) < MIN_PROMPTS:
            return self._too_few(len(chosen), source.layers)
        states = source.read(chosen, numbers)
        with one_blas_thread():
            measured = [
                measure_layer(layer, [each.astype(np.float64) for each in clouds], draws, stream)
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
                model=_ROTATED,
                statistic=f"Holland's index of layer {deepest.layer}, mean over {len(chosen)} prompts",
                observed=deepest.holland,
                distribution=deepest.rotated.null,
                alternative="less",
                pvalue=deepest.rotated.pvalue,
            ),
            verdict=judge(found),
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
