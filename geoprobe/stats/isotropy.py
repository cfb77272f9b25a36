"""How evenly a point cloud fills its directions."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float


def mean_cosine(points: Float[np.ndarray, "n d"]) -> float:
    """Mean cosine over all pairs of points (Ethayarajh 2019): 0 for evenly spread directions, 1 for one direction.

    Points at the origin have no direction and are left out. ValueError when fewer than two are elsewhere.
    """
    lengths = np.linalg.norm(points, axis=1)
    directions = points[lengths > 0] / lengths[lengths > 0, None]
    n = len(directions)
    if n < 2:
        raise ValueError(f"{n} of {len(points)} points have a direction; a cosine takes two.")
    # the square of the sum holds every pair twice, and each point with itself once
    return float((np.sum(directions.sum(axis=0) ** 2) - n) / (n * (n - 1)))


def participation_ratio(points: Float[np.ndarray, "n d"]) -> float:
    """How many principal directions share the variance, (Σλ)² / Σλ²: 1 for a line, d for a round cloud.

    ValueError when all points coincide.
    """
    centred = points - points.mean(axis=0)
    # of the smaller Gram matrix: both have the same eigenvalues but for zeros
    gram = centred @ centred.T if len(centred) < centred.shape[1] else centred.T @ centred
    total = float(np.trace(gram))
    if total <= 0:
        raise ValueError("All points coincide, so no direction has variance.")
    return total**2 / float(np.sum(gram**2))
