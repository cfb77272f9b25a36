"""Discrete Ricci curvature of a graph's edges: Ollivier's, by exact transport, and Forman's.

The graph is undirected and every edge is 1 long, as in the literature on curvature of neighbour graphs.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float, Int64, UInt8


def edges_of(adjacency: Bool[np.ndarray, "n n"]) -> Int64[np.ndarray, "m 2"]:
    """Each edge of an undirected graph once, the smaller point first."""
    edges: Int64[np.ndarray, "m 2"] = np.argwhere(np.triu(adjacency, 1)).astype(np.int64)
    return edges


def ollivier_curvature(
    adjacency: Bool[np.ndarray, "n n"], edges: Int64[np.ndarray, "m 2"], *, idleness: float = 0.0
) -> Float[np.ndarray, " m"]:
    """Ollivier–Ricci curvature κ = 1 − W₁(μ_x, μ_y) of edges x–y.

    μ_x has the mass `idleness` at x and the rest evenly on its neighbours (Ollivier, J. Funct. Anal. 2009, definition
    3; Lin, Lu and Yau 2011 for the idleness). W₁ is exact, by the network simplex (POT), over numbers of steps. The
    adjacency is symmetric, without loops; `idleness` is the mass that stays, from 0 up to, but not including, 1.
    Curvatures are from −2 to 1; a pair that is no edge raises ValueError.
    """
    from ot import emd2

    if not 0 <= idleness < 1:
        raise ValueError(f"The idleness is {idleness}; it is a share of the mass, at least 0 and less than 1.")
    _check_edges(adjacency, edges)
    steps = _steps_to_three(adjacency)
    curvature = np.empty(len(edges))
    for index, (x, y) in enumerate(edges.tolist()):
        (near_x, mass_x), (near_y, mass_y) = (_walk(adjacency, point, idleness) for point in (x, y))
        cost = steps[np.ix_(near_x, near_y)].astype(np.float64)
        curvature[index] = 1.0 - emd2(mass_x, mass_y, cost)
    return curvature


def forman_curvature(adjacency: Bool[np.ndarray, "n n"], edges: Int64[np.ndarray, "m 2"]) -> Float[np.ndarray, " m"]:
    """Forman–Ricci curvature 4 − deg x − deg y + 3 · triangles of edges x–y.

    The form for graphs with every triangle filled in (Samal et al., Scientific Reports 2018, equation 5). The adjacency
    is symmetric, without loops; a pair that is no edge raises ValueError.
    """
    _check_edges(adjacency, edges)
    degree = adjacency.sum(axis=1)
    x, y = edges.T
    triangles = (adjacency[x] & adjacency[y]).sum(axis=1)
    curvature: Float[np.ndarray, " m"] = (4 - degree[x] - degree[y] + 3 * triangles).astype(np.float64)
    return curvature


def _check_edges(adjacency: Bool[np.ndarray, "n n"], edges: Int64[np.ndarray, "m 2"]) -> None:
    joined = adjacency[edges[:, 0], edges[:, 1]]
    if not joined.all():
        x, y = (int(point) for point in edges[~joined][0])
        raise ValueError(f"The points {x} and {y} are not joined; curvature is that of edges.")


def _steps_to_three(adjacency: Bool[np.ndarray, "n n"]) -> UInt8[np.ndarray, "n n"]:
    """Steps between points, where they are at most 2, and 3 elsewhere: neighbours of an edge's ends are no further."""
    joined = adjacency.astype(np.float32)
    steps = np.where(joined @ joined > 0, 2, 3).astype(np.uint8)
    steps[adjacency] = 1
    np.fill_diagonal(steps, 0)
    return steps


def _walk(
    adjacency: Bool[np.ndarray, "n n"], point: int, idleness: float
) -> tuple[Int64[np.ndarray, " s"], Float[np.ndarray, " s"]]:
    """Where one step of the lazy random walk ends, and with what probability."""
    near = np.flatnonzero(adjacency[point])
    masses = np.full(len(near), (1.0 - idleness) / len(near))
    if idleness:
        near, masses = np.append(near, point), np.append(masses, idleness)
    return near, masses
