"""Holland's index of sets of points: on a ladder from tree to noise, and as their number grows."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, Int64

from geoprobe.data import ScanInputs
from geoprobe.diagnostics.hyperbolicity.points import vectors_of
from geoprobe.figure import Axis, Figure, Forest, Layer, Line, Points, Role, floats
from geoprobe.stats.hyperbolicity import delta_basepoint, delta_plot, euclidean_distances
from geoprobe.stats.spaces import ladder

__all__ = ["Rung", "SizePoint", "holland_index", "index_by_size", "ladder_figure", "reference_ladder", "size_figure"]

#: Every quadruple up to so many points; the number of them grows with the fourth power.
EXACT_POINTS = 64
#: Random triples beyond, each with every fourth point.
TRIPLES = 4000
SIZES = (16, 32, 64, 128, 256, 512, 1024, 2048)


@dataclass(frozen=True)
class Rung:
    """A reference space of the ladder, or the tokens themselves: Holland's index of as many points."""

    name: str
    treelike: bool | None
    holland: float


@dataclass(frozen=True)
class SizePoint:
    """Random tokens, n of them: relative δ from the first as base, and Holland's index."""

    n: int
    relative_delta: float
    holland: float


def holland_index(distances: Float64[np.ndarray, "n n"], rng: np.random.Generator) -> float:
    """Holland's index, over all quadruples up to `EXACT_POINTS` points and over a sample of them beyond."""
    samples = None if len(distances) <= EXACT_POINTS else TRIPLES
    return delta_plot(distances, samples=samples, rng=rng).mean


def reference_ladder(indices: dict[str, float], n: int, dimension: int, rng: np.random.Generator) -> tuple[Rung, ...]:
    """The indices of sets of n tokens among spaces of as many points whose nature is known, from tree to noise."""
    space_rng, triple_rng = rng.spawn(2)
    rungs = [Rung(name, None, holland) for name, holland in indices.items()]
    spaces = [space for space in ladder(n, dimension, space_rng) if len(space.distances) >= 4]
    rungs += [Rung(space.name, space.treelike, holland_index(space.distances, triple_rng)) for space in spaces]
    return tuple(sorted(rungs, key=lambda rung: rung.holland))


def index_by_size(
    inputs: ScanInputs, usable: Int64[np.ndarray, " u"], rng: np.random.Generator
) -> tuple[SizePoint, ...]:
    """Relative δ and Holland's index of more and more random rows."""
    order = rng.permutation(usable)
    sizes = []
    for n in SIZES:
        if n > len(order):
            break
        distances = euclidean_distances(vectors_of(inputs, order[:n]))
        holland = holland_index(distances, rng)
        relative = delta_basepoint(distances).relative
        if math.isfinite(relative):
            sizes.append(SizePoint(n, relative, holland))
    return tuple(sizes)


def ladder_figure(rungs: tuple[Rung, ...], n_tokens: int) -> Figure:
    """Every rung's index, trees apart from the rest."""
    kinds: dict[bool | None, tuple[str, Role]] = {
        None: ("these tokens", "data"),
        True: ("made from a tree", "alternative"),
        False: ("no tree", "muted"),
    }
    names = tuple(rung.name for rung in rungs)
    layers: list[Layer] = [Forest(names, (), (), (), "", "muted")]
    for kind, (label, role) in kinds.items():
        mine = [(rung.holland, float(row)) for row, rung in enumerate(rungs) if rung.treelike is kind]
        size = 7.0 if kind is None else 5.0
        layers.append(Points(floats(x for x, _ in mine), floats(y for _, y in mine), label, role, size))
    return Figure(
        "ladder",
        "Holland's index from tree to noise",
        f"Sets of {n_tokens} tokens of the vocabulary and of the prompts, among spaces of as many points whose "
        "nature is known. A plane, a grid and clusters stand low too: the place on the ladder is no proof by itself.",
        Axis("Holland's index: 0 tree, near 0.5 noise", limits=(-0.02, 0.55)),
        Axis(""),
        tuple(layers),
    )


def size_figure(sizes: tuple[SizePoint, ...]) -> Figure:
    """Relative δ and Holland's index over the number of tokens."""
    n = floats(point.n for point in sizes)
    return Figure(
        "sizes",
        "What the number of points does",
        "Random tokens of the vocabulary, more and more of them. Relative δ is a maximum and grows; Holland's index is "
        "a mean and stays.",
        Axis("number of tokens", "log"),
        Axis("statistic"),
        (
            Line(n, floats(point.holland for point in sizes), "Holland's index", "data"),
            Points(n, floats(point.holland for point in sizes), "", "data", 4.0),
            Line(n, floats(point.relative_delta for point in sizes), "relative δ", "null"),
            Points(n, floats(point.relative_delta for point in sizes), "", "null", 4.0),
        ),
    )
