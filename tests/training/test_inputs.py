"""What a scan gives to an experiment, and the command that makes an experiment again."""

import dataclasses
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import geoprobe
from geoprobe.training.inputs import Inputs, command_of, read_inputs

COMMIT = "a1b2c3d4e5f60718293a4b5c6d7e8f9001122334"


@pytest.fixture
def read(training_file: Path, test_sets: Path, report: "geoprobe.Report") -> Callable[..., Inputs]:
    """Inputs of an experiment on made-up data, with a scan of `owner/name` at a commit where asked for."""
    source = dataclasses.replace(report.model.source, model="owner/name", revision=COMMIT)
    scan = dataclasses.replace(report, model=dataclasses.replace(report.model, source=source))

    def made(model: str | None = None, *, scanned: bool = True, **choices: Any) -> Inputs:
        return read_inputs(
            model,
            training_file,
            "addsub",
            from_scan=scan if scanned else None,
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
