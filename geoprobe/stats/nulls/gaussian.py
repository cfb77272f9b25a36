"""The Gaussian null, drawn through the triangular factor of its Gram matrix."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from geoprobe.stats.hyperbolicity.batches import delta_and_diameter
from geoprobe.stats.nulls.rotation_kernels import fill_trapezoid
from geoprobe.stats.threads import run_tasks


def gaussian_points(n: int, dimension: int, rng: np.random.Generator) -> Float[np.ndarray, "n k"]:
    """(n, min(n, d)) points whose norms and inner products are distributed as those of n independent N(0, I_d) vectors.

    A Gaussian matrix X (n, d) is L Q with Q a rotation of R^d, which no distance sees, and L lower trapezoidal:
    independent N(0, 1) below the diagonal and chi with d - i degrees of freedom at L[i, i] (Bartlett 1933). So about n
    min(n, d) / 2 draws are enough where the vectors themselves take n d.
    """
    if n < 1 or dimension < 1:
        raise ValueError(f"n is {n} and dimension is {dimension}; both must be at least 1.")
    k = min(n, dimension)
    points = np.zeros((n, k))
    below = rng.standard_normal(n * k - k * (k + 1) // 2)
    fill_trapezoid(below, np.sqrt(rng.chisquare(dimension - np.arange(k))), points)
    return points


def delta_basepoint_gaussian_null(
    sizes: Sequence[int],
    dimension: int,
    replicates: int,
    rng: np.random.Generator,
    *,
    norms: Sequence[Float[np.ndarray, "_"]] | None = None,
) -> Float[np.ndarray, "replicates m"]:
    """(replicates, m) relative base-point delta of Gaussian clouds of m sizes in R^dimension, from the first point.

    With ``norms``, an array a cloud, the points have these norms and random directions: spread norms alone lower delta.
    One child of ``rng`` a cloud: the draws do not depend on the number of threads.
    """
    if replicates < 1:
        raise ValueError(f"replicates is {replicates}; draw at least one.")
    relative = np.zeros((replicates, len(sizes)))
    streams = rng.spawn(len(sizes))

    def draw(cloud: int) -> None:
        for replicate in range(replicates):
            points = gaussian_points(sizes[cloud], dimension, streams[cloud])
            if norms is not None:
                points *= (norms[cloud] / np.sqrt((points**2).sum(axis=1)))[:, None]
            delta, diameter = delta_and_diameter(points, 0)
            relative[replicate, cloud] = 2.0 * delta / diameter if diameter > 0 else 0.0

    run_tasks(draw, range(len(sizes)))
    return relative
