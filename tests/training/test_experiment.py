"""Runs of an experiment: their records, what is kept, and what one failure costs."""

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
from peft import PeftModel

import geoprobe.training.experiment as module
from geoprobe.training.experiment import (
    Experiment,
    RunWorker,
    alpha_runs,
    chosen_rates,
    final_runs,
    final_steps,
    sweep_runs,
)
from geoprobe.training.progress import ProgressListener
from geoprobe.training.records import Run, RunFacts, Status, rights
from geoprobe.training.running.matched_alpha import MatchedAlpha
from geoprobe.training.running.train import DivergedError, StorageError
from geoprobe.training.setup import Setup
from geoprobe.training.store import read_predictions


class Listening(ProgressListener):
    """Keeps what it hears."""

    def __init__(self) -> None:
        self.begun: list[str] = []
        self.losses: list[float] = []
        self.facts: list[RunFacts] = []

    def run(self, title: str, amount: int, weight: float) -> None:
        self.begun.append(title)

    def advance(self, done: int, loss: float | None = None) -> None:
        if loss is not None:
            self.losses.append(loss)

    def finished(self, facts: RunFacts) -> None:
        self.facts.append(facts)


def _worker(experiment: Experiment, base: Any, prepared: Any) -> RunWorker:
    return RunWorker(experiment, base, prepared)


def test_a_run_gives_a_whole_record_and_is_not_done_twice(
    experiment: Callable[..., Experiment], base: Any, prepared: Any
) -> None:
    worker, listener = _worker(experiment(), base, prepared), Listening()
    alphas = {alpha.method: alpha for alpha in worker.matched_alphas(listener)}
    run = Run("hyplora", 0, 1e-2, "final", 4)
    record = worker.run(run, alphas["hyplora"], listener)
    assert record.status == "finished"
    assert [loss for _, loss in record.train_losses] == listener.losses
    assert record.gradient_norm == pytest.approx(alphas["hyplora"].gradient_norm)
    assert record.unmatched_gradient_norm != pytest.approx(record.gradient_norm)
    assert (record.trainable_parameters, record.geometry_parameters) == (2570, 10)
    assert len(record.curvatures) == 10
    assert any(layer.start != layer.end for layer in record.curvatures)
    assert {task: len(marks) for task, marks in record.rights.items()} == {"addsub": 8, "aqua": 6}
    lines = (worker.experiment.store.folder(run) / "predictions" / "addsub.jsonl").read_text().splitlines()
    assert [json.loads(line)["id"] for line in lines] == [f"addsub/{n}" for n in range(8)]
    before = list(listener.begun)
    assert worker.run(run, alphas["hyplora"], listener) == record
    assert listener.begun == before
    assert listener.facts == [record]


def test_the_saved_adapter_is_the_trained_one(experiment: Callable[..., Experiment], base: Any, prepared: Any) -> None:
    worker = _worker(experiment(), base, prepared)
    record = worker.run(Run("hyplora", 0, 1e-2, "final", 4), MatchedAlpha("hyplora", 0, 8.0, 1.0, 1.0), Listening())
    assert record.adapter is not None
    model = PeftModel.from_pretrained(base.model, worker.experiment.out / record.adapter)
    try:
        answers = module.evaluate(model, base, worker.experiment.setup, worker.experiment.tasks)
        folder = worker.experiment.out / record.adapter
        for task, predictions in answers.predictions.items():
            assert predictions == read_predictions(folder.with_name("predictions") / f"{task}.jsonl")
        assert rights(answers.predictions) == record.rights
        assert answers.hidden_delta == pytest.approx(record.hidden_delta)
    finally:
        model.base_model.unload()


def test_a_sweep_asks_no_question(experiment: Callable[..., Experiment], base: Any, prepared: Any) -> None:
    worker = _worker(experiment(), base, prepared)
    record = worker.run(Run("lora", 0, 1e-2, "sweep", 3), MatchedAlpha("lora", 0, 8.0, 1.0, 1.0), Listening())
    assert record.rights == record.hidden_delta == {}
    assert record.validation_loss is not None
    assert record.adapter is None


def test_a_run_at_another_alpha_gives_the_held_out_losses_of_that_alpha_and_asks_nothing(
    experiment: Callable[..., Experiment], base: Any, prepared: Any
) -> None:
    worker, listener = _worker(experiment(), base, prepared), Listening()
    alphas = {(alpha.method, alpha.seed): alpha for alpha in worker.matched_alphas(listener)}
    run = Run("hyplora", 0, 1e-2, "final", 4)
    ((again, other),) = alpha_runs(replace(worker.experiment.setup, alpha_check=True), [run], alphas)
    assert (again, other.alpha) == (replace(run, purpose="alpha"), alphas["hyplora", 0].other)
    first, record = worker.run(run, alphas["hyplora", 0], listener), worker.run(again, other, listener)
    assert (record.purpose, record.alpha, record.other_alpha) == ("alpha", other.alpha, other.alpha)
    assert (record.rights, record.hidden_delta, record.adapter) == ({}, {}, None)
    assert len(record.held_out_losses) == len(first.held_out_losses) == len(prepared.validation)
    assert record.held_out_losses != first.held_out_losses
    assert [curve.start for curve in record.curvatures] == [curve.start for curve in first.curvatures]
    assert worker.run(again, other, listener) == record


