"""One layer's hidden states: the paper's δ and Holland's index, each beside its null.

The first token of a prompt is an attention sink in many models: its state is a hundred times longer than the others. δ
from that token as base point is then nearly 0 whatever the others do, since every distance from it is nearly the same
and the diameter ends at it. So δ is given without it too, and Holland's index is of the other tokens.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, Int64

from geoprobe.compact import Compact
from geoprobe.diagnostics.hyperbolicity.treelikeness import PROMPT_POINTS
from geoprobe.figure import floats
from geoprobe.stats.hyperbolicity import delta_basepoint_batch, euclidean_distances, four_point_batch
from geoprobe.stats.nulls import delta_basepoint_gaussian_null, reduced_points, row_rotation
from geoprobe.stats.resampling import bootstrap_mean, monte_carlo_pvalue, monte_carlo_test

__all__ = ["LEVEL", "LayerStates", "StatesTest", "measure_layer"]

LEVEL = 0.05
#: A first state so many times longer than the others is called a sink.
SINK = 3.0


@dataclass(frozen=True)
class StatesTest(Compact):
    """Holland's index of one layer against one null.

    Parameters
    ----------
    null : tuple of float
        Mean over the prompts on each draw.
    null_mean : float
        Of these.
    z : float or None
        In their standard deviations; None where they do not vary.
    pvalue, holm : float
        One-sided Monte-Carlo p towards a tree, and corrected over all layers and nulls.
    """

    null: tuple[float, ...]
    null_mean: float
    z: float | None
    pvalue: float
    holm: float

    @property
    def more_treelike(self) -> bool:
        """Whether the states are more tree-like than the null, at level 0.05 over all tests."""
        return self.holm <= LEVEL


@dataclass(frozen=True)
class LayerStates:
    """Prompts' states at one layer.

    Parameters
    ----------
    layer : int
        0 is the embedding; the last is what leaves the model.
    delta, delta_sd : float
        Relative δ from the first token, mean and standard deviation over prompts.
    delta_null : float
        The same of Gaussian vectors of the same number and width, mean.
    delta_pvalue : float
        Monte-Carlo p that the latter is as low.
    delta_rest : float
        Relative δ of the prompts without their first token, from their second.
    holland, low, high : float
        Holland's index of the tokens behind the first, mean over prompts, with its 95% interval.
    rotated, mixed : StatesTest
        That index against draws that keep each prompt's covariance and norms, and against as many states of other
        prompts.
    first_norm : float
        Norm of the first token's state over the mean norm of the others', median over prompts.
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
        return self.first_norm >= SINK


def measure_layer(
    layer: int, clouds: Sequence[Float64[np.ndarray, "_ d"]], draws: int, rng: np.random.Generator
) -> LayerStates:
    """The states (tokens, d) of several prompts, at least five tokens each; p are not yet corrected."""
    gaussian_rng, rotation_rng, interval_rng, mixing_rng = rng.spawn(4)
    relative = delta_basepoint_batch(clouds).relative
    # at layer 0 a repeated token is one point, and δ grows with their number
    sizes = [len(np.unique(cloud, axis=0)) for cloud in clouds]
    gaussian = delta_basepoint_gaussian_null(sizes, clouds[0].shape[1], draws, gaussian_rng).mean(axis=1)
    heads = [_behind_the_first(cloud) for cloud in clouds]
    reduced = [reduced_points(head - head.mean(axis=0)) for head in heads]
    holland = four_point_batch(reduced).mean
    low, high = bootstrap_mean(holland, interval_rng)
    observed = float(holland.mean())
    rotated = [row_rotation(head, rotation_rng, keep_norms=True) for _ in range(draws) for head in reduced]
    norms = [np.linalg.norm(cloud, axis=1) for cloud in clouds]
    return LayerStates(
        layer=layer,
        delta=float(relative.mean()),
        delta_sd=float(relative.std(ddof=1)),
        delta_null=float(gaussian.mean()),
        delta_pvalue=monte_carlo_pvalue(float(relative.mean()), gaussian, "less"),
        delta_rest=float(delta_basepoint_batch([cloud[1:] for cloud in clouds]).relative.mean()),
        holland=observed,
        low=low,
        high=high,
        rotated=_test(observed, four_point_batch(rotated).mean.reshape(draws, -1).mean(axis=1)),
        mixed=_test(observed, _mixed(heads, draws, mixing_rng)),
        first_norm=float(np.median([of[0] / max(of[1:].mean(), 1e-300) for of in norms])),
    )


def _test(observed: float, null: Float64[np.ndarray, " draws"]) -> StatesTest:
    test = monte_carlo_test(observed, null, "less")
    return StatesTest(floats(null), test.null_mean, test.z, test.pvalue, holm=test.pvalue)


def _mixed(
    heads: Sequence[Float64[np.ndarray, "_ d"]], draws: int, rng: np.random.Generator
) -> Float64[np.ndarray, " draws"]:
    """Holland's index, mean over prompts, with every prompt's states replaced by as many different ones of others.

    A state that several prompts share, as at layer 0 a token's, is drawn by its number of prompts, and once.
    """
    points, point = np.unique(np.concatenate(heads), axis=0, return_inverse=True)
    owner = np.repeat(np.arange(len(heads)), [len(head) for head in heads])
    distances = euclidean_distances(points)
    others = [point.ravel()[owner != own] for own in range(len(heads))]
    drawn = [
        _different(rng.permutation(others[own]), len(head)) for _ in range(draws) for own, head in enumerate(heads)
    ]
    index = four_point_batch([distances[np.ix_(rows, rows)] for rows in drawn], precomputed=True).mean
    means: Float64[np.ndarray, " draws"] = index.reshape(draws, -1).mean(axis=1)
    return means


def _different(values: Int64[np.ndarray, " n"], number: int) -> Int64[np.ndarray, " m"]:
    """The first so many different values."""
    _, first = np.unique(values, return_index=True)
    return values[np.sort(first)[:number]]


def _behind_the_first(cloud: Float64[np.ndarray, "n d"]) -> Float64[np.ndarray, "m d"]:
    """The different states behind the first token: at layer 0 a repeated token is one point."""
    _, first = np.unique(cloud[1:], axis=0, return_index=True)
    return cloud[1:][np.sort(first)[:PROMPT_POINTS]]
