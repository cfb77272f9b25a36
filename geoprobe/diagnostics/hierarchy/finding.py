"""One statistic of a taxonomy beside its nulls."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

from geoprobe.figure import floats
from geoprobe.results import NullDistribution, Row, Table
from geoprobe.stats.resampling import monte_carlo_pvalue

SHUFFLED = "words of equal frequency in the taxonomy's places"
SWAPPED = "parents swapped for words of equal frequency"
RANDOM = "any of the words in the taxonomy's places"


@dataclass(frozen=True)
class Finding:
    """A statistic, its interval, and what each null gives.

    The value is None where it cannot be told, the interval of 95%, from n of a unit; the first null decides, where the
    verdict asks for it.
    """

    key: str
    name: str
    value: float | None
    low: float | None
    high: float | None
    n: int
    unit: str
    nulls: tuple[NullDistribution, ...]

    @property
    def excess(self) -> float | None:
        """How far it lies above its first null's mean."""
        mean = self.nulls[0].mean if self.nulls else None
        return None if self.value is None or mean is None else self.value - mean

    def row(self) -> Row:
        """As a quantity of a result."""
        return Row(self.name, self.value, self.low, self.high, f"{self.n:,} {self.unit}", self.key)


def beside(
    key: str,
    name: str,
    value: float,
    interval: tuple[float, float] | None,
    n: int,
    unit: str,
    nulls: Sequence[tuple[str, Float64[np.ndarray, " _"]]],
) -> Finding:
    """A finding by its value and what each null, named in words, drew; two-sided."""
    if not math.isfinite(value):
        return Finding(key, name, None, None, None, n, unit, ())
    low, high = interval or (None, None)
    drawn = ((model, draws[np.isfinite(draws)]) for model, draws in nulls)
    return Finding(
        key,
        name,
        value,
        low,
        high,
        n,
        unit,
        tuple(
            NullDistribution(
                model, name, value, floats(draws), "two-sided", monte_carlo_pvalue(value, draws, "two-sided")
            )
            for model, draws in drawn
            if draws.size
        ),
    )


def z_of(null: NullDistribution) -> float | None:
    """Distance from the null's mean in its standard deviations; None where it does not vary."""
    spread = float(np.std(null.distribution, ddof=1)) if len(null.distribution) > 1 else 0.0
    if null.observed is None or null.mean is None or spread <= 1e-9 * abs(null.mean):
        return None
    return (null.observed - null.mean) / spread


def finding_table(findings: Sequence[Finding]) -> Table:
    """Every statistic beside each of its nulls."""
    return Table(
        "statistics",
        "Every statistic beside its nulls",
        ("statistic", "here", "low", "high", "null", "null mean", "z", "p"),
        tuple(
            (each.name, each.value, each.low, each.high, null.model, null.mean, z_of(null), null.pvalue)
            for each in findings
            for null in each.nulls
        ),
        "p is two-sided. z counts standard deviations of the null.",
    )
