"""An experiment that is stopped again and again goes on each time, to the result of one that never was."""

import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from builders import PATHS

SLOW = pytest.mark.slow


def stopped(model: Path, train: Path, data: Path, work: Path, name: str, times: int) -> list[dict[str, Any]]:
    """What was left by each piece of the experiment."""
    work.mkdir()
    script = Path(__file__).parent / "interrupted_experiment.py"
    done = subprocess.run(
        [sys.executable, "-W", "ignore", script, model, train, data, work, name, str(times), "1"],
        env=os.environ | PATHS,
        capture_output=True,
        text=True,
        timeout=3000,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.mark.parametrize("times", [4, pytest.param(100, marks=SLOW)])
@pytest.mark.parametrize(("name", "code"), [("SIGINT", 130), ("SIGKILL", -9)])
def test_a_stopped_experiment_leaves_nothing_broken_and_goes_on_to_the_same_result(
    tiny_model: Path, training_file: Path, test_sets: Path, tmp_path: Path, name: str, code: int, times: int
) -> None:
    found = stopped(tiny_model, training_file, test_sets, tmp_path / "work", name, times)
    for each in found:
        assert each["unreadable"] == [], each
        assert each["code"] in (code, 0), each
        assert "Traceback" not in each["said"], each
        assert "a fault of its own" not in each["said"], each
    counted = Counter(each["code"] for each in found)
    assert counted[code]
    assert [each["same"] for each in found if each["code"] == 0] == [True] * counted[0]
    assert counted[0]
