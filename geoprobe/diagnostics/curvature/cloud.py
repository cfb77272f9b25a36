"""What is measured of one cloud of points: the curvature of its neighbour graph, and what that depends on."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from jaxtyping import Float, Float64

from geoprobe.stats.curvature import edges_of, forman_curvature, ollivier_curvature
from geoprobe.stats.isotropy import participation_ratio
from geoprobe.stats.neighbours import Neighbours, hubness, intrinsic_dimension, nearest_neighbours, symmetrised

#: Edges of the histogram of Ollivier–Ricci curvature, which lies between −2 and 1.
BINS = np.linspace(-2.0, 1.0, 31)


@dataclass(frozen=True)
class Cloud:
    """One cloud, or the mean over several.

    Curvatures are means over the edges, and `negative` the share of edges with a negative Ollivier–Ricci curvature;
    hubness is the skewness of how often a point is another's neighbour, `dimension` by TwoNN, `participation` the
    participation ratio of the principal directions.
    """

    ollivier: float
    negative: float
    forman: float
    hubness: float
    dimension: float
    participation: float

    @classmethod
    def mean_of(cls, clouds: list[Cloud]) -> Cloud:
        """The mean of each quantity."""
        return cls(*(float(np.mean([getattr(cloud, field.name) for cloud in clouds])) for field in fields(cls)))


def measure(
    points: Float64[np.ndarray, "n d"], neighbours: int, n_edges: int, rng: np.random.Generator
) -> tuple[Cloud, Float[np.ndarray, " m"]]:
    """Measure a cloud; the second value is the Ollivier–Ricci curvature of the edges drawn."""
    near = nearest_neighbours(points, neighbours)
    ollivier, forman = graph_curvature(near, n_edges, rng)
    cloud = Cloud(
        ollivier=float(ollivier.mean()),
        negative=float((ollivier < -1e-9).mean()),  # transport is exact to rounding
        forman=float(forman.mean()),
        hubness=hubness(near),
        dimension=intrinsic_dimension(near).dimension,
        participation=participation_ratio(points),
    )
    return cloud, ollivier


def graph_curvature(
    near: Neighbours, n_edges: int, rng: np.random.Generator
) -> tuple[Float[np.ndarray, " m"], Float[np.ndarray, " m"]]:
    """Ollivier–Ricci and Forman curvature of a sample of the graph's edges, an edge where either end asks for it."""
    adjacency = symmetrised(near)
    edges = edges_of(adjacency)
    drawn = edges[np.sort(rng.choice(len(edges), min(n_edges, len(edges)), replace=False))]
    return ollivier_curvature(adjacency, drawn), forman_curvature(adjacency, drawn)


def within(distances: Float[np.ndarray, "n n"], neighbours: int) -> Neighbours:
    """The nearest neighbours of points of which only distances are known."""
    others = distances + np.where(np.eye(len(distances), dtype=bool), np.inf, 0.0)
    order = np.argsort(others, axis=1, kind="stable")[:, :neighbours]
    return Neighbours(order.astype(np.int64), np.take_along_axis(others, order, axis=1))
