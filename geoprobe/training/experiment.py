"""Methods × rates × seeds: which trainings an experiment has, and what is done for one, wherever it runs."""

from __future__ import annotations

import math
import time
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from geoprobe.errors import GeoprobeError
from geoprobe.training.data.examples import Prepared, prepare
from geoprobe.training.data.instructions import TrainingData
from geoprobe.training.data.tasks import LoadedTask
from geoprobe.training.model.adapters import count_parameters, curvatures, geometry_parameters
from geoprobe.training.model.base import LoadedBase, fingerprint, load_base, model_facts
from geoprobe.training.outcome import StepCost, TrainedModel, TrainingFacts
from geoprobe.training.progress import QUESTION, ProgressListener
from geoprobe.training.records import BaseFacts, Run, RunFacts, likelihood_rights, read_by, rights, unread
from geoprobe.training.running.distributed import rank, wait, world_size
from geoprobe.training.running.evaluate import Evaluation, evaluate
from geoprobe.training.running.loss import mean_loss, validation_losses
from geoprobe.training.running.matched_alpha import MatchedAlpha, match_alpha
from geoprobe.training.running.speed import EXAMPLES, ROUNDS, measure_steps
from geoprobe.training.running.train import DivergedError, StorageError, ordered_examples, trained
from geoprobe.training.setup import Setup
from geoprobe.training.store import Store
from geoprobe.versions import versions_of

#: What computes the numbers, and so belongs into the provenance.
PACKAGES = ("torch", "transformers", "peft", "accelerate", "numpy", "numba", "tokenizers")


def final_steps(setup: Setup, examples: int) -> int:
    """Optimizer steps of a final run over so many training examples."""
    return setup.steps or math.ceil(examples * setup.epochs / setup.batch)


def sweep_runs(setup: Setup, examples: int) -> tuple[Run, ...]:
    """Every rate once for every method, with the first seed; none where there is one rate."""
    if len(setup.rates) == 1:
        return ()
    steps = setup.sweep_steps or final_steps(setup, examples)
    return tuple(Run(method, setup.seeds[0], rate, "sweep", steps) for method in setup.methods for rate in setup.rates)


def chosen_rates(setup: Setup, sweep: Sequence[RunFacts]) -> dict[str, float | None]:
    """Each method's rate with the lowest validation loss; None where every run of its sweep failed.

    A run that diverges speaks against its rate. One that fails of anything else says nothing of it: its rate is left
    out for every method, so that none has more rates to choose from.
    """
    if len(setup.rates) == 1:
        return dict.fromkeys(setup.methods, setup.rates[0])
    lost = {run.learning_rate for run in sweep if run.status == "failed" and not run.diverged}
    chosen: dict[str, float | None] = {}
    for method in setup.methods:
        losses = {
            run.learning_rate: run.validation_loss
            for run in sweep
            if run.method == method and run.purpose == "sweep" and run.validation_loss is not None
            if run.learning_rate not in lost
        }
        chosen[method] = min(losses, key=losses.__getitem__, default=None)
    return chosen


def final_runs(setup: Setup, rates: Mapping[str, float | None], examples: int) -> tuple[Run, ...]:
    """Every method with every seed, seed by seed, so that what is there after a crash can be compared."""
    steps = final_steps(setup, examples)
    return tuple(
        Run(method, seed, rate, "final", steps)
        for seed in setup.seeds
        for method in setup.methods
        if (rate := rates[method]) is not None
    )


def alpha_runs(
    setup: Setup, final: Sequence[Run], alphas: Mapping[tuple[str, int], MatchedAlpha]
) -> tuple[tuple[Run, MatchedAlpha], ...]:
    """Final runs once more by the other matching of alpha, where it is another alpha; none where that is not asked."""
    return tuple(
        (replace(run, purpose="alpha"), alpha.at_other())
        for run in final
        if setup.alpha_check and (alpha := alphas[run.method, run.seed]).differs
    )


@dataclass(frozen=True)
class Experiment:
    """All that a run's outcome depends on, small enough to be sent to another process.

    The tasks are already sampled, the folder is the same on every node, `report_to` are Trainer's integrations, and
    `hashes` are of what is trained and tested on, by name.
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
    """What is known before any training: examples learned from and held out, the model's answers, every alpha."""

    model: TrainedModel
    training: TrainingFacts
    base: BaseFacts
    alphas: tuple[MatchedAlpha, ...]
    warnings: tuple[str, ...] = ()
    steps: tuple[StepCost, ...] = ()


