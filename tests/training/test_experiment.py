"""Runs of an experiment: their records, what is kept, and what one failure costs."""

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import pytest
import torch
from peft import PeftModel

import geoprobe.training.experiment as module
from geoprobe.training.experiment import Experiment, Workbench
from geoprobe.training.records import RunRecord
from geoprobe.training.runs import Run
from geoprobe.training.scale import Scale
from geoprobe.training.trainer import DivergedError, StorageError


class Listening:
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.begun: list[str] = []
        self.losses: list[float] = []
        self.records: list[RunRecord] = []

    def begin(self, weight: float) -> None:
        pass

    def run(self, title: str, amount: int, weight: float) -> None:
        self.begun.append(title)

    def advance(self, done: int, loss: float | None = None) -> None:
        if loss is not None:
            self.losses.append(loss)

    def finished(self, record: RunRecord) -> None:
        self.records.append(record)

    def chosen(self, rates: Mapping[str, float | None]) -> None:
        pass


def _bench(experiment: Experiment, base: Any, prepared: Any) -> Workbench:
    return Workbench(experiment, base, prepared)


def test_a_run_gives_a_whole_record_and_is_not_done_twice(
    experiment: Callable[..., Experiment], base: Any, prepared: Any
) -> None:
    bench, told = _bench(experiment(), base, prepared), Listening()
    scales = {scale.method: scale for scale in bench.scales(told)}
    run = Run("hyplora", 0, 1e-2, "final", 4)
    record = bench.record(run, scales["hyplora"], told)
    assert record.status == "finished"
    assert [loss for _, loss in record.train_losses] == told.losses
    assert record.gradient_norm == pytest.approx(scales["lora"].gradient_norm)
    assert record.unmatched_gradient_norm != pytest.approx(record.gradient_norm)
    assert (record.trainable_parameters, record.geometry_parameters) == (2570, 10)
    assert len(record.curvatures) == 10
    assert any(each.start != each.end for each in record.curvatures)
    assert {task: len(found) for task, found in record.predictions.items()} == {"addsub": 8, "aqua": 6}
    lines = (bench.experiment.store.folder(run) / "predictions" / "addsub.jsonl").read_text().splitlines()
    assert [json.loads(line)["id"] for line in lines] == [f"addsub/{n}" for n in range(8)]
    before = list(told.begun)
    assert bench.record(run, scales["hyplora"], told) == record
    assert told.begun == before
    assert told.records == [record]


def test_the_saved_adapter_is_the_trained_one(experiment: Callable[..., Experiment], base: Any, prepared: Any) -> None:
    bench = _bench(experiment(), base, prepared)
    record = bench.record(Run("hyplora", 0, 1e-2, "final", 4), Scale("hyplora", 0, 8.0, 1.0, 1.0), Listening())
    assert record.adapter is not None
    model = PeftModel.from_pretrained(base.model, bench.experiment.out / record.adapter)
    try:
        answers = module.evaluate(model, base, bench.experiment.setup, bench.experiment.tasks)
        assert answers.predictions == record.predictions
        assert answers.hidden_delta == pytest.approx(record.hidden_delta)
    finally:
        model.base_model.unload()


def test_a_sweep_asks_no_question(experiment: Callable[..., Experiment], base: Any, prepared: Any) -> None:
    bench = _bench(experiment(), base, prepared)
    record = bench.record(Run("lora", 0, 1e-2, "sweep", 3), Scale("lora", 0, 8.0, 1.0, 1.0), Listening())
    assert record.predictions == record.hidden_delta == {}
    assert record.validation_loss is not None
    assert record.adapter is None


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
    bench, told = _bench(experiment(), base, prepared), Listening()
    run, scale = Run("lora", 0, 1e-2, "final", 2), Scale("lora", 0, 8.0, 1.0, 1.0)
    with monkeypatch.context() as patch:

        def fail(*_: Any, told: Any, **__: Any) -> None:
            told(1, 2.5)
            raise error

        patch.setattr(module, "trained", fail)
        failed = bench.record(run, scale, told)
    assert (failed.status, failed.error, failed.steps, failed.train_losses) == ("failed", said, 1, ((1, 2.5),))
    assert type(error).__name__ in (bench.experiment.store.folder(run) / "error.txt").read_text()
    assert bench.record(replace(run, seed=1), scale, told).status == "finished"
    assert bench.record(run, scale, told).status == "finished"  # tried again
    assert not (bench.experiment.store.folder(run) / "error.txt").exists()


def test_a_full_disk_stops_everything(
    experiment: Callable[..., Experiment], base: Any, prepared: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise StorageError("No space left on device.")

    monkeypatch.setattr(module, "trained", fail)
    bench = _bench(experiment(), base, prepared)
    with pytest.raises(StorageError, match="No space left"):
        bench.record(Run("lora", 0, 1e-2, "final", 2), Scale("lora", 0, 8.0, 1.0, 1.0), Listening())


def test_the_start_is_measured_once(experiment: Callable[..., Experiment], base: Any, prepared: Any) -> None:
    bench = _bench(experiment(seeds=(0, 1)), base, prepared)
    start = bench.start(Listening())
    assert start.base.validation_loss == pytest.approx(10.8, abs=0.2)  # ln 49,152
    assert [(scale.seed, scale.method) for scale in start.scales] == [
        (seed, method) for seed in (0, 1) for method in ("lora", "hyplora")
    ]
    assert start.model.parameters > 10**6
    told = Listening()
    assert bench.start(told) == start
    assert told.begun == ["gradients at the start"]
