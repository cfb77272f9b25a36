"""A training: the loss of a bare loop, its order and seeds, and clear stops."""

import dataclasses
import errno
import pickle
import shutil
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from builders import Hostile, on

from geoprobe.errors import BadDataError
from geoprobe.hyplora import geometry
from geoprobe.training.data.examples import Tokens
from geoprobe.training.methods import METHODS
from geoprobe.training.model.adapters import adapted, b_matrices
from geoprobe.training.records import Run
from geoprobe.training.running.loss import collate, mean_loss, response_loss, validation_losses
from geoprobe.training.running.train import (
    DivergedError,
    StorageError,
    clear_checkpoints,
    last_checkpoint,
    mark_complete,
    ordered_examples,
    trained,
)


def _run(method: str = "lora", *, steps: int = 4, rate: float = 1e-2, seed: int = 0) -> Run:
    return Run(method, seed, rate, "final", steps)


@pytest.mark.parametrize("method", METHODS)
def test_a_run_is_the_bare_loop(
    base: Any, prepared: Any, make: Callable[..., Any], tmp_path: Path, method: str
) -> None:
    setup, run = make(), _run(method)
    with trained(base, setup, run, setup.alpha, prepared, tmp_path) as done:
        learned = {name: matrix.detach().clone() for name, matrix in b_matrices(done.model).items()}
        losses = [loss for _, loss in done.train_losses]
    examples = ordered_examples(prepared, setup, run)
    with adapted(base.model, setup, method, run.seed, setup.alpha) as model:
        model.train()
        weights = [each for each in model.parameters() if each.requires_grad]
        optimizer = torch.optim.AdamW(weights, lr=run.learning_rate, weight_decay=0.0)
        by_hand = []
        for step in range(run.steps):
            for group in optimizer.param_groups:
                group["lr"] = run.learning_rate * (run.steps - step) / run.steps
            batch = examples[step * setup.batch : (step + 1) * setup.batch]
            loss, count = response_loss(model, on(base, collate(batch, base.padding)))
            (loss / count).backward()
            torch.nn.utils.clip_grad_norm_(weights, setup.clip)
            optimizer.step()
            optimizer.zero_grad()
            by_hand.append(float(loss.detach() / count))
        expected = b_matrices(model)
        assert losses == pytest.approx(by_hand, rel=1e-5)
        for name, matrix in learned.items():
            torch.testing.assert_close(matrix, expected[name].detach(), rtol=1e-4, atol=1e-6)


def test_log_k_learns_at_a_rate_of_its_own(base: Any, prepared: Any, make: Callable[..., Any], tmp_path: Path) -> None:
    moved = {}
    for factor in (1.0, 100.0):
        setup, run = make(curvature_rate=factor), _run("hyplora", rate=1e-4)
        with trained(base, setup, run, setup.alpha, prepared, tmp_path / str(factor)) as done:
            moved[factor] = max(abs(layer.moved) for layer in geometry(done.model))
    # Adam moves a parameter by its rate a step, and the rate falls from 1e-4 over four steps
    assert 0.5e-4 < moved[1.0] < 2.5e-4
    assert moved[100.0] == pytest.approx(100 * moved[1.0], rel=0.2)


def test_the_best_weights_are_those_of_the_lowest_validation_loss(
    base: Any, prepared: Any, make: Callable[..., Any], tmp_path: Path
) -> None:
    """Held out is what the training unlearns: what is lent has the lowest loss measured anew, resumed or not."""
    rng = np.random.default_rng(0)
    noise = tuple(
        Tokens((*example.ids[:4], *rng.integers(100, 40_000, 8).tolist()), 4) for example in prepared.validation
    )
    prepared = dataclasses.replace(prepared, validation=noise)
    setup = make(checkpoint="best", validate_every=1, save_every=1, warmup=0)
    run = _run(steps=12, rate=0.3)
    with trained(base, setup, run, setup.alpha, prepared, tmp_path / "whole") as done:
        lowest = min(loss for _, loss in done.validation_losses)
        assert done.tested_step == next(step for step, loss in done.validation_losses if loss == lowest) < run.steps
        assert done.validation_loss == lowest < done.validation_losses[-1][1]
        again = validation_losses(done.model, prepared.validation, padding=base.padding, batch=4, half=base.half)
        assert done.held_out_losses == again
        assert mean_loss(again, prepared.validation) == pytest.approx(lowest, rel=1e-6)
        weights = {name: matrix.detach().clone() for name, matrix in b_matrices(done.model).items()}
    for path in (tmp_path / "whole").glob("checkpoint-*"):
        shutil.copytree(path, tmp_path / "resumed" / path.name)
    shutil.rmtree(tmp_path / "resumed" / f"checkpoint-{run.steps}")
    with trained(base, setup, run, setup.alpha, prepared, tmp_path / "resumed") as resumed:
        assert (resumed.tested_step, resumed.validation_loss) == (done.tested_step, lowest)
        for name, matrix in b_matrices(resumed.model).items():
            assert torch.equal(matrix, weights[name])


