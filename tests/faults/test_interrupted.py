"""A scan that is stopped at any moment leaves the old report or the new one, and never a broken one."""

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
FILES = 3


def stopped(model: Path, corpus: Path, work: Path, name: str, times: int, seed: int) -> list[dict[str, Any]]:
    """What was left of each scan that got the signal."""
    work.mkdir()
    if times < 100:  # too little text for an answer, and so a moment a scan
        corpus = work / "short.txt"
        corpus.write_text("the of and to the of\n\nthe of")
    done = subprocess.run(
        [sys.executable, Path(__file__).parent / "interrupted.py", model, corpus, work, name, str(times), str(seed)],
        env=os.environ | PATHS,
        capture_output=True,
        text=True,
        timeout=1200,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(found) == times
    return found


@pytest.mark.parametrize("times", [6, pytest.param(100, marks=SLOW)])
@pytest.mark.parametrize(("name", "code"), [("SIGINT", 130), ("SIGTERM", 143)])
def test_a_scan_that_is_asked_to_stop_leaves_one_report_and_no_rest(
    model_folder: Path, corpus_file: Path, tmp_path: Path, name: str, code: int, times: int
) -> None:
    found = stopped(model_folder, corpus_file, tmp_path / "work", name, times, seed=1)
    for each in found:
        assert each["states"] in ([0] * FILES, [1] * FILES), each
        assert each["rests"] == 0, each
        assert each["code"] in (code, 0), each
        assert "Traceback" not in each["said"], each
        assert "a fault of its own" not in each["said"], each
    assert code in Counter(each["code"] for each in found)


@pytest.mark.parametrize("times", [6, pytest.param(100, marks=SLOW)])
def test_a_scan_that_is_killed_leaves_every_file_whole(
    model_folder: Path, corpus_file: Path, tmp_path: Path, times: int
) -> None:
    found = stopped(model_folder, corpus_file, tmp_path / "work", "SIGKILL", times, seed=2)
    for each in found:
        assert len(each["states"]) == FILES, each
        assert -1 not in each["states"], each
    # between two renames lie microseconds: some of each would be a chance in thousands
    assert sum(len(set(each["states"])) > 1 for each in found) <= 1
    assert -9 in Counter(each["code"] for each in found)


COLLECTED = """
import os, signal, weakref
from geoprobe.cli.signals import ended_by_signals

class Kept: ...

def ended(_):
    os.kill(os.getpid(), signal.SIGINT)

with ended_by_signals():
    kept = Kept()
    watched = weakref.ref(kept, ended)
    del kept
    signal.sigtimedwait([], 30)
print("went on")
"""


def test_a_signal_during_the_collection_of_an_object_which_swallows_exceptions_ends_the_program_too() -> None:
    done = subprocess.run([sys.executable, "-c", COLLECTED], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 130
    assert done.stdout == ""
    assert done.stderr == "geoprobe: interrupted; what was to be written is there whole, or not at all.\n"


TURNED = """
import os, signal
from geoprobe.cli.options import errors
from geoprobe.cli.signals import ended_by_signals

with ended_by_signals(), errors(False):
    try:
        os.kill(os.getpid(), signal.SIGTERM)
    except SystemExit:
        raise ImportError("initialization failed")
"""


def test_a_signal_during_the_loading_of_a_module_which_makes_another_error_of_it_ends_the_program_as_asked() -> None:
    done = subprocess.run([sys.executable, "-c", TURNED], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 143
    assert done.stderr == "geoprobe: interrupted; what was to be written is there whole, or not at all.\n"
