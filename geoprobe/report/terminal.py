"""What a scan shows on a terminal: steps while it runs, a table when it is done; always on standard error."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from geoprobe.report.text import escape
from geoprobe.report.view import View, tone

__all__ = ["Bars", "ScanProgress", "show_report"]

_STYLES = {"yes": "green", "partly": "yellow", "no": "cyan", "against": "red", "unknown": ""}


class Bars(Progress):
    """Progress that is silent where it is disabled: some versions of rich end what never began by a line."""

    def stop(self) -> None:
        """End the display, if there is one."""
        if not self.disable:
            super().stop()


class ScanProgress:
    """A line a step, drawn only where standard error is a terminal.

    Parameters
    ----------
    quiet : bool
        Draw nothing at all.
    """

    def __init__(self, *, quiet: bool = False) -> None:
        console = Console(stderr=True)
        self._bars = Bars(
            SpinnerColumn(finished_text="✓"),
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=24),
            TextColumn("{task.fields[amount]}"),
            TimeElapsedColumn(),
            console=console,
            disable=quiet or not console.is_terminal,
            transient=True,
        )
        self._task: TaskID | None = None

    def __enter__(self) -> Self:
        self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bars.stop()

    def step(self, name: str) -> None:
        """A step begins; the one before it is done."""
        if self._task is not None:
            self._bars.update(self._task, total=1, completed=1)
        self._task = self._bars.add_task(escape(name), total=None, amount="")

    def advance(self, done: int, total: int | None) -> None:
        """The step has done so much, of so much where that is known."""
        if self._task is not None:
            self._bars.update(self._task, completed=done, total=total, amount=f"{done:,}")


def show_report(view: View, paths: Mapping[str, Path]) -> None:
    """Print the answers and where the report is."""
    console = Console(stderr=True, highlight=False)
    table = Table(title=Text(f"{view.kind}: {view.title}"), title_justify="left", show_lines=True)
    for heading in ("question", "verdict", "numbers"):
        table.add_column(heading, overflow="fold")
    for section in view.sections:
        card = section.card
        if card.verdict:
            numbers = "\n".join(f"{name}: {line}" for name, line in card.lines)
            table.add_row(Text(card.question), _verdict(card.verdict), Text(numbers))
        for answer in card.answers:
            table.add_row(Text(f"{card.question}\n{answer.of}"), _verdict(answer.verdict), Text(answer.line))
    console.print(table)
    for section in view.sections:
        console.print(Text(f"{section.title}: {section.card.reason}"))
    for path in paths.values():
        console.print(Text(str(path)), soft_wrap=True)


def _verdict(verdict: str) -> Text:
    return Text(verdict, style=_STYLES[tone(verdict)])
