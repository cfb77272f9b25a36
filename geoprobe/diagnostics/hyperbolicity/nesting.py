"""Whether a tree is the best account of tokens: better than flat clusters, few dimensions, or close pairs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from geoprobe.data import ScanInputs
from geoprobe.diagnostics.hyperbolicity.points import draw_rows, drawable, vectors_of
from geoprobe.results import Table
from geoprobe.stats.hyperbolicity.foretelling import FEWEST_DIMENSIONS, FEWEST_POINTS, foretelling
from geoprobe.stats.resampling import student_mean
from geoprobe.stats.threads import run_tasks

#: Tokens of a set: enough for seven levels of a binary tree.
_POINTS = 128


@dataclass(frozen=True)
class Nesting:
    """How well each account, made from half of the coordinates, foretells the other half: means over sets of tokens.

    The accounts are a tree, flat clusters, a flat space of few dimensions, the closest pairs, and the first half as it
    is; each is given by its correlation with the other half. `gain` is what the tree knows beyond the account that
    leaves it least, less what this knows beyond the tree (partial correlations), with its 95% interval over sets, None
    for one.
    """

    subject: str
    n_sets: int
    n_tokens: int
    tree: float
    clusters: float
    space: float
    pairs: float
    itself: float
    n_clusters: float
    n_dimensions: float
    gain: float
    low: float | None
    high: float | None

    @property
    def answer(self) -> bool | None:
        """Whether a tree is the best account; None where the interval leaves it open."""
        if self.low is None or self.high is None or self.low <= 0 <= self.high:
            return None
        return self.gain > 0

    @property
    def rival(self) -> str:
        """The account that foretells best beside the tree, in words."""
        names = {
            f"about {self.n_clusters:.0f} flat clusters": self.clusters,
            f"a flat space of about {self.n_dimensions:.0f} dimensions": self.space,
            "the closest pairs alone": self.pairs,
            "the distances as they are": self.itself,
        }
        return max(names, key=names.__getitem__)


def measure_nesting(
    inputs: ScanInputs, subject: str, rows: np.ndarray, sets: int, rng: np.random.Generator
) -> Nesting | None:
    """Sets of these rows (u,), drawn each on its own; None where there are too few rows or dimensions."""
    n = min(_POINTS, drawable(inputs, rows))
    if n < FEWEST_POINTS or inputs.embedding.dimension < FEWEST_DIMENSIONS:
        return None
    # the whole of a small vocabulary would be the same set again and again: one is enough
    sets = sets if n < drawable(inputs, rows) else 1
    streams = rng.spawn(sets)
    chosen = [draw_rows(inputs, rows, n, stream) for stream in streams]
    made = run_tasks(lambda place: foretelling(vectors_of(inputs, chosen[place]), streams[place]), range(len(chosen)))
    gains = np.array([each.gain for each in made])
    low, high = student_mean(gains) or (None, None)

    def mean(name: str) -> float:
        return float(np.mean([getattr(each, name) for each in made]))

    accounts = ("tree", "clusters", "space", "pairs", "itself", "n_clusters", "n_dimensions")
    return Nesting(subject, sets, n, **{name: mean(name) for name in accounts}, gain=mean("gain"), low=low, high=high)


def nesting_table(nesting: tuple[Nesting, ...]) -> Table:
    """Every account of every kind of token."""
    return Table(
        "nesting",
        "Which account foretells the other half of the coordinates?",
        ("tokens", "sets", "tree", "flat clusters", "flat space", "close pairs", "as it is", "gain", "low", "high"),
        tuple(
            (n.subject, n.n_sets, n.tree, n.clusters, n.space, n.pairs, n.itself, n.gain, n.low, n.high)
            for n in nesting
        ),
        "Correlation of cosines about the mean with those in the other half of randomly turned coordinates, each "
        "account made from the first half: a tree, flat clusters and a flat space of as many as foretell best, the "
        "closest pairs, and the first half as it is. The gain, with its 95% interval over sets, is what the tree knows "
        "beyond the others less what they know beyond it: above 0 for a hierarchy, below for clusters, overlapping "
        "features, planes, spheres and noise.",
    )
