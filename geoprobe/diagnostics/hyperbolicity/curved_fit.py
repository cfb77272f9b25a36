"""How well a flat, a hyperbolic and a spherical space of few dimensions hold some tokens, beside a null's draws."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

from geoprobe.results import Table
from geoprobe.stats.hyperbolicity import euclidean_distances, stress_of_points

_SPACES = {"E": "flat", "H": "hyperbolic", "S": "spherical"}


@dataclass(frozen=True)
class CurvedFit:
    """The best embedding of one set of tokens in one space.

    The space is ``E``, ``H`` or ``S``: flat, hyperbolic, spherical, of k dimensions; curvature is fitted, where the
    largest distance is 1, and 0 of the flat one; stress is Kruskal's. `gain` is the share of the flat stress that
    curvature saves, `null_gain` its mean over the null; z and p are of the gain
    (`geoprobe.stats.hyperbolicity.Stress`).
    """

    subject: str
    n_points: int
    dimension: int
    space: str
    curvature: float
    stress: float
    gain: float | None
    null_gain: float | None
    z: float | None
    pvalue: float | None


def fit_spaces(
    sets: Mapping[str, Float64[np.ndarray, "_ _"]], dimension: int, replicates: int, rng: np.random.Generator
) -> tuple[CurvedFit, ...]:
    """Embed every set (n, d) in E^k, H^k and S^k, and draws that keep covariance and norms too; time grows with n²."""
    fits: list[CurvedFit] = []
    for (subject, points), stream in zip(sets.items(), rng.spawn(len(sets)), strict=True):
        fitted = stress_of_points(points - points.mean(axis=0), dimension, replicates=replicates, rng=stream)
        about = (subject, len(points), dimension)
        square = float(euclidean_distances(points).max()) ** 2
        fits.append(CurvedFit(*about, "E", 0.0, fitted.euclidean.stress, None, None, None, None))
        for place, (space, made) in enumerate((("H", fitted.hyperbolic), ("S", fitted.spherical))):
            z = float(fitted.z[place])
            fits.append(
                CurvedFit(
                    *about,
                    space,
                    made.curvature * square,
                    made.stress,
                    float(fitted.gain[place]),
                    float(fitted.null_gain[:, place].mean()),
                    z if np.isfinite(z) else None,
                    float(fitted.pvalue[place]),
                )
            )
    return tuple(fits)


def fit_table(fits: tuple[CurvedFit, ...]) -> Table:
    """The embeddings as a table of a report."""
    return Table(
        "fits",
        "Embedded in few dimensions",
        ("tokens", "space", "points", "curvature", "stress", "saved", "saved by the null", "z", "p"),
        tuple(
            (
                fit.subject,
                f"{_SPACES.get(fit.space, fit.space)} {fit.space}{fit.dimension}",
                fit.n_points,
                fit.curvature,
                fit.stress,
                fit.gain,
                fit.null_gain,
                fit.z,
                fit.pvalue,
            )
            for fit in fits
        ),
        "Kruskal's stress of the best embedding found, and the share of the flat one's that curvature saves. A "
        "hyperbolic space has more room at every radius, so it fits any cloud of many dimensions better: only "
        "what it saves beyond the null's draws (covariance and norms kept) says anything. Curvature is for the "
        "largest distance 1.",
    )
