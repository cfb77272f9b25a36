"""The graph of nearest neighbours of a point cloud, and what hubs and neighbours' distances say of its dimension."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int64


@dataclass(frozen=True, eq=False)
class Neighbours:
    """The k nearest other points of each of n points, nearest first."""

    indices: Int64[np.ndarray, "n k"]
    distances: Float[np.ndarray, "n k"]


@dataclass(frozen=True)
class IntrinsicDimension:
    """A dimension by TwoNN, its 95% interval, and how many points it is from.

    Points with a neighbour at distance 0 have no ratio, and do not count.
    """

    dimension: float
    low: float
    high: float
    n_points: int


def nearest_neighbours(points: Float[np.ndarray, "n d"], k: int) -> Neighbours:
    """Find every point's k nearest other points by Euclidean distance, exactly; k is from 1 to n - 1."""
    from sklearn.neighbors import NearestNeighbors

    if not 1 <= k < len(points):
        raise ValueError(f"{k} neighbours were asked for of {len(points)} points; take 1 to {len(points) - 1}.")
    search = NearestNeighbors(n_neighbors=k, algorithm="brute").fit(points)
    # without an argument a point is not its own neighbour, and another one at the same place is
    distances, indices = search.kneighbors()
    return Neighbours(indices.astype(np.int64), distances.astype(np.float64))


def symmetrised(neighbours: Neighbours, *, mutual: bool = False) -> Bool[np.ndarray, "n n"]:
    """The adjacency of the undirected graph: an edge where either point is a neighbour of the other, or both."""
    n = len(neighbours.indices)
    directed = np.zeros((n, n), dtype=bool)
    np.put_along_axis(directed, neighbours.indices, True, axis=1)
    joined: Bool[np.ndarray, "n n"] = directed & directed.T if mutual else directed | directed.T
    return joined


def hubness(neighbours: Neighbours) -> float:
    """Skewness of how often each point is among the k nearest of another (Radovanović et al., JMLR 2010, section 2).

    About 0 where every point is as often a neighbour as any other; large where a few hubs are everybody's neighbours.
    """
    from scipy.stats import skew

    occurrences = np.bincount(neighbours.indices.ravel(), minlength=len(neighbours.indices))
    return float(skew(occurrences)) if np.ptp(occurrences) else 0.0


def intrinsic_dimension(neighbours: Neighbours, *, discard: float = 0.1) -> IntrinsicDimension:
    """Dimension from the ratio of each point's second to its first neighbour's distance (TwoNN).

    The ratio is Pareto-distributed with the dimension as its exponent where density is constant up to the second
    neighbour (Facco et al., Scientific Reports 2017, equation 4). The largest ratios are left out as in the paper; here
    as a censored sample, whose maximum-likelihood estimate and interval are exact (2m·d/d̂ is χ² of 2m degrees).
    `discard` is the share that is censored. It takes at least two neighbours of each point, and three points with
    distinct ones, else ValueError.
    """
    from scipy.stats import chi2

    if neighbours.distances.shape[1] < 2:
        raise ValueError("The dimension takes the first two neighbours of each point; ask for k of at least 2.")
    first, second = neighbours.distances[:, 0], neighbours.distances[:, 1]
    apart = first > 0
    logs = np.sort(np.log(second[apart] / first[apart]))
    seen = len(logs) - int(discard * len(logs))
    total = float(logs[:seen].sum() + (len(logs) - seen) * logs[seen - 1]) if seen else 0.0
    if seen < 3 or total <= 0:
        raise ValueError(f"Only {seen} of {len(first)} points have two neighbours at distances that tell a dimension.")
    low, high = np.asarray(chi2.ppf([0.025, 0.975], 2 * seen)) / (2 * total)
    return IntrinsicDimension((seen - 1) / total, float(low), float(high), len(logs))
