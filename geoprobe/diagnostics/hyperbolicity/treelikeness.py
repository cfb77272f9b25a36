"""Are tokens more tree-like than what explains them otherwise? Holland's index of prompts and of sets of tokens.

Low relative δ cannot tell a tree from a cloud in many dimensions; the four-point condition read quadruple by quadruple
can (Holland et al. 2002). It is no proof by itself: what tells is the distance to the right null, and whether a tree is
the best account of the tokens, not only a better one than none.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float64, Int64

from geoprobe.compact import Compact
from geoprobe.data import ScanInputs
from geoprobe.diagnostics.hyperbolicity.against_null import NullTest, check_draws, corrected, null_test
from geoprobe.diagnostics.hyperbolicity.curved_fit import CurvedFit, fit_spaces
from geoprobe.diagnostics.hyperbolicity.ladder import Rung, SizePoint, index_by_size, reference_ladder
from geoprobe.diagnostics.hyperbolicity.nesting import Nesting, measure_nesting
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
from geoprobe.stats.hyperbolicity.four_point_batch import holland_of_sets
from geoprobe.stats.nulls import token_classes
from geoprobe.stats.nulls.elliptical import EllipticalNull, elliptical_null
from geoprobe.stats.resampling import bootstrap_mean, student_mean
from geoprobe.stats.threads import run_tasks

#: Distinct tokens of a prompt that are tested: thousands of draws are read quadruple by quadruple.
PROMPT_POINTS = 40
#: Memory for the vectors of every seen token; a larger vocabulary is read anew for each draw.
_POOL_BYTES = 128 << 20
#: Tokens of a set that are embedded in curved spaces, and the dimension of these.
_FIT_POINTS, _FIT_DIMENSION = 24, 4
#: Tests that are corrected together.
TESTS = 4

ROTATED = "covariance and norms kept"
MATCHED = "other tokens of equal frequency"


@dataclass(frozen=True)
class TreeLikeness(Compact):
    """Tests against nulls, the ladder, and what the number of points does.

    The tests are corrected together. `null` is Holland's index, mean over the sets of random tokens, on each draw that
    keeps covariance and norms (in older reports over the prompts); the ladder goes from tree to noise; `sizes` are
    random tokens at several n; `others` the same clouds by T and under other metrics; `fits` embeddings of the sets in
    flat and curved spaces; `nesting` says whether a tree is the best account. The last two are empty where there are
    too few tokens or dimensions. There are at most as many sets of prompts' tokens as of random ones.
    """

    tests: tuple[NullTest, ...]
    n_prompts: int
    n_tokens: int
    null: tuple[float, ...]
    ladder: tuple[Rung, ...]
    sizes: tuple[SizePoint, ...]
    others: tuple[OtherMeasure, ...] = ()
    fits: tuple[CurvedFit, ...] = ()
    nesting: tuple[Nesting, ...] = ()
    n_sets: int = 1

    def test(self, subject: str, statistic: Literal["Holland", "NJ*"], null: str) -> NullTest:
        """One of the tests; a KeyError where it was not made."""
        return {(test.subject, test.statistic, test.null): test for test in self.tests}[subject, statistic, null]

    @property
    def vocabulary_nesting(self) -> Nesting | None:
        """Whether a tree is the best account of random tokens; None where that was not measured."""
        return next((each for each in self.nesting if each.subject == "random tokens"), None)


def measure(
    inputs: ScanInputs,
    prompts: Sequence[Int64[np.ndarray, " _"]],
    *,
    n_tokens: int,
    sets: int,
    nested_sets: int,
    replicates: int,
    rng: np.random.Generator,
    other_draws: int = 0,
    fit_draws: int = 0,
) -> TreeLikeness:
    """Test prompts and token sets against their nulls, and ask whether a tree is the best account.

    Each prompt has at least four distinct tokens, and is cut to its first `PROMPT_POINTS`; there are `sets` sets of
    `n_tokens`, or as many as were seen; each null is drawn `replicates` times, or until it is clear. Other metrics, and
    embeddings in curved spaces, are measured where they have draws; what is tested does not depend on them.
    """
    check_draws(replicates, TESTS)
    tokens_rng, prompt_rng, ladder_rng, size_rng, *set_rngs = rng.spawn(6)
    other_rng, fit_rng, nesting_rng = rng.spawn(3)
    usable = usable_rows(inputs)
    kinds = {"random tokens": usable, "prompt tokens": usable[inputs.counts[usable] > 0]}
    n = min(n_tokens, *(drawable(inputs, rows) for rows in kinds.values()))
    chosen = {
        name: draw_rows(inputs, rows, n * min(sets, drawable(inputs, rows) // n), tokens_rng)
        for name, rows in kinds.items()
    }
    pools = {name: vectors_of(inputs, rows) for name, rows in chosen.items()}
    drafts = [
        _set_test(name, pool, n, replicates, each) for (name, pool), each in zip(pools.items(), set_rngs, strict=True)
    ]
    drafts += _prompt_tests(inputs, usable, prompts, replicates, prompt_rng)
    nesting = (
        measure_nesting(inputs, name, rows, nested_sets, stream)
        for (name, rows), stream in zip(kinds.items(), nesting_rng.spawn(len(kinds)), strict=True)
    )
    others = {
        "prompts": [vectors_of(inputs, first_distinct(ids, PROMPT_POINTS)) for ids in prompts],
        **{name: [pool[:n]] for name, pool in pools.items()},
    }
    few = {name: thinned(pool, _FIT_POINTS) for name, pool in pools.items()}
    fitted = {name: of for name, of in few.items() if len(of) >= _FIT_DIMENSION + 2 and np.ptp(of, axis=0).any()}
    return TreeLikeness(
        tests=corrected([test for test, _ in drafts]),
        n_prompts=len(prompts),
        n_tokens=n,
        null=floats(drafts[0][1]),
        ladder=reference_ladder(
            {test.subject: test.observed for test, _ in drafts[: len(pools)]}, n, inputs.embedding.dimension, ladder_rng
        ),
        sizes=index_by_size(
            inputs, usable if inputs.embedding.weights is None else np.sort(chosen["random tokens"]), size_rng
        ),
        others=measure_otherwise(others, other_draws, other_rng) if other_draws else (),
        fits=fit_spaces(fitted, _FIT_DIMENSION, fit_draws, fit_rng) if fit_draws else (),
        nesting=tuple(each for each in nesting if each is not None),
        n_sets=len(chosen["random tokens"]) // n,
    )


def null_index(
    null: EllipticalNull, places: Sequence[Int64[np.ndarray, " _"]], rng: np.random.Generator
) -> Callable[[int], Float64[np.ndarray, " batch"]]:
    """What draws Holland's index, mean over sets of places in the null's points, all sets of one draw together."""

    def draw(count: int) -> Float64[np.ndarray, " batch"]:
        return np.array(
            run_tasks(lambda stream: holland_of_sets(null.draw(1, stream)[0], places).mean(), rng.spawn(count))
        )

    return draw


def _set_test(
    name: str, pool: Float64[np.ndarray, "m d"], n: int, draws: int, rng: np.random.Generator
) -> tuple[NullTest, Float64[np.ndarray, " drawn"]]:
    """Sets of n tokens each; covariance is that of all of them, as one set is too few to know it."""
    places = [np.arange(start, start + n) for start in range(0, len(pool), n)]
    observed = holland_of_sets(pool, places)
    null = elliptical_null(pool)
    return null_test(name, ROTATED, observed, null_index(null, places, rng), draws, student_mean(observed))


def _prompt_tests(
    inputs: ScanInputs,
    usable: Int64[np.ndarray, " u"],
    prompts: Sequence[Int64[np.ndarray, " _"]],
    draws: int,
    rng: np.random.Generator,
) -> list[tuple[NullTest, Float64[np.ndarray, " drawn"]]]:
    """Prompts share tokens, and so do a draw's: one vector, or one other token, for a token wherever it stands."""
    distinct = [first_distinct(ids, PROMPT_POINTS) for ids in prompts]
    tokens, place = np.unique(np.concatenate(distinct), return_inverse=True)
    places = np.split(place.ravel(), np.cumsum([len(ids) for ids in distinct])[:-1])
    points = vectors_of(inputs, tokens)
    holland = holland_of_sets(points, places)
    excluded = np.ones(inputs.embedding.size, dtype=np.bool_)
    excluded[usable] = False
    classes = token_classes(inputs.counts, excluded=excluded)
    # what may be drawn is read once where it fits: tokens of a prompt are seen, and so are those of their classes
    pool = np.flatnonzero(inputs.counts > 0)
    kept = vectors_of(inputs, pool) if pool.size * inputs.embedding.dimension * 8 <= _POOL_BYTES else None
    rotation_rng, matching_rng, interval_rng = rng.spawn(3)

    def matched(count: int) -> Float64[np.ndarray, " batch"]:
        def index(drawn: Int64[np.ndarray, " t"]) -> float:
            others = vectors_of(inputs, drawn) if kept is None else kept[np.searchsorted(pool, drawn)]
            return float(holland_of_sets(others, places).mean())

        return np.array(run_tasks(index, [classes.match(tokens, matching_rng) for _ in range(count)]))

    interval = bootstrap_mean(holland, interval_rng) if holland.size > 1 else None
    rotated = null_index(elliptical_null(points), places, rotation_rng)
    return [
        null_test("prompts", ROTATED, holland, rotated, draws, interval),
        null_test("prompts", MATCHED, holland, matched, draws, interval),
    ]
