"""From the command line and from Python to a comparison, on a model of two layers."""

import json
import os
import re
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import geoprobe
from geoprobe.errors import BadDataError, GeoprobeError, NotFoundError, UsageError
from geoprobe.training.report.result import ComparisonResult

SMALL: dict[str, Any] = {
    "rank": 4,
    "steps": 4,
    "batch": 4,
    "validation": 6,
    "dropout": 0.0,
    "template": "plain",
    "max_new_tokens": 4,
    "delta_prompts": 3,
    "seeds": (0, 1),
    "rates": (1e-2,),
    "threads": 1,
}
OPTIONS = [
    *("--rank", "4", "--steps", "4", "--sweep-steps", "2", "--batch", "4", "--validation", "6", "--template", "plain"),
    *("--max-new-tokens", "4", "--seeds", "2", "--rates", "1e-3,1e-2", "--threads", "1"),
]


def test_the_command_trains_compares_and_writes_a_report(
    run_cli: Callable[..., tuple[int, str, str]],
    tiny_model: Path,
    training_file: Path,
    test_sets: Path,
    tmp_path: Path,
) -> None:
    out = tmp_path / "out"
    asked = ("finetune", tiny_model, "--train", training_file, "--eval", "addsub,aqua", "--data", test_sets)
    code, printed, told = run_cli(*asked, *OPTIONS, "--alpha-check", "--out", out, "--format", "html,json,md", "--json")
    assert code == 0, told
    assert sorted(path.name for path in out.glob("*.*")) == [
        "finetune.json",
        "report.html",
        "report.md",
        "scales.json",
        "setup.json",
        "steps.json",
    ]
    assert printed == (out / "finetune.json").read_text()
    result = ComparisonResult.load(out / "finetune.json")
    assert len(result.runs) == 4 + 4 + 2
    (comparison,) = result.comparisons
    check = comparison.alpha_check
    assert check is not None
    again = [run for run in result.runs if run.purpose == "alpha"]
    assert [(run.method, run.seed) for run in again] == [("hyplora", 0), ("hyplora", 1)]
    assert check.other_alpha == pytest.approx(statistics.mean(run.alpha or 0.0 for run in again))
    assert {run.learning_rate for run in again} == {run.learning_rate for run in result.final("hyplora")}
    assert f", alpha {again[0].alpha:.3g}, 4 steps: validation loss" in told
    assert (comparison.method, comparison.reference, comparison.seeds) == ("hyplora", "lora", (0, 1))
    norms = {scale["method"]: scale["layer_gradient_norms"] for scale in json.loads((out / "scales.json").read_text())}
    ratios = [norms["hyplora"][name] / norm for name, norm in norms["lora"].items() if norm]
    assert statistics.median(ratios) == pytest.approx(1, rel=1e-3)
    rates = re.search(r"learning rates: lora (\S+), hyplora (\S+)", told)
    assert rates is not None
    assert {run.learning_rate for run in result.final("lora")} == {float(rates[1])}
    assert told.count("validation loss") >= 10
    assert result.command.startswith(f"geoprobe finetune {tiny_model.name} --train {training_file.name}")
    assert "--seeds 2 --rates 0.001,0.01" in result.command
    code, _, told = run_cli("report", out / "finetune.json", "--out", tmp_path / "again", "--format", "html")
    assert code == 0, told
    assert (tmp_path / "again" / "report.html").read_bytes() == (out / "report.html").read_bytes()


def test_the_same_from_python_with_a_scans_model_and_diagnosis(
    report: "geoprobe.Report", tiny_model: Path, training_file: Path, test_sets: Path, tmp_path: Path
) -> None:
    result = geoprobe.finetune(
        tiny_model,
        train=training_file,
        eval="addsub",
        from_scan=report,
        out=tmp_path / "out",
        data=test_sets,
        **SMALL,
    )
    assert isinstance(result, ComparisonResult)
    assert len(result.diagnosis) == len(report.results)
    assert [run.status for run in result.runs] == ["finished"] * 4
    assert len(result.to_frame()) == 4


