"""What an experiment says of itself while it runs: to a listener, a terminal, or nobody."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, TaskID, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.text import Text

from geoprobe.report.terminal import Bars
from geoprobe.report.text import escape
from geoprobe.results import counted
from geoprobe.training.records import RunFacts

#: What answering a question weighs in the time left, where an optimizer step weighs 1.
QUESTION = 0.1

#: Of a run with all test sets, or that failed for a reason of many words.
_LONGEST_LINE = 4_000
#: Seconds between lines where there are no bars.
_EVERY = 60.0


class ProgressListener:
    """Hears how an experiment goes, and says nothing; what shows it says more."""

    def begin(self, weight: float) -> None:
        """The experiment begins, all of it weighing so much."""

    def run(self, title: str, amount: int, weight: float) -> None:
        """A run begins, of so many steps or questions."""

    def advance(self, done: int, loss: float | None = None) -> None:
        """It has done so many, the last with this loss."""

    def finished(self, facts: RunFacts) -> None:
        """A training is over."""

    def chosen(self, rates: Mapping[str, float | None]) -> None:
        """The sweep is over; each method's rate."""


class TrainingProgress(ProgressListener):
    """Bars where standard error is a terminal, elsewhere a line a minute, and a line for each run everywhere."""

    def __init__(self, *, quiet: bool = False, clock: Callable[[], float] = time.monotonic) -> None:
        self._quiet = quiet
        self._clock = clock
        self._began = self._told = clock()
        self._title = ""
        self._total = 0.0
        self._console = Console(stderr=True, highlight=False)
        self._bars = Bars(
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            TextColumn("{task.fields[amount]}"),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            console=self._console,
            disable=quiet or not self._console.is_terminal,
            transient=True,
        )
        self._whole: TaskID | None = None
        self._run: TaskID | None = None
        self._amount, self._weight, self._before = 1, 0.0, 0.0

    def __enter__(self) -> Self:
        self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bars.stop()

    def begin(self, weight: float) -> None:
        """The experiment begins, all of it weighing so much."""
        self._began, self._total = self._clock(), weight
        self._whole = self._bars.add_task("experiment", total=weight, amount="")

    def run(self, title: str, amount: int, weight: float) -> None:
        """A run begins, of so many steps or questions."""
        self._before += self._weight
        self._title, self._amount, self._weight = title, max(amount, 1), weight
        if self._run is not None:
            self._bars.remove_task(self._run)
        self._run = self._bars.add_task(escape(title), total=self._amount, amount=f"0 of {amount:,}")

    def advance(self, done: int, loss: float | None = None) -> None:
        """It has done so many, the last with this loss."""
        shown = f"{done:,} of {self._amount:,}" + ("" if loss is None else f", loss {loss:.3f}")
        if self._bars.disable and self._clock() - self._told >= _EVERY:
            self._told = self._clock()
            self._say(f"{self._title}: {shown}{self._left(done)}")
        if self._run is not None:
            self._bars.update(self._run, completed=done, amount=shown)
        if self._whole is not None:
            self._bars.update(self._whole, completed=self._before + self._weight * done / self._amount)

    def _left(self, done: int) -> str:
        """How much of the whole experiment is done, and about how long the rest takes."""
        share = (self._before + self._weight * done / self._amount) / self._total if self._total else 0.0
        if not 0 < share < 1:
            return ""
        minutes = (self._clock() - self._began) * (1 - share) / share / 60
        left = counted(round(minutes), "minute") if minutes < 90 else f"{minutes / 60:.1f} hours"
        return f"; {share:.0%} of the experiment, about {left} left"

    def finished(self, facts: RunFacts) -> None:
        """A training is over."""
        title = f"{facts.method}, seed {facts.seed}, rate {facts.learning_rate:g}"
        if facts.purpose == "alpha":
            title += f", alpha {facts.alpha:.3g}"
        if facts.status == "failed":
            self._say(f"{title}: failed. {facts.error}")
            return
        loss = "" if facts.validation_loss is None else f"validation loss {facts.validation_loss:.4f}, "
        right = "".join(f"{task} {marks.count('1')} of {len(marks)}, " for task, marks in facts.rights.items())
        seconds = facts.seconds + facts.evaluation_seconds
        self._say(f"{title}, {counted(facts.steps, 'step')}: {loss}{right}{seconds:.0f} s")

    def chosen(self, rates: Mapping[str, float | None]) -> None:
        """The sweep is over; each method's rate."""
        listed = ", ".join(f"{method} {'none' if rate is None else f'{rate:g}'}" for method, rate in rates.items())
        self._say(f"learning rates: {listed}")

    def _say(self, line: str) -> None:
        if not self._quiet:
            self._console.print(Text(escape(line, _LONGEST_LINE)), soft_wrap=True)
