"""What a scan shows on a terminal: steps while it runs, answers when it is done; always on standard error."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.padding import Padding
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.text import Text

from geoprobe.report.conclusion import SAVED
from geoprobe.report.text import escape, escape_all
from geoprobe.report.view import Section, View, tone
from geoprobe.stats.kernel import COMPILING, ON_FIRST_COMPILATION

_STYLES = {"yes": "green", "partly": "yellow", "no": "cyan", "against": "red", "unknown": ""}


class Bars(Progress):
    """Progress that is silent where it is disabled: some versions of rich end what never began by a line."""

    def stop(self) -> None:
        """End the display, if there is one."""
        if not self.disable:
            super().stop()


class ScanProgress:
    """A line a step, drawn only where standard error is a terminal; a pipe is told why a first run takes long."""

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
        self._told = () if quiet else (lambda: console.print(Text(COMPILING, style="dim")),)

    def __enter__(self) -> Self:
        ON_FIRST_COMPILATION.extend(self._told)
        self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bars.stop()
        for told in self._told:
            ON_FIRST_COMPILATION.remove(told)

    def step(self, name: str) -> None:
        """A step begins; the one before it is done."""
        if self._task is not None:
            self._bars.update(self._task, total=1, completed=1)
        self._task = self._bars.add_task(escape(name), total=None, amount="")

    def advance(self, done: int, total: int | None) -> None:
        """The step has done so much, of so much where that is known."""
        if self._task is not None:
            self._bars.update(self._task, completed=done, total=total, amount=f"{done:,}")


def show_report(view: View, paths: Mapping[str, Path], given: Mapping[str, str] | None = None) -> None:
    """Print the answers, what they say together, and where the report is.

    `given` is from the report's names of the model and its texts to the user's: the next command is pasted there.
    """
    console = Console(stderr=True, highlight=False)
    console.print(Text(f"{view.kind}: {view.title}", style="bold"))
    for warning in view.warnings:
        console.print(Text(f"Note. {warning}", style="yellow"))
    if view.conclusion is not None:
        console.print()
        for sentence in view.conclusion.sentences:
            console.print(Text(sentence))
    for section in view.sections:
        console.print()
        _show_card(console, section)
    if view.notes:
        console.print()
        for note in view.notes:
            console.print(Text(note, style="dim"))
    if view.conclusion is not None and view.conclusion.command:
        console.print(Text(f"\nNext. {view.conclusion.purpose}"))
        words = {**(given or {}), **({SAVED: str(paths["json"])} if "json" in paths else {})}
        command = shlex.split(view.conclusion.command)
        placed = shlex.join([*command[:2], *(words.get(word, word) for word in command[2:])])  # not "scan" itself
        console.print(Text(f"  {escape_all(placed)}"), soft_wrap=True)
    console.print()
    for path in paths.values():
        console.print(Text(escape_all(str(path))), soft_wrap=True)


def _show_card(console: Console, section: Section) -> None:
    """The question and its verdict, then why, then the numbers, further in."""
    card = section.card
    question = Text(card.question, style="bold")
    console.print(question.append("  ").append(_verdict(card.verdict)) if card.verdict else question)
    lines = [Text(card.reason)]
    lines += [Text(f"Note. {warning}", style="yellow") for warning in section.warnings]
    lines += [Text(f"{name}: {line}", style="dim") for name, line in card.lines]
    if card.strip is not None:
        lines.append(Text(f"Here {card.strip.here}, chance {card.strip.chance}: {card.strip.side}.", style="dim"))
    for answer in card.answers:
        lines.append(Text(answer.of, style="bold").append("  ").append(_verdict(answer.verdict)))
        lines += [Text(f"  {answer.line}", style="dim")] if answer.line else []
    for line in lines:
        console.print(Padding(line, (0, 0, 0, 2), expand=False))


def _verdict(verdict: str) -> Text:
    return Text(verdict, style=f"bold {_STYLES[tone(verdict)]}".strip())
