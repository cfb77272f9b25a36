"""One layer's hidden states: the paper's δ and Holland's index, each beside its null.

The first token of a prompt is an attention sink in many models: its state is a hundred times longer than the others. δ
from that token as base point is then nearly 0 whatever the others do, since every distance from it is nearly the same
and the diameter ends at it. So δ is given without it too, and Holland's index is of the other tokens.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, Int64

from geoprobe.compact import Compact
from geoprobe.diagnostics.hyperbolicity.against_null import LEVEL, MARGIN
from geoprobe.diagnostics.hyperbolicity.treelikeness import PROMPT_POINTS, null_index
from geoprobe.figure import floats
from geoprobe.stats.hyperbolicity import delta_basepoint_batch, euclidean_distances, four_point_batch
from geoprobe.stats.nulls import delta_basepoint_gaussian_null, token_classes
from geoprobe.stats.nulls.elliptical import elliptical_null
from geoprobe.stats.resampling import bootstrap_mean, draw_until_clear, monte_carlo_pvalue, monte_carlo_test

#: Number to that many draws of a statistic.
Draw = Callable[[int], Float64[np.ndarray, " batch"]]
#: Draws of δ's null, which decides nothing.
_DELTA_DRAWS = 199
#: A first state so many times longer than the others is called a sink.
_SINK = 3.0


@dataclass(frozen=True)
class StatesTest(Compact):
    """Holland's index of one layer against one null.

    The null is the mean over the prompts on each draw: fewer than asked for where it was clear earlier; z is None where
    they do not vary. p is one-sided Monte Carlo towards a tree, `holm` corrected over all layers and nulls; `margin` is
    how far the index lies below the null's mean, None in older reports.
    """

    null: tuple[float, ...]
    null_mean: float
    z: float | None
    pvalue: float
    holm: float
    margin: float | None = None

    @property
    def more_treelike(self) -> bool:
        """Whether the states are more tree-like than the null: at level 0.05 over all tests, and by the margin."""
        return self.holm <= LEVEL and (self.margin is None or self.margin >= MARGIN)


@dataclass(frozen=True)
class LayerStates:
    """Prompts' states at one layer.

    Layer 0 is the embedding; the last is what leaves the model. δ is relative, from the first token, over prompts,
    beside its mean on random directions with the same norms, and p that these are as low; `delta_rest` is without the
    first token, from the second. Holland's index is of the tokens behind the first, mean over prompts, with its 95%
    interval, against draws that keep each prompt's covariance and norms (`rotated`), and against as many states of
    other prompts (`mixed`). `first_norm` is the norm of the first token's state over the mean norm of the others',
    median over prompts.
    """

    layer: int
    delta: float
    delta_sd: float
    delta_null: float
    delta_pvalue: float
    delta_rest: float
    holland: float
    low: float
    high: float
    rotated: StatesTest
    mixed: StatesTest
    first_norm: float

    @property
    def has_sink(self) -> bool:
        """Whether the first token's state dwarfs the others, so that δ is about it alone."""
        return self.first_norm >= _SINK


def measure_layer(
    layer: int, clouds: Sequence[Float64[np.ndarray, "_ d"]], draws: int, rng: np.random.Generator
) -> LayerStates:
    """The states (tokens, d) of several prompts, at least five tokens each; p are not yet corrected."""
    gaussian_rng, rotation_rng, interval_rng, mixing_rng = rng.spawn(4)
    relative = delta_basepoint_batch(clouds).relative
    directions = _norm_null(clouds, min(draws, _DELTA_DRAWS), gaussian_rng)
    heads = [_behind_the_first(cloud) for cloud in clouds]
    holland = four_point_batch(heads).mean
    low, high = bootstrap_mean(holland, interval_rng)
    observed = float(holland.mean())
    norms = [np.linalg.norm(cloud, axis=1) for cloud in clouds]
    return LayerStates(
        layer=layer,
        delta=float(relative.mean()),
        delta_sd=float(relative.std(ddof=1)),
        delta_null=float(directions.mean()),
        delta_pvalue=monte_carlo_pvalue(float(relative.mean()), directions, "less"),
        delta_rest=float(delta_basepoint_batch([cloud[1:] for cloud in clouds]).relative.mean()),
        holland=observed,
        low=low,
        high=high,
        rotated=_test(observed, _rotated(heads, rotation_rng), draws),
        mixed=_test(observed, _mixed(heads, mixing_rng), draws),
        first_norm=float(np.median([of[0] / max(of[1:].mean(), 1e-300) for of in norms])),
    )


