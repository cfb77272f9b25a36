"""Are tokens more tree-like than matched nulls? Holland's index and NJ* of prompts and of token sets.

Low relative δ cannot tell a tree from a cloud in many dimensions; the four-point condition read quadruple by quadruple
can (Holland et al. 2002), and so can the share of the distances that a tree explains beyond a star. Neither is proof by
itself: what tells is the distance to the right null.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Literal

import numpy as np
from jaxtyping import Float, Float64, Int64

from geoprobe.data import ScanInputs
from geoprobe.diagnostics.hyperbolicity.curved_fit import CurvedFit, fit_spaces
from geoprobe.diagnostics.hyperbolicity.other_metrics import OtherMeasure, measure_otherwise
from geoprobe.figure import floats
from geoprobe.stats.hyperbolicity import (
    delta_basepoint,
    delta_plot,
    euclidean_distances,
    four_point_batch,
    nj_star,
    nj_star_batch,
)
from geoprobe.stats.multiplicity import holm
from geoprobe.stats.nulls import gaussian_points, reduced_points, row_rotation, token_classes
from geoprobe.stats.nulls.clusters import cluster_labels, cluster_rotation
from geoprobe.stats.resampling import monte_carlo_pvalue
from geoprobe.stats.spaces import ladder

__all__ = [
    "PROMPT_POINTS",
    "NullTest",
    "Rung",
    "SizePoint",
    "TreeLikeness",
    "drawable",
    "first_distinct",
    "holland_index",
    "measure",
    "usable_rows",
]

CLUSTERS = 10
#: Every quadruple up to so many points; the number of them grows with the fourth power.
EXACT_POINTS = 64
#: Distinct tokens of a prompt that are held against the nulls: thousands of draws are read quadruple by quadruple.
PROMPT_POINTS = 40
#: Memory for the vectors of every seen token; a larger vocabulary is read anew for each draw.
POOL_BYTES = 128 << 20
#: Memory for the clouds that are handed over in one call.
DRAWN_BYTES = 64 << 20
#: Random triples beyond, each with every fourth point.
TRIPLES = 4000
#: Draws of the null under other metrics, and tokens of a set that are held against them.
OTHER_DRAWS, OTHER_POINTS = 49, 64
#: Tokens of a set that are embedded in curved spaces, dimension of these, and draws of the null.
FIT_POINTS, FIT_DIMENSION, FIT_DRAWS = 24, 4, 19
Points = Float[np.ndarray, "n k"]
Draw = Callable[[int, np.random.Generator], Sequence[np.ndarray]]


@dataclass(frozen=True)
class NullTest:
    """One statistic of one set of tokens against one null.

    Parameters
    ----------
    subject : str
        ``prompts``, ``random tokens`` or ``prompt tokens``.
    statistic : str
        ``Holland`` (0 for a tree, near 0.5 for noise) or ``NJ*`` (1 for a tree, about 0 for noise).
    null : str
        What was drawn.
    observed, null_mean, null_sd : float
        The statistic, and mean and standard deviation under the null.
    z : float or None
        (observed - mean) / sd; None where the null does not vary.
    pvalue, holm : float
        One-sided Monte-Carlo p towards a tree, and after Holm's correction over all tests of the report.
    """

    subject: str
    statistic: Literal["Holland", "NJ*"]
    null: str
    observed: float
    null_mean: float
    null_sd: float
    z: float | None
    pvalue: float
    holm: float

    @property
    def more_treelike(self) -> bool:
        """Whether the tokens are more tree-like than the null, at level 0.05 over all tests."""
        return self.holm <= 0.05


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


@dataclass(frozen=True)
class TreeLikeness:
    """Tests against nulls, the ladder, and what the number of points does.

    Parameters
    ----------
    tests : tuple of NullTest
        Corrected together.
    n_prompts, n_tokens : int
        Prompts tested, and tokens in each set.
    null : tuple of float
        Holland's index, mean over the prompts, on each draw that keeps covariance and norms.
    ladder : tuple of Rung
        From tree to noise, the tokens among them.
    sizes : tuple of SizePoint
        Random tokens at several n.
    others : tuple of OtherMeasure
        The same clouds by T and under other metrics.
    fits : tuple of CurvedFit
        Embeddings of the token sets in flat and curved spaces; none where there are too few tokens.
    """

    tests: tuple[NullTest, ...]
    n_prompts: int
    n_tokens: int
    null: tuple[float, ...]
    ladder: tuple[Rung, ...]
    sizes: tuple[SizePoint, ...]
    others: tuple[OtherMeasure, ...] = ()
    fits: tuple[CurvedFit, ...] = ()

    def test(self, subject: str, statistic: str, null: str) -> NullTest:
        """One of the tests.

        Raises
        ------
        KeyError
            When it was not made.
        """
        wanted = (subject, statistic, null)
        for each in self.tests:
            if (each.subject, each.statistic, each.null) == wanted:
                return each
        raise KeyError(f"no test of {subject} by {statistic} against {null}")


ROTATED = "covariance and norms kept"
CLUSTERED = "clusters kept"
MATCHED = "other tokens of equal frequency"
DIRECTIONS = "random directions, norms kept"


def measure(
    inputs: ScanInputs,
    prompts: Sequence[Int64[np.ndarray, " _"]],
    *,
    n_tokens: int,
    replicates: int,
    rng: np.random.Generator,
) -> TreeLikeness:
    """Test prompts and token sets against their nulls.

    Parameters
    ----------
    inputs : ScanInputs
        The embedding and the counts.
    prompts : sequence of array of int
        The prompts to test, each with at least four distinct tokens; cut to their first `PROMPT_POINTS`.
    n_tokens : int
        Tokens in each set; fewer where fewer were seen.
    replicates : int
        Draws of each null.
    rng : numpy.random.Generator
        Spawned once a null.
    """
    tokens_rng, prompt_rng, ladder_rng, size_rng, *set_rngs = rng.spawn(6)
    other_rng, fit_rng = rng.spawn(2)
    usable = usable_rows(inputs)
    seen = usable[inputs.counts[usable] > 0]
    n = min(n_tokens, *(drawable(inputs, rows) for rows in (usable, seen)))
    random_rows = np.sort(_draw(inputs, usable, n, tokens_rng))
    prompt_rows = np.sort(_draw(inputs, seen, n, tokens_rng))
    points = {"random tokens": _vectors(inputs, random_rows), "prompt tokens": _vectors(inputs, prompt_rows)}
    drafts = _prompt_tests(inputs, usable, prompts, replicates, prompt_rng)
    for (name, vectors), stream in zip(points.items(), set_rngs, strict=True):
        drafts += _set_tests(name, vectors, replicates, stream)
    thinned = {name: _thinned(vectors, FIT_POINTS) for name, vectors in points.items()}
    return TreeLikeness(
        tests=_holm([test for test, _ in drafts]),
        n_prompts=len(prompts),
        n_tokens=n,
        null=floats(drafts[0][1]),
        ladder=_ladder(points, inputs.embedding.dimension, ladder_rng),
        sizes=_sizes(inputs, usable if inputs.embedding.weights is None else random_rows, size_rng),
        others=measure_otherwise(
            {
                "prompts": [_vectors(inputs, first_distinct(ids, PROMPT_POINTS)) for ids in prompts],
                **{name: [_thinned(vectors, OTHER_POINTS)] for name, vectors in points.items()},
            },
            OTHER_DRAWS,
            other_rng,
        ),
        fits=fit_spaces(
            {name: few for name, few in thinned.items() if len(few) >= FIT_DIMENSION + 2 and np.ptp(few, axis=0).any()},
            FIT_DIMENSION,
            FIT_DRAWS,
            fit_rng,
        ),
    )


def holland_index(distances: Float64[np.ndarray, "n n"], rng: np.random.Generator) -> float:
    """Holland's index, over all quadruples up to `EXACT_POINTS` points and over a sample of them beyond."""
    samples = None if len(distances) <= EXACT_POINTS else TRIPLES
    return delta_plot(distances, samples=samples, rng=rng).mean


