"""`geoprobe scan`: one model and its report, or several, each with its report, and a comparison behind them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from geoprobe.cli.options import (
    MODEL_PANEL,
    REPORT_PANEL,
    RUN_PANEL,
    TEXT_PANEL,
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
from geoprobe.cli.streams import print_json

if TYPE_CHECKING:
    from geoprobe.report.scan import Report


def scan(
    models: Annotated[
        list[str],
        typer.Argument(metavar="MODEL", help="demo, a folder or file of weights or word vectors, or a hub id."),
    ],
    corpus: CorpusOption = None,
    counts: Annotated[
        list[Path] | None,
        typer.Option(
            "--counts",
            metavar="FILE",
            readable=False,
            help="A file that `geoprobe count` wrote; repeatable.",
            rich_help_panel=TEXT_PANEL,
        ),
    ] = None,
    field: FieldOption = None,
    data: DataOption = None,
    engine: EngineOption = "local",
    analyzer: Annotated[
        list[str] | None,
        typer.Option(
            "--analyzer",
            metavar="NAME",
            help="Run this diagnostic only, as NAME or NAME:OPTION=VALUE,...; repeatable.",
            rich_help_panel=MODEL_PANEL,
        ),
    ] = None,
    layer: Annotated[
        list[str] | None,
        typer.Option(
            "--layer",
            metavar="LAYER",
            help="Run the model and measure this layer's states too: 0 to N, or final; repeatable.",
            rich_help_panel=MODEL_PANEL,
        ),
    ] = None,
    taxonomy: Annotated[
        str | None,
        typer.Option(
            metavar="wordnet|PATH",
            help="Ask for this taxonomy's hierarchy too: WordNet, its folder, or a CSV of child and parent.",
            rich_help_panel=MODEL_PANEL,
        ),
    ] = None,
    tensor: Annotated[
        str | None,
        typer.Option(
            metavar="TEXT",
            help="Name of the embedding's tensor, if geoprobe cannot tell.",
            rich_help_panel=MODEL_PANEL,
        ),
    ] = None,
    tokenizer: Annotated[
        str | None,
        typer.Option(
            metavar="PATH",
            help="The tokenizer, if not beside the weights: a folder, tokenizer.json or words.",
            rich_help_panel=MODEL_PANEL,
        ),
    ] = None,
    quick: Annotated[
        bool,
        typer.Option(
            "--quick",
            help="Read a sample of the rows only (4 MB), and say how far off that may be.",
            rich_help_panel=MODEL_PANEL,
        ),
    ] = False,
    revision: RevisionOption = None,
    offline: OfflineOption = False,
    name: Annotated[
        str | None,
        typer.Option(metavar="TEXT", help="What the report calls the model.", rich_help_panel=REPORT_PANEL),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER",
            readable=False,
            help="Folder for the report; with several models, for a folder each.",
            show_default="reports/MODEL",
            rich_help_panel=REPORT_PANEL,
        ),
    ] = None,
    formats: FormatOption = "html,pdf,json",
    json_output: Annotated[
        bool,
        typer.Option("--json", help="Print the report as JSON on standard output.", rich_help_panel=REPORT_PANEL),
    ] = False,
    seed: Annotated[
        int, typer.Option(min=0, metavar="INTEGER", help="Seed of all randomness.", rich_help_panel=RUN_PANEL)
    ] = 0,
    resume: Annotated[
        bool,
        typer.Option(
            "--resume",
            help="Keep reports that are there of the same model, texts, options and versions.",
            rich_help_panel=RUN_PANEL,
        ),
    ] = False,
    quiet: QuietOption = False,
    debug: DebugOption = False,
) -> None:
    """Scan a model's token embeddings and write a report; of several models, a comparison too."""
    with errors(debug, printing=json_output):
        from geoprobe.diagnostics.base import with_option
        from geoprobe.errors import UsageError
        from geoprobe.files import check_folder
        from geoprobe.report.terminal import ScanProgress, show_report
        from geoprobe.scanning import report_folder
        from geoprobe.scanning import scan as run

        chosen = formats_of(formats)
        several = len(models) > 1
        if name is not None and several:
            raise UsageError(f"--name {name} was given with {len(models)} models.", "Scan one, or leave --name out.")
        if taxonomy is not None:
            analyzer = with_option(analyzer, "taxonomy", taxonomy)
        base = out or Path("reports")
        check_folder(base)

        def one(model: str) -> Report:
            with ScanProgress(quiet=quiet) as progress:
                report = run(
                    model,
                    corpus,
                    seed=seed,
                    analyzers=analyzer,
                    layers=layer or (),
                    counts=counts,
                    field=field,
                    data=data,
                    engine=engine,
                    tensor=tensor,
                    tokenizer=tokenizer,
                    quick=quick,
                    name=name,
                    revision=revision,
                    offline=offline,
                    progress=progress,
                    resume=base if resume else None,
                )
                progress.step("report")
                source = report.model.source
                folder = out if out and not several else report_folder(name or source.model, source.sha256, base)
                # what a comparison reads is kept in any case
                paths = report.write(folder, tuple(dict.fromkeys([*chosen, "json"])) if several else chosen)
            if not quiet:
                named = (source.model, *(counted.name for counted in report.corpora))
                show_report(report.view(), paths, dict(zip(named, (model, *(corpus or ())), strict=False)))
            return report

        if several:
            _side_by_side(models, one, base, chosen, json_output=json_output, quiet=quiet, debug=debug)
            return
        report = one(models[0])
        if json_output:
            print_json(report.to_json())


def _side_by_side(
    models: Sequence[str],
    one: Callable[[str], Report],
    base: Path,
    formats: Sequence[str],
    *,
    json_output: bool,
    quiet: bool,
    debug: bool,
) -> None:
    """Scan one after the other, whatever becomes of the others, and compare those that could be scanned."""
    from geoprobe.comparing import compare
    from geoprobe.report.terminal import show_report

    reports, failed = [], {}
    for model in models:
        try:
            with errors(debug):
                reports.append(one(model))
        except typer.Exit as end:
            failed[model] = end.exit_code
    if len(reports) > 1:
        comparison = compare(*reports)
        paths: Mapping[str, Path] = comparison.write(base / "comparison", formats)
        if not quiet:
            show_report(comparison.view(), paths)
        if json_output:
            print_json(comparison.to_json())
    if failed:
        typer.echo(f"geoprobe: {len(failed)} of {len(models)} models could not be scanned; see above.", err=True)
        raise typer.Exit(next(iter(failed.values())))
