"""What an array must be before a kernel sees it, and the message when it is not."""

from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from jaxtyping import Float, Shaped
from numpy.typing import ArrayLike

from geoprobe.stats.hyperbolicity.graphs import graph_distances, is_graph
from geoprobe.stats.hyperbolicity.scan_kernels import scan_rows
from geoprobe.stats.hyperbolicity.triangle_kernels import worst_triangle
from geoprobe.stats.threads import row_blocks, run_tasks

if TYPE_CHECKING:
    import networkx as nx

    DistancesLike: TypeAlias = ArrayLike | nx.Graph
else:
    DistancesLike: TypeAlias = Any

ROUNDING = 1e-6
"""Largest relative breach of an axiom put down to rounding (float32 input stays well below it)."""


def as_distances(given: DistancesLike) -> Float[np.ndarray, "n n"]:
    """A square, finite, symmetric matrix with a zero diagonal as contiguous float64, also of a graph.

    Differences of rounding from symmetry are averaged out, larger ones are a ValueError, as are NaN, infinity, a
    negative number, a nonzero diagonal, another shape and no points.
    """
    distances = graph_distances(given) if is_graph(given) else np.asarray(given)
    if distances.dtype.kind not in "fiub":
        raise ValueError(f"distances has dtype {distances.dtype}; it must hold real numbers.")
    if distances.ndim != 2 or distances.shape[0] != distances.shape[1]:
        raise ValueError(
            f"distances has shape {distances.shape}; it must be square (n, n). "
            "For a cloud of points, call euclidean_distances(points) first."
        )
    if distances.shape[0] == 0:
        raise ValueError("distances is empty; give at least one point.")
    matrix = np.ascontiguousarray(distances, dtype=np.float64)
    n = matrix.shape[0]
    parts = np.array(run_tasks(lambda block: scan_rows(matrix, *block), row_blocks(n, cost=n, target=500_000)))
    largest, diagonal, asymmetry = (float(parts[:, i].max()) for i in (0, 3, 4))
    if parts[:, 2].sum() != 0.0:
        x, y = (int(i) for i in np.argwhere(~np.isfinite(matrix))[0])
        raise ValueError(
            f"distances[{x}, {y}] is {matrix[x, y]}; every distance must be finite. "
            "Drop the point, or for a graph keep one connected component."
        )
    if float(parts[:, 1].min()) < 0:
        x, y = (int(i) for i in np.argwhere(matrix < 0)[0])
        raise ValueError(f"distances[{x}, {y}] is {matrix[x, y]:.6g}; a distance cannot be negative.")
    slack = ROUNDING * largest
    if diagonal > slack:
        x = int(np.argmax(np.abs(np.diagonal(matrix))))
        raise ValueError(
            f"distances[{x}, {x}] is {matrix[x, x]:.6g}; the distance of a point to itself must be 0. "
            "Is this a similarity matrix? Turn it into distances first."
        )
    if asymmetry > slack:
        gaps = np.abs(matrix - matrix.T)
        x, y = (int(i) for i in np.unravel_index(int(np.argmax(gaps)), gaps.shape))
        raise ValueError(
            f"distances[{x}, {y}] is {matrix[x, y]:.6g} and distances[{y}, {x}] is {matrix[y, x]:.6g}; "
            "distances must be symmetric."
        )
    if diagonal > 0 or asymmetry > 0:
        matrix = 0.5 * (matrix + matrix.T)
        np.fill_diagonal(matrix, 0.0)
    return matrix


def as_points(points: Shaped[np.ndarray, "..."], name: str = "points") -> Float[np.ndarray, "n d"]:
    """A finite (n, d) array, one row a point, as contiguous float64; ValueError, by ``name``, if it is not one."""
    if points.ndim != 2:
        raise ValueError(f"{name} has shape {points.shape}; it must be (n, d), one row a point.")
    if points.shape[0] == 0:
        raise ValueError(f"{name} has no rows; give at least one point.")
    rows = np.ascontiguousarray(points, dtype=np.float64)
    finite = np.isfinite(rows).all(axis=1)
    if not finite.all():
        raise ValueError(f"{name} row {int(np.argmin(finite))} holds NaN or infinity; drop or repair that point first.")
    return rows


def check_base(base: int, n: int) -> int:
    """``base`` as an index in [0, n), negative ones counted from the end; ValueError if there is no such point."""
    if not -n <= base < n:
        raise ValueError(f"base is {base}, but there are {n} points; choose a base from 0 to {n - 1}.")
    return base % n


def check_base_triangles(distances: Float[np.ndarray, "n n"], base: int) -> None:
    """Check every triangle with ``base`` as a corner: O(n²). ValueError with the triangle and by how much it fails."""
    slack = ROUNDING * float(distances.max())
    reach = distances[base]
    over = distances - (reach[:, None] + reach[None, :])
    under = np.abs(reach[:, None] - reach[None, :]) - distances
    if float(over.max()) > slack:
        x, y = (int(i) for i in np.unravel_index(int(np.argmax(over)), over.shape))
        _refuse(distances, x, y, base)
    if float(under.max()) > slack:
        x, y = (int(i) for i in np.unravel_index(int(np.argmax(under)), under.shape))
        near, far = (x, y) if reach[x] < reach[y] else (y, x)
        _refuse(distances, base, far, near)


def check_triangles(distances: Float[np.ndarray, "n n"]) -> None:
    """Check every triangle, n³ / 2 operations in float32. ValueError with the worst and by how much it fails."""
    n = distances.shape[0]
    largest = float(distances.max())
    if n < 3 or largest == 0:
        return
    short = (distances / largest).astype(np.float32)

    def search(block: tuple[int, int]) -> tuple[float, int, int]:
        witness = np.zeros(2, dtype=np.int64)
        return float(worst_triangle(short, *block, witness)), int(witness[0]), int(witness[1])

    excess, x, z = max(run_tasks(search, row_blocks(n, cost=n * n // 8)))
    if excess > ROUNDING:
        _refuse(distances, x, z, int(np.argmin(distances[x] + distances[z])))


def _refuse(distances: Float[np.ndarray, "n n"], x: int, y: int, through: int) -> None:
    direct = float(distances[x, y])
    detour = float(distances[x, through] + distances[through, y])
    raise ValueError(
        f"distances is not a metric: d({x}, {y}) = {direct:.6g} exceeds "
        f"d({x}, {through}) + d({through}, {y}) = {detour:.6g} by {direct - detour:.3g}. "
        "Use shortest paths (scipy.sparse.csgraph.shortest_path) or another distance."
    )
