"""The base-point delta of a cloud whose distance matrix would not fit: a whole vocabulary."""

import numpy as np
from jaxtyping import Float, Int, Shaped

from geoprobe.stats.hyperbolicity import cloud_kernels as kernels
from geoprobe.stats.hyperbolicity.basepoint import delta_basepoint
from geoprobe.stats.hyperbolicity.checks import as_points, check_base
from geoprobe.stats.hyperbolicity.exact import ExactDelta
from geoprobe.stats.hyperbolicity.metrics import euclidean_distances
from geoprobe.stats.threads import run_tasks

STRIP = 384
"""Rows a task; a multiple of the kernels' tile."""

SCOUTS = 2_048
"""Points of the small cloud whose own delta is the first incumbent: half outliers, half spread evenly."""

LISTED = 1_000_000
"""Most pairs that a strip may list before the search gives up on exactness."""

HELD = 4_096
"""Rows of distances held at a time; half as many more pass by."""

FIRST = 256
"""Pairs searched ahead of the rest."""

GROUP = 16_384
"""Pairs searched from one incumbent."""

MARGIN = 4e-6
"""What float32 may cost a product, as a share of the diameter."""


def delta_basepoint_points(points: Shaped[np.ndarray, "n d"], base: int = 0) -> ExactDelta:
    """Return the base-point delta of a cloud under Euclidean distance, never holding the matrix.

    Two passes over all pairs, tile by tile: the first finds the largest Gromov product of every point, the
    second lists the pairs that may still beat what a local search found. The listed pairs are then searched, with
    the distances of a block of points at a time to all others.

    Parameters
    ----------
    points
        (n, d), any real dtype.
    base
        The base point.

    Returns
    -------
    ExactDelta
        ``.delta``, ``.quadruple`` (base, x, y, z), ``.relative``, with the diameter to float32. ``.exact`` is
        False, with ``.upper`` above ``.delta``, only if a cloud leaves too much to list (a tree, or a plane of
        very many points).

    Raises
    ------
    ValueError
        If ``points`` is not (n, d), is empty or holds NaN or infinity, or there is no such base.
    """
    rows = as_points(points)
    n = rows.shape[0]
    base = check_base(base, n)
    if n <= SCOUTS:
        small = delta_basepoint(euclidean_distances(rows), base)
        return ExactDelta(small.delta, small.quadruple, small.diameter, small.delta, True)
    # differences do not see a shift, and small coordinates keep more digits in float32
    rows = rows - rows.mean(axis=0)
    search = _CloudSearch(rows, base)
    search.scout()
    search.climb()
    search.bound()
    exact = search.finish()
    x, y, z = (int(search.names[i]) for i in search.found)
    upper = 0.5 * (search.best if exact else search.upper)
    return ExactDelta(0.5 * search.best, (base, x, y, z), search.diameter, upper, exact)


