"""Tables of vectors that are no tree, and tables that are, through the hyperbolicity diagnostic."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from calibration.tables import scan_inputs, zipf_documents
from calibration.truth import Outcome, Truth, outcome
from calibration.worlds import NO_TREE, NOTHING, TREES, World

from geoprobe.diagnostics.hyperbolicity.analyzer import HyperbolicityAnalyzer

#: What decides is as shipped, but for fewer sets and draws; what is shown beside it is left out.
ANALYZER = HyperbolicityAnalyzer(prompts=12, replicates=2, tested=4, sets=4, nested_sets=10, draws=79, shown="off")


def _through(world: World) -> Callable[[int], Outcome]:
    def run(seed: int) -> Outcome:
        rng = np.random.default_rng(seed)
        vectors = world(rng)
        documents = zipf_documents(len(vectors), 30, 40, rng)
        result = ANALYZER.run(scan_inputs(vectors, documents), rng)
        nesting = result.tree.vocabulary_nesting if result.tree is not None else None
        return outcome(result, score=None if nesting is None else nesting.gain)

    return run


def truths() -> tuple[Truth, ...]:
    """Known truths and the labels that are right of them."""
    nothing = (Truth(name, ("not supported",), 0.95, _through(world), "no") for name, world in NOTHING.items())
    no_tree = (Truth(name, ("not supported", "weak"), 0.95, _through(world), "no") for name, world in NO_TREE.items())
    trees = (Truth(name, ("supported",), 0.9, _through(world), "yes") for name, world in TREES.items())
    return (*nothing, *no_tree, *trees)
