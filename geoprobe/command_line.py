"""What the commands share: options, and errors printed without a traceback."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

__all__ = [
    "CorpusOption",
    "DataOption",
    "DebugOption",
    "EngineOption",
    "FieldOption",
    "FormatOption",
    "OfflineOption",
    "QuietOption",
    "RevisionOption",
    "errors",
    "formats_of",
]

FormatOption = Annotated[str, typer.Option("--format", help="Formats to write, separated by commas.")]
QuietOption = Annotated[bool, typer.Option("--quiet", "-q", help="Print errors only.")]
DebugOption = Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")]
CorpusOption = Annotated[
    list[str] | None,
    typer.Option("--corpus", help="A file, folder, -, hub id, or a name that `geoprobe corpora` lists; repeatable."),
]
FieldOption = Annotated[str | None, typer.Option(help="Column of the corpora that holds the text.")]
DataOption = Annotated[Path | None, typer.Option(help="Folder of local sets, a folder each.  [default: GEOPROBE_DATA]")]
EngineOption = Annotated[str, typer.Option(help="Where to count: local, or ray (the cluster at RAY_ADDRESS).")]
RevisionOption = Annotated[str | None, typer.Option(help="Branch, tag or commit of a hub model.")]
OfflineOption = Annotated[bool, typer.Option("--offline", help="Ask no network; hub models come from the cache.")]


def formats_of(listed: str) -> tuple[str, ...]:
    """The formats in a list separated by commas.

    Raises
    ------
    UsageError
        When one is unknown, or there is none.
    """
    from geoprobe.errors import UsageError
    from geoprobe.report.formats import FORMATS

    chosen = tuple(dict.fromkeys(part.strip().lower() for part in listed.split(",") if part.strip()))
    unknown = [name for name in chosen if name not in FORMATS]
    if unknown or not chosen:
        raise UsageError(
            f"There is no report format {', '.join(unknown)!r}." if unknown else "No report format was given.",
            f"Give one or more of {', '.join(FORMATS)}, separated by commas.",
        )
    return chosen


@contextmanager
def errors(debug: bool, *, interrupted: str = "nothing was written") -> Iterator[None]:
    """Print geoprobe's errors without a traceback and leave with their exit code; say what an interruption left."""
    from geoprobe.errors import GeoprobeError

    try:
        yield
    except GeoprobeError as error:
        if debug:
            raise
        typer.echo(f"geoprobe: {error.message}", err=True)
        if error.hint:
            typer.echo(error.hint, err=True)
        raise typer.Exit(error.exit_code) from None
    except KeyboardInterrupt:
        typer.echo(f"geoprobe: interrupted; {interrupted}.", err=True)
        raise typer.Exit(130) from None
    except BrokenPipeError:
        # the reader of the pipe has gone: say nothing, and let nothing be said at exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise typer.Exit(1) from None
    except (typer.Exit, typer.Abort):
        raise
    except Exception as error:
        if debug:
            raise
        typer.echo(f"geoprobe: a fault of its own, {type(error).__name__}: {error}", err=True)
        typer.echo("Run again with --debug for the traceback, and report it with the command.", err=True)
        raise typer.Exit(1) from None
