"""Every quadruple of many small clouds in one call: exact delta, Holland's index and T of each."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import comb

import numpy as np
from jaxtyping import Float, Int64, Shaped

from geoprobe.stats.hyperbolicity import four_point_kernels as kernels
from geoprobe.stats.hyperbolicity.checks import as_distances, as_points
from geoprobe.stats.hyperbolicity.euclidean_kernels import distances_among, distances_of_rows
from geoprobe.stats.hyperbolicity.holland import flat_spread, triangular_blocks
from geoprobe.stats.threads import run_tasks

CLOUDS_A_TASK = 8
SMALL_CLOUD = 80


@dataclass(frozen=True)
class FourPointBatch:
    """Four-point statistics of m clouds, over all quadruples of each: four arrays (m,).

    ``mean`` is Holland's index and ``ratio`` T = E[d1 - d2] / E[d1 - d3], NaN for fewer than four points; ``delta`` is
    exact, 0 for fewer; ``diameter`` the largest distance.
    """

    mean: Float[np.ndarray, "m"]
    ratio: Float[np.ndarray, "m"]
    delta: Float[np.ndarray, "m"]
    diameter: Float[np.ndarray, "m"]

    @property
    def relative(self) -> Float[np.ndarray, "m"]:
        """(m,) 2 delta / diameter; 0 where all points of a cloud coincide."""
        relative = np.zeros_like(self.delta)
        np.divide(2.0 * self.delta, self.diameter, out=relative, where=self.diameter > 0)
        return relative


def four_point_batch(clouds: Sequence[Shaped[np.ndarray, "_ _"]], *, precomputed: bool = False) -> FourPointBatch:
    """Four-point statistics of m clouds (n_i, d_i), or if ``precomputed`` m distance matrices, over all quadruples.

    The cost grows with the fourth power of the number of points: meant for prompts, up to a few hundred. A repeated row
    gives quadruples of ratio 0; pass the distinct rows to leave them out. The same bits whatever the number of threads.
    """
    m = len(clouds)
    values = np.empty((4, m))

    # an interrupt waits for the running tasks: large clouds, of many quadruples, are a task each
    step = CLOUDS_A_TASK if max((len(cloud) for cloud in clouds), default=0) <= SMALL_CLOUD else 1

    def solve(start: int) -> None:
        for i in range(start, min(start + step, m)):
            if precomputed:
                distances = as_distances(clouds[i])
            else:
                points = as_points(clouds[i], f"clouds[{i}]")
                n = points.shape[0]
                distances = np.empty((n, n))
                distances_of_rows(points, distances, 0, n)
            values[:, i] = four_point_totals(distances)

    run_tasks(solve, range(0, m, step))
    return FourPointBatch(*values)


def holland_of_sets(
    points: Shaped[np.ndarray, "n d"], places: Sequence[Int64[np.ndarray, " _"]]
) -> Float[np.ndarray, " m"]:
    """(m,) Holland's index of m sets of (n, d) points, each by its rows; NaN for fewer than four."""
    rows = as_points(points)
    index = np.empty(len(places))
    for i, place in enumerate(places):
        distances = np.empty((len(place), len(place)))
        distances_among(rows, place, distances)
        index[i] = four_point_totals(distances)[0]
    return index


def four_point_totals(distances: Float[np.ndarray, "n n"]) -> tuple[float, float, float, float]:
    """Return (Holland's index, T, delta, diameter) of one checked matrix."""
    n = distances.shape[0]
    diameter = float(distances.max())
    if n < 4:
        return np.nan, np.nan, 0.0, diameter
    totals = np.zeros(4)
    for start, stop in triangular_blocks(n):  # a kernel call cannot be interrupted: keep each short
        kernels.total_sums(distances, start, stop, flat_spread(diameter), totals)
    shares, gaps, spreads, largest = (float(total) for total in totals)
    return shares / comb(n, 4), gaps / spreads if spreads > 0 else 0.0, 0.5 * largest, diameter