def _test(observed: float, draw: Draw, draws: int) -> StatesTest:
    null = draw_until_clear(observed, draw, draws, level=LEVEL)
    test = monte_carlo_test(observed, null, "less")
    return StatesTest(floats(null), test.null_mean, test.z, test.pvalue, test.pvalue, test.null_mean - observed)


def _norm_null(
    clouds: Sequence[Float64[np.ndarray, "_ d"]], draws: int, rng: np.random.Generator
) -> Float64[np.ndarray, " draws"]:
    """Relative δ, mean over prompts, of random directions with the states' distances from their mean."""
    mean = np.concatenate([cloud[1:] for cloud in clouds]).mean(axis=0)  # a sink would pull it
    # at layer 0 a repeated token is one point, and δ grows with their number
    norms = [
        np.linalg.norm(cloud[np.sort(np.unique(cloud, axis=0, return_index=True)[1])] - mean, axis=1)
        for cloud in clouds
    ]
    sizes = [len(each) for each in norms]
    relative = delta_basepoint_gaussian_null(sizes, clouds[0].shape[1], draws, rng, norms=norms)
    means: Float64[np.ndarray, " draws"] = relative.mean(axis=1)
    return means


def _rotated(heads: Sequence[Float64[np.ndarray, "_ d"]], rng: np.random.Generator) -> Draw:
    """Draws of Holland's index, mean over prompts, that keep covariance and norms.

    Of each prompt's own states, or of all prompts' where they share states, as at layer 0 tokens: a state that several
    prompts share is one point of a draw too.
    """
    points, places = _together(heads)
    if len(points) < sum(map(len, heads)):
        return null_index(elliptical_null(points), places, rng)
    nulls = [elliptical_null(head) for head in heads]

    def draw(count: int) -> Float64[np.ndarray, " batch"]:
        clouds = [cloud for null in nulls for cloud in null.draw(count, rng)]
        means: Float64[np.ndarray, " batch"] = four_point_batch(clouds).mean.reshape(-1, count).mean(axis=0)
        return means

    return draw


def _mixed(heads: Sequence[Float64[np.ndarray, "_ d"]], rng: np.random.Generator) -> Draw:
    """Draws of Holland's index, mean over prompts, with every state exchanged for one of any prompt.

    A state that several prompts share is exchanged in all of them at once, for one that about as many share.
    """
    points, places = _together(heads)
    distances = euclidean_distances(points)
    classes = token_classes(np.bincount(np.concatenate(places), minlength=len(points)))
    everyone = np.arange(len(points))

    def draw(count: int) -> Float64[np.ndarray, " batch"]:
        exchanged = [classes.match(everyone, rng) for _ in range(count)]
        parts = [distances[np.ix_(drawn[rows], drawn[rows])] for drawn in exchanged for rows in places]
        means: Float64[np.ndarray, " batch"] = (
            four_point_batch(parts, precomputed=True).mean.reshape(count, -1).mean(axis=1)
        )
        return means

    return draw


def _together(
    heads: Sequence[Float64[np.ndarray, "_ d"]],
) -> tuple[Float64[np.ndarray, "m d"], list[Int64[np.ndarray, " _"]]]:
    """The different states of all prompts, and where each prompt's are among them."""
    points, point = np.unique(np.concatenate(heads), axis=0, return_inverse=True)
    return points, np.split(point.ravel(), np.cumsum([len(head) for head in heads])[:-1])


def _behind_the_first(cloud: Float64[np.ndarray, "n d"]) -> Float64[np.ndarray, "m d"]:
    """The different states behind the first token: at layer 0 a repeated token is one point."""
    _, first = np.unique(cloud[1:], axis=0, return_index=True)
    return cloud[1:][np.sort(first)[:PROMPT_POINTS]]
