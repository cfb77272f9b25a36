"""Laws of the rates of types, fitted to counts that are a sample: each count is Poisson about its type's rate."""

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from scipy.special import gammaln, pdtr

from geoprobe.stats.powerlaw.source_kernels import AT, BEND, BETA, HIGH, KINK, LOW, class_probabilities, maximise

_RATIO = 1.2  # of the ends of a class, above counts that have one of their own
_FINE, _COARSE = 0.12, 1.0  # widths of cells in log rate: about the counts seen, and below what is ever seen
_SEEN, _DEEPEST = math.log(0.02), -60.0
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(3)


@dataclass(frozen=True, eq=False)
class CountClasses:
    """Classes of counts, and the chance that a type of each rate is counted in each.

    `edges` are the smallest count of each class, the last of which is open; `cells` the ends of the cells of log rate,
    over which densities are summed; `y` and `weights` the Gauss-Legendre nodes in each cell; `chances` Poisson's chance
    of each class at each node; `bands` the first class, and the one after the last, whose chance is not nothing.
    """

    edges: Int[np.ndarray, " k"]
    cells: Float[np.ndarray, " cells"]
    y: Float[np.ndarray, " nodes"]
    weights: Float[np.ndarray, " nodes"]
    chances: Float[np.ndarray, "nodes k"]
    bands: Int[np.ndarray, "nodes 2"]

    @property
    def least(self) -> int:
        """The smallest count."""
        return int(self.edges[0])

    @classmethod
    def of(cls, least: int, largest: int) -> "CountClasses":
        """Classes from a smallest count to well above a largest one."""
        ends = [least]
        while ends[-1] < 4 * largest + 10:
            ends.append(max(ends[-1] + 1, math.ceil(ends[-1] * _RATIO)))
        edges = np.array(ends, dtype=np.int64)
        # above a few counts a class is many deviations of a Poisson count wide: cells end where classes do
        aligned = np.log(edges[edges >= 8] - 0.5).tolist()
        cells = aligned[:1]
        while cells[-1] > _SEEN:
            cells.append(cells[-1] - _FINE)
        while cells[-1] > _DEEPEST:
            cells.append(cells[-1] - _COARSE)
        bounds = np.array(cells[::-1] + aligned[1:])
        half = np.diff(bounds)[:, None] / 2
        y = ((bounds[1:] + bounds[:-1])[:, None] / 2 + half * _NODES).ravel()
        rates = np.exp(y)[:, None]
        below = pdtr(edges - 1.0, rates)
        chances = np.diff(below, axis=1, append=1.0)
        single = np.append(np.diff(edges) == 1, False)
        counts = edges[single]
        chances[:, single] = np.exp(counts * y[:, None] - rates - gammaln(counts + 1))
        chances = np.maximum(chances, 0.0)
        some = chances > 1e-300
        bands = np.stack([some.argmax(axis=1), edges.size - some[:, ::-1].argmax(axis=1)], axis=1)
        bands[~some.any(axis=1)] = 0
        return cls(edges, bounds, y, (half * _WEIGHTS).ravel(), chances, bands.astype(np.int64))

    def tally(self, counts: Int[np.ndarray, " n"]) -> Float[np.ndarray, " k"]:
        """Types in each class, of those counted often enough."""
        places = np.searchsorted(self.edges, counts[counts >= self.least], side="right") - 1
        return np.bincount(places, minlength=self.edges.size).astype(np.float64)


@dataclass(frozen=True, eq=False)
class RateLaw:
    """A fitted law of rates, by its parameters in the order of `source_kernels`."""

    parameters: Float[np.ndarray, "6"]
    loglikelihood: float

    @property
    def beta(self) -> float:
        """Exponent of the rates: types of rate λ and more are as λ^-β; γ of the counts is 1 + β, Zipf's s 1/β."""
        return float(self.parameters[BETA])

    @property
    def low(self) -> float:
        """Logarithm of the smallest rate."""
        return float(self.parameters[LOW])

    @property
    def high(self) -> float:
        """Logarithm of the largest rate."""
        return float(self.parameters[HIGH])

    @property
    def bend(self) -> float:
        """Curvature of the log-density in log rate, 0 for a power law and 1/σ² for a log-normal one."""
        return float(self.parameters[BEND])


_STEPS = np.array([0.2, 1.5, -0.4, 0.03, 0.3, 0.5])


def probabilities(classes: CountClasses, law: RateLaw) -> Float[np.ndarray, " k"]:
    """Probability of each class of counts under a law, for types counted often enough."""
    out = np.empty(classes.edges.size)
    class_probabilities(
        law.parameters, classes.cells, classes.y, classes.weights, classes.chances, classes.bands, classes.least, out
    )
    return out


def _fit(
    classes: CountClasses, types: Float[np.ndarray, " k"], starts: list[Float[np.ndarray, "6"]], free: list[int]
) -> RateLaw:
    """The best maximum from several starts."""
    laws = [
        RateLaw(
            *maximise(
                np.array(free),
                start,
                _STEPS,
                types,
                classes.cells,
                classes.y,
                classes.weights,
                classes.chances,
                classes.bands,
                classes.least,
            )
        )
        for start in starts
    ]
    return max(laws, key=lambda law: law.loglikelihood)


def fit_power(classes: CountClasses, types: Float[np.ndarray, " k"], near: RateLaw | None = None) -> RateLaw:
    """A power law of rates between two cuts: a Zipf-Mandelbrot law of ranks, of a finite vocabulary or not.

    It starts from `near`, a fit to similar counts, where there is one.
    """
    top = math.log(classes.edges[np.flatnonzero(types)[-1]]) + 0.1
    bottom = math.log(classes.least)
    starts = [(0.9, bottom - 3.0), (0.9, bottom - 20.0), (1.2, bottom + 0.5)]
    places = [np.array([beta, low, top, 0.0, 0.0, top]) for beta, low in starts]
    return _fit(classes, types, places if near is None else [near.parameters], [BETA, LOW, HIGH])


def fit_exponential(classes: CountClasses, types: Float[np.ndarray, " k"], power: RateLaw) -> RateLaw:
    """Rates that fall exponentially with rank: as many in each equal ratio, β = 0."""
    start = power.parameters.copy()
    start[BETA] = 0.0
    second = start.copy()
    second[LOW] = max(start[LOW], math.log(classes.least) - 1.0)
    return _fit(classes, types, [start, second], [LOW, HIGH])


def fit_bent(
    classes: CountClasses, types: Float[np.ndarray, " k"], power: RateLaw, bend: float | None = None
) -> RateLaw:
    """A law whose exponent changes along the rates, as a log-normal's does; with `bend` given, of that bend."""
    start = power.parameters.copy()
    if bend is not None:
        middle = (max(power.low, math.log(classes.least)) + power.high) / 2
        start[BETA] = power.beta - (bend - power.bend) * middle  # as steep in the middle
        start[BEND] = bend
        return _fit(classes, types, [start], [BETA, LOW, HIGH])
    second = start.copy()
    second[BETA], second[BEND] = power.beta - 0.3, 0.1
    return _fit(classes, types, [start, second], [BETA, LOW, HIGH, BEND])


def fit_broken(classes: CountClasses, types: Float[np.ndarray, " k"], power: RateLaw) -> RateLaw:
    """Two power laws that meet at a rate."""
    bottom = max(power.low, math.log(classes.least))
    starts = []
    for share in (0.25, 0.5, 0.75):
        start = power.parameters.copy()
        start[AT] = bottom + share * (power.high - bottom)
        starts.append(start)
    return _fit(classes, types, starts, [BETA, LOW, HIGH, KINK, AT])
