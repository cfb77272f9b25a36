"""Two processes of `accelerate launch` on CPUs, over gloo: the loss curve and the answers of one process."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from geoprobe.training.running.distributed import gathered, rank, summed, world_size

WORKER = Path(__file__).with_name("accelerate_worker.py")


def test_one_process_is_alone() -> None:
    assert (rank(), world_size()) == (0, 1)
    assert gathered({1: "a"}) == {1: "a"}
    assert summed(torch.tensor([1.5])).tolist() == [1.5]


@pytest.mark.slow
def test_two_processes_give_the_loss_curve_of_one(
    tiny_model: Path, training_file: Path, test_sets: Path, tmp_path: Path
) -> None:
    arguments = [
        *("finetune", str(tiny_model), "--train", str(training_file), "--eval", "addsub,aqua", "--seeds", "1"),
        *("--rates", "1e-2", "--rank", "4", "--steps", "8", "--batch", "4", "--validation", "6", "--template", "plain"),
        *("--max-new-tokens", "4", "--threads", "1", "--dropout", "0", "--format", "json", "--validate-every", "4"),
    ]
    launch = ["-m", "accelerate.commands.launch", "--cpu", "--num_processes", "2", "--num_machines", "1"]
    launch += ["--mixed_precision", "no", "--dynamo_backend", "no"]
    results: list[dict[str, Any]] = []
    for name, how in (("one", []), ("two", launch)):
        out = tmp_path / name
        done = subprocess.run(
            [sys.executable, "-W", "ignore", *how, str(WORKER), *arguments, "--out", str(out)],
            env={**os.environ, "GEOPROBE_DATA": str(test_sets), "OMP_NUM_THREADS": "1"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        results.append(json.loads((out / "finetune.json").read_text()))
    for alone, together in zip(results[0]["runs"], results[1]["runs"], strict=True):
        assert alone["method"] == together["method"]
        for series in ("train_losses", "validation_losses"):
            assert [step for step, _ in alone[series]] == [step for step, _ in together[series]]
            assert [loss for _, loss in together[series]] == pytest.approx(
                [loss for _, loss in alone[series]], rel=1e-4
            )
        assert together["rights"].keys() == alone["rights"].keys()
        assert {task: len(marks) for task, marks in together["rights"].items()} == {"addsub": 8, "aqua": 6}
        assert together["hidden_delta"] == pytest.approx(alone["hidden_delta"], rel=1e-2)
    alone, together = results[0]["base"], results[1]["base"]
    assert together["rights"] == alone["rights"]
    assert together["validation_loss"] == pytest.approx(alone["validation_loss"], rel=1e-5)
