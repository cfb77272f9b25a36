"""One training by transformers' Trainer: from a frozen model to adapters, or on from its last whole checkpoint.

The order of the examples is given, the loss is the response's, and a checkpoint counts only once everything in it is on
the disk.
"""

from __future__ import annotations

import ctypes
import json
import math
import os
import resource
import shutil
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from torch import Tensor
from transformers import Trainer, TrainerCallback, TrainingArguments
from transformers.trainer_callback import PrinterCallback, ProgressCallback
from transformers.utils import logging as transformers_logging

from geoprobe.errors import BadDataError, GeoprobeError
from geoprobe.training.data.examples import Prepared, Tokens, training_order
from geoprobe.training.model.adapters import adapted
from geoprobe.training.model.base import LoadedBase
from geoprobe.training.records import Run
from geoprobe.training.running.best_weights import BestWeights
from geoprobe.training.running.distributed import wait, world_size
from geoprobe.training.running.loss import collate, mean_loss, response_loss, validation_losses
from geoprobe.training.setup import Setup

# its name in transformers 5.2x, and before
_RECOMPUTING = "activation_checkpointing"
if _RECOMPUTING not in TrainingArguments.__dataclass_fields__:
    _RECOMPUTING = "gradient_checkpointing"


@dataclass(frozen=True, eq=False)
class Trained:
    """A peft model after its training, its adapters active.

    The validation losses are of the weights that are lent, those of `tested_step`: the last, or the one with the lowest
    validation loss. Tokens are without padding; seconds are of training with its validation, over interruptions; memory
    is in bytes.
    """

    model: Any
    train_losses: tuple[tuple[int, float], ...]
    validation_losses: tuple[tuple[int, float], ...]
    validation_loss: float
    held_out_losses: tuple[float, ...]
    tokens: int
    seconds: float
    peak_memory: int
    tested_step: int


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
    curvatures: Mapping[str, float] | None = None,
    report_to: Sequence[str] = (),
    on_step: Callable[[int, float], None] | None = None,
) -> Iterator[Trained]:
    """Train, from the last whole checkpoint in the folder if there is one, and lend the model.

    `curvatures` are K at the start by layer, of a method that has it; `report_to` are Trainer's integrations, such as
    ``tensorboard``; `on_step` is called with the step and its loss. DivergedError, at a loss that is not finite, names
    the step.
    """
    transformers_logging.set_verbosity_error()
    examples = ordered_examples(prepared, setup, run)
    with adapted(base.model, setup, run.method, run.seed, alpha, curvatures) as model:
        if setup.gradient_checkpointing:
            model.enable_input_require_grads()
        forget_peak()
        trainer = AdapterTrainer(
            model=model,
            args=_arguments(setup, run, base, folder, report_to),
            examples=examples,
            validation=(run.purpose == "sweep" and prepared.choosing) or prepared.validation,
            padding=base.padding,
            curvature_rate=setup.curvature_rate,
            on_step=on_step,
            best=BestWeights() if setup.checkpoint == "best" else None,
        )
        checkpoint = last_checkpoint(folder)
        if checkpoint is not None:
            trainer.before = _seconds(checkpoint)
            if trainer.best is not None:
                trainer.best.load(checkpoint)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message=".*use_reentrant.*|.*Could not find a config file.*")
            trainer.train(resume_from_checkpoint=None if checkpoint is None else str(checkpoint))
        history = trainer.state.log_history
        validation = _series(history, "eval_loss")
        if not validation or validation[-1][0] != run.steps:
            trainer.evaluate()
            validation = _series(trainer.state.log_history, "eval_loss")
        final_loss, tested_step = validation[-1][1], run.steps
        if trainer.best is not None and trainer.best.step != run.steps:
            trainer.best.put_back(trainer.model)
            final_loss, tested_step = trainer.best.loss, trainer.best.step
            trainer.measure()
        elif not trainer.losses:  # a run that was resumed behind its last validation
            trainer.measure()
        model.eval()
        yield Trained(
            model,
            _series(history, "loss"),
            validation,
            final_loss,
            trainer.losses,
            sum(len(example.ids) for example in examples),
            trainer.seconds,
            peak_memory(),
            tested_step,
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


class DivergedError(GeoprobeError):
    """A loss that is not finite."""


class StorageError(GeoprobeError):
    """A checkpoint or an adapter that cannot be written."""


class AdapterTrainer(Trainer):
    """Train adapters on examples in the order given: every step's, one after the other."""

    control: Any  # Trainer's own, untyped

    def __init__(
        self,
        *,
        examples: Sequence[Tokens],
        validation: Sequence[Tokens],
        padding: int,
        curvature_rate: float = 1.0,
        on_step: Callable[[int, float], None] | None = None,
        best: BestWeights | None = None,
        **settings: Any,
    ) -> None:
        super().__init__(
            train_dataset=examples,
            eval_dataset=validation,
            data_collator=lambda rows: collate(rows, padding),
            callbacks=[_Checks(on_step)],
            **settings,
        )
        # geoprobe has a progress display of its own
        self.remove_callback(PrinterCallback)
        self.remove_callback(ProgressCallback)
        self.held_out = validation
        self.losses: tuple[float, ...] = ()  # of the last validation, example by example
        self.padding = padding
        self.curvature_rate = curvature_rate
        self.best = best
        self.before = 0.0  # seconds of this run until it was interrupted
        self._began = time.perf_counter()

    def create_optimizer(self, *args: Any, **settings: Any) -> Any:
        """As Trainer makes it, curvatures at a rate of their own."""
        optimizer = super().create_optimizer(*args, **settings)
        spaces = {id(p) for name, p in self.model.named_parameters() if ".lora_space." in name}
        if self.curvature_rate == 1 or len(optimizer.param_groups) > 2:
            return optimizer
        for group in list(optimizer.param_groups):
            own = [parameter for parameter in group["params"] if id(parameter) in spaces]
            if own:
                group["params"] = [parameter for parameter in group["params"] if id(parameter) not in spaces]
                rest = {name: value for name, value in group.items() if name != "params"}
                optimizer.add_param_group({**rest, "params": own, "lr": group["lr"] * self.curvature_rate})
        return optimizer

    @property
    def seconds(self) -> float:
        """Of this run's training, over interruptions."""
        return self.before + time.perf_counter() - self._began

    def compute_loss(
        self,
        model: Any,
        inputs: dict[str, Any],
        return_outputs: bool = False,
        num_items_in_batch: Tensor | int | None = None,
    ) -> Any:
        """Mean over the step's response tokens, whatever devices and micro-batches they are spread over."""
        loss, count = response_loss(model, inputs)
        if num_items_in_batch is None:
            return loss / count
        return loss / num_items_in_batch * self.accelerator.num_processes

    def measure(self) -> float:
        """Mean loss per response token of the examples held out, and each one's in `losses`."""
        self.losses = validation_losses(
            self.model,
            self.held_out,
            padding=self.padding,
            batch=self.args.per_device_eval_batch_size,
            half=self.args.bf16,
        )
        return mean_loss(self.losses, self.held_out)

    def evaluate(self, *_: Any, **__: Any) -> dict[str, float]:
        """Measure and log."""
        loss = self.measure()
        if self.best is not None:
            self.best.offer(self.model, loss, self.state.global_step)
        self.log({"eval_loss": loss})
        self.control = self.callback_handler.on_evaluate(self.args, self.state, self.control, {"eval_loss": loss})
        return {"eval_loss": loss}

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """Log, with the seconds so far."""
        super().log({**logs, "seconds": self.seconds}, start_time)

    def _save_checkpoint(self, model: Any, trial: Any) -> None:
        try:
            super()._save_checkpoint(model, trial)
            if self.best is not None:
                self.best.save(Path(self.args.output_dir) / f"checkpoint-{self.state.global_step}")
            wait()  # every process writes its own random state
            if self.args.should_save:
                mark_complete(Path(self.args.output_dir) / f"checkpoint-{self.state.global_step}")
        except (OSError, RuntimeError, SafetensorError) as error:
            raise disk_error(error, Path(self.args.output_dir)) from error


def disk_error(error: Exception, folder: Path) -> StorageError:
    """What writing a checkpoint or an adapter failed of, said plainly."""
    return StorageError(
        f"A checkpoint cannot be written to {folder}: {getattr(error, 'strerror', None) or error}.",
        "Make room or choose another folder by --out; --resume goes on from the last whole checkpoint.",
    )


class _Checks(TrainerCallback):
    """Stops at a loss that is not finite, and reports the progress."""

    def __init__(self, on_step: Callable[[int, float], None] | None) -> None:
        self._on_step = on_step

    def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, float] | None = None, **_: Any) -> None:
        """Look at every logged loss."""
        for name, what in (("loss", "training loss"), ("eval_loss", "validation loss")):
            loss = (logs or {}).get(name)
            if loss is not None and not math.isfinite(loss):
                raise DivergedError(
                    f"The {what} is {loss} at step {state.global_step}.",
                    "Give a lower learning rate, or a longer warm-up.",
                )
        if logs is not None and "loss" in logs and self._on_step is not None:
            self._on_step(state.global_step, logs["loss"])


