"""One statistic of some tokens beside a null, and when it counts as more tree-like."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from jaxtyping import Float64

from geoprobe.errors import UsageError
from geoprobe.results import Table
from geoprobe.stats.multiplicity import holm
from geoprobe.stats.resampling import draw_until_clear, monte_carlo_test

LEVEL = 0.05
#: Holland's index must lie so far below its null, of the 0.5 between a tree and noise: what is less is no finding,
#: however many draws say that it is there.
MARGIN = 0.01
#: Draws that every test must have, so that each can reject however many are corrected together.
DRAWS_A_TEST = 20


@dataclass(frozen=True)
class NullTest:
    """One statistic of one set of tokens against one null.

    The subject is ``prompts``, ``random tokens`` or ``prompt tokens``; Holland's index is 0 for a tree, near 0.5 for
    noise, and ``NJ*``, of older reports, 1 for a tree and about 0 for noise. z is (observed - mean) / sd, None where
    the null does not vary. p is one-sided Monte Carlo towards a tree, `holm` after Holm's correction over all tests of
    the report. The 95% interval is over sets of tokens or prompts; None where there is one. There are fewer draws than
    asked for where it was clear earlier, and None in older reports.
    """

    subject: str
    statistic: Literal["Holland", "NJ*"]
    null: str
    observed: float
    null_mean: float
    null_sd: float
    z: float | None
    pvalue: float
    holm: float
    low: float | None = None
    high: float | None = None
    draws: int | None = None

    @property
    def more_treelike(self) -> bool:
        """Whether the tokens are more tree-like than the null: at level 0.05 over all tests, and by the margin."""
        return self.holm <= LEVEL and abs(self.null_mean - self.observed) >= MARGIN


def check_draws(draws: int, tests: int) -> None:
    """Refuse fewer than `DRAWS_A_TEST` for each test: none could reject after Holm's correction."""
    if draws + 1 < DRAWS_A_TEST * tests:
        raise UsageError(
            f"With {draws} draws none of {tests} tests can reject at 5% after Holm's correction.",
            f"Give at least {DRAWS_A_TEST * tests - 1} draws.",
        )


def null_test(
    subject: str,
    null: str,
    observed: Float64[np.ndarray, " units"],
    draw: Callable[[int], Float64[np.ndarray, " batch"]],
    draws: int,
    interval: tuple[float, float] | None,
) -> tuple[NullTest, Float64[np.ndarray, " drawn"]]:
    """Holland's index, mean over sets or prompts, against draws of that mean; p not yet corrected, and the draws."""
    mean = float(observed.mean())
    drawn = draw_until_clear(mean, draw, draws, level=LEVEL)
    test = monte_carlo_test(mean, drawn, "less")
    figures = (mean, test.null_mean, test.null_sd, test.z, test.pvalue)
    low, high = interval or (None, None)
    return NullTest(subject, "Holland", null, *figures, test.pvalue, low, high, drawn.size), drawn


def corrected(tests: Sequence[NullTest]) -> tuple[NullTest, ...]:
    """The tests, corrected together."""
    return tuple(replace(test, holm=value) for test, value in zip(tests, holm([t.pvalue for t in tests]), strict=True))


def test_table(tests: tuple[NullTest, ...]) -> Table:
    """Every test as a row."""
    return Table(
        "tests",
        "More tree-like than what?",
        ("tokens", "statistic", "null", "observed", "low", "high", "null mean", "z", "p", "p, corrected"),
        tuple(
            (t.subject, t.statistic, t.null, t.observed, t.low, t.high, t.null_mean, t.z, t.pvalue, t.holm)
            for t in tests
        ),
        "Holland's index is 0 for a tree and near 0.5 for noise, with its 95% interval over sets of tokens or prompts. "
        "p is one-sided towards a tree, corrected after Holm over all rows; drawing stops early where it cannot reach "
        f"5%. A difference below {MARGIN} counts as none.",
    )