def test_an_experiment_goes_on_only_when_asked_and_finished_runs_are_not_done_again(
    tiny_model: Path, training_file: Path, test_sets: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    asked: dict[str, Any] = {"train": training_file, "eval": "addsub", "out": out, "data": test_sets, **SMALL}
    first = geoprobe.finetune(tiny_model, **asked)
    stamps = {path: path.stat().st_mtime_ns for path in out.rglob("record.json")}
    assert len(stamps) == 1 + 4
    with pytest.raises(UsageError, match="holds an experiment already"):
        geoprobe.finetune(tiny_model, **asked)
    with pytest.raises(UsageError, match=r"set up otherwise: rank \(was 4, is 2\)"):
        geoprobe.finetune(tiny_model, resume=True, **{**asked, "rank": 2})
    gone = out / "runs" / "final-lora-seed1-lr0.01" / "record.json"
    gone.unlink()
    assert geoprobe.finetune(tiny_model, resume=True, **asked).comparisons == first.comparisons
    again = {path: path.stat().st_mtime_ns for path in out.rglob("record.json")}
    assert {path for path in stamps if again[path] != stamps[path]} == {gone}


def test_leaks_are_listed_and_refused_left_out_or_accepted(
    run_cli: Callable[..., tuple[int, str, str]], tiny_model: Path, test_sets: Path, tmp_path: Path
) -> None:
    questions = json.loads((test_sets / "AddSub" / "test.json").read_text())
    leaking = tmp_path / "leaking.json"
    leaking.write_text(json.dumps([{**each, "output": "#### 19"} for each in questions[:3]] * 5))
    asked = ("finetune", tiny_model, "--train", leaking, "--eval", "addsub", "--data", test_sets)
    small = (
        *("--seeds", "1", "--rates", "1e-2", "--validation", "1", "--validate-every", "0", "--checkpoint", "last"),
        *("--format", "json"),
    )
    options = [*OPTIONS, *small]
    code, _, told = run_cli(*asked, *options, "--out", tmp_path / "a")
    assert code == BadDataError.exit_code
    assert "addsub 3 of 8 (3 word for word)" in told
    assert "\n  addsub/0 is in the prompt of training example 0 word for word\n" in told
    assert "--allow-leak" in told
    for way, count in (("--drop-leak", 5), ("--allow-leak", 8)):
        out = tmp_path / way
        code, _, told = run_cli(*asked, *options, "--out", out, way)
        assert code == 0, told
        result = ComparisonResult.load(out / "finetune.json")
        assert {len(run.rights["addsub"]) for run in result.final()} == {count}
        assert result.leaks is not None
        assert len(result.leaks.leaks) == 3
        assert "addsub 3 of 8" in result.warnings[0]


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"leaks": "ignore"}, "Leaks are to be 'ignore'"),
        ({"colour": "red"}, "no choice 'colour'"),
        ({"budget": "huge"}, "no budget 'huge'"),
        ({"engine": "dask"}, "no engine 'dask'"),
        ({"eval": ()}, "No tasks"),
    ],
)
def test_what_makes_no_sense_is_refused(
    wrong: dict[str, Any], said: str, tiny_model: Path, training_file: Path, test_sets: Path, tmp_path: Path
) -> None:
    choices = {"train": training_file, "eval": "addsub", "out": tmp_path / "out", "data": test_sets, **SMALL, **wrong}
    with pytest.raises(UsageError, match=said):
        geoprobe.finetune(tiny_model, **choices)


