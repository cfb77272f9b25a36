"""transformers' Trainer, with what an experiment asks of it: a given order, the response's loss, whole checkpoints."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from torch import Tensor
from transformers import Trainer, TrainerCallback
from transformers.trainer_callback import PrinterCallback, ProgressCallback

from geoprobe.errors import GeoprobeError
from geoprobe.training.batches import collate, response_loss
from geoprobe.training.checkpoints import seal
from geoprobe.training.distributed import wait
from geoprobe.training.examples import Tokens
from geoprobe.training.validation import validation_loss

__all__ = ["AdapterTrainer", "DivergedError", "StorageError", "disk_error"]


class DivergedError(GeoprobeError):
    """A loss that is not finite."""


class StorageError(GeoprobeError):
    """A checkpoint or an adapter that cannot be written."""


class AdapterTrainer(Trainer):
    """Train adapters on examples in the order given.

    Parameters
    ----------
    examples, validation : sequence of Tokens
        Every step's, one after the other; and those held out.
    padding : int
        Id that fills up short examples.
    told : callable, optional
        Called with the step and its loss.
    **settings
        As of `transformers.Trainer`.
    """

    control: Any  # Trainer's own, untyped

    def __init__(
        self,
        *,
        examples: Sequence[Tokens],
        validation: Sequence[Tokens],
        padding: int,
        told: Callable[[int, float], None] | None = None,
        **settings: Any,
    ) -> None:
        super().__init__(
            train_dataset=examples,
            eval_dataset=validation,
            data_collator=lambda rows: collate(rows, padding),
            callbacks=[_Checks(told)],
            **settings,
        )
        # geoprobe has a progress display of its own
        self.remove_callback(PrinterCallback)
        self.remove_callback(ProgressCallback)
        self.held_out = validation
        self.padding = padding
        self.before = 0.0  # seconds of this run until it was interrupted
        self._began = time.perf_counter()

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

    def evaluate(self, *_: Any, **__: Any) -> dict[str, float]:
        """Mean loss per response token of the examples held out."""
        loss = validation_loss(
            self.model,
            self.held_out,
            padding=self.padding,
            batch=self.args.per_device_eval_batch_size,
            half=self.args.bf16,
        )
        self.log({"eval_loss": loss})
        self.control = self.callback_handler.on_evaluate(self.args, self.state, self.control, {"eval_loss": loss})
        return {"eval_loss": loss}

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """Log, with the seconds so far."""
        super().log({**logs, "seconds": self.seconds}, start_time)

    def _save_checkpoint(self, model: Any, trial: Any) -> None:
        try:
            super()._save_checkpoint(model, trial)
            wait()  # every process writes its own random state
            if self.args.should_save:
                seal(Path(self.args.output_dir) / f"checkpoint-{self.state.global_step}")
        except (OSError, RuntimeError, SafetensorError) as error:
            raise disk_error(error, Path(self.args.output_dir)) from error


def disk_error(error: Exception, folder: Path) -> StorageError:
    """What writing a checkpoint or an adapter failed of, said plainly."""
    return StorageError(
        f"A checkpoint cannot be written to {folder}: {getattr(error, 'strerror', None) or error}.",
        "Make room or choose another folder by --out; --resume goes on from the last whole checkpoint.",
    )


class _Checks(TrainerCallback):
    """Stops at a loss that is not finite, and tells the progress."""

    def __init__(self, told: Callable[[int, float], None] | None) -> None:
        self._told = told

    def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, float] | None = None, **_: Any) -> None:
        """Look at every logged loss."""
        for name, what in (("loss", "training loss"), ("eval_loss", "validation loss")):
            loss = (logs or {}).get(name)
            if loss is not None and not math.isfinite(loss):
                raise DivergedError(
                    f"The {what} is {loss} at step {state.global_step}.",
                    "Give a lower learning rate, or a longer warm-up.",
                )
        if logs is not None and "loss" in logs and self._told is not None:
            self._told(state.global_step, logs["loss"])
