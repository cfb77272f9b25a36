"""Made-up hidden states of eight layers: nothing at any, or a tree at each, which Holm's correction must not hide."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from calibration.tables import scan_inputs, zipf_documents
from calibration.truth import Outcome, Truth, outcome
from calibration.worlds import spread_norms

from geoprobe.diagnostics.states.analyzer import StatesAnalyzer
from geoprobe.stats.spaces import gaussian, hierarchy

WIDTH, LAYERS = 512, 8


@dataclass(frozen=True, eq=False)
class MadeUpStates:
    """States drawn anew for every prompt and layer."""

    draw: Callable[[int, np.random.Generator], np.ndarray]
    seed: int
    layers: int = LAYERS

    def read(self, prompts: Sequence[np.ndarray], layers: Sequence[int]) -> tuple[tuple[np.ndarray, ...], ...]:
        """(tokens, d) states of every prompt at every layer."""
        return tuple(
            tuple(
                self.draw(len(ids), np.random.default_rng([self.seed, layer, place])).astype(np.float32)
                for place, ids in enumerate(prompts)
            )
            for layer in layers
        )


def _through(draw: Callable[[int, np.random.Generator], np.ndarray]) -> Callable[[int], Outcome]:
    def run(seed: int) -> Outcome:
        rng = np.random.default_rng(seed)
        inputs = scan_inputs(gaussian(400, 8, rng), zipf_documents(400, 16, 48, rng))
        analyzer = StatesAnalyzer(layers=tuple(range(1, LAYERS + 1)), prompts=12)
        result = analyzer.run(replace(inputs, states=MadeUpStates(draw, seed)), rng)
        deepest = result.layers[-1].rotated
        return outcome(result, score=deepest.margin)

    return run


def truths() -> tuple[Truth, ...]:
    """Known truths and the labels that are right of them."""

    def noise(n: int, rng: np.random.Generator) -> np.ndarray:
        return spread_norms(gaussian(n, WIDTH, rng), 0.3, rng)

    return (
        Truth("noise of spread norms at eight layers", ("not supported",), 0.95, _through(noise), "no"),
        Truth(
            "a tree within each prompt at eight layers",
            ("supported", "weak"),
            0.9,
            _through(lambda n, rng: hierarchy(n, WIDTH, rng, noise=0.5)),
            "yes",
        ),
    )
