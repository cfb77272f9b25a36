"""Delta of the Gromov products at one base point: the paper's protocol, exact, for any base."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from geoprobe.stats.hyperbolicity import basepoint_kernels as kernels
from geoprobe.stats.hyperbolicity import gromov_kernels
from geoprobe.stats.hyperbolicity.checks import ROUNDING, DistancesLike, as_distances, check_base, check_base_triangles
from geoprobe.stats.threads import row_blocks, run_tasks

STARTS = 8
"""Local searches for a first incumbent, from the points with the largest bounds."""

ONE_CALL = 256
"""Up to this many points a single kernel call is faster than handing blocks to threads."""


@dataclass(frozen=True)
class Delta:
    """A four-point delta with its witness.

    Attributes
    ----------
    delta
        In the units of the distances.
    quadruple
        Four points (base, x, y, z) that attain it: delta = min((x|y), (y|z)) - (x|z) at the base. None with
        fewer than four points, where every metric is a tree and delta is 0.
    diameter
        Largest distance.
    """

    delta: float
    quadruple: tuple[int, int, int, int] | None
    diameter: float

    @property
    def relative(self) -> float:
        """2 delta / diameter, between 0 and 1; 0 if all points coincide."""
        return 2.0 * self.delta / self.diameter if self.diameter > 0 else 0.0


def delta_basepoint(distances: DistancesLike, base: int = 0) -> Delta:
    """Return the largest max-min product minus product over all pairs, at one base point.

    With A the Gromov products (x|z) = (d(x,p) + d(z,p) - d(x,z)) / 2 at the base p, delta is the largest entry
    of A∘A - A, where (A∘A)(x,z) = max over y of min((x|y), (y|z)). This is the statistic of Fournier, Ismail
    and Vigneron (2015) that Khrulkov et al. (2020) and Yang et al. (2025) report; the delta over all bases is
    at most twice as large.

    The search is exact. A pair (x, z) is looked at only if min(M(x), M(z)) - (x|z) beats the best so far,
    with M(x) the largest product of x with another point.

    Parameters
    ----------
    distances : array_like, shape (n, n), or networkx.Graph
        A metric; of a graph the shortest paths between its nodes, in the order of ``list(graph)``, by the edges'
        ``weight`` (1 where they have none).
    base
        The base point p.

    Returns
    -------
    Delta
        ``.delta``, ``.quadruple`` (base, x, y, z), ``.relative`` = 2 delta / diameter.

    Raises
    ------
    ValueError
        If the matrix is not a metric as far as triangles at the base show, or there is no such base.
    """
    matrix = as_distances(distances)
    n = matrix.shape[0]
    base = check_base(base, n)
    if n < 4:
        return Delta(0.0, None, float(matrix.max()))
    return _search_small(matrix, base) if n <= ONE_CALL else _search_large(matrix, base)


def _search_small(matrix: Float[np.ndarray, "n n"], base: int) -> Delta:
    n = matrix.shape[0]
    products, bounds = np.empty_like(matrix), np.empty(n)
    witness = np.full(2, -1, dtype=np.int64)
    check_base_triangles(matrix, base)
    best, diameter = gromov_kernels.delta_of_one(matrix, base, products, bounds, witness)
    return Delta(float(best), _witness(matrix, base, witness), float(diameter))


def _search_large(matrix: Float[np.ndarray, "n n"], base: int) -> Delta:
    n = matrix.shape[0]
    from_base = matrix[base].copy()
    bounds = np.empty(n)

    def prepare(block: tuple[int, int]) -> tuple[float, float]:
        far, excess = kernels.bound_rows(matrix, from_base, bounds, *block)
        return float(far), float(excess)

    parts = run_tasks(prepare, row_blocks(n, cost=n, target=500_000))
    diameter = max(part[0] for part in parts)
    if max(part[1] for part in parts) > ROUNDING * diameter:
        check_base_triangles(matrix, base)
    starts = np.argsort(-bounds, kind="stable")[:STARTS]
    witness = np.full(2, -1, dtype=np.int64)
    best = float(kernels.climb_pairs(matrix, from_base, bounds, starts, witness))
    incumbent = best

    def search(block: tuple[int, int]) -> tuple[float, tuple[int, int]]:
        pair = np.full(2, -1, dtype=np.int64)
        gap = kernels.search_pairs(matrix, from_base, bounds, *block, incumbent, pair)
        return float(gap), (int(pair[0]), int(pair[1]))

    # every block starts from the same incumbent: which pair wins cannot depend on the threads
    for gap, pair in run_tasks(search, row_blocks(n, cost=n * n // 16)):
        if gap > best:
            best = gap
            witness[:] = pair
    return Delta(0.5 * best, _witness(matrix, base, witness), diameter)


def _witness(matrix: Float[np.ndarray, "n n"], base: int, witness: Int[np.ndarray, "2"]) -> tuple[int, int, int, int]:
    x, z = int(witness[0]), int(witness[1])
    if x < 0:  # delta is 0, and so is every quadruple's: name the first with this base
        others = [point for point in range(4) if point != base][:3]
        return base, others[0], others[1], others[2]
    reach = matrix[base]
    middle = int(np.argmax(reach - np.maximum(matrix[x] + reach[z], matrix[z] + reach[x])))
    return base, x, middle, z
