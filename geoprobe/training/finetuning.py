"""Train adapters by several methods, evaluate them, and say whether one helps."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from geoprobe.errors import GeoprobeError, NotFoundError, UsageError, meant
from geoprobe.files import folder_name, given_path, what_is_at
from geoprobe.report.scan import Report
from geoprobe.training.data.tasks import LoadedTask, questions_sha256
from geoprobe.training.engines import open_engine
from geoprobe.training.experiment import (
    PACKAGES,
    Experiment,
    alpha_runs,
    chosen_rates,
    final_runs,
    final_steps,
    sweep_runs,
)
from geoprobe.training.inputs import Inputs, command_of, read_inputs
from geoprobe.training.outcome import TaskFacts
from geoprobe.training.progress import QUESTION, ProgressListener, TrainingProgress
from geoprobe.training.records import RunFacts
from geoprobe.training.report.result import ComparisonResult, make_result
from geoprobe.training.running.distributed import join_processes, rank, wait
from geoprobe.training.setup import Setup
from geoprobe.versions import versions_of

#: What transformers' Trainer can report to.
_INTEGRATIONS = (
    *("azure_ml", "clearml", "codecarbon", "comet_ml", "dagshub", "dvclive", "flyte", "mlflow", "neptune", "swanlab"),
    *("tensorboard", "trackio", "wandb"),
)


def finetune(
    model: str | Path | None = None,
    *,
    train: str | Path = "gsm8k",
    eval: str | Sequence[str] | None = None,
    from_scan: str | Path | Report | None = None,
    budget: str = "paper",
    out: str | Path | None = None,
    resume: bool = False,
    leaks: str = "refuse",
    data: str | Path | None = None,
    engine: str = "local",
    report_to: Sequence[str] = (),
    offline: bool = False,
    progress: ProgressListener | None = None,
    **choices: Any,
) -> ComparisonResult:
    """Find out by experiment whether a method of adaptation helps a model: LoRA, DoRA and HypLoRA, trained equally.

    Parameters
    ----------
    model : str or Path, optional
        ``demo``, a folder, a ``.gguf`` file or a hub id of a causal language model.
    train : str or Path
        Training data: a set by name, a file in LLM-Adapters' form, GSM8K's or of chat messages, or a hub set as
        ``owner/name:config:split``.
    eval : str or sequence of str, optional
        Test sets by name, of `geoprobe.training.data.tasks.TASKS`; the budget's by default.
    from_scan : str, Path or Report, optional
        A scan whose model is taken, where none is given, and whose verdicts are set beside the experiment's.
    budget : {"demo", "small", "paper"}
        What the choices begin with: ten minutes or an hour of two cores for the demo, or the paper's set-up.
    out : str or Path, optional
        Folder of the experiment; ``reports/MODEL-finetune`` by default.
    resume : bool
        Go on with the experiment in the folder: finished runs are kept, others go on from their last checkpoint.
    leaks : {"refuse", "drop", "allow"}
        Where test questions are among the training data: raise, leave them out of the test, or ask them all the same.
    data : str or Path, optional
        Folder of local sets; by default what GEOPROBE_DATA names.
    engine : {"local", "ray"}
        Where runs are done.
    report_to : sequence of str
        Integrations of transformers' Trainer, such as ``tensorboard`` or ``wandb``; or ``all`` that are installed.
    offline : bool
        Ask no network.
    progress : ProgressListener, optional
        Hears how it goes; by default, in a notebook, what writes a line a minute, and elsewhere nobody.
    **choices
        Fields of `geoprobe.training.setup.Setup`, such as ``methods=("lora", "hyplora")``, ``seeds=(0, 1, 2)``,
        ``rates=(3e-4, 1e-3)``, ``rank=32``, ``steps=100``.

    Returns
    -------
    ComparisonResult
        The verdicts with their intervals, every run, and what the experiment could not see. Its folder holds every
        prediction and every adapter.

    Raises
    ------
    GeoprobeError
        When something is not there, not readable or makes no sense; when test questions are among the training data;
        or when no run could be finished. A run that fails alone is reported and does not raise.
    """
    _check_integrations(report_to)
    join_processes()
    if progress is None and "ipykernel" in sys.modules:  # a notebook
        progress = TrainingProgress()
    listener = progress if progress is not None and rank() == 0 else ProgressListener()
    folder = out_folder(out, model, from_scan)
    inputs = read_inputs(
        model,
        train,
        eval,
        from_scan=from_scan,
        budget=budget,
        data=data,
        leaks=leaks,
        offline=offline,
        out=folder,
        choices=choices,
    )
    setup = inputs.setup
    hashes = {**inputs.hashes, "asked": _asked(inputs)}
    experiment = Experiment(
        setup, inputs.training, inputs.asked, folder.absolute(), tuple(report_to), offline, tuple(hashes.items())
    )
    if rank() == 0:
        experiment.store.check(setup, hashes, resume=resume)
    wait()
    with open_engine(engine, experiment, listener) as works:
        listener.begin(_weight(setup, experiment, len(inputs.training.examples)))
        start = works.start()
        alphas = {(alpha.method, alpha.seed): alpha for alpha in start.alphas}
        runs: list[RunFacts] = []
        sweep = sweep_runs(setup, start.training.examples)
        runs += works.runs([(run, alphas[run.method, run.seed]) for run in sweep])
        rates = chosen_rates(setup, runs)
        listener.chosen(rates)
        final = final_runs(setup, rates, start.training.examples)
        tested = list(works.runs([(run, alphas[run.method, run.seed]) for run in final]))
        done = [run for run, facts in zip(final, tested, strict=True) if facts.status == "finished"]
        runs += [*tested, *works.runs(alpha_runs(setup, done, alphas))]
    if not any(run.status == "finished" and run.purpose == "final" for run in runs):
        first = next((run for run in runs if run.error), None)
        raise GeoprobeError(
            f"No run could be finished{'' if first is None else f'; the first one failed: {first.error}'}",
            f"Each run's error.txt is in {folder / 'runs'}. --resume tries again.",
        )
    return make_result(
        model=start.model,
        training=start.training,
        tasks=[_task_facts(whole, asked) for whole, asked in zip(inputs.tasks, inputs.asked, strict=True)],
        setup=setup.to_dict(),
        methods=setup.methods,
        base=start.base,
        runs=runs,
        leaks=inputs.leaks,
        scan=inputs.scan,
        versions=versions_of(PACKAGES),
        seed=setup.seed,
        command=command_of(inputs, budget, leaks, from_scan, data, choices),
        warnings=(*inputs.warnings, *start.warnings),
        steps=start.steps,
    )


def out_folder(out: str | Path | None, model: str | Path | None, from_scan: str | Path | Report | None) -> Path:
    """The folder of an experiment, by default one named after its model."""
    if out is not None:
        return Path(out)
    if model is None and from_scan is not None:
        scan = from_scan if isinstance(from_scan, Report) else Report.load(from_scan)
        model = scan.model.source.model
    named = str(model or "model")
    path = given_path(named)
    return Path("reports") / f"{folder_name(named if what_is_at(path) == 'nothing' else path.resolve().name)}-finetune"


def _task_facts(whole: LoadedTask, asked: LoadedTask) -> TaskFacts:
    task, count = whole.task, len(asked.questions)
    some = tuple(question.id for question in asked.questions) if count < len(whole.questions) else ()
    return TaskFacts(task.name, task.title, task.kind, count, len(whole.questions), whole.sha256, asked.note, some)


def _check_integrations(names: Sequence[str]) -> None:
    special = len(names) == 1 and names[0] in ("none", "all")
    for name in () if special else names:
        if name not in _INTEGRATIONS:
            raise UsageError(
                f"Losses cannot be reported to {name!r}.",
                f"{meant(name, _INTEGRATIONS)}Give some of {', '.join(_INTEGRATIONS)}, or all, or none.",
            )
        package = {"azure_ml": "azureml", "flyte": "flytekit"}.get(name, name)
        if find_spec(package) is None:
            raise NotFoundError(
                f"Losses cannot be reported to {name}: its package {package} is not installed.",
                f"Install it by: pip install {package}",
            )


def _weight(setup: Setup, experiment: Experiment, examples: int) -> float:
    """What all runs weigh, in steps."""
    sweep = sum(run.steps for run in sweep_runs(setup, examples))
    finals, again = len(setup.methods) * len(setup.seeds), setup.alpha_checks
    return sweep + (finals + again) * final_steps(setup, examples) + (finals + 1) * experiment.questions * QUESTION


def _asked(inputs: Inputs) -> str:
    """Hash of the questions that are asked, for telling an experiment from another."""
    return questions_sha256([question for task in inputs.asked for question in task.questions])
