"""The same tokens by another statistic and under other metrics: whether an answer hangs on the choice of either.

T, the ratio of means, beside Holland's index, the mean of ratios; angles, which is what cosine similarity sees; and
shortest paths along nearest neighbours, which follow a curved surface where straight lines leave it. They are shown and
decide nothing: a verdict that could choose among them would find something in noise.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

from geoprobe.results import Table
from geoprobe.stats.hyperbolicity import (
    angular_distances,
    euclidean_distances,
    four_point_batch,
    geodesic_distances,
)
from geoprobe.stats.nulls.elliptical import elliptical_null
from geoprobe.stats.resampling import monte_carlo_test

#: Points each point is joined to along the neighbour graph.
_NEIGHBOURS = 10


def _geodesics(points: Float64[np.ndarray, "n k"]) -> Float64[np.ndarray, "n n"]:
    # among a dozen points ten neighbours are nearly all of them, and the paths are straight
    return geodesic_distances(euclidean_distances(points), min(_NEIGHBOURS, max(2, len(points) // 8)))


METRICS: dict[str, Callable[[Float64[np.ndarray, "n k"]], Float64[np.ndarray, "n n"]]] = {
    "Euclidean": euclidean_distances,
    "angle": angular_distances,
    "along neighbours": _geodesics,
}


@dataclass(frozen=True)
class OtherMeasure:
    """One statistic of one set of tokens under one metric, beside the null that keeps covariance and norms.

    The subject is ``prompts``, ``random tokens`` or ``prompt tokens``; the statistic is ``Holland`` or ``T``, both 0
    for a tree and near 0.5 for noise, observed as the mean over the set's clouds. z is None where the null does not
    vary; p is one-sided Monte Carlo towards a tree, not corrected.
    """

    subject: str
    metric: str
    statistic: str
    observed: float
    null_mean: float
    z: float | None
    pvalue: float


def measure_otherwise(
    sets: Mapping[str, Sequence[Float64[np.ndarray, "_ _"]]], replicates: int, rng: np.random.Generator
) -> tuple[OtherMeasure, ...]:
    """Every set of clouds by both statistics under every metric, beside `replicates` draws of the null.

    Each cloud is (n, d) with at least four rows. Angles are about the origin, so the clouds must be where they are in
    the embedding, not about their mean. A metric is left out of a set that it does not apply to: a zero row has no
    angle.
    """
    measures: list[OtherMeasure] = []
    for (subject, clouds), stream in zip(sets.items(), rng.spawn(len(sets)), strict=True):
        nulls = [elliptical_null(cloud) for cloud in clouds]
        directed = all(cloud.any(axis=1).all() for cloud in clouds)
        metrics = {name: distances for name, distances in METRICS.items() if directed or name != "angle"}
        drawn: dict[str, list[Float64[np.ndarray, "_ _"]]] = {name: [] for name in metrics}
        for fitted in nulls * replicates:
            # put back where the tokens were: angles are about the origin; only distances are kept of a cloud
            cloud = fitted.placed(fitted.draw(1, stream)[0])
            for name, distances in metrics.items():
                drawn[name].append(distances(cloud))
        for metric, distances in metrics.items():
            observed = four_point_batch([distances(cloud) for cloud in clouds], precomputed=True)
            null = four_point_batch(drawn[metric], precomputed=True)
            for statistic, values, draws in (
                ("Holland", observed.mean, null.mean),
                ("T", observed.ratio, null.ratio),
            ):
                means = draws.reshape(replicates, -1).mean(axis=1)
                test = monte_carlo_test(float(values.mean()), means, "less")
                measures.append(
                    OtherMeasure(subject, metric, statistic, test.observed, test.null_mean, test.z, test.pvalue)
                )
    return tuple(measures)


def other_table(others: tuple[OtherMeasure, ...]) -> Table:
    """The measures as a table of a report."""
    return Table(
        "others",
        "The same by T and under other metrics",
        ("tokens", "metric", "statistic", "observed", "null mean", "z", "p"),
        tuple((o.subject, o.metric, o.statistic, o.observed, o.null_mean, o.z, o.pvalue) for o in others),
        "T is E[d1 - d2]/E[d1 - d3], a ratio of means where Holland's index is a mean of ratios. Angles are about "
        "the origin, as cosine similarity sees the embedding; paths run along nearest neighbours. Each beside "
        "draws that keep covariance and norms, p not corrected: shown, not decided on.",
    )