_MARK = "complete"


def mark_complete(checkpoint: Path) -> None:
    """Say that a checkpoint is whole, after all its files have reached the disk."""
    for path in sorted(checkpoint.rglob("*")):
        if path.is_file():
            _flush(path)
    mark = checkpoint / _MARK
    mark.touch()
    _flush(mark)
    _flush(checkpoint)


def last_checkpoint(folder: Path) -> Path | None:
    """The last whole checkpoint in a run's folder; what was being written when a run was killed is passed over."""
    whole = [path for path in _checkpoints(folder) if (path / _MARK).is_file()]
    return max(whole, key=lambda path: int(path.name.rpartition("-")[2]), default=None)


def _checkpoints(folder: Path) -> list[Path]:
    """Folders called as Trainer calls its checkpoints."""
    return [path for path in folder.glob("checkpoint-*") if path.name[11:].isdecimal() and path.is_dir()]


def clear_checkpoints(folder: Path) -> None:
    """Remove a finished run's checkpoints: its adapter is saved."""
    for path in _checkpoints(folder):
        shutil.rmtree(path)


def _flush(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def forget_peak() -> None:
    """Measure from here on, where the system can (CUDA, and Linux)."""
    if torch.cuda.is_available():
        torch.cuda.reset_peak_memory_stats()
    with suppress(OSError, AttributeError):  # glibc keeps what was freed, which would count as taken
        ctypes.CDLL(None).malloc_trim(0)
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


def resident_memory() -> int:
    """Bytes that are taken now: of the device on a GPU, else of the process; 0 where the system does not say."""
    if torch.cuda.is_available():
        return int(torch.cuda.memory_allocated())
    with suppress(OSError):
        return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()
    return 0


def peak_memory() -> int:
    """Bytes at the peak since `forget_peak`, or since the process began where that cannot be forgotten."""
    if torch.cuda.is_available():
        return int(torch.cuda.max_memory_allocated())
    with suppress(OSError):
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
