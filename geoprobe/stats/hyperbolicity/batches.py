"""The base-point delta of many small clouds in one call: every prompt of a corpus."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Shaped

from geoprobe.stats.hyperbolicity import gromov_kernels as kernels
from geoprobe.stats.hyperbolicity.checks import as_points, check_base
from geoprobe.stats.threads import run_tasks

CLOUDS_A_TASK = 8


@dataclass(frozen=True)
class DeltaBatch:
    """Base-point deltas of m clouds, (m,), 0 for fewer than four points, and their diameters, (m,)."""

    delta: Float[np.ndarray, "m"]
    diameter: Float[np.ndarray, "m"]

    @property
    def relative(self) -> Float[np.ndarray, "m"]:
        """(m,) 2 delta / diameter; 0 where all points of a cloud coincide."""
        relative = np.zeros_like(self.delta)
        np.divide(2.0 * self.delta, self.diameter, out=relative, where=self.diameter > 0)
        return relative


def delta_basepoint_batch(points: Sequence[Shaped[np.ndarray, "_ _"]], base: int = 0) -> DeltaBatch:
    """Base-point delta under Euclidean distance of m clouds (n_i, d_i) of any real dtype, computed in float64.

    A repeated row changes neither delta nor diameter. The same bits whatever the number of threads. ValueError if a
    cloud is not (n, d), is empty, holds NaN or infinity, or has no such base.
    """
    m = len(points)
    delta = np.zeros(m)
    diameter = np.zeros(m)

    def solve(start: int) -> None:
        for i in range(start, min(start + CLOUDS_A_TASK, m)):
            delta[i], diameter[i] = delta_and_diameter(points[i], base, f"points[{i}]")

    run_tasks(solve, range(0, m, CLOUDS_A_TASK))
    return DeltaBatch(delta, diameter)


def delta_and_diameter(points: Shaped[np.ndarray, "..."], base: int, name: str = "points") -> tuple[float, float]:
    """Return (delta, diameter) of one cloud (n, d), in one call of a kernel; ``name`` is what messages call it."""
    if points.ndim != 2 or points.shape[0] == 0:
        as_points(points, name)
    rows = np.ascontiguousarray(points, dtype=np.float64)
    delta, diameter, bad = kernels.delta_of_points(rows, check_base(base, rows.shape[0]))
    if bad >= 0:
        as_points(points, name)
    return float(delta), float(diameter)
