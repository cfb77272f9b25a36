"""What an experiment tells of itself while it runs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from geoprobe.training.records import RunRecord

__all__ = ["QUESTION", "Nobody", "Told"]

#: What answering a question weighs in the time left, where an optimizer step weighs 1.
QUESTION = 0.1


class Told(Protocol):
    """Told how an experiment goes, so that a terminal can show it."""

    def begin(self, weight: float) -> None:
        """The experiment begins, all of it weighing so much."""

    def run(self, title: str, amount: int, weight: float) -> None:
        """A run begins, of so many steps or questions."""

    def advance(self, done: int, loss: float | None = None) -> None:
        """It has done so many, the last with this loss."""

    def finished(self, record: RunRecord) -> None:
        """A training is over."""

    def chosen(self, rates: Mapping[str, float | None]) -> None:
        """The sweep is over; each method's rate."""


class Nobody:
    """Told, and tells nobody."""

    def begin(self, weight: float) -> None:
        """The experiment begins."""

    def run(self, title: str, amount: int, weight: float) -> None:
        """A run begins."""

    def advance(self, done: int, loss: float | None = None) -> None:
        """It has done so many."""

    def finished(self, record: RunRecord) -> None:
        """A training is over."""

    def chosen(self, rates: Mapping[str, float | None]) -> None:
        """The sweep is over."""
