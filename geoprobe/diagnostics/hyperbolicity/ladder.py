"""Holland's index of sets of points: on a ladder from tree to noise, and as their number grows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, Int64

from geoprobe.data import ScanInputs
from geoprobe.diagnostics.hyperbolicity.points import vectors_of
from geoprobe.figure import Axis, Band, Figure, Forest, Layer, Line, Points, Role, floats
from geoprobe.stats.hyperbolicity import delta_basepoint, delta_plot, euclidean_distances
from geoprobe.stats.spaces import ladder

#: Every quadruple up to so many points; the number of them grows with the fourth power.
_EXACT_POINTS = 64
#: Random triples beyond, each with every fourth point.
_TRIPLES = 4000
_SIZES = (16, 32, 64, 128, 256, 512, 1024, 2048)
#: Sets of each size, no more than the points of the largest.
_MOST_SETS = 8


@dataclass(frozen=True)
class Rung:
    """A reference space of the ladder, or the tokens themselves: Holland's index of as many points."""

    name: str
    treelike: bool | None
    holland: float


@dataclass(frozen=True)
class SizePoint:
    """Sets of n random tokens: relative δ from the first as base and Holland's index, means over sets.

    The standard deviations are over sets; None where there is one, as in older reports.
    """

    n: int
    relative_delta: float
    holland: float
    relative_delta_sd: float | None = None
    holland_sd: float | None = None


def holland_index(distances: Float64[np.ndarray, "n n"], rng: np.random.Generator) -> float:
    """Holland's index, over all quadruples up to `_EXACT_POINTS` points and over a sample of them beyond."""
    samples = None if len(distances) <= _EXACT_POINTS else _TRIPLES
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
    for n in _SIZES:
        sets = min(_MOST_SETS, _SIZES[-1] // n, len(order) // n)
        if sets < 1:
            break
        clouds = [euclidean_distances(vectors_of(inputs, ids)) for ids in order[: sets * n].reshape(sets, n)]
        holland = np.array([holland_index(distances, rng) for distances in clouds])
        relative = np.array([delta_basepoint(distances).relative for distances in clouds])
        if np.isfinite(relative).all():
            spread = [float(values.std(ddof=1)) for values in (relative, holland)] if sets > 1 else []
            sizes.append(SizePoint(n, float(relative.mean()), float(holland.mean()), *spread))
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
    layers: list[Layer] = []
    drawn: tuple[tuple[str, str, Role], ...] = (
        ("holland", "Holland's index", "data"),
        ("relative_delta", "relative δ", "null"),
    )
    for name, label, role in drawn:
        mean = floats(getattr(point, name) for point in sizes)
        spread = floats(getattr(point, f"{name}_sd") or 0.0 for point in sizes)
        low, high = (floats(m + side * s for m, s in zip(mean, spread, strict=True)) for side in (-1, 1))
        layers += [Band(n, low, high, "", role), Line(n, mean, label, role), Points(n, mean, "", role, 4.0)]
    return Figure(
        "sizes",
        "What the number of points does",
        "Sets of random tokens of the vocabulary, by their size: means, and one standard deviation. Relative δ "
        "is a maximum and grows with the number of points; Holland's index is a mean and has no need to.",
        Axis("number of tokens", "log"),
        Axis("statistic"),
        tuple(layers),
    )
