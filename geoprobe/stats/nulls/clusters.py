"""The null of "merely clustered": clusters stay nearly where they are, what lies inside them is mixed."""

import numpy as np
from jaxtyping import Float, Int, Shaped

from geoprobe.stats.hyperbolicity.checks import as_points
from geoprobe.stats.nulls.rotations import row_rotation


def cluster_labels(points: Shaped[np.ndarray, "n d"], count: int, rng: np.random.Generator) -> Int[np.ndarray, "n"]:
    """(n,) cluster of each of (n, d) points by k-means (k-means++ start); of ``count`` clusters some may stay empty."""
    from scipy.cluster.vq import kmeans2

    rows = as_points(points)
    if not 1 <= count <= len(rows):
        raise ValueError(f"count is {count}; {len(rows)} points take 1 to {len(rows)} clusters.")
    if np.ptp(rows, axis=0).max() == 0:
        return np.zeros(len(rows), dtype=np.int64)  # nothing to part
    _, labels = kmeans2(rows, count, minit="++", missing="warn", rng=rng, iter=20)
    return np.asarray(labels, dtype=np.int64)


def cluster_rotation(
    points: Shaped[np.ndarray, "n d"], labels: Int[np.ndarray, "n"], rng: np.random.Generator
) -> Float[np.ndarray, "n d"]:
    """(n, d) points, rows of each cluster mixed by a random rotation of its own, lengths about its mean restored.

    Kept of each cluster are the lengths of its points about its mean, and nearly this mean and its covariance: the
    rotation leaves both, restoring lengths moves them (see `row_rotation`). So what clusters alone explain is nearly
    kept, the arrangement of their means included; structure inside clusters is lost.
    """
    rows = as_points(points).copy()
    for label in np.unique(labels):
        mine = labels == label
        centre = rows[mine].mean(axis=0)
        rows[mine] = centre + row_rotation(rows[mine] - centre, rng, keep_norms=True)
    return rows
