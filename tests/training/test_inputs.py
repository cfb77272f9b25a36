"""What a scan gives to an experiment, and the command that makes an experiment again."""

import dataclasses
import shlex
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from builders import make_model

import geoprobe
from geoprobe.errors import BadDataError, NotFoundError
from geoprobe.training.inputs import Inputs, command_of, read_inputs

COMMIT = "a1b2c3d4e5f60718293a4b5c6d7e8f9001122334"


@pytest.fixture
def read(training_file: Path, test_sets: Path, report: "geoprobe.Report") -> Callable[..., Inputs]:
    """Inputs of an experiment on made-up data, with a scan of `owner/name` at a commit where asked for."""
    source = dataclasses.replace(report.model.source, model="owner/name", revision=COMMIT)
    scan = dataclasses.replace(report, model=dataclasses.replace(report.model, source=source))

    def made(model: str | None = None, *, scanned: bool = True, from_scan: Any = scan, **choices: Any) -> Inputs:
        return read_inputs(
            model,
            training_file,
            "addsub",
            from_scan=from_scan if scanned else None,
            budget="paper",
            data=test_sets,
            leaks="refuse",
            offline=True,
            out=None,
            choices={"seeds": (0,), **choices},
        )

    return made


@pytest.mark.parametrize("choices", [{}, {"revision": None}])
def test_a_scans_model_is_trained_at_the_commit_that_was_scanned(
    read: Callable[..., Inputs], choices: dict[str, Any]
) -> None:
    inputs = read(**choices)
    assert (inputs.setup.model, inputs.setup.revision) == ("owner/name", COMMIT)
    assert inputs.warnings == ()
    assert read(revision="main").setup.revision == "main"


@pytest.fixture
def scanned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> "geoprobe.Report":
    """A scan of a folder that has the name of a repository, by a path from here."""
    monkeypatch.chdir(tmp_path)
    make_model(tmp_path / "models" / "gpt2")
    (tmp_path / "c.txt").write_text("the of and to in a is that the of")
    return geoprobe.scan("models/gpt2", "c.txt", analyzers="frequency")


def test_a_scan_of_a_folder_goes_on_with_that_folder(
    read: Callable[..., Inputs], scanned: "geoprobe.Report", tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert read(from_scan=scanned).setup.model == "models/gpt2"
    assert read("models/gpt2/model.safetensors", from_scan=scanned).warnings == ()
    make_model(tmp_path / "other", dimension=8)
    (said,) = read("other", from_scan=scanned).warnings
    assert "The scan is of gpt2 and the experiment on other" in said
    shutil.rmtree(tmp_path / "models" / "gpt2")
    make_model(tmp_path / "models" / "gpt2", dimension=8)
    with pytest.raises(BadDataError, match="is not the model of the scan any more"):
        read(from_scan=scanned)
    monkeypatch.chdir(tmp_path / "models")
    with pytest.raises(BadDataError, match="is not the model of the scan any more"):
        read(from_scan=scanned)  # by its name
    monkeypatch.chdir(tmp_path / "other")
    with pytest.raises(NotFoundError, match=r"of files here, 'gpt2', not at 'models/gpt2' from here"):
        read(from_scan=scanned)  # and not of the hub's model of that name
    source = dataclasses.replace(scanned.model.source, path=None)
    older = dataclasses.replace(scanned, model=dataclasses.replace(scanned.model, source=source))
    with pytest.raises(NotFoundError, match="did not say where it was"):
        read(from_scan=older)


def test_a_scan_of_another_model_is_told(read: Callable[..., Inputs]) -> None:
    (said,) = read("owner/other").warnings
    assert f"The scan is of name at {COMMIT} and the experiment on other" in said
    (said,) = read("owner/name", revision="0000").warnings
    assert "the experiment on name at 0000" in said
    assert read("owner/name", revision=COMMIT[:7]).warnings == ()


@pytest.mark.parametrize(
    ("choices", "words"),
    [
        ({"match_scale": False}, ["--no-match-scale"]),
        ({"match_scale": True, "four_bit": False}, []),
        ({"gradient_checkpointing": True}, ["--gradient-checkpointing"]),
        (
            {"alpha": 12.3456789, "rates": (3e-4, 0.0012345678)},
            ["--alpha", "12.3456789", "--rates", "0.0003,0.0012345678"],
        ),
        ({"targets": ("q_proj", "v_proj"), "steps": 5}, ["--targets", "q_proj,v_proj", "--steps", "5"]),
        ({"clip": 0.5}, None),
        ({"seeds": (3, 4)}, None),
    ],
)
def test_the_command_gives_every_choice_in_full_or_is_none(
    read: Callable[..., Inputs], choices: dict[str, Any], words: list[str] | None
) -> None:
    inputs = read("owner/name", scanned=False, **choices)
    command = command_of(inputs, "paper", "refuse", None, None, {"seeds": (0,), **choices})
    if words is None:
        assert command == ""
        return
    rest = shlex.split(command.partition("--budget paper")[2])
    for option in (*words, "--seeds", "1"):
        rest.remove(option)
    assert rest == []


def test_the_command_of_a_scanned_model_names_its_commit(read: Callable[..., Inputs]) -> None:
    inputs = read()
    assert f"--revision {COMMIT}" in command_of(inputs, "paper", "refuse", "x/scan.json", None, {})
