"""The steps of a long run: who listens to them, and how long each took."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol


class ProgressListener(Protocol):
    """What hears of a run's steps, so that a terminal can show them."""

    def step(self, name: str) -> None:
        """A step begins."""

    def advance(self, done: int, total: int | None) -> None:
        """The step has done so much, of so much where that is known."""


class SilentListener:
    """Hears of steps and shows nothing."""

    def step(self, name: str) -> None:
        """A step begins."""

    def advance(self, done: int, total: int | None) -> None:
        """The step has done so much."""


class Steps:
    """The steps of a run, told to a listener, and how many seconds they took."""

    def __init__(self, progress: ProgressListener | None) -> None:
        self.progress = progress or SilentListener()
        self.timings: dict[str, float] = {}

    @contextmanager
    def timed(self, name: str) -> Iterator[None]:
        """One step."""
        self.progress.step(name)
        start = time.perf_counter()
        yield
        self.timings[name] = time.perf_counter() - start
