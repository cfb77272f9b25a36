"""The command that makes an experiment again."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

from geoprobe.report.document import Report
from geoprobe.training.inputs import Inputs
from geoprobe.training.setup import Setup

__all__ = ["command_of"]

#: Choices that the command line leaves as they are.
_NO_OPTION = ("weight_decay", "clip", "delta_prompts")


def command_of(
    inputs: Inputs,
    budget: str,
    leaks: str,
    from_scan: str | Path | Report | None,
    data: str | Path | None,
    choices: dict[str, Any],
) -> str:
    """The command line that makes a result again, paths by their ends; empty where none does.

    Parameters
    ----------
    inputs : Inputs
        What the experiment was made on.
    budget, leaks, from_scan, data, choices
        As `geoprobe.finetune` was given them.
    """
    setup = inputs.setup
    words = ["geoprobe", "finetune", Path(setup.model).name if Path(setup.model).exists() else setup.model]
    words += ["--train", Path(setup.train).name if Path(setup.train).exists() else setup.train]
    words += ["--eval", ",".join(setup.tasks), "--budget", budget]
    if from_scan is not None:
        words += ["--from-scan", "scan.json" if isinstance(from_scan, Report) else Path(from_scan).name]
    words += [] if data is None else ["--data", Path(data).name]
    words += {"drop": ["--drop-leak"], "allow": ["--allow-leak"]}.get(leaks, [])
    chosen = {name: value for name, value in choices.items() if value is not None}
    if setup.revision:  # a scan's, too: with a model named it would not be taken
        chosen["revision"] = setup.revision
    for name, value in chosen.items():
        if isinstance(value, bool) and value == getattr(Setup, name):
            continue
        if name in _NO_OPTION or (name == "seeds" and tuple(value) != tuple(range(len(value)))):
            return ""  # the command line has no such option, and counts seeds from 0
        words += _option(name, value)
    return shlex.join(words)


def _option(name: str, value: Any) -> list[str]:
    """A choice as words of the command line."""
    option = "--" + name.replace("_", "-")
    if name == "seeds":
        return [option, str(len(value))]
    if isinstance(value, bool):
        return [option if value else option.replace("--", "--no-", 1)]
    listed = value if isinstance(value, list | tuple) else (value,)
    return [option, ",".join(map(str, listed))]
