"""Tables of vectors whose nature is known, through the curvature diagnostic: trees are *less* negatively curved."""

from __future__ import annotations

from functools import partial

import numpy as np
from calibration.tables import scan_inputs, zipf_documents
from calibration.truth import Outcome, Truth, outcome
from calibration.worlds import NOTHING, TREES, World

from geoprobe.diagnostics.curvature.analyzer import CurvatureAnalyzer


def run(world: World, seed: int) -> Outcome:
    """One draw; texts have nothing to do with the vectors, and are too short to be measured."""
    rng = np.random.default_rng(seed)
    vectors = world(rng)
    inputs = scan_inputs(vectors, zipf_documents(len(vectors), 16, 48, rng))
    analyzer = CurvatureAnalyzer(tokens=400, neighbours=12, edges=100, samples=2, text_tokens=40)
    result = analyzer.run(inputs, rng)
    ollivier = result.properties[0]
    return outcome(result, score=ollivier.null_mean - ollivier.value)


def truths() -> tuple[Truth, ...]:
    """Known truths and the labels that are right of them."""
    return (
        # in thousands of dimensions curvature is positive, which contradicts the claim rightly
        *(Truth(name, ("not supported", "contradicted"), 0.95, partial(run, world)) for name, world in NOTHING.items()),
        *(Truth(name, ("contradicted",), 0.9, partial(run, world)) for name, world in TREES.items()),
    )