def test_losses_go_to_installed_packages_that_the_trainer_knows(
    tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from transformers.integrations.integration_utils import INTEGRATION_TO_CALLBACK

    from geoprobe.training import finetuning

    assert set(finetuning._INTEGRATIONS) <= set(INTEGRATION_TO_CALLBACK)
    with pytest.raises(UsageError, match=r"to 'nowhere_board'.*\n.*tensorboard"):
        geoprobe.finetune(tiny_model, report_to=["nowhere_board"])
    monkeypatch.setattr(finetuning, "find_spec", lambda _: None)
    with pytest.raises(NotFoundError, match="pip install flytekit"):
        geoprobe.finetune(tiny_model, report_to=["flyte"])


def test_losses_may_be_told_to_nobody(tiny_model: Path, training_file: Path, test_sets: Path, tmp_path: Path) -> None:
    asked: dict[str, Any] = {"train": training_file, "eval": "addsub", "data": test_sets, **SMALL}
    result = geoprobe.finetune(tiny_model, report_to=["none"], out=tmp_path / "out", **asked)
    assert {run.status for run in result.runs} == {"finished"}
    assert not list((tmp_path / "out").rglob("events.out.*"))


def test_tensorboard_is_told_every_runs_losses(
    tiny_model: Path, training_file: Path, test_sets: Path, tmp_path: Path
) -> None:
    events = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    out = tmp_path / "out"
    asked: dict[str, Any] = {"train": training_file, "eval": "addsub", "out": out, "data": test_sets, **SMALL}
    result = geoprobe.finetune(tiny_model, report_to=["tensorboard"], **asked)
    for run in result.runs:
        folder = out / "runs" / f"{run.purpose}-{run.method}-seed{run.seed}-lr{run.learning_rate!r}"
        told = [events.EventAccumulator(str(path)).Reload() for path in folder.rglob("events.out.tfevents.*")]
        losses = [
            (each.step, each.value)
            for file in told
            if "train/loss" in file.Tags()["scalars"]
            for each in file.Scalars("train/loss")
        ]
        assert [step for step, _ in losses] == [step for step, _ in run.train_losses]
        assert [loss for _, loss in losses] == pytest.approx([loss for _, loss in run.train_losses], rel=1e-5)


def test_an_interruption_says_how_to_go_on(
    run_cli: Callable[..., tuple[int, str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: Any, **__: Any) -> None:
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(5)

    monkeypatch.setattr("geoprobe.training.finetuning.finetune", interrupted)
    code, _, told = run_cli("finetune", "demo")
    assert (code, "--resume goes on from the last checkpoint" in told) == (130, True)


def test_no_model_and_a_wrong_column_are_errors(
    run_cli: Callable[..., tuple[int, str, str]], tiny_model: Path, training_file: Path, test_sets: Path
) -> None:
    code, _, told = run_cli("finetune", "--train", training_file, "--eval", "addsub", "--data", test_sets)
    assert (code, "No model was given" in told) == (2, True)
    code, _, told = run_cli(
        "finetune",
        tiny_model,
        "--train",
        training_file,
        "--field",
        "question,reply",
        "--eval",
        "addsub",
        "--data",
        test_sets,
    )
    assert code == BadDataError.exit_code
    assert "reply" in told


def test_an_experiment_in_which_every_run_fails_says_why(
    tiny_model: Path, training_file: Path, test_sets: Path, tmp_path: Path
) -> None:
    hopeless = {**SMALL, "rates": (1e30,), "clip": 1e30, "seeds": (0,), "methods": ("lora",), "steps": 9}
    with pytest.raises(GeoprobeError, match=r"No run could be finished; the first one failed: .* at step"):
        geoprobe.finetune(
            tiny_model, train=training_file, eval="addsub", out=tmp_path / "out", data=test_sets, **hopeless
        )


def test_neither_the_package_nor_the_commands_help_import_torch() -> None:
    program = (
        "import sys, geoprobe\nfrom geoprobe.cli import main\n"
        "try: main(['finetune', '--help'])\nexcept SystemExit: pass\n"
        "assert not {'torch', 'peft', 'transformers'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program], check=True, stdout=subprocess.DEVNULL)
