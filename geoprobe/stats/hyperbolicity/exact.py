"""Delta over all quadruples: exact, with a witness, or an interval when the time is up."""

import threading
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from jaxtyping import Float, Int

from geoprobe.stats.hyperbolicity import exact_kernels as kernels
from geoprobe.stats.hyperbolicity.basepoint import Delta
from geoprobe.stats.hyperbolicity.checks import DistancesLike, as_distances, check_triangles
from geoprobe.stats.threads import run_tasks

STARTS = 1_000
"""Local searches for the first incumbent."""

BLOCKS_A_ROUND = 16
"""Blocks of bases searched from one incumbent; fixed, so that the witness does not depend on threads."""

ROUNDING = 1e-13
"""Gaps that differ by less than this share of the diameter count as equal."""


@dataclass(frozen=True)
class ExactDelta(Delta):
    """Delta over all quadruples, or as far as the time allowed.

    Attributes
    ----------
    delta
        The largest half gap (d1 - d2) / 2 found: delta itself if ``exact``, else its lower bound.
    quadruple
        Four points that attain it; the two farthest pairs of (a, b, c, d) are (a, c) and (b, d).
    diameter
        Largest distance.
    upper
        Upper bound of delta; equal to ``delta`` if ``exact``.
    exact
        Whether every quadruple was searched or ruled out.
    """

    upper: float
    exact: bool

    @property
    def relative_upper(self) -> float:
        """2 upper / diameter."""
        return 2.0 * self.upper / self.diameter if self.diameter > 0 else 0.0


def delta(distances: DistancesLike, *, budget: float | None = None, check: bool = True) -> ExactDelta:
    """Return Gromov's four-point delta: the largest (d1 - d2) / 2 over all quadruples.

    With p the first point of a quadruple, in an order that peels outliers off first, a pair (x, z) is searched
    only if min(M(x), M(z)) - (x|z) at p beats the best so far, where M(x) is the largest product of x with a
    point that could still serve: neither a diagonal nor twice a side of the quadruple may fall below its gap
    d1 - d2. For clouds almost no pair passes, and the cost is the n³ / 2 operations of the bounds. Trees
    and hyperbolic balls defeat every bound; there the products of a base are rounded to 16-bit integers of
    diameter / 32500, all pairs go through them, and those within the rounding error are computed in full.

    Parameters
    ----------
    distances : array_like, shape (n, n), or networkx.Graph
        A metric; of a graph the shortest paths between its nodes, in the order of ``list(graph)``, by the edges'
        ``weight`` (1 where they have none).
    budget
        Seconds after which to stop with an interval; None searches to the end.
    check
        Whether to check every triangle first (n³ / 2 operations). The pruning needs a metric.

    Returns
    -------
    ExactDelta
        ``.delta``, ``.quadruple``, ``.relative`` = 2 delta / diameter, ``.upper``, ``.exact``. Exact to 1e-13 of
        the diameter; hop counts and other whole numbers exactly.

    Raises
    ------
    ValueError
        If the matrix is no metric (which triangle fails and by how much), or ``budget`` is negative.
    """
    if budget is not None and not budget >= 0:
        raise ValueError(f"budget is {budget} seconds; it must not be negative.")
    matrix = as_distances(distances)
    if check:
        check_triangles(matrix)
    n = matrix.shape[0]
    diameter = float(matrix.max())
    if n < 4:
        return ExactDelta(0.0, None, diameter, 0.0, True)
    if diameter == 0.0:
        return ExactDelta(0.0, (0, 1, 2, 3), diameter, 0.0, True)
    # outliers first: a point is a base once and then gone, and while they last no bound is tight
    order = np.argsort(-matrix.sum(axis=1), kind="stable")
    search = _Search(np.ascontiguousarray(matrix[np.ix_(order, order)]), diameter)
    exact = search.run(budget)
    sums = _sums(matrix, order[search.quadruple()])
    half_gap = 0.5 * (sums[0][0] - sums[1][0])
    a, b, c, d = sums[0][1]
    upper = half_gap if exact else max(half_gap, 0.5 * search.upper * diameter)
    return ExactDelta(half_gap, (a, b, c, d), diameter, upper, exact)