def test_micro_batches_give_the_same_training(
    base: Any, prepared: Any, make: Callable[..., Any], tmp_path: Path
) -> None:
    losses = []
    for micro in (None, 1):
        setup = make(micro_batch=micro)
        with trained(base, setup, _run(), setup.alpha, prepared, tmp_path / str(micro)) as done:
            losses.append([loss for _, loss in done.train_losses] + [done.validation_loss])
    assert losses[0] == pytest.approx(losses[1], rel=1e-4)


def test_a_training_learns_and_says_what_it_took(
    base: Any, prepared: Any, make: Callable[..., Any], tmp_path: Path
) -> None:
    setup, run = make(validate_every=10, save_every=0), _run("hyplora", steps=30)
    with trained(base, setup, run, setup.alpha, prepared, tmp_path) as done:
        assert [step for step, _ in done.train_losses] == list(range(1, 31))
        assert [step for step, _ in done.validation_losses] == [10, 20, 30]
        assert done.validation_loss == done.validation_losses[-1][1] < done.validation_losses[0][1] - 0.05
        assert done.tokens == sum(len(each.ids) for each in ordered_examples(prepared, setup, run))
        assert done.seconds > 0
        assert done.peak_memory > 10**7


def test_all_methods_see_the_same_examples_in_the_same_order(prepared: Any, make: Callable[..., Any]) -> None:
    setup = make()
    orders = [ordered_examples(prepared, setup, _run(method, steps=9)) for method in METHODS]
    assert orders[0] == orders[1] == orders[2]
    assert ordered_examples(prepared, setup, _run(steps=9, seed=1)) != orders[0]


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_a_loss_that_is_not_a_number_stops_the_run_at_its_step(
    base: Any, prepared: Any, make: Callable[..., Any], tmp_path: Path
) -> None:
    setup = make(clip=1e30, validate_every=0)
    with (
        pytest.raises(DivergedError, match=r"training loss is (nan|inf) at step [2-9]"),
        trained(base, setup, _run(rate=1e30, steps=9), setup.alpha, prepared, tmp_path),
    ):
        pass
    assert not any(parameter.requires_grad for parameter in base.model.parameters())


def test_a_full_disk_is_said_and_leaves_the_last_whole_checkpoint(
    base: Any, prepared: Any, make: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = torch.save

    def fill(value: Any, path: Any, *args: Any, **options: Any) -> None:
        if "checkpoint-4" in str(path):
            raise OSError(errno.ENOSPC, "No space left on device", str(path))
        kept(value, path, *args, **options)

    monkeypatch.setattr(torch, "save", fill)
    setup = make()
    with (
        pytest.raises(StorageError, match="No space left on device"),
        trained(base, setup, _run(steps=6), setup.alpha, prepared, tmp_path),
    ):
        pass
    last = last_checkpoint(tmp_path)
    assert last is not None
    assert last.name == "checkpoint-2"


def test_a_batch_that_cannot_be_spread_is_refused(
    base: Any, prepared: Any, make: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("geoprobe.training.running.train.world_size", lambda: 3)
    setup = make()
    with (
        pytest.raises(BadDataError, match="batch of 4 cannot be spread over 3 processes"),
        trained(base, setup, _run(), setup.alpha, prepared, tmp_path),
    ):
        pass


def test_a_strangers_checkpoint_runs_no_code(
    base: Any, prepared: Any, make: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    setup, folder = make(), tmp_path / "run"
    with trained(base, setup, _run(), setup.alpha, prepared, folder):
        pass
    pickles = [path for path in (folder / "checkpoint-4").iterdir() if path.suffix in (".pt", ".pth", ".bin")]
    assert {"optimizer.pt", "scheduler.pt", "rng_state.pth"} <= {path.name for path in pickles}
    for path in pickles:
        kept = path.read_bytes()
        torch.save(Hostile(), path)
        with suppress(pickle.UnpicklingError), trained(base, setup, _run(steps=5), setup.alpha, prepared, folder):
            shutil.rmtree(folder / "checkpoint-5", ignore_errors=True)  # one that is not read does no harm
        assert not Path("owned").exists(), path.name
        path.write_bytes(kept)


def _written(folder: Path, step: int, *, whole: bool) -> Path:
    checkpoint = folder / f"checkpoint-{step}"
    checkpoint.mkdir()
    (checkpoint / "weights").write_text("1")
    if whole:
        mark_complete(checkpoint)
    return checkpoint


def test_the_last_whole_checkpoint_is_taken_by_its_number(tmp_path: Path) -> None:
    assert last_checkpoint(tmp_path) is None
    assert last_checkpoint(tmp_path / "nowhere") is None
    _written(tmp_path, 9, whole=True)
    tenth = _written(tmp_path, 10, whole=True)
    _written(tmp_path, 20, whole=False)  # killed while it was being written
    assert last_checkpoint(tmp_path) == tenth


def test_a_finished_runs_checkpoints_go_and_nothing_else(tmp_path: Path) -> None:
    _written(tmp_path, 2, whole=True)
    _written(tmp_path, 4, whole=False)
    (tmp_path / "adapter").mkdir()
    clear_checkpoints(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["adapter"]