def usable_rows(inputs: ScanInputs) -> Int64[np.ndarray, " u"]:
    """Rows of ordinary tokens with finite vectors."""
    table = inputs.embedding
    return np.flatnonzero(table.named & table.finite & ~table.special)


def drawable(inputs: ScanInputs, rows: Int64[np.ndarray, " u"]) -> int:
    """How many of these rows can be drawn so that each of the table's is as likely as another."""
    if inputs.embedding.weights is None:
        return len(rows)
    weights = inputs.embedding.weights[rows]
    return int(weights.sum() / weights.max())


def _draw(
    inputs: ScanInputs, rows: Int64[np.ndarray, " u"], n: int, rng: np.random.Generator
) -> Int64[np.ndarray, " n"]:
    """Rows without replacement; of a sampled table each as often as the rows it stands for (systematically)."""
    if inputs.embedding.weights is None:
        return np.asarray(rng.choice(rows, n, replace=False))
    order = rng.permutation(rows)
    reach = np.cumsum(inputs.embedding.weights[order])
    steps = (rng.random() + np.arange(n)) * reach[-1] / n
    return np.asarray(order[np.searchsorted(reach, steps, side="right").clip(max=len(order) - 1)])


def _vectors(inputs: ScanInputs, rows: Int64[np.ndarray, " n"]) -> Float64[np.ndarray, "n d"]:
    return inputs.embedding.vectors.take(rows).astype(np.float64)


