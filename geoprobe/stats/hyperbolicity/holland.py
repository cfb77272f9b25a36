"""Holland's delta plot: how far each quadruple is from a tree, averaged instead of maximised."""

from dataclasses import dataclass
from functools import lru_cache
from math import comb

import numpy as np
from jaxtyping import Float, Int

from geoprobe.stats.hyperbolicity import four_point_kernels as kernels
from geoprobe.stats.hyperbolicity.checks import DistancesLike, as_distances
from geoprobe.stats.hyperbolicity.intervals import Moments, exact_moments, sampled_moments, student_interval
from geoprobe.stats.threads import row_blocks, run_tasks

EXACT_POINTS = 256
"""Up to this many points every quadruple is read (1.7e8 of them)."""

SAMPLED_QUADRUPLES = 50_000_000
"""Quadruples read by default beyond that."""

FINE_BINS = 4_000
"""Resolution of the quantiles: one bin is 1/4000."""

BINS = 50

QUANTILE_LEVELS = (0.05, 0.25, 0.5, 0.75, 0.95)

FLAT = 1e-12
"""A quadruple whose d1 - d3 is below this share of the diameter is a star: its ratio is 0."""


@dataclass(frozen=True)
class DeltaPlot:
    """The distribution of (d1 - d2) / (d1 - d3) over quadruples, with d1 >= d2 >= d3 the three sums.

    Attributes
    ----------
    mean
        Holland's index: 0 for a tree, near 0.5 for noise.
    interval
        95% interval for ``mean`` over a redraw of the points (with the sampling of quadruples, if any).
    standard_error
        Its standard error; NaN for four points, where ``interval`` is (0, 1).
    ratio
        T = E[d1 - d2] / E[d1 - d3].
    ratio_interval, ratio_standard_error
        The same for T.
    quantile_levels, quantiles
        Quantiles of the ratio, to 1/4000.
    histogram, edges
        Share of quadruples in each of 50 equal bins, and the 51 edges.
    n_points, quadruples
        How many points there are, and how many quadruples were read.
    exact
        Whether these are all of them.
    """

    mean: float
    interval: tuple[float, float]
    standard_error: float
    ratio: float
    ratio_interval: tuple[float, float]
    ratio_standard_error: float
    quantile_levels: Float[np.ndarray, "q"]
    quantiles: Float[np.ndarray, "q"]
    histogram: Float[np.ndarray, "bins"]
    edges: Float[np.ndarray, "bins_1"]
    n_points: int
    quadruples: int
    exact: bool


def delta_plot(
    distances: DistancesLike,
    *,
    samples: int | None = None,
    rng: np.random.Generator | None = None,
) -> DeltaPlot:
    """Read the four-point condition quadruple by quadruple (Holland et al. 2002, Mol. Biol. Evol. 19:2051).

    All quadruples up to 256 points. Beyond that, or when ``samples`` is given, random triples each with all
    n - 3 fourth points: unbiased, and the memory is read in rows.

    Parameters
    ----------
    distances : array_like, shape (n, n), or networkx.Graph
        A metric on n >= 4 points; of a graph the shortest paths between its nodes, by the edges' ``weight`` (1 where
        they have none).
    samples
        Number of random triples. None: all quadruples up to 256 points, else enough triples for 5e7
        quadruples.
    rng
        Source of the triples; None is ``default_rng(0)``. Not used when all quadruples are read.

    Returns
    -------
    DeltaPlot
        Its intervals hold for the points as a random sample: a delete-one jackknife, which treats each
        statistic as the U-statistic of order four that it is.

    Raises
    ------
    ValueError
        If the matrix is no distance matrix, has fewer than four points, or ``samples`` is less than 2.
    """
    matrix = as_distances(distances)
    n = matrix.shape[0]
    if n < 4:
        raise ValueError(f"distances has {n} points; the four-point condition needs at least 4.")
    if samples is not None and samples < 2:
        raise ValueError(f"samples is {samples}; draw at least 2 triples, or None for the default.")
    flat = flat_spread(float(matrix.max()))
    if samples is None and n <= EXACT_POINTS:
        moments, histogram = _read_all(matrix, flat)
        quadruples = comb(n, 4)
    else:
        triples = samples if samples is not None else SAMPLED_QUADRUPLES // n
        generator = rng if rng is not None else np.random.default_rng(0)
        moments, histogram = _read_sample(matrix, draw_triples(n, triples, generator), flat)
        quadruples = triples * (n - 3)
    edges = np.linspace(0.0, 1.0, BINS + 1)
    levels = np.array(QUANTILE_LEVELS)
    return DeltaPlot(
        mean=moments.mean,
        interval=student_interval(moments.mean, moments.standard_error, n),
        standard_error=moments.standard_error,
        ratio=moments.ratio,
        ratio_interval=student_interval(moments.ratio, moments.ratio_standard_error, n),
        ratio_standard_error=moments.ratio_standard_error,
        quantile_levels=levels,
        quantiles=_quantiles(histogram, levels),
        histogram=histogram.reshape(BINS, -1).sum(axis=1) / histogram.sum(),
        edges=edges,
        n_points=n,
        quadruples=quadruples,
        exact=quadruples == comb(n, 4) and samples is None,
    )


