"""Is a relation monotone? The best monotone step curve, and a test that looks for movement against it on all scales."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float, Float64, Shaped

from geoprobe.stats.resampling import monte_carlo_pvalue

Direction = Literal["falling", "rising"]

#: The least members of a class, so that its mean is close to normal and its variance is known.
MIN_MEMBERS = 20


@dataclass(frozen=True, eq=False)
class ClassMeans:
    """Means of y in classes of x, with their standard errors, and mean x (`centres`).

    A class holds edges[i] <= x < edges[i + 1], the last one its end too.
    """

    edges: Float64[np.ndarray, " k_and_one"]
    centres: Float64[np.ndarray, " k"]
    means: Float64[np.ndarray, " k"]
    errors: Float64[np.ndarray, " k"]
    n: Shaped[np.ndarray, " k"]


@dataclass(frozen=True)
class MonotoneTest:
    """A test of the hypothesis that the means of y are monotone in x.

    The direction is the one that there is less evidence against; the statistic, of all runs of neighbouring classes,
    the steepest slope against it, in its standard errors; `begin` and `end` are of that run, in x. p is small where
    neither direction can be.
    """

    direction: Direction
    statistic: float
    pvalue: float
    begin: float
    end: float


def class_means(x: Shaped[np.ndarray, " n"], y: Shaped[np.ndarray, " n"], *, classes: int = 25) -> ClassMeans:
    """Cut x into classes of equal width, joined until each has 20 members, and take the means of y.

    x and y are finite, such as logarithms of frequency and norms. There is a single class where there are fewer than 40
    members.
    """
    order = np.argsort(x, kind="stable")
    xs, ys = np.asarray(x, dtype=np.float64)[order], np.asarray(y, dtype=np.float64)[order]
    cuts = np.searchsorted(xs, np.linspace(xs[0], xs[-1], classes + 1)[1:-1], side="left")
    starts = [0]
    for cut in cuts:
        if cut - starts[-1] >= MIN_MEMBERS and xs.size - cut >= MIN_MEMBERS:
            starts.append(int(cut))
    members = np.diff([*starts, xs.size])
    means = np.add.reduceat(ys, starts) / members
    spread = np.add.reduceat((ys - np.repeat(means, members)) ** 2, starts) / np.maximum(members - 1, 1)
    return ClassMeans(
        edges=np.append(xs[starts], xs[-1]),
        centres=np.add.reduceat(xs, starts) / members,
        means=means,
        errors=np.sqrt(spread / members),
        n=members,
    )


def isotonic(
    means: Float[np.ndarray, " k"], weights: Float[np.ndarray, " k"], direction: Direction
) -> Float64[np.ndarray, " k"]:
    """The monotone values closest to given ones in weighted least squares (pool adjacent violators)."""
    from scipy.optimize import isotonic_regression

    found: np.ndarray = isotonic_regression(means, weights=weights, increasing=direction == "rising").x
    return found


def monotone_test(classes: ClassMeans, *, replicates: int, rng: np.random.Generator) -> MonotoneTest | None:
    """Test the hypothesis that means are monotone, in either direction, against any other means.

    None for fewer than three classes whose means have an error.

    Where means fall, no run of neighbouring classes has a rising line of least squares. The statistic is the largest
    slope against the direction over all runs, in its standard errors. Its null is simulated where it is largest, at
    equal means with the observed errors, so that the size is at most the level, and below it where the truth is steep.
    The hypothesis is of two directions; each is tested by itself and the larger p counts (an intersection-union test).

    Linear statistics over all runs as in Dümbgen and Spokoiny (2001), Annals of Statistics 29, 124-152, and Baraud,
    Huet and Laurent (2005), Annals of Statistics 33, 214-257.
    """
    known = np.flatnonzero(classes.errors > 0)
    k = known.size
    if k < 3:
        return None
    runs = [(begin, end) for begin in range(k) for end in range(begin + 2, k + 1)]
    slopes = np.zeros((len(runs), k))
    for row, (begin, end) in enumerate(runs):
        n, centres = classes.n[known[begin:end]].astype(np.float64), classes.centres[known[begin:end]]
        slopes[row, begin:end] = n * (centres - (n * centres).sum() / n.sum())
    errors = classes.errors[known]
    slopes /= np.sqrt(((slopes * errors) ** 2).sum(axis=1, keepdims=True))
    rises = np.einsum("rk,k->r", slopes, classes.means[known])
    against: dict[Direction, int] = {"falling": int(rises.argmax()), "rising": int(rises.argmin())}
    size = {"falling": max(float(rises.max()), 0.0), "rising": max(float(-rises.min()), 0.0)}
    direction: Direction = "falling" if size["falling"] <= size["rising"] else "rising"
    noise = errors * rng.standard_normal((replicates, k))
    null = np.array([np.einsum("rk,k->r", slopes, drawn).max() for drawn in noise])
    begin, end = runs[against[direction]]
    return MonotoneTest(
        direction,
        size[direction],
        monte_carlo_pvalue(size[direction], null, "greater"),
        float(classes.edges[known[begin]]),
        float(classes.edges[known[end - 1] + 1]),
    )
