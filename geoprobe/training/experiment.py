"""Methods × seeds × rates: what is done for one run, wherever it runs."""

from __future__ import annotations

import time
import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from geoprobe.errors import GeoprobeError
from geoprobe.training.adapters import count_parameters, curvatures, geometry_parameters
from geoprobe.training.base_model import LoadedBase, fingerprint, load_base, model_facts
from geoprobe.training.data import TrainingData
from geoprobe.training.distributed import rank, wait, world_size
from geoprobe.training.evaluate import evaluate
from geoprobe.training.examples import Prepared, prepare
from geoprobe.training.facts import TrainedModel
from geoprobe.training.records import BaseRecord, RunRecord
from geoprobe.training.runs import Run
from geoprobe.training.scale import Scale, measure_scale
from geoprobe.training.setup import Setup
from geoprobe.training.store import Store
from geoprobe.training.tasks import LoadedTask
from geoprobe.training.told import QUESTION, Told
from geoprobe.training.train import ordered_examples, trained
from geoprobe.training.trainer import DivergedError, StorageError
from geoprobe.training.validation import validation_loss
from geoprobe.versions import versions_of

__all__ = ["PACKAGES", "Experiment", "Start", "Workbench", "failed_record"]

#: What computes the numbers, and so belongs into the provenance.
PACKAGES = ("torch", "transformers", "peft", "accelerate", "numpy", "numba", "tokenizers")


@dataclass(frozen=True)
class Experiment:
    """All that a run's outcome depends on, small enough to be sent to another process.

    Parameters
    ----------
    setup : Setup
        The choices.
    training : TrainingData
        What is trained on.
    tasks : tuple of LoadedTask
        What is asked, already sampled.
    out : Path
        The folder, the same on every node.
    report_to : tuple of str
        Trainer's integrations.
    offline : bool
        Ask no network.
    hashes : tuple of (str, str)
        Of what is trained and tested on, by name.
    """

    setup: Setup
    training: TrainingData
    tasks: tuple[LoadedTask, ...]
    out: Path
    report_to: tuple[str, ...] = ()
    offline: bool = False
    hashes: tuple[tuple[str, str], ...] = ()

    @property
    def questions(self) -> int:
        """Asked of every model."""
        return sum(len(task.questions) for task in self.tasks)

    @property
    def store(self) -> Store:
        """Where everything is kept."""
        return Store(self.out)


