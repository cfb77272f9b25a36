"""What a long run tells of its steps, and how long each took."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

__all__ = ["Progress", "Silent", "Steps"]


class Progress(Protocol):
    """Told of a run's steps, so that a terminal can show them."""

    def step(self, name: str) -> None:
        """A step begins."""

    def advance(self, done: int, total: int | None) -> None:
        """The step has done so much, of so much where that is known."""


class Silent:
    """Told, and tells nobody."""

    def step(self, name: str) -> None:
        """A step begins."""

    def advance(self, done: int, total: int | None) -> None:
        """The step has done so much."""


class Steps:
    """The steps of a run, timed.

    Parameters
    ----------
    progress : Progress or None
        Told of each step.

    Attributes
    ----------
    progress : Progress
        The same, or nobody.
    timings : dict of str to float
        Seconds by step.
    """

    def __init__(self, progress: Progress | None) -> None:
        self.progress = progress or Silent()
        self.timings: dict[str, float] = {}

    @contextmanager
    def timed(self, name: str) -> Iterator[None]:
        """One step."""
        self.progress.step(name)
        start = time.perf_counter()
        yield
        self.timings[name] = time.perf_counter() - start
