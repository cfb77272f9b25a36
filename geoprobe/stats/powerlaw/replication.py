"""Replicates on threads, each with a generator of its own: the same numbers on any number of threads."""

from collections.abc import Callable

import numpy as np
from jaxtyping import Float

from geoprobe.stats.threads import run_tasks

Replicate = Callable[[np.random.Generator, np.ndarray], None]


def generator(rng: np.random.Generator | int | None) -> np.random.Generator:
    """A generator as given, or a new one from a seed (None: from the operating system)."""
    return rng if isinstance(rng, np.random.Generator) else np.random.default_rng(rng)


def replicated(
    replicate: Replicate, replicates: int, rng: np.random.Generator, *, width: int = 3
) -> Float[np.ndarray, "replicates width"]:
    """Rows that `replicate` fills, each from its own child of `rng`; ValueError if there are none."""
    if replicates < 1:
        raise ValueError(f"replicates is {replicates}: give at least 1 (1000 puts p within 0.03)")
    rows = np.full((replicates, width), np.nan)
    run_tasks(lambda task: replicate(*task), list(zip(rng.spawn(replicates), rows, strict=True)))
    return rows
