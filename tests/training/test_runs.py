"""The grid of runs, and the choice of the learning rate."""

from dataclasses import replace

from geoprobe.training.records import RunRecord, Status
from geoprobe.training.runs import Run, chosen_rates, final_runs, final_steps, sweep_runs
from geoprobe.training.setup import Setup

SETUP = Setup("demo", "gsm8k", ("mawps",), seeds=(4, 5), rates=(1e-4, 1e-3), sweep_steps=7)


def _swept(method: str, rate: float, loss: float | None, *, diverged: bool = True) -> RunRecord:
    status: Status = "finished" if loss else "failed"
    return RunRecord(method, 4, rate, "sweep", validation_loss=loss, status=status, diverged=diverged and not loss)


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


def test_a_runs_folder_says_what_it_is() -> None:
    assert Run("lora", 2, 3e-4, "final", 5).id == "final-lora-seed2-lr0.0003"
    assert Run("lora", 2, 1e-3, "final", 5).id != Run("lora", 2, 1.0000001e-3, "final", 5).id
