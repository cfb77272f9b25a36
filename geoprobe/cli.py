"""The command line: parse, call one function, print."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from geoprobe.report.document import Report

__all__ = ["main"]

app = typer.Typer(
    name="geoprobe",
    help="Geometric diagnostics for language models, each with an interval, a null model and a plain verdict.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

FormatOption = Annotated[str, typer.Option("--format", help="Formats to write, separated by commas.")]
QuietOption = Annotated[bool, typer.Option("--quiet", "-q", help="Print errors only.")]
DebugOption = Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")]


def _version(wanted: bool) -> None:
    if wanted:
        from geoprobe import __version__

        typer.echo(f"geoprobe {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and leave.")
    ] = False,
) -> None:
    pass


@app.command()
def scan(
    model: Annotated[str, typer.Argument(help="demo, a folder or file of weights or word vectors, or a hub id.")],
    corpus: Annotated[
        list[str] | None,
        typer.Option("--corpus", help="python-docs, or a text, JSON, JSONL, CSV or parquet file; repeatable."),
    ] = None,
    field: Annotated[str | None, typer.Option(help="Column of the corpora that holds the text.")] = None,
    out: Annotated[Path | None, typer.Option(help="Folder for the report.  [default: reports/MODEL]")] = None,
    formats: FormatOption = "html,pdf,json",
    seed: Annotated[int, typer.Option(min=0, help="Seed of all randomness.")] = 0,
    analyzer: Annotated[
        list[str] | None, typer.Option("--analyzer", help="Run this diagnostic only; repeatable.")
    ] = None,
    tensor: Annotated[str | None, typer.Option(help="Name of the embedding's tensor, if geoprobe cannot tell.")] = None,
    tokenizer: Annotated[
        str | None,
        typer.Option(help="The tokenizer, if not beside the weights: a folder, tokenizer.json or words."),
    ] = None,
    quick: Annotated[
        bool, typer.Option("--quick", help="Read a sample of the rows only (4 MB), and say how far off that may be.")
    ] = False,
    revision: Annotated[str | None, typer.Option(help="Branch, tag or commit of a hub model.")] = None,
    offline: Annotated[bool, typer.Option("--offline", help="Ask no network; hub models come from the cache.")] = False,
    json_output: Annotated[bool, typer.Option("--json", help="Print the report as JSON on standard output.")] = False,
    quiet: QuietOption = False,
    debug: DebugOption = False,
) -> None:
    """Scan a model's token embeddings and write a report."""
    with _errors(debug):
        from geoprobe.report.terminal import ScanProgress, show_report
        from geoprobe.scanning import scan as run

        chosen = _formats(formats)
        with ScanProgress(quiet=quiet) as progress:
            report = run(
                model,
                corpus,
                seed=seed,
                analyzers=analyzer,
                field=field,
                tensor=tensor,
                tokenizer=tokenizer,
                quick=quick,
                revision=revision,
                offline=offline,
                progress=progress,
            )
            progress.step("report")
            paths = report.write(out or Path("reports") / report_folder(report), chosen)
        if not quiet:
            show_report(report, paths)
        if json_output:
            typer.echo(report.to_json(), nl=False)


@app.command()
def report(
    scan_json: Annotated[Path, typer.Argument(metavar="SCAN.JSON", help="A saved report.")],
    formats: FormatOption = "html,pdf",
    out: Annotated[Path | None, typer.Option(help="Folder to write to.  [default: the report's own]")] = None,
    quiet: QuietOption = False,
    debug: DebugOption = False,
) -> None:
    """Draw a saved report again; the model need not be there."""
    with _errors(debug):
        from geoprobe.report.document import Report
        from geoprobe.report.terminal import show_report

        loaded = Report.load(scan_json)
        paths = loaded.write(out or scan_json.parent, _formats(formats))
        if not quiet:
            show_report(loaded, paths)


def report_folder(report: Report) -> str:
    """Folder name for a report: the model as the user called it, with nothing that a path could be made of."""
    kept = "".join(c if c.isalnum() or c in "-_." else "--" for c in report.model.source.model)
    return kept.strip(".") or "model"


def _formats(listed: str) -> tuple[str, ...]:
    from geoprobe.errors import UsageError
    from geoprobe.report.document import FORMATS

    chosen = tuple(dict.fromkeys(part.strip().lower() for part in listed.split(",") if part.strip()))
    unknown = [name for name in chosen if name not in FORMATS]
    if unknown or not chosen:
        raise UsageError(
            f"There is no report format {', '.join(unknown)!r}." if unknown else "No report format was given.",
            f"Give one or more of {', '.join(FORMATS)}, separated by commas.",
        )
    return chosen


@contextmanager
def _errors(debug: bool) -> Iterator[None]:
    """Print geoprobe's errors without a traceback and leave with their exit code."""
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
        typer.echo("geoprobe: interrupted; nothing was written.", err=True)
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


def main(arguments: list[str] | None = None) -> Any:
    """Run the command line."""
    return app(args=arguments, prog_name="geoprobe")
