"""``geoprobe finetune``: parse, call one function, print. Its choices are the fields of `Setup`."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from geoprobe.cli.options import DataOption, DebugOption, FormatOption, OfflineOption, QuietOption
from geoprobe.cli.options import errors as _errors
from geoprobe.cli.options import formats_of as _formats
from geoprobe.cli.streams import print_json
from geoprobe.training.setup import Choice, choices
from geoprobe.versions import install_command


def _finetune(
    model: Annotated[str | None, typer.Argument(help="demo, a folder, a .gguf file or a hub id.")] = None,
    train: Annotated[
        str, typer.Option(help="Training data: a name such as gsm8k, a JSON(L) file, or a hub set.")
    ] = "gsm8k",
    tasks: Annotated[
        str | None,
        typer.Option("--eval", help="Test sets by name, separated by commas.", show_default="paper: all fifteen"),
    ] = None,
    from_scan: Annotated[
        Path | None, typer.Option(readable=False, help="A scan.json: its model, where none is given, and its verdicts.")
    ] = None,
    budget: Annotated[str, typer.Option(help="What the choices begin with: demo, small or paper.")] = "paper",
    *,
    allow_leak: Annotated[
        bool, typer.Option("--allow-leak", help="Test on questions that are among the training data, too.")
    ] = False,
    drop_leak: Annotated[bool, typer.Option("--drop-leak", help="Leave such questions out of the test.")] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print steps, tokens, parameters, time and memory; train nothing.")
    ] = False,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the experiment in the folder.")] = False,
    engine: Annotated[str, typer.Option(help="Where runs are done: local, or ray (RAY_ADDRESS).")] = "local",
    report_to: Annotated[str | None, typer.Option(help="Of Trainer: tensorboard, wandb, all, none.")] = None,
    data: DataOption = None,
    out: Annotated[
        Path | None,
        typer.Option(readable=False, help="Folder of the experiment.", show_default="reports/MODEL-finetune"),
    ] = None,
    formats: FormatOption = "html,pdf,json",
    offline: OfflineOption = False,
    json_output: Annotated[bool, typer.Option("--json", help="Print the result as JSON on standard output.")] = False,
    quiet: QuietOption = False,
    debug: DebugOption = False,
    **given: Any,
) -> None:
    """Train adapters equally by several methods, test them, and say whether one helps."""
    with _errors(debug, printing=json_output or dry_run, interrupted="--resume goes on from the last checkpoint."):
        from geoprobe.errors import NotFoundError, UsageError

        chosen = _formats(formats)
        if allow_leak and drop_leak:
            raise UsageError("Both --allow-leak and --drop-leak were given.", "Give one.")
        if dry_run and json_output:
            raise UsageError("Both --dry-run and --json were given.", "A plan is printed as text: leave out --json.")
        try:
            import geoprobe.hyplora  # noqa: F401
        except ImportError as error:
            raise NotFoundError(
                f"Training needs a package that is not installed: {error.name}.",
                f"Install what it takes by: {install_command('finetune')}",
            ) from error
        asked: dict[str, Any] = {
            "train": train,
            "eval": _listed(tasks),
            "from_scan": from_scan,
            "budget": budget,
            "leaks": "allow" if allow_leak else "drop" if drop_leak else "refuse",
            "data": data,
            "offline": offline,
            **{choice.name: _read(choice, given[choice.name]) for choice in _options()},
        }
        if dry_run:
            from geoprobe.report.text import escape_all
            from geoprobe.training.plan import plan_finetune

            def say(step: str) -> None:
                if not quiet:
                    typer.echo(f"{step} …", err=True)

            for line in escape_all(plan_finetune(model, on_step=say, **asked).lines()):
                typer.echo(line)
            return
        from geoprobe.report.terminal import show_report
        from geoprobe.training.finetuning import finetune as run
        from geoprobe.training.finetuning import out_folder
        from geoprobe.training.progress import TrainingProgress
        from geoprobe.training.running.distributed import rank as process

        folder = out_folder(out, model, from_scan)
        with TrainingProgress(quiet=quiet) as progress:
            result = run(
                model,
                out=folder,
                resume=resume,
                engine=engine,
                report_to=_listed(report_to) or (),
                progress=progress,
                **asked,
            )
        if process() > 0:
            return
        paths = result.write(folder, chosen)
        if not quiet:
            show_report(result.view(), paths)
        if json_output:
            print_json(result.to_json())


def _options() -> Iterator[Choice]:
    """Fields of a set-up that the command line has an option for."""
    return (choice for choice in choices() if choice.help)


def _parameter(choice: Choice) -> inspect.Parameter:
    """A field as an option: numbers as such, several values as a list with commas, seeds as how many."""
    option, kind, default = "--" + choice.name.replace("_", "-"), choice.kind, None
    shown: dict[str, Any] = {"help": choice.help.replace("[", "\\["), "rich_help_panel": choice.panel}
    if choice.name == "seeds":
        declared = typer.Option(option, min=1, metavar="INTEGER", **shown)
    elif kind is bool:
        flags = option if choice.default is False else f"{option}/{option.replace('--', '--no-')}"
        declared, default = typer.Option(flags, **shown), choice.default
    else:
        kind = kind if kind in (int, float) and not choice.several else str
        metavar = "LIST" if choice.several else {int: "INTEGER", float: "NUMBER"}.get(kind, "TEXT")
        declared = typer.Option(option, min=choice.bounds.ge if kind is int else None, metavar=metavar, **shown)
    if kind is not bool:
        kind = kind | None
    return inspect.Parameter(
        choice.name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=Annotated[kind, declared]
    )


def _read(choice: Choice, given: Any) -> Any:
    """What was given for an option as the value of its field; None leaves it to the preset."""
    if given is None or (choice.kind is bool and given is choice.default):
        return None
    if choice.name == "seeds":
        return tuple(range(given))
    if choice.several:
        return _numbers(given) if choice.kind is float else _listed(given)
    return given


def _listed(given: str | None) -> tuple[str, ...] | None:
    return None if given is None else tuple(part.strip() for part in given.split(",") if part.strip())


def _numbers(given: str) -> tuple[float, ...]:
    from geoprobe.errors import UsageError

    try:
        return tuple(float(part) for part in _listed(given) or ())
    except ValueError as error:
        raise UsageError(f"The learning rates are {given!r}.", "Give numbers, separated by commas.") from error


def _command() -> Callable[..., None]:
    """The command with an option for every choice, behind what is asked first."""
    own = inspect.signature(_finetune, eval_str=True).parameters
    first = [parameter for parameter in own.values() if parameter.kind is parameter.POSITIONAL_OR_KEYWORD]
    last = [parameter for parameter in own.values() if parameter.kind is parameter.KEYWORD_ONLY]
    parameters = [*first, *map(_parameter, _options()), *last]

    def finetune(**given: Any) -> None:
        _finetune(**given)

    finetune.__doc__ = _finetune.__doc__
    finetune.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    finetune.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return finetune


finetune = _command()
