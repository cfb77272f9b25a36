"""The command line: parse, call one function, print."""

from __future__ import annotations

import atexit
import gc
import io
import logging
import os
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from geoprobe.cli.finetune import finetune
from geoprobe.cli.options import (
    Command,
    Commands,
    CorpusOption,
    DataOption,
    DebugOption,
    EngineOption,
    FieldOption,
    FormatOption,
    OfflineOption,
    QuietOption,
    RevisionOption,
    errors,
    formats_of,
)
from geoprobe.cli.scan import scan
from geoprobe.cli.signals import ended_by_signals
from geoprobe.cli.streams import print_json, sound_streams

# readable=False, at every path, leaves the permission to read, which has an exit code of its own, to what reads
app = typer.Typer(
    name="geoprobe",
    cls=Commands,
    help="Geometric diagnostics for language models, each with an interval, a null model and a plain verdict.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)


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


app.command(cls=Command)(scan)


@app.command(cls=Command)
def report(
    saved: Annotated[
        Path, typer.Argument(metavar="JSON", readable=False, help="A saved scan.json or comparison.json.")
    ],
    formats: FormatOption = "html,pdf",
    out: Annotated[
        Path | None, typer.Option(readable=False, help="Folder to write to.", show_default="the report's own")
    ] = None,
    quiet: QuietOption = False,
    debug: DebugOption = False,
) -> None:
    """Draw a saved report again; the model need not be there."""
    with errors(debug):
        from geoprobe.files import check_folder
        from geoprobe.report.conclusion import SAVED
        from geoprobe.report.formats import content_of, open_report
        from geoprobe.report.terminal import show_report

        chosen = formats_of(formats)
        loaded = open_report(saved)
        check_folder(out or saved.parent)
        with content_of(saved):
            paths = loaded.write(out or saved.parent, chosen)
            if not quiet:
                show_report(loaded.view(), paths, {SAVED: str(saved)})


@app.command(cls=Command)
def count(
    inputs: Annotated[list[str], typer.Argument(metavar="MODEL", help="The model; with --merge, the counts files.")],
    out: Annotated[Path, typer.Option(readable=False, help="Counts file to write, ending in .parquet.")],
    corpus: CorpusOption = None,
    merge: Annotated[bool, typer.Option("--merge", help="Add up counts files instead of counting.")] = False,
    field: FieldOption = None,
    data: DataOption = None,
    engine: EngineOption = "local",
    revision: RevisionOption = None,
    offline: OfflineOption = False,
    quiet: QuietOption = False,
    debug: DebugOption = False,
) -> None:
    """Count corpora by a model's tokenizer, for `scan --counts`; or add up such counts."""
    with errors(debug):
        from geoprobe import counts as counting
        from geoprobe.errors import UsageError
        from geoprobe.files import check_folder
        from geoprobe.report.terminal import ScanProgress
        from geoprobe.report.text import escape_all
        from geoprobe.sources.counts_file import counts_file_path, save_counts

        asked = {"--corpus": corpus, "--field": field, "--data": data, "--revision": revision}
        asked["--engine"] = engine if engine != "local" else None
        only_counting = [option for option, value in asked.items() if value]
        if merge and only_counting:
            raise UsageError(
                f"Both --merge and {only_counting[0]} were given.",
                "Merging reads counts files alone: count first, then merge the files.",
            )
        if not merge and len(inputs) > 1:
            raise UsageError(f"{len(inputs)} models were given.", "Give one, or --merge to add up counts files.")
        check_folder(counts_file_path(out).parent)
        if merge:
            found = counting.merge(inputs)
        else:
            with ScanProgress(quiet=quiet) as progress:
                found = counting.count(
                    inputs[0],
                    corpus or [],
                    field=field,
                    data=data,
                    revision=revision,
                    engine=engine,
                    offline=offline,
                    progress=progress,
                )
        save_counts(out, found)
        if not quiet:
            tokens = sum(each.n_tokens for each in found.corpora)
            typer.echo(f"{escape_all(str(out))}: {tokens:,} tokens, {len(found.tokens):,} different", err=True)


@app.command(cls=Command)
def corpora(
    data: DataOption = None,
    json_output: Annotated[bool, typer.Option("--json", help="Print the list as JSON.")] = False,
    debug: DebugOption = False,
) -> None:
    """List the corpora that have names, and what files can be read."""
    with errors(debug, printing=True):
        import json

        from geoprobe.cli.corpora import list_corpora, show_corpora

        listed = list_corpora(data)
        if json_output:
            typer.echo(json.dumps(listed, indent=1))
        else:
            show_corpora(listed)


@app.command(cls=Command)
def compare(
    scans: Annotated[
        list[Path], typer.Argument(metavar="SCAN.JSON...", readable=False, help="Saved scans of two or more models.")
    ],
    out: Annotated[Path, typer.Option(readable=False, help="Folder for the comparison.")] = Path("reports/comparison"),
    formats: FormatOption = "html,pdf,json",
    json_output: Annotated[
        bool, typer.Option("--json", help="Print the comparison as JSON on standard output.")
    ] = False,
    quiet: QuietOption = False,
    debug: DebugOption = False,
) -> None:
    """Put scans of several models side by side."""
    with errors(debug, printing=json_output):
        from geoprobe.comparing import compare as run
        from geoprobe.files import check_folder
        from geoprobe.report.formats import content_of
        from geoprobe.report.terminal import show_report

        chosen = formats_of(formats)
        check_folder(out)
        with content_of(*scans):
            comparison = run(*scans)
            paths = comparison.write(out, chosen)
        if not quiet:
            show_report(comparison.view(), paths)
        if json_output:
            print_json(comparison.to_json())


app.command(cls=Command)(finetune)


#: Turns of the loop that a thread waits in before it sleeps: no slower than libgomp's own on a machine that is idle.
_SPINS = "3000"
#: Objects that may gather before circles among them are looked for; 700 by default.
_OBJECTS = 50_000


def main(arguments: list[str] | None = None) -> Any:
    """Run the command line."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        # as on standard error: what the terminal's encoding has no letter for is printed as its escape
        sys.stdout.reconfigure(errors="backslashreplace")
    # bitsandbytes, which peft imports, tells at every start of a kernel that it could not load
    logging.getLogger("bitsandbytes").setLevel(logging.ERROR)
    # PyTorch's threads wait for one another by spinning, on a busy machine for most of the time
    os.environ.setdefault("GOMP_SPINCOUNT", _SPINS)
    # there is next to no garbage in circles: looking for it as often as Python does takes a tenth of a scan
    gc.set_threshold(_OBJECTS)
    atexit.register(gc.freeze)
    with sound_streams(), ended_by_signals():
        return app(args=arguments, prog_name="geoprobe")
