"""What the commands share: options, and errors printed without a traceback."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup

from geoprobe.cli.signals import asked_to_end
from geoprobe.cli.streams import check_output, is_of_streams, silence

_LONGEST_LINE = 10_000
#: What the help calls a value where its option does not say.
_VALUES = {"<str>": "TEXT", "<path>": "PATH"}


class _PlainHelp:
    """Help that says TEXT, and nothing of flags and arguments, where typer has Python's names of types."""

    def get_params(self, ctx: Any) -> list[Any]:
        """The parameters, as the help shows them."""
        parameters: list[Any] = super().get_params(ctx)  # type: ignore[misc]
        for one in parameters:
            if one.param_type_name == "argument":
                one.display_type_rich = lambda ctx: None
            elif one.metavar is None and hasattr(one, "display_type"):
                one.metavar = "" if one.is_flag else _VALUES.get(one.display_type(ctx))
        return parameters


class Command(_PlainHelp, TyperCommand):
    """A command of geoprobe."""


class Commands(_PlainHelp, TyperGroup):
    """All of them."""


MODEL_PANEL, TEXT_PANEL, REPORT_PANEL, RUN_PANEL = "What is asked of the model", "Texts", "Report", "Run"

FormatOption = Annotated[
    str,
    typer.Option(
        "--format", metavar="LIST", help="Formats to write, separated by commas.", rich_help_panel=REPORT_PANEL
    ),
]
QuietOption = Annotated[bool, typer.Option("--quiet", "-q", help="Print errors only.", rich_help_panel=RUN_PANEL)]
DebugOption = Annotated[
    bool, typer.Option("--debug", help="Show the traceback of an error.", rich_help_panel=RUN_PANEL)
]
CorpusOption = Annotated[
    list[str] | None,
    typer.Option(
        "--corpus",
        metavar="TEXTS",
        help="A file, folder, -, hub id, or a name that `geoprobe corpora` lists; repeatable.",
        rich_help_panel=TEXT_PANEL,
    ),
]
FieldOption = Annotated[
    str | None,
    typer.Option(metavar="TEXT", help="Column of the corpora that holds the text.", rich_help_panel=TEXT_PANEL),
]
DataOption = Annotated[
    Path | None,
    typer.Option(
        metavar="FOLDER",
        readable=False,
        help="Folder of local sets, a folder each.",
        show_default="GEOPROBE_DATA",
        rich_help_panel=TEXT_PANEL,
    ),
]
EngineOption = Annotated[
    str,
    typer.Option(
        metavar="TEXT",
        help="Where to count: local, or ray (the cluster at RAY_ADDRESS).",
        rich_help_panel=TEXT_PANEL,
    ),
]
RevisionOption = Annotated[
    str | None,
    typer.Option(metavar="TEXT", help="Branch, tag or commit of a hub model.", rich_help_panel=MODEL_PANEL),
]
OfflineOption = Annotated[
    bool,
    typer.Option("--offline", help="Ask no network; hub models come from the cache.", rich_help_panel=MODEL_PANEL),
]


def formats_of(listed: str) -> tuple[str, ...]:
    """The formats in a list separated by commas."""
    from geoprobe.errors import UsageError, meant
    from geoprobe.report.formats import FORMATS

    chosen = tuple(dict.fromkeys(part.strip().lower() for part in listed.split(",") if part.strip()))
    unknown = [name for name in chosen if name not in FORMATS]
    if unknown or not chosen:
        raise UsageError(
            f"There is no report format {', '.join(unknown)!r}." if unknown else "No report format was given.",
            f"{meant(','.join(unknown), FORMATS)}Give one or more of {', '.join(FORMATS)}, separated by commas.",
        )
    return chosen


@contextmanager
def errors(debug: bool, *, printing: bool = False, interrupted: str = "") -> Iterator[None]:
    """Print geoprobe's errors without a traceback and leave with their exit code; say how to go on if interrupted.

    With `printing` standard output is needed, and a closed one is an error.
    """
    from geoprobe.errors import GeoprobeError, is_failure

    try:
        if printing:
            check_output()
        yield
    except GeoprobeError as error:
        _end_if_asked(interrupted)
        if debug:
            raise
        _say(f"geoprobe: {error.message}", error.hint)
        raise typer.Exit(error.exit_code) from None
    except BrokenPipeError:
        # the reader of the pipe has gone: say nothing, and let nothing be said at exit
        silence()
        raise typer.Exit(1) from None
    except (typer.Exit, typer.Abort):
        raise
    except BaseException as error:
        _end_if_asked(interrupted)
        if debug or not is_failure(error):
            raise
        if isinstance(error, OSError) and is_of_streams(error):
            silence()
            _say(f"geoprobe: what is to be printed cannot be written: {error.strerror}.")
            raise typer.Exit(1) from None
        if isinstance(error, FileNotFoundError) and _is_gone():
            _say("geoprobe: the folder that it was started in is gone.", "Change to one that is there.")
            raise typer.Exit(3) from None
        _say(
            f"geoprobe: a fault of its own, {type(error).__name__}: {error}",
            "Run again with --debug for the traceback, and report it with the command.",
        )
        raise typer.Exit(1) from None


def _end_if_asked(how_to_go_on: str) -> None:
    """End as a signal asked for, whatever error its exception has become on its way."""
    number = asked_to_end()
    if number is not None:
        if how_to_go_on:
            _say(how_to_go_on)
        raise SystemExit(128 + number)


def _is_gone() -> bool:
    """Whether the working folder has been deleted."""
    try:
        Path.cwd()
    except FileNotFoundError:
        return True
    return False


def _say(*lines: str) -> None:
    """Print on standard error: names from strangers' files steer no terminal.

    Further lines of a text are set in, so that none looks like a message of its own.
    """
    from geoprobe.report.text import escape

    try:
        for text in lines:
            first, *further = text.split("\n") if len(text) <= _LONGEST_LINE else [text]
            if first:
                typer.echo(escape(first, _LONGEST_LINE), err=True)
            for line in further:
                typer.echo(f"  {escape(line.strip(), _LONGEST_LINE)}", err=True)
    except OSError:  # the exit code says it
        silence()
