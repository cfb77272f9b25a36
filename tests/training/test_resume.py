"""Killed at any step, and gone on with: the same weights as without, bit by bit."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from safetensors.numpy import load_file

COMMAND = [sys.executable, "-W", "ignore", "-m", "geoprobe", "finetune"]


@pytest.fixture
def start(tiny_model: Path, training_file: Path, test_sets: Path) -> Callable[..., "subprocess.Popen[str]"]:
    """Start the command on the tiny model, with one thread."""

    def started(out: Path, *more: str) -> "subprocess.Popen[str]":
        choices = (
            *("--eval", "addsub", "--methods", "hyplora,lora", "--seeds", "1", "--rates", "1e-2", "--rank", "4"),
            *("--steps", "12", "--batch", "4", "--validation", "6", "--validate-every", "4", "--save-every", "2"),
            *("--max-new-tokens", "4", "--template", "plain", "--threads", "1", "--dropout", "0.1"),
        )
        return subprocess.Popen(
            [*COMMAND, str(tiny_model), "--train", str(training_file), *choices, "--out", str(out), *more],
            env={**os.environ, "GEOPROBE_DATA": str(test_sets)},
            stderr=subprocess.PIPE,
            text=True,
        )

    return started


def _weights(out: Path) -> dict[str, bytes]:
    return {
        f"{folder.name}/{name}": array.tobytes()
        for folder in sorted((out / "runs").iterdir())
        for name, array in load_file(folder / "adapter" / "adapter_model.safetensors").items()
    }


def _kill_after_checkpoint(process: "subprocess.Popen[str]", folder: Path, step: int) -> None:
    deadline = time.monotonic() + 240
    while not (folder / f"checkpoint-{step}" / "complete").exists():
        assert process.poll() is None, process.communicate()[1]
        assert time.monotonic() < deadline
        time.sleep(0.002)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert process.returncode == -signal.SIGKILL


def test_a_killed_experiment_goes_on_to_the_same_weights_and_result(
    start: Callable[..., "subprocess.Popen[str]"], tmp_path: Path
) -> None:
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    run = killed / "runs" / "final-hyplora-seed0-lr0.01"
    _kill_after_checkpoint(start(killed), run, 4)
    assert not (run / "record.json").exists()
    _kill_after_checkpoint(start(killed, "--resume"), run, 8)  # a second time, on the way
    last = start(killed, "--resume")
    error = last.communicate()[1]
    assert last.returncode == 0, error
    undisturbed = start(whole)
    error = undisturbed.communicate()[1]
    assert undisturbed.returncode == 0, error
    assert _weights(killed) == _weights(whole)
    found, expected = (json.loads((out / "finetune.json").read_text()) for out in (killed, whole))
    measured = ("seconds", "evaluation_seconds", "peak_memory")
    for result in (found, expected):
        assert [step["method"] for step in result.pop("steps")] == ["hyplora", "lora"]
        for each in result["runs"]:
            for name in measured:
                assert each.pop(name) > 0
    assert found == expected
    assert not list(killed.glob("runs/*/checkpoint-*"))