class _CloudSearch:
    """State of one search, in doubled units."""

    def __init__(self, rows: Float[np.ndarray, "n d"], base: int) -> None:
        # the base is an end of no pair
        self.names = np.delete(np.arange(len(rows)), base)
        self.base = rows[base]
        self.rows = np.ascontiguousarray(rows[self.names])
        self.short = self.rows.astype(np.float32)
        self.from_base = kernels.distances_from(self.rows, self.base)
        self.short_from_base = self.from_base.astype(np.float32)
        self.bounds = np.zeros(len(self.rows), dtype=np.float32)
        self.halted = np.zeros(1, dtype=np.int8)
        self.found = np.array([0, 1, 2])
        self.best = 0.0
        self.upper = 0.0
        self.margin = 0.0
        self.diameter = 0.0
        starts = range(0, len(self.rows), STRIP)
        self.strips = [(start, min(start + STRIP, len(self.rows))) for start in starts]

    def scout(self) -> None:
        """Take the delta of a small part as the incumbent."""
        n = len(self.rows)
        norms = (self.rows**2).sum(axis=1)
        outliers = np.argsort(-norms, kind="stable")[: SCOUTS // 2]
        spread = np.linspace(0, n - 1, SCOUTS // 2).astype(np.int64)
        part = np.unique(np.concatenate([outliers, spread]))
        small = delta_basepoint(euclidean_distances(np.vstack([self.base, self.rows[part]])))
        self.best = 2.0 * small.delta
        if small.quadruple is not None:
            self.found[:] = part[np.array(small.quadruple[1:]) - 1]

    def climb(self) -> None:
        """Replace one point of the best quadruple at a time by the best of the whole cloud."""
        reach = self.from_base
        since = 0
        while since < 3:
            x, y, z = (int(i) for i in self.found)
            to_y, to_z = (kernels.distances_from(self.rows, self.rows[i]) for i in (y, z))
            gaps = to_z + reach[y] - np.maximum(to_y + reach[z], to_y[z] + reach)
            new = int(np.argmax(gaps))
            if gaps[new] > self.best * (1 + 1e-12):
                x = new
                self.best = float(gaps[new])
                since = 0
            to_x = kernels.distances_from(self.rows, self.rows[x])
            gaps = to_x[z] + reach - np.maximum(to_x + reach[z], to_z + reach[x])
            new = int(np.argmax(gaps))
            if gaps[new] > self.best * (1 + 1e-12):
                y = new
                self.best = float(gaps[new])
                since = 0
            self.found[:] = (z, y, x)  # next time the other end
            since += 1

    def bound(self) -> None:
        """Find the largest product of every point, and the diameter."""
        n = len(self.rows)
        half = np.float32(0.5 * self.best * (1 - 1e-5))

        def solve(strip: tuple[int, int]) -> tuple[Float[np.ndarray, "n"], float]:
            bounds = np.zeros(n, dtype=np.float32)
            far = kernels.strip_bounds(self.short, self.short_from_base, *strip, half, bounds, self.halted)
            return bounds, float(far)

        # the largest strips first, and folded as they come: a maximum has no order
        for bounds, far in run_tasks(solve, self.strips[::-1], self.halted):
            np.maximum(self.bounds, bounds, out=self.bounds)
            self.diameter = max(self.diameter, far)
        self.diameter = max(self.diameter, float(self.from_base.max()))
        self.margin = MARGIN * self.diameter
        self.upper = float(self.bounds.max()) + self.margin

    def finish(self) -> bool:
        """Search what the bounds leave; return whether everything could be listed."""
        threshold = np.float32(self.best - self.margin)

        def collect(strip: tuple[int, int]) -> tuple[Int[np.ndarray, "p 2"], Float[np.ndarray, "p"], int]:
            pairs = np.empty((LISTED, 2), dtype=np.int32)
            rooms = np.empty(LISTED, dtype=np.float32)
            count = kernels.strip_pairs(
                self.short, self.short_from_base, self.bounds, *strip, threshold, pairs, rooms, self.halted
            )
            if count > LISTED:
                self.halted[0] = 1
            return pairs[:count].copy(), rooms[:count].copy(), count

        parts = run_tasks(collect, self.strips[::-1], self.halted)
        if self.halted[0]:
            return False
        pairs = np.concatenate([part[0] for part in parts])
        rooms = np.concatenate([part[1] for part in parts])
        order = np.argsort(-rooms, kind="stable")
        pairs, rooms = pairs[order], rooms[order]
        # the pairs with most room raise the incumbent, and many of the rest then fall by comparison alone
        self._search(pairs[:FIRST], rooms[:FIRST])
        pairs, rooms = pairs[FIRST:], rooms[FIRST:]
        left = rooms > self.best - self.margin
        self._search(pairs[left], rooms[left])
        return True

    def _search(self, pairs: Int[np.ndarray, "p 2"], rooms: Float[np.ndarray, "p"]) -> None:
        """Search pairs: hold the rows of the points in most of them, and stream their partners past."""
        n = len(self.rows)
        while len(pairs):
            degree = np.bincount(pairs.ravel(), minlength=n)
            hubs = np.argsort(-degree, kind="stable")[: min(HELD, int((degree > 0).sum()))]
            place = np.full(n, -1)
            place[hubs] = np.arange(len(hubs))
            held = self._distances(hubs)
            swap = place[pairs[:, 0]] < 0
            pairs[swap] = pairs[swap][:, ::-1]
            now = np.flatnonzero(place[pairs[:, 0]] >= 0)
            partners = np.unique(pairs[now, 1])
            for start in range(0, len(partners), HELD // 2):
                chunk = partners[start : start + HELD // 2]
                chosen = now[(pairs[now, 1] >= chunk[0]) & (pairs[now, 1] <= chunk[-1])]
                chosen = chosen[rooms[chosen] > self.best - self.margin]
                if chosen.size:
                    # a partner that has fallen needs no row
                    chunk = np.unique(pairs[chosen, 1])
                    places = np.stack([place[pairs[chosen, 0]], np.searchsorted(chunk, pairs[chosen, 1])], axis=1)
                    self._try(pairs[chosen], rooms[chosen], places, held, self._distances(chunk))
            later = np.ones(len(pairs), dtype=bool)
            later[now] = False
            later &= rooms > self.best - self.margin
            pairs, rooms = pairs[later], rooms[later]

    def _distances(self, chosen: Int[np.ndarray, "m"]) -> Float[np.ndarray, "m n"]:
        rows = np.empty((len(chosen), len(self.rows)), dtype=np.float32)

        def fill(start: int) -> None:
            kernels.fill_rows(self.short, chosen, start, min(start + 64, len(chosen)), rows)

        run_tasks(fill, range(0, len(chosen), 64), self.halted)
        return rows

    def _try(
        self,
        pairs: Int[np.ndarray, "p 2"],
        rooms: Float[np.ndarray, "p"],
        places: Int[np.ndarray, "p 2"],
        held: Float[np.ndarray, "a n"],
        others: Float[np.ndarray, "b n"],
    ) -> None:
        for group in range(0, len(pairs), GROUP):
            incumbent = self.best

            def search(start: int, incumbent: float = incumbent) -> tuple[float, Int[np.ndarray, "3"]]:
                part = slice(start, start + GROUP // 16)
                found = np.zeros(3, dtype=np.int64)
                best = kernels.try_pairs(
                    self.rows,
                    self.base,
                    self.short_from_base,
                    pairs[part],
                    rooms[part],
                    places[part],
                    held,
                    others,
                    incumbent,
                    self.margin,
                    self.halted,
                    found,
                )
                return float(best), found

            starts = range(group, min(group + GROUP, len(pairs)), GROUP // 16)
            for best, found in run_tasks(search, starts, self.halted):
                if best > self.best:
                    self.best = best
                    self.found = found
