"""Stress in E^k, H^k and S^k at equal k, beside what a null model gives: a curved space fits anything better."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Shaped

from geoprobe.stats.hyperbolicity.checks import as_points
from geoprobe.stats.hyperbolicity.embedding import Embedding, embed_in_all
from geoprobe.stats.hyperbolicity.metrics import euclidean_distances
from geoprobe.stats.threads import run_tasks

EXACT = 1e-6
"""Stress put down to rounding: where E^k fits as well as that, no space gains."""


@dataclass(frozen=True)
class Stress:
    """The best embeddings found in three spaces of one dimension, and the same of null replicates.

    ``gain`` is the share of the Euclidean stress that curvature saves, 1 - stress / stress in E^k, for H^k and S^k.
    It is positive for nearly every cloud, since a curved space can bend: only the null tells whether it means anything.

    Attributes
    ----------
    dimension
        k.
    euclidean, hyperbolic, spherical
        The embeddings, each with its stress and curvature.
    null
        (replicates, 3) stress of the null replicates in E^k, H^k, S^k.
    """

    dimension: int
    euclidean: Embedding
    hyperbolic: Embedding
    spherical: Embedding
    null: Float[np.ndarray, "replicates 3"]

    @property
    def stress(self) -> Float[np.ndarray, "3"]:
        """Stress in E^k, H^k, S^k."""
        return np.array([self.euclidean.stress, self.hyperbolic.stress, self.spherical.stress])

    @property
    def gain(self) -> Float[np.ndarray, "2"]:
        """Share of the Euclidean stress that H^k and S^k save; 0 where E^k is exact."""
        own: Float[np.ndarray, "2"] = _gain(self.stress[None])[0]
        return own

    @property
    def null_gain(self) -> Float[np.ndarray, "replicates 2"]:
        """The same of each null replicate."""
        return _gain(self.null)

    @property
    def z(self) -> Float[np.ndarray, "2"]:
        """Gain of H^k and S^k in standard deviations of the null's; NaN where these do not vary."""
        spread = self.null_gain.std(axis=0, ddof=1) if len(self.null) > 1 else np.zeros(2)
        gap = self.gain - self.null_gain.mean(axis=0)
        scores: Float[np.ndarray, "2"] = np.divide(gap, spread, out=np.full(2, np.nan), where=spread > 0)
        return scores

    @property
    def pvalue(self) -> Float[np.ndarray, "2"]:
        """Monte-Carlo p (with + 1) of a gain of H^k and S^k at least as large under the null."""
        shares: Float[np.ndarray, "2"] = (1.0 + (self.null_gain >= self.gain).sum(axis=0)) / (1.0 + len(self.null))
        return shares


def stress(
    distances: Shaped[np.ndarray, "n n"],
    dimension: int,
    *,
    null: Callable[[np.random.Generator], Float[np.ndarray, "_ _"]],
    replicates: int = 19,
    rng: np.random.Generator,
) -> Stress:
    """Stress of (n, n) distances in E^k, H^k and S^k, k >= 2, and that of ``replicates`` matrices drawn by ``null``.

    The cost grows with n²: about a second a matrix at n = 60. One child of ``rng`` a replicate: the same whatever the
    number of threads. ValueError if ``replicates`` is less than 1, or as for `embed_in_all`.
    """
    if replicates < 1:
        raise ValueError(f"replicates is {replicates}; draw at least one: stress alone says nothing.")
    observed = embed_in_all(distances, dimension)

    def draw(stream: np.random.Generator) -> list[float]:
        return [embedding.stress for embedding in embed_in_all(null(stream), dimension)]

    drawn: Float[np.ndarray, "replicates 3"] = np.array(run_tasks(draw, rng.spawn(replicates)))
    return Stress(dimension, *observed, drawn)


def stress_of_points(
    points: Shaped[np.ndarray, "n d"], dimension: int, *, replicates: int = 19, rng: np.random.Generator
) -> Stress:
    """`stress` of the Euclidean distances of (n, d) points; null: `elliptical_null`."""
    from geoprobe.stats.nulls.elliptical import elliptical_null  # nulls import this package

    rows = as_points(points)
    fitted = elliptical_null(rows)

    def null(stream: np.random.Generator) -> Float[np.ndarray, "n n"]:
        return euclidean_distances(fitted.draw(1, stream)[0])

    return stress(euclidean_distances(rows), dimension, null=null, replicates=replicates, rng=rng)


def _gain(values: Float[np.ndarray, "m 3"]) -> Float[np.ndarray, "m 2"]:
    flat = values[:, :1]
    shares = np.divide(values[:, 1:], flat, out=np.ones_like(values[:, 1:]), where=flat > EXACT)
    gains: Float[np.ndarray, "m 2"] = 1.0 - shares
    return gains
