"""One training: from a frozen model to adapters, or on from its last checkpoint."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from transformers import TrainingArguments
from transformers.utils import logging as transformers_logging

from geoprobe.errors import BadDataError
from geoprobe.training.adapters import adapted
from geoprobe.training.base_model import LoadedBase
from geoprobe.training.checkpoints import last_checkpoint
from geoprobe.training.distributed import world_size
from geoprobe.training.examples import Prepared, Tokens, training_order
from geoprobe.training.memory import forget_peak, peak_memory
from geoprobe.training.runs import Run
from geoprobe.training.setup import Setup
from geoprobe.training.trainer import AdapterTrainer

__all__ = ["Trained", "ordered_examples", "trained"]


# its name in transformers 5.2x, and before
_RECOMPUTING = "activation_checkpointing"
if _RECOMPUTING not in TrainingArguments.__dataclass_fields__:
    _RECOMPUTING = "gradient_checkpointing"


@dataclass(frozen=True, eq=False)
class Trained:
    """A model after its training.

    Parameters
    ----------
    model : object
        A peft model, its adapters active.
    train_losses, validation_losses : tuple of (int, float)
        By step.
    validation_loss : float
        At the end.
    tokens : int
        Trained on, padding not counted.
    seconds : float
        Of training with its validation, over interruptions.
    peak_memory : int
        Bytes.
    """

    model: Any
    train_losses: tuple[tuple[int, float], ...]
    validation_losses: tuple[tuple[int, float], ...]
    validation_loss: float
    tokens: int
    seconds: float
    peak_memory: int


def ordered_examples(prepared: Prepared, setup: Setup, run: Run) -> list[Tokens]:
    """What a run sees, step after step."""
    lengths = [len(example.ids) for example in prepared.training]
    return [prepared.training[place] for place in training_order(lengths, setup.batch, run.steps, run.seed)]


@contextmanager
def trained(
    base: LoadedBase,
    setup: Setup,
    run: Run,
    alpha: float,
    prepared: Prepared,
    folder: Path,
    *,
    report_to: Sequence[str] = (),
    told: Callable[[int, float], None] | None = None,
) -> Iterator[Trained]:
    """Train, from the last whole checkpoint in the folder if there is one, and lend the model.

    Parameters
    ----------
    base : LoadedBase
        The model.
    setup : Setup
        The experiment's choices.
    run : Run
        This run's.
    alpha : float
        Of the adapters, scales matched.
    prepared : Prepared
        Examples.
    folder : Path
        Of checkpoints.
    report_to : sequence of str
        Trainer's integrations, such as ``tensorboard``.
    told : callable, optional
        Called with the step and its loss.

    Raises
    ------
    DivergedError
        At a loss that is not finite, with the step.
    GeoprobeError
        When a checkpoint cannot be written.
    """
    transformers_logging.set_verbosity_error()
    examples = ordered_examples(prepared, setup, run)
    with adapted(base.model, setup, run.method, run.seed, alpha) as model:
        if setup.gradient_checkpointing:
            model.enable_input_require_grads()
        forget_peak()
        trainer = AdapterTrainer(
            model=model,
            args=_arguments(setup, run, base, folder, report_to),
            examples=examples,
            validation=prepared.validation,
            padding=base.padding,
            told=told,
        )
        checkpoint = last_checkpoint(folder)
        if checkpoint is not None:
            trainer.before = _seconds(checkpoint)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message=".*use_reentrant.*|.*Could not find a config file.*")
            trainer.train(resume_from_checkpoint=None if checkpoint is None else str(checkpoint))
        history = trainer.state.log_history
        validation = _series(history, "eval_loss")
        if not validation or validation[-1][0] != run.steps:
            trainer.evaluate()
            validation = _series(trainer.state.log_history, "eval_loss")
        model.eval()
        yield Trained(
            model,
            _series(history, "loss"),
            validation,
            validation[-1][1],
            sum(len(example.ids) for example in examples),
            trainer.seconds,
            peak_memory(),
        )


def _arguments(setup: Setup, run: Run, base: LoadedBase, folder: Path, report_to: Sequence[str]) -> TrainingArguments:
    shares = world_size()
    micro = setup.micro_batch or max(setup.batch // shares, 1)
    if setup.batch % (micro * shares):
        raise BadDataError(
            f"A batch of {setup.batch} cannot be spread over {shares} processes in micro-batches of {micro}.",
            "Give a batch that is a multiple of their product.",
        )
    arguments = TrainingArguments(
        output_dir=str(folder),
        max_steps=run.steps,
        per_device_train_batch_size=micro,
        per_device_eval_batch_size=micro,
        gradient_accumulation_steps=setup.batch // (micro * shares),
        train_sampling_strategy="sequential",  # the examples are in order
        learning_rate=run.learning_rate,
        lr_scheduler_type="linear",
        warmup_steps=min(setup.warmup, run.steps // 10),
        optim="adamw_torch",
        weight_decay=setup.weight_decay,
        max_grad_norm=setup.clip,
        bf16=base.half,
        **({_RECOMPUTING: True} if setup.gradient_checkpointing else {}),
        logging_steps=1,
        logging_nan_inf_filter=False,  # it would hide what must stop a run
        eval_strategy="steps" if setup.validate_every else "no",
        eval_steps=setup.validate_every or None,
        save_strategy="steps" if setup.save_every else "no",
        save_steps=setup.save_every or 500,
        save_total_limit=2,  # the last whole one stays while the next is written
        seed=run.seed,
        use_cpu=not torch.cuda.is_available(),
        dataloader_pin_memory=torch.cuda.is_available(),
        remove_unused_columns=False,
        disable_tqdm=True,
        report_to=list(report_to) or "none",
        run_name=run.id,
        ddp_find_unused_parameters=False,
    )
    if arguments.n_gpu > 1:  # several GPUs are for `accelerate launch`
        arguments._n_gpu = 1
    return arguments


def _seconds(checkpoint: Path) -> float:
    history = json.loads((checkpoint / "trainer_state.json").read_text())["log_history"]
    return float(history[-1]["seconds"]) if history else 0.0


def _series(history: Sequence[dict[str, Any]], name: str) -> tuple[tuple[int, float], ...]:
    return tuple((int(entry["step"]), float(entry[name])) for entry in history if name in entry)
