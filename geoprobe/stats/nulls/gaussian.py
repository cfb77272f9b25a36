"""The Gaussian null, drawn through the triangular factor of its Gram matrix."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from geoprobe.stats.hyperbolicity.batches import delta_and_diameter
from geoprobe.stats.threads import run_tasks


def gaussian_points(n: int, dimension: int, rng: np.random.Generator) -> Float[np.ndarray, "n k"]:
    """Draw points whose pairwise distances have the law of n independent N(0, I_d) vectors.

    A Gaussian matrix X (n, d) is L Q with Q a rotation of R^d, which no distance sees, and L lower
    trapezoidal: independent N(0, 1) below the diagonal and chi with d - i degrees of freedom at L[i, i]
    (Bartlett 1933). So about n min(n, d) / 2 draws are enough where the vectors themselves take n d.

    Parameters
    ----------
    n
        Number of points.
    dimension
        d of the vectors.
    rng
        Source of randomness.

    Returns
    -------
    (n, min(n, d)) points. Norms and inner products have the right joint law too; only the coordinate system
    differs.

    Raises
    ------
    ValueError
        If ``n`` or ``dimension`` is less than 1.
    """
    if n < 1 or dimension < 1:
        raise ValueError(f"n is {n} and dimension is {dimension}; both must be at least 1.")
    k = min(n, dimension)
    points = np.zeros((n, k))
    below = np.tri(n, k, -1, dtype=bool)
    points[below] = rng.standard_normal(int(below.sum()))
    diagonal = np.arange(k)
    points[diagonal, diagonal] = np.sqrt(rng.chisquare(dimension - diagonal))
    return points


def delta_basepoint_gaussian_null(
    sizes: Sequence[int], dimension: int, replicates: int, rng: np.random.Generator
) -> Float[np.ndarray, "replicates m"]:
    """Draw the relative base-point delta of Gaussian clouds: the null of 2 delta / diameter.

    The base point carries no label in an exchangeable cloud, so it is the first.

    Parameters
    ----------
    sizes
        Number of points of each of m clouds.
    dimension
        d of the N(0, I_d) vectors.
    replicates
        Draws for each cloud.
    rng
        Spawned once a cloud: the draws do not depend on the number of threads.

    Returns
    -------
    (replicates, m) values of 2 delta / diameter.

    Raises
    ------
    ValueError
        If a size, ``dimension`` or ``replicates`` is less than 1.
    """
    if replicates < 1:
        raise ValueError(f"replicates is {replicates}; draw at least one.")
    relative = np.zeros((replicates, len(sizes)))
    streams = rng.spawn(len(sizes))

    def draw(cloud: int) -> None:
        for replicate in range(replicates):
            points = gaussian_points(sizes[cloud], dimension, streams[cloud])
            delta, diameter = delta_and_diameter(points, 0)
            relative[replicate, cloud] = 2.0 * delta / diameter if diameter > 0 else 0.0

    run_tasks(draw, range(len(sizes)))
    return relative
