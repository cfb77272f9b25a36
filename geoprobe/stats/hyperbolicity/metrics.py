"""Distances between points: accurate, deterministic, exactly zero between equal rows."""

import numpy as np
from jaxtyping import Float, Shaped

from geoprobe.stats.hyperbolicity.checks import as_points
from geoprobe.stats.hyperbolicity.euclidean_kernels import distances_of_rows
from geoprobe.stats.threads import row_blocks, run_tasks


def euclidean_distances(points: Shaped[np.ndarray, "n d"]) -> Float[np.ndarray, "n n"]:
    """(n, n) Euclidean distances of (n, d) points in float64, by direct differences: 0 exactly between equal rows."""
    rows = as_points(points)
    n, d = rows.shape
    distances = np.empty((n, n))

    def fill(block: tuple[int, int]) -> None:
        distances_of_rows(rows, distances, *block)

    run_tasks(fill, row_blocks(n, cost=n * d // 2))
    return distances


def angular_distances(points: Shaped[np.ndarray, "n d"]) -> Float[np.ndarray, "n n"]:
    """(n, n) angles in [0, π] between (n, d) nonzero rows: the metric that belongs to cosine similarity.

    From chords, which keeps the digits of small angles, where the arc cosine of an inner product loses them; within
    1e-7 of π.
    """
    chords = euclidean_distances(_directions(points))
    complements = np.sqrt(np.maximum(4.0 - chords * chords, 0.0))
    angles: Float[np.ndarray, "n n"] = 2.0 * np.arctan2(chords, complements)
    return angles


def _directions(points: Shaped[np.ndarray, "n d"]) -> Float[np.ndarray, "n d"]:
    rows = as_points(points)
    norms = np.sqrt((rows * rows).sum(axis=1))
    if float(norms.min()) == 0.0:
        raise ValueError(f"points row {int(np.argmin(norms))} is zero and has no direction; drop it.")
    directions: Float[np.ndarray, "n d"] = rows / norms[:, None]
    return directions
