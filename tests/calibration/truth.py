"""What a known truth is: data whose nature is known, read by a shipped analyzer, and the answers that are right."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from geoprobe.results import Result, VerdictLabel

#: The labels in the order in which they are drawn.
LABELS: tuple[VerdictLabel, ...] = ("supported", "weak", "not supported", "contradicted", "inconclusive")


@dataclass(frozen=True)
class Outcome:
    """What an analyzer said of one draw of a truth.

    Parameters
    ----------
    label : VerdictLabel
        Its verdict.
    covered : bool or None
        Whether its interval holds the true value; None where there is none to hold.
    score : float or None
        The statistic by which the verdict tells one kind from the other, larger where the answer is yes.
    """

    label: VerdictLabel
    covered: bool | None = None
    score: float | None = None


@dataclass(frozen=True)
class Truth:
    """One kind of data whose nature is known.

    Parameters
    ----------
    name : str
        What it is, in a few words; unique within a diagnostic.
    right : tuple of VerdictLabel
        The labels that are right, or at least not wrong.
    rate : float
        The share of draws that must have one of them.
    run : callable
        Seed to outcome: draws the data and runs the shipped analyzer on them.
    side : {"yes", "no"} or None
        For the area under the ROC curve of `Outcome.score`: whether the answer to the question is yes; None where
        the truth does not take part.
    """

    name: str
    right: tuple[VerdictLabel, ...]
    rate: float
    run: Callable[[int], Outcome]
    side: Literal["yes", "no"] | None = None


def outcome(result: Result, *, covered: bool | None = None, score: float | None = None) -> Outcome:
    """The outcome of a result."""
    return Outcome(result.verdict.label, covered, score)