@dataclass(frozen=True, eq=False)
class RunWorker:
    """An experiment with its model loaded: what does the runs."""

    experiment: Experiment
    base: LoadedBase
    prepared: Prepared

    @classmethod
    def of(cls, experiment: Experiment) -> RunWorker:
        """Load what an experiment needs."""
        base = load_base(experiment.setup, offline=experiment.offline)
        return cls(experiment, base, prepare(experiment.training, base.tokenizer, experiment.setup))

    def start(self, listener: ProgressListener) -> Start:
        """Everything before the first training; an experiment that began with another model is refused."""
        experiment = self.experiment
        facts = model_facts(self.base, experiment.setup)  # before anything is written: it may be refused
        warnings: tuple[str, ...] = ()
        if rank() == 0:
            warnings = experiment.store.begin(
                experiment.setup, dict(experiment.hashes), fingerprint(self.base), versions_of(PACKAGES)
            )
        wait()
        return Start(
            facts,
            self._training_facts(),
            self.base_facts(listener),
            self.matched_alphas(listener),
            warnings,
            self.step_costs(listener),
        )

    def _training_facts(self) -> TrainingFacts:
        data, prepared = self.experiment.training, self.prepared
        return TrainingFacts(
            data.name,
            len(prepared.training),
            len(prepared.validation),
            data.sha256,
            f"{data.note} {prepared.note}".strip(),
            len(prepared.choosing),
            tuple(example.learned for example in prepared.validation),
        )

    def base_facts(self, listener: ProgressListener) -> BaseFacts:
        """What the model does before any training, from the store or measured now."""
        experiment = self.experiment
        saved = experiment.store.base_record()
        if saved is not None:
            return saved
        setup, base = experiment.setup, self.base
        listener.run("the model before training", experiment.questions, experiment.questions * QUESTION)
        began = time.perf_counter()
        evaluation = evaluate(base.model, base, setup, experiment.tasks, listener.advance)
        losses = validation_losses(
            base.model,
            self.prepared.validation,
            padding=base.padding,
            batch=setup.micro_batch or setup.batch,
            half=base.half,
        )
        predictions = evaluation.predictions
        loss = mean_loss(losses, self.prepared.validation)
        facts = BaseFacts(rights(predictions), likelihood_rights(predictions), evaluation.hidden_delta, loss)
        if rank() == 0:
            experiment.store.save_base(facts, predictions, time.perf_counter() - began)
        wait()
        return facts

    def matched_alphas(self, listener: ProgressListener) -> tuple[MatchedAlpha, ...]:
        """Every method's alpha with every seed, from the store or measured now, the reference's first."""
        setup, store = self.experiment.setup, self.experiment.store
        alphas = {(alpha.method, alpha.seed): alpha for alpha in store.matched_alphas()}
        listener.run("gradients at the start", len(setup.methods) * len(setup.seeds), 0.0)
        for seed in setup.seeds:
            for method in setup.methods:
                if (method, seed) not in alphas:
                    first = ordered_examples(self.prepared, setup, Run(method, seed, 0.0, "final", 1))
                    reference = alphas.get((setup.methods[0], seed)) if setup.match_scale else None
                    alphas[method, seed] = match_alpha(self.base, setup, method, seed, first, reference)
                    if rank() == 0:
                        store.save_matched_alphas(tuple(alphas.values()))
                listener.advance(len(alphas))
        wait()
        return tuple(alphas.values())

    def step_costs(self, listener: ProgressListener) -> tuple[StepCost, ...]:
        """What a step of each method costs, from the store or measured now; nothing where there is one method."""
        setup, store = self.experiment.setup, self.experiment.store
        if len(setup.methods) < 2 or world_size() > 1:  # processes that share the weights would wait for one another
            return ()
        costs = store.step_costs()
        if tuple(cost.method for cost in costs) != setup.methods:
            listener.run("steps of all methods in turns", ROUNDS * len(setup.methods), 0.0)
            first = ordered_examples(self.prepared, setup, Run(setup.methods[0], setup.seeds[0], 0.0, "final", 1))
            few = first[: min(EXAMPLES, setup.micro_batch or setup.batch)]
            costs = measure_steps(self.base, setup, few, on_step=listener.advance)
            store.save_step_costs(costs)
        return costs

    def run(self, run: Run, alpha: MatchedAlpha, listener: ProgressListener) -> RunFacts:
        """What one run gives: from the store, or by training and evaluating now. One that fails gives why.

        But a StorageError is raised: no other run could be kept either.
        """
        store = self.experiment.store
        saved = store.record(run)
        wait()  # before anything of this run is written
        if saved is not None:
            return saved
        losses: list[tuple[int, float]] = []
        evaluation = Evaluation({}, {})
        try:
            facts, evaluation = self._train(run, alpha, losses, listener)
        except StorageError:
            raise
        except Exception as error:  # one run's failure, whatever it is, must not lose the others
            if world_size() > 1 and not isinstance(error, DivergedError):
                raise  # the other processes may not have failed and wait for this one: they end together
            facts = failed_run(run, alpha, error, losses)
            if rank() == 0:
                store.save_trace(run, traceback.format_exc())
        if rank() == 0:
            store.save(run, facts, evaluation.predictions)
        listener.finished(facts)
        return facts

    def _train(
        self, run: Run, alpha: MatchedAlpha, losses: list[tuple[int, float]], listener: ProgressListener
    ) -> tuple[RunFacts, Evaluation]:
        experiment = self.experiment
        setup, store = experiment.setup, experiment.store
        listener.run(run.title, run.steps, run.steps)

        def step(number: int, loss: float) -> None:
            losses.append((number, loss))
            listener.advance(number, loss)

        with trained(
            self.base,
            setup,
            run,
            alpha.alpha,
            self.prepared,
            store.folder(run),
            curvatures=alpha.curvatures,
            report_to=experiment.report_to,
            on_step=step,
        ) as done:
            adapter = store.save_adapter(run, done.model) if rank() == 0 and run.purpose == "final" else None
            began = time.perf_counter()
            evaluation = Evaluation({}, {})
            if run.purpose == "final":
                listener.run(f"{run.title}: questions", experiment.questions, experiment.questions * QUESTION)
                evaluation = evaluate(done.model, self.base, setup, experiment.tasks, listener.advance)
            facts = RunFacts(
                method=run.method,
                seed=run.seed,
                learning_rate=run.learning_rate,
                purpose=run.purpose,
                status="finished",
                steps=run.steps,
                train_losses=done.train_losses,
                validation_losses=done.validation_losses,
                validation_loss=done.validation_loss,
                gradient_norm=alpha.gradient_norm,
                unmatched_gradient_norm=alpha.unmatched_gradient_norm,
                alpha=alpha.alpha,
                trainable_parameters=count_parameters(done.model),
                geometry_parameters=geometry_parameters(done.model),
                tokens=done.tokens,
                seconds=done.seconds,
                evaluation_seconds=time.perf_counter() - began,
                peak_memory=done.peak_memory,
                curvatures=curvatures(done.model, alpha.beyond),
                hidden_delta=evaluation.hidden_delta,
                rights=rights(evaluation.predictions),
                likelihood_rights=likelihood_rights(evaluation.predictions),
                unread=unread(evaluation.predictions),
                read_by=read_by(evaluation.predictions),
                adapter=adapter,
                held_out_losses=done.held_out_losses,
                tested_step=done.tested_step if setup.checkpoint == "best" else None,
                other_alpha=alpha.other,
            )
            return facts, evaluation


def failed_run(run: Run, alpha: MatchedAlpha, error: Exception, losses: Sequence[tuple[int, float]] = ()) -> RunFacts:
    """What a run that failed leaves: why, and how far it came."""
    return RunFacts(
        method=run.method,
        seed=run.seed,
        learning_rate=run.learning_rate,
        purpose=run.purpose,
        status="failed",
        error=error.message if isinstance(error, GeoprobeError) else f"{type(error).__name__}: {error}",
        steps=losses[-1][0] if losses else 0,
        train_losses=tuple(losses),
        alpha=alpha.alpha,
        diverged=isinstance(error, DivergedError),
    )
