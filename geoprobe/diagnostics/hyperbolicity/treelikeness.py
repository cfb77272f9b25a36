"""Are tokens more tree-like than matched nulls? Holland's index and NJ* of prompts and of token sets.

Low relative δ cannot tell a tree from a cloud in many dimensions; the four-point condition read quadruple by quadruple
can (Holland et al. 2002), and so can the share of the distances that a tree explains beyond a star. Neither is proof by
itself: what tells is the distance to the right null.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Literal

import numpy as np
from jaxtyping import Float64, Int64

from geoprobe.compact import Compact
from geoprobe.data import ScanInputs
from geoprobe.diagnostics.hyperbolicity.curved_fit import CurvedFit, fit_spaces
from geoprobe.diagnostics.hyperbolicity.ladder import Rung, SizePoint, holland_index, index_by_size, reference_ladder
from geoprobe.diagnostics.hyperbolicity.other_metrics import OtherMeasure, measure_otherwise
from geoprobe.diagnostics.hyperbolicity.points import (
    draw_rows,
    drawable,
    first_distinct,
    thinned,
    usable_rows,
    vectors_of,
)
from geoprobe.figure import floats
from geoprobe.results import Table
from geoprobe.stats.hyperbolicity import euclidean_distances, four_point_batch, nj_star, nj_star_batch
from geoprobe.stats.multiplicity import holm
from geoprobe.stats.nulls import gaussian_points, reduced_points, row_rotation, token_classes
from geoprobe.stats.nulls.clusters import cluster_labels, cluster_rotation
from geoprobe.stats.resampling import monte_carlo_test

__all__ = [
    "PROMPT_POINTS",
    "NullTest",
    "TreeLikeness",
    "measure",
    "test_table",
]

CLUSTERS = 10
#: Distinct tokens of a prompt that are tested: thousands of draws are read quadruple by quadruple.
PROMPT_POINTS = 40
#: Memory for the vectors of every seen token; a larger vocabulary is read anew for each draw.
POOL_BYTES = 128 << 20
#: Memory for the clouds that are handed over in one call.
DRAWN_BYTES = 64 << 20
#: Tokens of a set that are measured under other metrics.
OTHER_POINTS = 64
#: Tokens of a set that are embedded in curved spaces, and the dimension of these.
FIT_POINTS, FIT_DIMENSION = 24, 4


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
class TreeLikeness(Compact):
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

    def test(self, subject: str, statistic: Literal["Holland", "NJ*"], null: str) -> NullTest:
        """One of the tests; a KeyError where it was not made."""
        return {(test.subject, test.statistic, test.null): test for test in self.tests}[subject, statistic, null]


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
    other_draws: int = 0,
    fit_draws: int = 0,
) -> TreeLikeness:
    """Test prompts and token sets against their nulls.

    Each prompt has at least four distinct tokens, and is cut to its first `PROMPT_POINTS`; a set has `n_tokens`, or as
    many as were seen; each null is drawn `replicates` times. Other metrics, and embeddings in curved spaces, are
    measured where they have draws; what is tested does not depend on them.
    """
    tokens_rng, prompt_rng, ladder_rng, size_rng, *set_rngs = rng.spawn(6)
    other_rng, fit_rng = rng.spawn(2)
    usable = usable_rows(inputs)
    seen = usable[inputs.counts[usable] > 0]
    n = min(n_tokens, *(drawable(inputs, rows) for rows in (usable, seen)))
    random_rows = np.sort(draw_rows(inputs, usable, n, tokens_rng))
    prompt_rows = np.sort(draw_rows(inputs, seen, n, tokens_rng))
    sets = {"random tokens": vectors_of(inputs, random_rows), "prompt tokens": vectors_of(inputs, prompt_rows)}
    drafts = _prompt_tests(inputs, usable, prompts, replicates, prompt_rng)
    for (name, points), stream in zip(sets.items(), set_rngs, strict=True):
        drafts += _set_tests(name, points, replicates, stream)
    others = {
        "prompts": [vectors_of(inputs, first_distinct(ids, PROMPT_POINTS)) for ids in prompts],
        **{name: [thinned(points, OTHER_POINTS)] for name, points in sets.items()},
    }
    few = {name: thinned(points, FIT_POINTS) for name, points in sets.items()}
    fitted = {name: of for name, of in few.items() if len(of) >= FIT_DIMENSION + 2 and np.ptp(of, axis=0).any()}
    return TreeLikeness(
        tests=_corrected([test for test, _ in drafts]),
        n_prompts=len(prompts),
        n_tokens=n,
        null=floats(drafts[0][1]),
        ladder=reference_ladder(sets, inputs.embedding.dimension, ladder_rng),
        sizes=index_by_size(inputs, usable if inputs.embedding.weights is None else random_rows, size_rng),
        others=measure_otherwise(others, other_draws, other_rng) if other_draws else (),
        fits=fit_spaces(fitted, FIT_DIMENSION, fit_draws, fit_rng) if fit_draws else (),
    )


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
    clouds = [_centred(vectors_of(inputs, ids)) for ids in distinct]
    norms: list[np.ndarray] = [np.linalg.norm(cloud, axis=1, keepdims=True) for cloud in clouds]
    holland = four_point_batch(clouds).mean
    dimension = inputs.embedding.dimension
    excluded = np.ones(inputs.embedding.size, dtype=np.bool_)
    excluded[usable] = False
    classes = token_classes(inputs.counts, excluded=excluded)
    # what may be drawn is read once where it fits: tokens of a prompt are seen, and so are those of their classes
    pool = np.flatnonzero(inputs.counts > 0)
    kept = vectors_of(inputs, pool) if pool.size * inputs.embedding.dimension * 8 <= POOL_BYTES else None

    def rotated(i: int, stream: np.random.Generator) -> np.ndarray:
        return row_rotation(clouds[i], stream, keep_norms=True)

    def directions(i: int, stream: np.random.Generator) -> np.ndarray:
        # inner products of Gaussian vectors in few coordinates are distributed as those in d: only lengths change
        drawn = gaussian_points(len(clouds[i]), dimension, stream)
        return np.asarray(drawn / np.linalg.norm(drawn, axis=1, keepdims=True) * norms[i])

    def matched(i: int, stream: np.random.Generator) -> np.ndarray:
        drawn = classes.match(distinct[i], stream)
        return vectors_of(inputs, drawn) if kept is None else kept[np.searchsorted(pool, drawn)]

    nulls = {ROTATED: rotated, MATCHED: matched, DIRECTIONS: directions}
    drafts = []
    for (name, draw), stream in zip(nulls.items(), rng.spawn(len(nulls)), strict=True):
        drawn = (draw(i, stream) for _ in range(replicates) for i in range(len(clouds)))
        holland_drawn, joined_drawn = [], []
        # many clouds in one call keep the threads busy; all in one would not fit where vectors are wide
        while part := list(islice(drawn, max(32, DRAWN_BYTES // (PROMPT_POINTS * dimension * 8)))):
            holland_drawn.append(four_point_batch(part).mean)
            if name == ROTATED:
                joined_drawn.append(nj_star_batch(part))
        means = np.concatenate(holland_drawn).reshape(replicates, -1).mean(axis=1)
        drafts.append(_draft("prompts", "Holland", name, float(holland.mean()), means))
        if name == ROTATED:
            joined = np.concatenate(joined_drawn).reshape(replicates, -1).mean(axis=1)
            drafts.append(_draft("prompts", "NJ*", name, float(nj_star_batch(clouds).mean()), joined))
    return drafts


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
        _draft(name, "Holland", ROTATED, observed, np.array([holland(drawn) for drawn in rotations])),
        _draft(name, "Holland", CLUSTERED, observed, np.array([holland(drawn) for drawn in clustered])),
        _draft(name, "NJ*", ROTATED, nj_star(euclidean_distances(cloud)), nj_star_batch(rotations)),
    ]


def _draft(
    subject: str, statistic: Literal["Holland", "NJ*"], null: str, observed: float, drawn: Float64[np.ndarray, " r"]
) -> tuple[NullTest, Float64[np.ndarray, " r"]]:
    """The test, not yet corrected, and the draws."""
    test = monte_carlo_test(observed, drawn, "less" if statistic == "Holland" else "greater")
    figures = (observed, test.null_mean, test.null_sd, test.z, test.pvalue)
    return NullTest(subject, statistic, null, *figures, holm=test.pvalue), drawn


def _corrected(tests: Sequence[NullTest]) -> tuple[NullTest, ...]:
    corrected = holm([test.pvalue for test in tests])
    return tuple(replace(test, holm=value) for test, value in zip(tests, corrected, strict=True))


def test_table(tests: tuple[NullTest, ...]) -> Table:
    """Every test as a row."""
    return Table(
        "tests",
        "More tree-like than what?",
        ("tokens", "statistic", "null", "observed", "null mean", "z", "p", "p, corrected"),
        tuple((t.subject, t.statistic, t.null, t.observed, t.null_mean, t.z, t.pvalue, t.holm) for t in tests),
        "Holland's index is 0 for a tree and near 0.5 for noise; NJ*, the share of the distances that a "
        "neighbour-joining tree explains beyond a star, is 1 for a tree and about 0 for noise. p is one-sided "
        "towards a tree; corrected after Holm over all rows.",
    )