def test_no_run_is_made_again_unasked_or_where_both_matchings_give_one_alpha() -> None:
    run, setup = Run("dora", 0, 1e-2, "final", 4), replace(SETUP, alpha_check=True)
    unmatched, same, another = (MatchedAlpha("dora", 0, 8.0, 1.0, 1.0, other=other) for other in (None, 8.0, 9.0))
    assert alpha_runs(setup, [run], {("dora", 0): unmatched}) == alpha_runs(setup, [run], {("dora", 0): same}) == ()
    assert alpha_runs(SETUP, [run], {("dora", 0): another}) == ()
    assert len(alpha_runs(setup, [run], {("dora", 0): another})) == 1


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (
            DivergedError("The training loss is nan at step 3.", "Lower the rate."),
            "The training loss is nan at step 3.",
        ),
        (torch.OutOfMemoryError("out of memory"), "OutOfMemoryError: out of memory"),
    ],
)
def test_a_run_that_fails_is_recorded_and_the_next_goes_on(
    experiment: Callable[..., Experiment],
    base: Any,
    prepared: Any,
    monkeypatch: pytest.MonkeyPatch,
    error: Exception,
    said: str,
) -> None:
    worker, listener = _worker(experiment(), base, prepared), Listening()
    run, alpha = Run("lora", 0, 1e-2, "final", 2), MatchedAlpha("lora", 0, 8.0, 1.0, 1.0)
    with monkeypatch.context() as patch:

        def fail(*_: Any, on_step: Any, **__: Any) -> None:
            on_step(1, 2.5)
            raise error

        patch.setattr(module, "trained", fail)
        failed = worker.run(run, alpha, listener)
    assert (failed.status, failed.error, failed.steps, failed.train_losses) == ("failed", said, 1, ((1, 2.5),))
    assert type(error).__name__ in (worker.experiment.store.folder(run) / "error.txt").read_text()
    assert worker.run(replace(run, seed=1), alpha, listener).status == "finished"
    assert worker.run(run, alpha, listener).status == "finished"  # tried again
    assert not (worker.experiment.store.folder(run) / "error.txt").exists()


def test_a_full_disk_stops_everything(
    experiment: Callable[..., Experiment], base: Any, prepared: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise StorageError("No space left on device.")

    monkeypatch.setattr(module, "trained", fail)
    worker = _worker(experiment(), base, prepared)
    with pytest.raises(StorageError, match="No space left"):
        worker.run(Run("lora", 0, 1e-2, "final", 2), MatchedAlpha("lora", 0, 8.0, 1.0, 1.0), Listening())


def test_the_start_is_measured_once(experiment: Callable[..., Experiment], base: Any, prepared: Any) -> None:
    worker = _worker(experiment(seeds=(0, 1)), base, prepared)
    start = worker.start(Listening())
    assert start.base.validation_loss == pytest.approx(10.8, abs=0.2)  # ln 49,152
    assert [(alpha.seed, alpha.method) for alpha in start.alphas] == [
        (seed, method) for seed in (0, 1) for method in ("lora", "hyplora")
    ]
    assert start.model.parameters > 10**6
    listener = Listening()
    assert worker.start(listener) == start
    assert listener.begun == ["gradients at the start"]


SETUP = Setup("demo", "gsm8k", ("mawps",), seeds=(4, 5), rates=(1e-4, 1e-3), sweep_steps=7)


def _swept(method: str, rate: float, loss: float | None, *, diverged: bool = True) -> RunFacts:
    status: Status = "finished" if loss else "failed"
    return RunFacts(method, 4, rate, "sweep", validation_loss=loss, status=status, diverged=diverged and not loss)


def test_every_method_gets_the_same_sweep() -> None:
    runs = sweep_runs(SETUP, 160)
    assert [(run.method, run.seed, run.learning_rate, run.steps) for run in runs] == [
        (method, 4, rate, 7) for method in ("lora", "hyplora") for rate in (1e-4, 1e-3)
    ]
    assert len({run.id for run in runs}) == 4


def test_one_rate_needs_no_sweep() -> None:
    setup = replace(SETUP, rates=(2e-4,))
    assert sweep_runs(setup, 160) == ()
    assert chosen_rates(setup, ()) == {"lora": 2e-4, "hyplora": 2e-4}


def test_the_rate_of_lowest_validation_loss_is_chosen_for_each_method() -> None:
    sweep = [
        _swept("lora", 1e-4, 0.9),
        _swept("lora", 1e-3, 0.8),
        _swept("hyplora", 1e-4, 0.7),
        _swept("hyplora", 1e-3, None),
    ]
    assert chosen_rates(SETUP, sweep) == {"lora": 1e-3, "hyplora": 1e-4}
    assert chosen_rates(SETUP, sweep[:2]) == {"lora": 1e-3, "hyplora": None}


def test_a_rate_that_one_method_could_not_try_is_taken_by_none() -> None:
    sweep = [_swept("lora", 1e-4, 0.9), _swept("lora", 1e-3, 0.8), _swept("hyplora", 1e-4, 0.7)]
    killed = _swept("hyplora", 1e-3, None, diverged=False)
    assert chosen_rates(SETUP, [*sweep, killed]) == {"lora": 1e-4, "hyplora": 1e-4}


def test_final_runs_are_every_method_with_every_seed_at_its_own_rate() -> None:
    runs = final_runs(SETUP, {"lora": 1e-3, "hyplora": 1e-4}, 160)
    assert [(run.method, run.seed, run.learning_rate) for run in runs] == [
        ("lora", 4, 1e-3),
        ("hyplora", 4, 1e-4),
        ("lora", 5, 1e-3),
        ("hyplora", 5, 1e-4),
    ]
    assert {run.steps for run in runs} == {30} == {final_steps(SETUP, 160)}  # 3 epochs of 10 batches
    assert [run.method for run in final_runs(SETUP, {"lora": 1e-3, "hyplora": None}, 160)] == ["lora", "lora"]