def first_distinct(ids: Int64[np.ndarray, " _"], limit: int) -> Int64[np.ndarray, " _"]:
    """The first `limit` distinct tokens, in order of appearance."""
    _, first = np.unique(ids, return_index=True)
    return ids[np.sort(first)[:limit]]


def _thinned(points: Float64[np.ndarray, "n d"], limit: int) -> Float64[np.ndarray, "m d"]:
    """At most `limit` rows, evenly spaced."""
    return points[np.linspace(0, len(points) - 1, min(limit, len(points))).astype(np.int64)]


def _centred(points: Float64[np.ndarray, "n d"]) -> Float64[np.ndarray, "n k"]:
    """Points about their mean, in as few coordinates as they need.

    Distances do not see where the origin is, so what a null keeps of the norms must not either: of a Gaussian cloud
    far from the origin, norms about the origin would make a null that it does not pass.
    """
    return reduced_points(points - points.mean(axis=0))


def _prompt_tests(
    inputs: ScanInputs,
    usable: Int64[np.ndarray, " u"],
    prompts: Sequence[Int64[np.ndarray, " _"]],
    replicates: int,
    rng: np.random.Generator,
) -> list[tuple[NullTest, Float64[np.ndarray, " r"]]]:
    distinct = [first_distinct(ids, PROMPT_POINTS) for ids in prompts]
    clouds = [_centred(_vectors(inputs, ids)) for ids in distinct]
    norms: list[np.ndarray] = [np.linalg.norm(cloud, axis=1, keepdims=True) for cloud in clouds]
    holland = four_point_batch(clouds).mean
    dimension = inputs.embedding.dimension
    excluded = np.ones(inputs.embedding.size, dtype=np.bool_)
    excluded[usable] = False
    classes = token_classes(inputs.counts, excluded=excluded)
    # what may be drawn is read once where it fits: tokens of a prompt are seen, and so are those of their classes
    pool = np.flatnonzero(inputs.counts > 0)
    kept = _vectors(inputs, pool) if pool.size * inputs.embedding.dimension * 8 <= POOL_BYTES else None

    def rotated(i: int, stream: np.random.Generator) -> np.ndarray:
        return row_rotation(clouds[i], stream, keep_norms=True)

    def directions(i: int, stream: np.random.Generator) -> np.ndarray:
        # inner products of Gaussian vectors in few coordinates have the law of those in d: only lengths change
        drawn = gaussian_points(len(clouds[i]), dimension, stream)
        return np.asarray(drawn / np.linalg.norm(drawn, axis=1, keepdims=True) * norms[i])

    def matched(i: int, stream: np.random.Generator) -> np.ndarray:
        drawn = classes.match(distinct[i], stream)
        return _vectors(inputs, drawn) if kept is None else kept[np.searchsorted(pool, drawn)]

    nulls = {ROTATED: rotated, MATCHED: matched, DIRECTIONS: directions}
    found = []
    for (name, draw), stream in zip(nulls.items(), rng.spawn(len(nulls)), strict=True):
        drawn = (draw(i, stream) for _ in range(replicates) for i in range(len(clouds)))
        holland_drawn, joined_drawn = [], []
        # many clouds in one call keep the threads busy; all in one would not fit where vectors are wide
        while part := list(islice(drawn, max(32, DRAWN_BYTES // (PROMPT_POINTS * dimension * 8)))):
            holland_drawn.append(four_point_batch(part).mean)
            if name == ROTATED:
                joined_drawn.append(nj_star_batch(part))
        means = np.concatenate(holland_drawn).reshape(replicates, -1).mean(axis=1)
        found.append(_draft("prompts", "Holland", name, float(holland.mean()), means))
        if name == ROTATED:
            joined = np.concatenate(joined_drawn).reshape(replicates, -1).mean(axis=1)
            found.append(_draft("prompts", "NJ*", name, float(nj_star_batch(clouds).mean()), joined))
    return found


def _set_tests(
    name: str, points: Float64[np.ndarray, "n d"], replicates: int, rng: np.random.Generator
) -> list[tuple[NullTest, Float64[np.ndarray, " r"]]]:
    cloud = _centred(points)
    n = len(cloud)
    start_rng, triple_rng, rotation_rng, cluster_rng = rng.spawn(4)
    labels = cluster_labels(cloud, min(CLUSTERS, n), start_rng)

    def holland(of: np.ndarray) -> float:
        return holland_index(euclidean_distances(of), triple_rng)

    rotations = [row_rotation(cloud, rotation_rng, keep_norms=True) for _ in range(replicates)]
    clustered = [cluster_rotation(cloud, labels, cluster_rng) for _ in range(replicates)]
    observed = holland(cloud)
    return [
        _draft(name, "Holland", ROTATED, observed, np.array([holland(each) for each in rotations])),
        _draft(name, "Holland", CLUSTERED, observed, np.array([holland(each) for each in clustered])),
        _draft(name, "NJ*", ROTATED, nj_star(euclidean_distances(cloud)), nj_star_batch(rotations)),
    ]


def _draft(
    subject: str, statistic: Literal["Holland", "NJ*"], null: str, observed: float, drawn: Float64[np.ndarray, " r"]
) -> tuple[NullTest, Float64[np.ndarray, " r"]]:
    mean, spread = float(drawn.mean()), float(drawn.std(ddof=1))
    z = (observed - mean) / spread if spread > 0 else None
    pvalue = monte_carlo_pvalue(observed, drawn, "less" if statistic == "Holland" else "greater")
    return NullTest(subject, statistic, null, observed, mean, spread, z, pvalue, pvalue), drawn


def _holm(tests: Sequence[NullTest]) -> tuple[NullTest, ...]:
    corrected = holm([test.pvalue for test in tests])
    return tuple(replace(test, holm=value) for test, value in zip(tests, corrected, strict=True))


def _ladder(points: dict[str, np.ndarray], dimension: int, rng: np.random.Generator) -> tuple[Rung, ...]:
    n = len(next(iter(points.values())))
    space_rng, triple_rng = rng.spawn(2)
    rungs = [Rung(name, None, holland_index(euclidean_distances(each), triple_rng)) for name, each in points.items()]
    spaces = [space for space in ladder(n, dimension, space_rng) if len(space.distances) >= 4]
    rungs += [Rung(space.name, space.treelike, holland_index(space.distances, triple_rng)) for space in spaces]
    return tuple(sorted(rungs, key=lambda rung: rung.holland))


def _sizes(inputs: ScanInputs, usable: Int64[np.ndarray, " u"], rng: np.random.Generator) -> tuple[SizePoint, ...]:
    order = rng.permutation(usable)
    found = []
    for n in (16, 32, 64, 128, 256, 512, 1024, 2048):
        if n > len(order):
            break
        distances = euclidean_distances(_vectors(inputs, order[:n]))
        holland = holland_index(distances, rng)
        relative = delta_basepoint(distances).relative
        if math.isfinite(relative):
            found.append(SizePoint(n, relative, holland))
    return tuple(found)