def flat_spread(diameter: float) -> float:
    """Return the d1 - d3 below which a quadruple is a star; positive even if all points coincide."""
    return max(FLAT * diameter, float(np.finfo(np.float64).tiny))


def draw_triples(n: int, count: int, rng: np.random.Generator) -> Int[np.ndarray, "count 3"]:
    """Draw triples of distinct points, uniform over all ordered ones."""
    first = rng.integers(0, n, count)
    second = rng.integers(0, n - 1, count)
    third = rng.integers(0, n - 2, count)
    # the second skips the first; the third skips both, the smaller before the larger
    second += second >= first
    low, high = np.minimum(first, second), np.maximum(first, second)
    third += third >= low
    third += third >= high
    return np.stack([first, second, third], axis=1)


@lru_cache(maxsize=256)  # thousands of draws have as many points each
def triangular_blocks(n: int, target: int = 20_000_000) -> tuple[tuple[int, int], ...]:
    """Cut k in [0, n) into blocks with about ``target`` quadruples l < i < j < k each."""
    blocks: list[tuple[int, int]] = []
    start = 0
    while start < n:
        stop = start + 1
        while stop < n and comb(stop + 1, 4) - comb(start, 4) <= target:
            stop += 1
        blocks.append((start, stop))
        start = stop
    return tuple(blocks)


def _read_all(matrix: Float[np.ndarray, "n n"], flat: float) -> tuple[Moments, Int[np.ndarray, "fine"]]:
    n = matrix.shape[0]

    def read(block: tuple[int, int]) -> tuple[Float[np.ndarray, "3 n"], Int[np.ndarray, "fine 4"]]:
        by_point = np.zeros((3, n))
        histogram = np.zeros((FINE_BINS, 4), dtype=np.int64)
        kernels.full_sums(matrix, *block, flat, by_point, histogram)
        return by_point, histogram

    parts = run_tasks(read, triangular_blocks(n))
    by_point = np.sum([part[0] for part in parts], axis=0)
    return exact_moments(by_point), np.sum([part[1] for part in parts], axis=0).sum(axis=1)


def _read_sample(
    matrix: Float[np.ndarray, "n n"], triples: Int[np.ndarray, "m 3"], flat: float
) -> tuple[Moments, Int[np.ndarray, "fine"]]:
    n, m = matrix.shape[0], triples.shape[0]
    by_triple = np.empty((m, 3))

    def read(
        block: tuple[int, int],
    ) -> tuple[Float[np.ndarray, "3 n"], Float[np.ndarray, "4"], Int[np.ndarray, "fine 4"]]:
        part = slice(*block)
        by_point = np.zeros((3, n))
        squares = np.zeros(4)
        histogram = np.zeros((FINE_BINS, 4), dtype=np.int64)
        kernels.sampled_sums(matrix, triples[part], flat, by_triple[part], by_point, squares, histogram)
        return by_point, squares, histogram

    parts = run_tasks(read, row_blocks(m, cost=n, target=5_000_000))
    by_point = np.sum([part[0] for part in parts], axis=0)
    squares = np.sum([part[1] for part in parts], axis=0)
    histogram = np.sum([part[2] for part in parts], axis=0).sum(axis=1)
    own = np.bincount(triples.ravel(), minlength=n)
    return sampled_moments(by_triple, by_point, m - own, squares), histogram


def _quantiles(histogram: Int[np.ndarray, "fine"], levels: Float[np.ndarray, "q"]) -> Float[np.ndarray, "q"]:
    """Inverse of the histogram's cumulative curve; its first bin is the atom at 0 when half of it is."""
    cumulative = np.concatenate([[0], np.cumsum(histogram)]) / histogram.sum()
    where = np.minimum(np.searchsorted(cumulative, levels, side="left"), histogram.size)
    lower = np.maximum(where - 1, 0)
    step = cumulative[where] - cumulative[lower]
    inside = np.divide(levels - cumulative[lower], step, out=np.zeros_like(levels), where=step > 0)
    quantiles: Float[np.ndarray, "q"] = (lower + np.where(lower == 0, 0.0, inside)) / histogram.size
    return quantiles