@dataclass(frozen=True)
class Start:
    """What is known before any training.

    Parameters
    ----------
    model : TrainedModel
        Facts of the model.
    training, validation : int
        Examples learned from and held out.
    note : str
        Which were left out.
    base : BaseRecord
        What the model does.
    scales : tuple of Scale
        Every method's alpha with every seed.
    warnings : tuple of str
        What a reader must know.
    """

    model: TrainedModel
    training: int
    validation: int
    note: str
    base: BaseRecord
    scales: tuple[Scale, ...]
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Workbench:
    """An experiment with its model loaded: what does the runs.

    Parameters
    ----------
    experiment : Experiment
        What is done.
    base : LoadedBase
        Its model.
    prepared : Prepared
        Its examples.
    """

    experiment: Experiment
    base: LoadedBase
    prepared: Prepared

    @classmethod
    def of(cls, experiment: Experiment) -> Workbench:
        """Load what an experiment needs."""
        base = load_base(experiment.setup, offline=experiment.offline)
        return cls(experiment, base, prepare(experiment.training, base.tokenizer, experiment.setup))

    def start(self, told: Told) -> Start:
        """Everything before the first training.

        Raises
        ------
        UsageError
            When the experiment began with another model.
        """
        experiment = self.experiment
        warnings: tuple[str, ...] = ()
        if rank() == 0:
            warnings = experiment.store.begin(
                experiment.setup, dict(experiment.hashes), fingerprint(self.base), versions_of(PACKAGES)
            )
        wait()
        return Start(
            model_facts(self.base, experiment.setup),
            len(self.prepared.training),
            len(self.prepared.validation),
            self.prepared.note,
            self.base_record(told),
            self.scales(told),
            warnings,
        )

    def base_record(self, told: Told) -> BaseRecord:
        """What the model does before any training, from the store or measured now."""
        experiment = self.experiment
        found = experiment.store.base_record()
        if found is not None:
            return found
        setup, base = experiment.setup, self.base
        told.run("the model before training", experiment.questions, experiment.questions * QUESTION)
        began = time.perf_counter()
        evaluation = evaluate(base.model, base, setup, experiment.tasks, told.advance)
        loss = validation_loss(
            base.model,
            self.prepared.validation,
            padding=base.padding,
            batch=setup.micro_batch or setup.batch,
            half=base.half,
        )
        record = BaseRecord(evaluation.predictions, evaluation.hidden_delta, loss, time.perf_counter() - began)
        if rank() == 0:
            experiment.store.save_base(record)
        wait()
        return record

    def scales(self, told: Told) -> tuple[Scale, ...]:
        """Every method's alpha with every seed, from the store or measured now, the reference's first."""
        setup, store = self.experiment.setup, self.experiment.store
        found = {(scale.method, scale.seed): scale for scale in store.scales()}
        told.run("gradients at the start", len(setup.methods) * len(setup.seeds), 0.0)
        for seed in setup.seeds:
            for method in setup.methods:
                if (method, seed) not in found:
                    first = ordered_examples(self.prepared, setup, Run(method, seed, 0.0, "final", 1))
                    reference = found.get((setup.methods[0], seed)) if setup.match_scale else None
                    found[method, seed] = measure_scale(self.base, setup, method, seed, first, reference)
                    if rank() == 0:
                        store.save_scales(tuple(found.values()))
                told.advance(len(found))
        wait()
        return tuple(found.values())

    def record(self, run: Run, scale: Scale, told: Told) -> RunRecord:
        """One run's record: from the store, or by training and evaluating now. A run that fails gives one that says so.

        Raises
        ------
        StorageError
            When nothing can be written: no other run could be kept either.
        """
        store = self.experiment.store
        saved = store.record(run)
        wait()  # before anything of this run is written
        if saved is not None:
            return saved
        losses: list[tuple[int, float]] = []
        try:
            record = self._train(run, scale, losses, told)
        except StorageError:
            raise
        except Exception as error:  # one run's failure, whatever it is, must not lose the others
            if world_size() > 1 and not isinstance(error, DivergedError):
                raise  # the other processes may not have failed and wait for this one: they end together
            record = failed_record(run, scale, error, losses)
            if rank() == 0:
                store.save_trace(run, traceback.format_exc())
        if rank() == 0:
            store.save(run, record)
        told.finished(record)
        return record

    def _train(self, run: Run, scale: Scale, losses: list[tuple[int, float]], told: Told) -> RunRecord:
        experiment = self.experiment
        setup, store = experiment.setup, experiment.store
        told.run(run.title, run.steps, run.steps)

        def step(number: int, loss: float) -> None:
            losses.append((number, loss))
            told.advance(number, loss)

        with trained(
            self.base,
            setup,
            run,
            scale.alpha,
            self.prepared,
            store.folder(run),
            report_to=experiment.report_to,
            told=step,
        ) as done:
            kept = rank() == 0 and run.purpose == "final"
            adapter = store.save_adapter(run, done.model) if kept else None
            began = time.perf_counter()
            evaluation = None
            if run.purpose == "final":
                told.run(f"{run.title}: questions", experiment.questions, experiment.questions * QUESTION)
                evaluation = evaluate(done.model, self.base, setup, experiment.tasks, told.advance)
            return RunRecord(
                method=run.method,
                seed=run.seed,
                learning_rate=run.learning_rate,
                purpose=run.purpose,
                steps=run.steps,
                train_losses=done.train_losses,
                validation_losses=done.validation_losses,
                validation_loss=done.validation_loss,
                gradient_norm=scale.gradient_norm,
                unmatched_gradient_norm=scale.unmatched_gradient_norm,
                alpha=scale.alpha,
                trainable_parameters=count_parameters(done.model),
                geometry_parameters=geometry_parameters(done.model),
                tokens=done.tokens,
                seconds=done.seconds,
                evaluation_seconds=time.perf_counter() - began,
                peak_memory=done.peak_memory,
                curvatures=curvatures(done.model),
                hidden_delta=evaluation.hidden_delta if evaluation else {},
                predictions=evaluation.predictions if evaluation else {},
                adapter=adapter,
            )


def failed_record(run: Run, scale: Scale, error: Exception, losses: Sequence[tuple[int, float]] = ()) -> RunRecord:
    """The record of a run that failed: why, and how far it came."""
    return RunRecord(
        method=run.method,
        seed=run.seed,
        learning_rate=run.learning_rate,
        purpose=run.purpose,
        status="failed",
        error=error.message if isinstance(error, GeoprobeError) else f"{type(error).__name__}: {error}",
        steps=losses[-1][0] if losses else 0,
        train_losses=tuple(losses),
        alpha=scale.alpha,
        diverged=isinstance(error, DivergedError),
    )