class _Search:
    """State of one search, on a matrix scaled to diameter 1 and in doubled units throughout."""

    def __init__(self, matrix: Float[np.ndarray, "n n"], diameter: float) -> None:
        whole = diameter < 32_000 and bool((matrix == np.rint(matrix)).all())
        self.matrix = matrix / diameter
        self.short = self.matrix.astype(np.float32)
        # whole numbers: a better gap is better by one, and rounding to units loses nothing
        self.tolerance = 0.5 / diameter if whole else ROUNDING
        self.unit = 1.0 / diameter if whole else 2.0 / 65_000
        self.witness = np.zeros(3, dtype=np.int64)
        self.start = np.zeros(4, dtype=np.int64)
        self.best = 0.0
        self.upper = 1.0  # a gap is no longer than its diagonals
        self.halted = np.zeros(1, dtype=np.int8)

    def run(self, budget: float | None) -> bool:
        """Search; return whether to the end."""
        n = self.matrix.shape[0]
        timer = threading.Timer(budget, self.halted.fill, (1,)) if budget is not None else None
        if timer is not None:
            timer.daemon = True
            timer.start()
        try:
            starts = np.random.default_rng(0).integers(0, n, (STARTS, 4))
            self._climb(starts[: STARTS // 16])
            if self.best < self.upper - self.tolerance:
                self._climb(starts[STARTS // 16 :])
            pairs = self._far_pairs()
            if pairs is not None:
                self._search_pairs(pairs)
                return not self.halted[0]
            step = 32 if n > 1024 else 8
            blocks = list(pairwise([0, 1, *range(1 + step, n, step), n]))
            # the first base alone: what it finds bounds, doubled, all that is left
            rounds = [blocks[:1]]
            rounds += [blocks[i : i + BLOCKS_A_ROUND] for i in range(1, len(blocks), BLOCKS_A_ROUND)]
            for blocks in rounds:
                if self.best >= self.upper - ROUNDING:
                    break
                self._round(blocks)
                if self.halted[0]:
                    return False
                self.upper = min(self.upper, 2.0 * self.best + 4 * ROUNDING)
                if self.best <= 4 * ROUNDING:
                    break
        finally:
            if timer is not None:
                timer.cancel()
        self.upper = self.best
        return True

    def _climb(self, starts: Int[np.ndarray, "m 4"]) -> None:
        witness = np.zeros(4, dtype=np.int64)
        best = float(kernels.climb_quadruples(self.matrix, starts, witness))
        if best > self.best:
            self.best = best
            self.start = witness

    def _far_pairs(self) -> Int[np.ndarray, "m 2"] | None:
        """Return the pairs that may be diagonals, farthest first, if they are few enough to pair up."""
        n = self.matrix.shape[0]
        allowed = self.matrix > self.best + self.tolerance
        if 8 * int(np.count_nonzero(allowed)) ** 2 > n**3:
            return None
        first, second = np.nonzero(np.triu(allowed))
        order = np.argsort(-self.matrix[first, second], kind="stable")
        return np.stack([first[order], second[order]], axis=1)

    def _search_pairs(self, pairs: Int[np.ndarray, "m 2"]) -> None:
        quadruple = np.zeros(4, dtype=np.int64)

        def search(_: int) -> float:
            return float(
                kernels.search_far_pairs(self.matrix, pairs, self.best, self.tolerance, self.halted, quadruple)
            )

        (best,) = run_tasks(search, [0], self.halted)
        if best > self.best:
            self.best = best
            self.start = quadruple
        if not self.halted[0]:
            self.upper = self.best

    def _round(self, blocks: list[tuple[int, int]]) -> None:
        incumbent = self.best

        def search(block: tuple[int, int]) -> tuple[float, Int[np.ndarray, "3"]]:
            witness = np.zeros(3, dtype=np.int64)
            best = kernels.search_bases(
                self.matrix, self.short, *block, incumbent, self.tolerance, self.unit, self.halted, witness
            )
            return best, witness

        for best, witness in run_tasks(search, blocks, self.halted):
            if best > self.best:
                self.best = best
                self.witness = witness

    def quadruple(self) -> Int[np.ndarray, "4"]:
        """Points of the best quadruple, in the order of the search."""
        p, x, z = (int(i) for i in self.witness)
        if p == x:  # the local search was not beaten
            return self.start
        _, fourth = kernels.best_fourth(self.matrix, p, x, z)
        return np.array([p, x, int(fourth), z])


def _sums(matrix: Float[np.ndarray, "n n"], points: Int[np.ndarray, "4"]) -> list[tuple[float, tuple[int, ...]]]:
    """Return the three sums, largest first, each with the points in an order that puts its pairs across."""
    a, b, c, d = (int(point) for point in points)
    orders = ((a, b, c, d), (a, b, d, c), (a, c, b, d))
    sums = [(float(matrix[p, r] + matrix[q, s]), (p, q, r, s)) for p, q, r, s in orders]
    return sorted(sums, key=lambda entry: -entry[0])
