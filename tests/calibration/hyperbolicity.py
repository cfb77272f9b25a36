"""Tables of vectors that are no tree, and tables that are, through the hyperbolicity diagnostic."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from calibration.tables import scan_inputs, zipf_documents
from calibration.truth import Outcome, Truth, outcome

from geoprobe.diagnostics.hyperbolicity.analyzer import HyperbolicityAnalyzer
from geoprobe.stats.spaces import gaussian

ROWS = 2000


def _through(draw: Callable[[np.random.Generator], np.ndarray]) -> Callable[[int], Outcome]:
    def run(seed: int) -> Outcome:
        rng = np.random.default_rng(seed)
        inputs = scan_inputs(draw(rng), zipf_documents(ROWS, 60, 40, rng))
        return outcome(HyperbolicityAnalyzer(prompts=40, replicates=19).run(inputs, rng))

    return run


def truths() -> tuple[Truth, ...]:
    """Known truths and the labels that are right of them."""
    return (
        Truth(
            "independent Gaussian vectors, d = 256",
            ("not supported",),
            0.95,
            _through(lambda rng: gaussian(ROWS, 256, rng)),
            "no",
        ),
    )
