"""What an experiment shows: a line a run everywhere, with nothing that a terminal would take as a command."""

import pytest

from geoprobe.training.progress import TrainingProgress
from geoprobe.training.records import RunFacts


def test_a_finished_run_is_a_line_with_its_loss_and_its_answers(capsys: pytest.CaptureFixture[str]) -> None:
    with TrainingProgress() as progress:
        progress.begin(10.0)
        progress.run("lora, seed 0", 5, 5.0)
        progress.advance(5, 1.5)
        progress.finished(
            RunFacts(
                *("lora", 0, 3e-4, "final", "finished"),
                steps=5,
                validation_loss=1.25,
                seconds=8.0,
                evaluation_seconds=2.0,
                rights={"mawps": "10"},
            )
        )
        progress.chosen({"lora": 3e-4, "hyplora": None})
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "lora, seed 0, rate 0.0003, 5 steps: validation loss 1.2500, mawps 1 of 2, 10 s" in shown.err
    assert "learning rates: lora 0.0003, hyplora none" in shown.err


def test_without_a_terminal_there_is_a_line_a_minute_with_what_is_left(capsys: pytest.CaptureFixture[str]) -> None:
    now = [0.0]
    with TrainingProgress(clock=lambda: now[0]) as progress:
        progress.begin(100.0)
        progress.run("lora, seed 0", 50, 50.0)
        for step in range(1, 51):
            now[0] += 10.0
            progress.advance(step, 2.0)
        progress.run("lora, seed 0: questions", 500, 50.0)
        progress.advance(100)
    told = capsys.readouterr().err.splitlines()
    assert len(told) == 8  # in 500 seconds
    assert told[0] == "lora, seed 0: 6 of 50, loss 2.000; 6% of the experiment, about 16 minutes left"
    with TrainingProgress(quiet=True, clock=lambda: now[0]) as progress:
        progress.begin(2.0)
        progress.run("lora", 2, 2.0)
        now[0] += 3600
        progress.advance(1)
    assert capsys.readouterr().err == ""


def test_a_failed_run_says_why_and_hostile_text_is_harmless(capsys: pytest.CaptureFixture[str]) -> None:
    with TrainingProgress() as progress:
        progress.finished(RunFacts("dora", 1, 1e-3, "sweep", "failed", "\x1b[2J[red]loss is nan"))
    shown = capsys.readouterr().err
    assert "dora, seed 1, rate 0.001: failed." in shown
    assert "[red]loss is nan" in shown
    assert "\x1b[2J" not in shown


def test_quiet_is_quiet(capsys: pytest.CaptureFixture[str]) -> None:
    with TrainingProgress(quiet=True) as progress:
        progress.begin(1.0)
        progress.run("lora", 1, 1.0)
        progress.advance(1, 0.5)
        progress.finished(RunFacts("lora", 0, 3e-4, "final", "finished"))
    assert capsys.readouterr().err == ""


def test_long_lines_lose_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    tasks = ("boolq", "piqa", "siqa", "hellaswag", "winogrande", "arc_easy", "arc_challenge", "openbookqa")
    rights = dict.fromkeys(tasks, "10")
    reason = f"OutOfMemoryError: {'tried to allocate ' * 20}2.00 GiB"
    with TrainingProgress() as progress:
        progress.finished(RunFacts("hyplora", 0, 3e-4, "final", "finished", steps=9, seconds=8.0, rights=rights))
        progress.finished(RunFacts("lora", 0, 3e-4, "final", "failed", reason))
    shown = capsys.readouterr().err
    assert "openbookqa 1 of 2, 8 s\n" in shown
    assert f"failed. {reason}\n" in shown
