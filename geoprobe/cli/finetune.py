"""``geoprobe finetune``: parse, call one function, print."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from geoprobe.cli.options import DataOption, DebugOption, FormatOption, OfflineOption, QuietOption, RevisionOption
from geoprobe.cli.options import errors as _errors
from geoprobe.cli.options import formats_of as _formats
from geoprobe.versions import install_command

__all__ = ["finetune"]


def finetune(
    model: Annotated[str | None, typer.Argument(help="demo, a folder, a .gguf file or a hub id.")] = None,
    train: Annotated[
        str, typer.Option(help="Training data: a name such as gsm8k, a JSON(L) file, or a hub set.")
    ] = "gsm8k",
    tasks: Annotated[
        str | None,
        typer.Option("--eval", help="Test sets by name, separated by commas.  [paper: gsm8k,svamp,mawps,aqua]"),
    ] = None,
    from_scan: Annotated[
        Path | None, typer.Option(readable=False, help="A scan.json: its model, where none is given, and its verdicts.")
    ] = None,
    budget: Annotated[str, typer.Option(help="What the choices begin with: demo, small or paper.")] = "paper",
    methods: Annotated[
        str | None, typer.Option(help="lora, dora, hyplora; the first is compared with.  [default: lora,hyplora]")
    ] = None,
    seeds: Annotated[int | None, typer.Option(min=1, help="How many seeds.  [paper: 3]")] = None,
    rates: Annotated[str | None, typer.Option(help="Learning rates of the sweep.  [paper: 3e-4]")] = None,
    rank: Annotated[int | None, typer.Option(help="Rank.  [paper: 32]")] = None,
    alpha: Annotated[float | None, typer.Option(help="Output is scaled by alpha / rank.  [paper: 64]")] = None,
    dropout: Annotated[float | None, typer.Option(help="Of the adapters' input.  [paper: 0.05]")] = None,
    targets: Annotated[
        str | None, typer.Option(help="Layers to adapt, or all-linear.  [paper: q, k, v, up and down projections]")
    ] = None,
    curvature: Annotated[float | None, typer.Option(help="HypLoRA's K at the start.")] = None,
    epochs: Annotated[float | None, typer.Option(help="Passes over the training data.  [paper: 3]")] = None,
    steps: Annotated[int | None, typer.Option(help="Optimizer steps, instead of epochs.")] = None,
    sweep_steps: Annotated[int | None, typer.Option(help="Steps of a run of the sweep.")] = None,
    batch: Annotated[int | None, typer.Option(help="Examples a step.  [paper: 16]")] = None,
    micro_batch: Annotated[int | None, typer.Option(help="Of these at a time on a device.")] = None,
    cutoff: Annotated[int | None, typer.Option(help="Tokens at which examples are cut.  [paper: 256]")] = None,
    longest: Annotated[int | None, typer.Option(help="Leave out examples of more tokens instead.")] = None,
    warmup: Annotated[int | None, typer.Option(help="Steps of warm-up, at most a tenth.  [paper: 100]")] = None,
    examples: Annotated[int | None, typer.Option(help="Training examples used, of a sample.")] = None,
    validation: Annotated[int | None, typer.Option(help="Training examples held out.  [paper: 120]")] = None,
    questions: Annotated[int | None, typer.Option(help="Questions asked a test set, of a sample.")] = None,
    max_new_tokens: Annotated[int | None, typer.Option(help="Tokens of the longest answer.")] = None,
    evaluation_batch: Annotated[int | None, typer.Option(help="Questions at a time.  [paper: 16]")] = None,
    save_every: Annotated[int | None, typer.Option(min=0, help="Steps between checkpoints.  [paper: 100]")] = None,
    validate_every: Annotated[int | None, typer.Option(min=0, help="Steps between validations.")] = None,
    precision: Annotated[str | None, typer.Option(help="auto, float32 or bfloat16.")] = None,
    gradient_checkpointing: Annotated[
        bool, typer.Option("--gradient-checkpointing", help="Less memory, more time.")
    ] = False,
    four_bit: Annotated[bool, typer.Option("--four-bit", help="Base model in 4 bits (bitsandbytes, a GPU).")] = False,
    match_scale: Annotated[
        bool, typer.Option("--match-scale/--no-match-scale", help="Start all methods with one gradient norm.")
    ] = True,
    field: Annotated[str | None, typer.Option(help="QUESTION,RESPONSE: columns of the training data.")] = None,
    template: Annotated[str | None, typer.Option(help="Of prompts: alpaca (the paper's) or plain.")] = None,
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
    threads: Annotated[int | None, typer.Option(help="PyTorch's threads on a CPU.")] = None,
    data: DataOption = None,
    out: Annotated[
        Path | None, typer.Option(readable=False, help="Folder of the experiment.  [default: reports/MODEL-finetune]")
    ] = None,
    formats: FormatOption = "html,pdf,json",
    seed: Annotated[int | None, typer.Option(min=0, help="Of samples and the validation split.")] = None,
    revision: RevisionOption = None,
    offline: OfflineOption = False,
    json_output: Annotated[bool, typer.Option("--json", help="Print the result as JSON on standard output.")] = False,
    quiet: QuietOption = False,
    debug: DebugOption = False,
) -> None:
    """Train adapters equally by several methods, test them, and say whether one helps."""
    with _errors(debug, interrupted="--resume goes on from the last checkpoint."):
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
            "methods": _listed(methods),
            "seeds": None if seeds is None else tuple(range(seeds)),
            "rates": _numbers(rates),
            "rank": rank,
            "alpha": alpha,
            "dropout": dropout,
            "targets": _listed(targets),
            "curvature": curvature,
            "epochs": epochs,
            "steps": steps,
            "sweep_steps": sweep_steps,
            "batch": batch,
            "micro_batch": micro_batch,
            "cutoff": cutoff,
            "longest": longest,
            "warmup": warmup,
            "examples": examples,
            "validation": validation,
            "questions": questions,
            "max_new_tokens": max_new_tokens,
            "evaluation_batch": evaluation_batch,
            "save_every": save_every,
            "validate_every": validate_every,
            "precision": precision,
            "gradient_checkpointing": gradient_checkpointing or None,
            "four_bit": four_bit or None,
            "match_scale": None if match_scale else False,
            "field": field,
            "template": template,
            "threads": threads,
            "seed": seed,
            "revision": revision,
        }
        if dry_run:
            from geoprobe.report.text import shown
            from geoprobe.training.plan import plan_finetune

            for line in shown(plan_finetune(model, **asked).lines()):
                typer.echo(line)
            return
        from geoprobe.report.terminal import show_report
        from geoprobe.training.distributed import rank as process
        from geoprobe.training.finetuning import finetune as run
        from geoprobe.training.finetuning import out_folder
        from geoprobe.training.terminal import TrainingProgress

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
            typer.echo(result.to_json(), nl=False)


def _listed(given: str | None) -> tuple[str, ...] | None:
    return None if given is None else tuple(part.strip() for part in given.split(",") if part.strip())


def _numbers(given: str | None) -> tuple[float, ...] | None:
    from geoprobe.errors import UsageError

    try:
        return None if given is None else tuple(float(part) for part in _listed(given) or ())
    except ValueError as error:
        raise UsageError(f"The learning rates are {given!r}.", "Give numbers, separated by commas.") from error
