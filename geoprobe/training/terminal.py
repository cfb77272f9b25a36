"""An experiment on a terminal: the run with its loss and time left, all of it with its own; a line when one is over."""

from __future__ import annotations

from collections.abc import Mapping
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, TaskID, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.text import Text

from geoprobe.report.terminal import Bars
from geoprobe.report.text import visible
from geoprobe.training.records import RunRecord

__all__ = ["TrainingProgress"]

#: Of a run with all test sets, or that failed for a reason of many words.
_LONGEST_LINE = 4_000


class TrainingProgress:
    """Bars where standard error is a terminal, and lines everywhere.

    Parameters
    ----------
    quiet : bool
        Show nothing at all.
    """

    def __init__(self, *, quiet: bool = False) -> None:
        self._quiet = quiet
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
        self._whole = self._bars.add_task("experiment", total=weight, amount="")

    def run(self, title: str, amount: int, weight: float) -> None:
        """A run begins, of so many steps or questions."""
        self._before += self._weight
        self._amount, self._weight = max(amount, 1), weight
        if self._run is not None:
            self._bars.remove_task(self._run)
        self._run = self._bars.add_task(visible(title), total=self._amount, amount=f"0 of {amount:,}")

    def advance(self, done: int, loss: float | None = None) -> None:
        """It has done so many, the last with this loss."""
        if self._run is not None:
            shown = f"{done:,} of {self._amount:,}" + ("" if loss is None else f", loss {loss:.3f}")
            self._bars.update(self._run, completed=done, amount=shown)
        if self._whole is not None:
            self._bars.update(self._whole, completed=self._before + self._weight * done / self._amount)

    def finished(self, record: RunRecord) -> None:
        """A training is over."""
        title = f"{record.method}, seed {record.seed}, rate {record.learning_rate:g}"
        if record.status == "failed":
            self._say(f"{title}: failed. {record.error}")
            return
        loss = "" if record.validation_loss is None else f"validation loss {record.validation_loss:.4f}, "
        right = "".join(
            f"{task} {sum(each.right for each in found)} of {len(found)}, "
            for task, found in record.predictions.items()
        )
        seconds = record.seconds + record.evaluation_seconds
        self._say(f"{title}, {record.steps} steps: {loss}{right}{seconds:.0f} s")

    def chosen(self, rates: Mapping[str, float | None]) -> None:
        """The sweep is over; each method's rate."""
        listed = ", ".join(f"{method} {'none' if rate is None else f'{rate:g}'}" for method, rate in rates.items())
        self._say(f"learning rates: {listed}")

    def _say(self, line: str) -> None:
        if not self._quiet:
            self._console.print(Text(visible(line, _LONGEST_LINE)), soft_wrap=True)
