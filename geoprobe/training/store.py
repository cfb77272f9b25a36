"""The folder of an experiment: what is finished, each piece written whole, and whether it is the same experiment."""

from __future__ import annotations

import json
import re
import shutil
import stat
import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
from safetensors import SafetensorError

from geoprobe.errors import BadDataError, GeoprobeError, UsageError
from geoprobe.files import check_folder, check_not_sparse, read_small, write_whole
from geoprobe.results import from_builtins
from geoprobe.training.outcome import StepCost
from geoprobe.training.records import (
    BaseFacts,
    Prediction,
    Predictions,
    Run,
    RunFacts,
    likelihood_rights,
    read_by,
    rights,
    unread,
)
from geoprobe.training.running.matched_alpha import MatchedAlpha
from geoprobe.training.running.train import clear_checkpoints, disk_error
from geoprobe.training.setup import Setup


@dataclass(frozen=True)
class _Begun:
    """What `setup.json` holds: choices, hashes of what is trained and tested on, the model as loaded, and versions."""

    setup: dict[str, Any]
    inputs: dict[str, str]
    model: dict[str, str] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)
    protocol: int = 1


#: Raised whenever runs of one experiment would no longer be alike: 2 chooses rates on other examples than those whose
#: losses are compared, and matches alpha in the median layer.
_PROTOCOL = 2


@dataclass(frozen=True)
class Store:
    """An experiment's folder.

    ``setup.json``; ``scales.json``; ``steps.json``; ``base/``; ``runs/ID/`` with ``record.json``,
    ``predictions/TASK.jsonl``, ``adapter/`` and, until the run is finished, its checkpoints.
    """

    out: Path

    def check(self, setup: Setup, inputs: Mapping[str, str], *, resume: bool) -> None:
        """Refuse a folder that this experiment cannot be begun or gone on with in; `inputs` are hashes of its data.

        Nothing is written. The folder may be another person's: a link in it would have checkpoints deleted, and
        adapters written, elsewhere. Refused is a folder that holds another experiment, or this one where going on was
        not asked for; one that cannot be read or written in; and a link, a device or a pipe in it.
        """
        check_folder(self.out)
        for name in _OWN:
            _check_plain(self.out / name)
        path = self.out / "setup.json"
        if not path.exists():
            return
        if not resume:
            raise UsageError(
                f"{self.out} holds an experiment already.",
                "Go on with it by --resume, or give another folder.",
            )
        saved = from_builtins(_Begun, _read(path), what=f"file {path}")
        if saved.protocol != _PROTOCOL and "rates" in saved.setup:
            raise UsageError(
                f"The experiment in {self.out} was begun by another version of geoprobe, which chose rates and matched "
                "alpha otherwise: runs of both cannot be compared.",
                "Finish it with the version that it began with (0.2.0), or begin anew in another folder by --out.",
            )
        changed = setup.differences(saved.setup)
        if changed:
            new = setup.to_dict()
            listed = ", ".join(f"{name} (was {saved.setup.get(name)}, is {new.get(name)})" for name in changed)
            raise UsageError(
                f"The experiment in {self.out} was set up otherwise: {listed}.",
                "Give the choices it began with, or another folder by --out.",
            )
        other = sorted(name for name, sha in inputs.items() if saved.inputs.get(name) != sha)
        if other:
            raise UsageError(
                f"The data of the experiment in {self.out} have changed since: {', '.join(other)}.",
                "Put back the files it began with, or give another folder by --out.",
            )

    def begin(
        self, setup: Setup, inputs: Mapping[str, str], model: Mapping[str, str], versions: Mapping[str, str]
    ) -> tuple[str, ...]:
        """Say in the folder which experiment is done in it, or see that it goes on with the same model.

        What tells a model from another is known once it is loaded. Returned is what a reader must know: versions other
        than those that the experiment began with. A model that is another one is refused.
        """
        path = self.out / "setup.json"
        if not path.exists():
            begun = _Begun(setup.to_dict(), dict(inputs), dict(model), dict(versions), _PROTOCOL)
            write_whole({path: _json(begun)})
            return ()
        saved = from_builtins(_Begun, _read(path), what=f"file {path}")
        changed = [name for name, value in model.items() if saved.model.get(name, value) != value]
        if changed:
            raise UsageError(
                f"The model of the experiment in {self.out} has changed since it began: {', '.join(changed)}.",
                "Put back the one that it began with, or give another folder by --out.",
            )
        other = [
            f"{name} {old} (now {versions.get(name, 'not asked')})"
            for name, old in saved.versions.items()
            if versions.get(name) != old
        ]
        return (f"The experiment began with other versions than it ended with: {', '.join(other)}.",) if other else ()

    def folder(self, run: Run) -> Path:
        """A run's own."""
        return self.out / "runs" / run.id

    def record(self, run: Run) -> RunFacts | None:
        """What a finished run gave; None for one that is not finished."""
        folder = self.folder(run)
        if not (folder / "record.json").exists():
            return None
        data, predictions = _record(folder)
        facts = from_builtins(
            RunFacts, {**data, "unread": unread(predictions), "read_by": read_by(predictions)}, what="record of a run"
        )
        of = Run(facts.method, facts.seed, facts.learning_rate, facts.purpose, run.steps)
        if of != run or facts.adapter not in (None, self._adapter(run)):
            raise BadDataError(f"{folder / 'record.json'} is the record of another run.", _AGAIN)
        return facts if facts.status == "finished" else None

    def _adapter(self, run: Run) -> str:
        """The place of a run's adapter in the experiment's folder."""
        return (self.folder(run) / "adapter").relative_to(self.out).as_posix()

    def base_record(self) -> BaseFacts | None:
        """What the model did before any training; None where it was not asked yet."""
        folder = self.out / "base"
        if not (folder / "record.json").exists():
            return None
        data, _ = _record(folder)
        data.pop("evaluation_seconds", None)
        return from_builtins(BaseFacts, data, what="record of the base model")

    def save(self, run: Run, facts: RunFacts, predictions: Predictions) -> None:
        """Save a run's record and predictions; its checkpoints are then of no more use."""
        _save(self.folder(run), msgspec.to_builtins(facts), predictions)
        if facts.status == "finished":
            clear_checkpoints(self.folder(run))
            (self.folder(run) / "error.txt").unlink(missing_ok=True)

    def save_trace(self, run: Run, trace: str) -> None:
        """Save where in the code a run failed."""
        write_whole({self.folder(run) / "error.txt": trace.encode("utf-8", "replace")})

    def save_base(self, facts: BaseFacts, predictions: Predictions, seconds: float) -> None:
        """Save what the model did before any training, and the seconds that asking it took."""
        _save(self.out / "base", {**msgspec.to_builtins(facts), "evaluation_seconds": seconds}, predictions)

    def save_adapter(self, run: Run, model: Any) -> str:
        """Save a trained adapter; its folder, relative to the experiment's."""
        folder = self.folder(run) / "adapter"
        part = folder.with_name("adapter.part")
        try:
            shutil.rmtree(part, ignore_errors=True)
            with warnings.catch_warnings():
                # a GGUF file has no config beside it, and adapters do not touch the vocabulary
                warnings.filterwarnings("ignore", message="Could not find a config file")
                model.save_pretrained(str(part))
            shutil.rmtree(folder, ignore_errors=True)
            part.rename(folder)
        except (OSError, RuntimeError, SafetensorError) as error:
            raise disk_error(error, folder) from error
        return self._adapter(run)

    def step_costs(self) -> tuple[StepCost, ...]:
        """What steps cost, if it was measured."""
        path = self.out / "steps.json"
        return from_builtins(tuple[StepCost, ...], _read(path), what=f"file {path}") if path.exists() else ()

    def save_step_costs(self, costs: Sequence[StepCost]) -> None:
        """Save what steps cost."""
        write_whole({self.out / "steps.json": _json(costs)})

    def matched_alphas(self) -> tuple[MatchedAlpha, ...]:
        """The alphas measured so far."""
        path = self.out / "scales.json"
        return from_builtins(tuple[MatchedAlpha, ...], _read(path), what=f"file {path}") if path.exists() else ()

    def save_matched_alphas(self, alphas: Sequence[MatchedAlpha]) -> None:
        """Save alphas."""
        write_whole({self.out / "scales.json": _json(alphas)})


#: What of a folder is an experiment's.
_OWN = ("setup.json", "scales.json", "steps.json", "base", "runs")
_AGAIN = "Delete its folder to run it again."
#: Bytes of a record, or of the predictions for a set: those of 10,000 long answers take 20 million.
_LARGEST = 1 << 28
#: A test set's name in a record, and so a file's.
_SET = re.compile(r"[\w-]+")


def _check_plain(place: Path) -> None:
    """Refuse anything but files and folders at a place and below it."""
    waiting = [place]
    while waiting:
        path = waiting.pop()
        try:
            mode = path.lstat().st_mode
            waiting += path.iterdir() if stat.S_ISDIR(mode) else ()
        except FileNotFoundError:
            continue
        except OSError as error:
            raise BadDataError(f"{path} cannot be read: {error.strerror}.", "Give another folder by --out.") from error
        if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
            what = f"a link to {path.readlink()}" if stat.S_ISLNK(mode) else "neither a file nor a folder"
            raise BadDataError(
                f"{path} in the experiment's folder is {what}.",
                "Put a copy in its place, or give another folder by --out.",
            )
        if stat.S_ISREG(mode):
            check_not_sparse(path)


#: What a record leaves to the files of predictions, and what it says in their place.
_REDUCED, _IN_PLACE = ("rights", "likelihood_rights", "unread", "read_by"), "predictions"


def _save(folder: Path, facts: dict[str, Any], predictions: Predictions) -> None:
    """Write a record and its predictions; the record names the sets that were asked."""
    record: dict[str, Any] = {}
    for name, value in facts.items():
        if name == _REDUCED[0]:
            record[_IN_PLACE] = list(predictions)
        elif name not in _REDUCED:
            record[name] = value
    files = {
        folder / "predictions" / f"{task}.jsonl": predictions_to_jsonl(lines) for task, lines in predictions.items()
    }
    # the record is put in place last, and says that the rest is there
    files[folder / "record.json"] = _json(record)
    write_whole(files)


def _json(value: Any) -> bytes:
    return (json.dumps(msgspec.to_builtins(value), indent=1) + "\n").encode()


def _record(folder: Path) -> tuple[dict[str, Any], Predictions]:
    """A record with its predictions reduced to right and wrong, and the predictions."""
    data = _read(folder / "record.json")
    if not isinstance(data, dict):
        raise BadDataError(f"{folder / 'record.json'} is no record.", _AGAIN)
    names = data.pop(_IN_PLACE, [])
    if not (isinstance(names, list) and all(isinstance(name, str) and _SET.fullmatch(name) for name in names)):
        raise BadDataError(f"{folder / 'record.json'} has predictions of no test sets: {names!r}.", _AGAIN)
    predictions = {task: read_predictions(folder / "predictions" / f"{task}.jsonl") for task in names}
    return {**data, "rights": rights(predictions), "likelihood_rights": likelihood_rights(predictions)}, predictions


def predictions_to_jsonl(predictions: Iterable[Prediction]) -> bytes:
    """One prediction a line, to be checked by hand."""
    return "".join(
        json.dumps(msgspec.to_builtins(line), ensure_ascii=False, allow_nan=False) + "\n" for line in predictions
    ).encode("utf-8", "surrogatepass")


def read_predictions(path: Path) -> tuple[Prediction, ...]:
    """Read a file of predictions."""
    try:
        lines = read_small(path, _LARGEST).decode("utf-8", "surrogatepass").split("\n")
        return tuple(from_builtins(Prediction, json.loads(line), what=f"file {path}") for line in lines if line)
    except (OSError, ValueError, RecursionError) as error:
        if isinstance(error, BadDataError):
            raise
        raise BadDataError(
            f"{path} is no file of predictions: {error}.", "Delete its run's folder to run it again."
        ) from error


def _read(path: Path) -> Any:
    try:
        return json.loads(read_small(path, _LARGEST).decode("utf-8"))
    except GeoprobeError:
        raise
    except (OSError, ValueError, RecursionError) as error:
        raise BadDataError(f"{path} cannot be read: {error}.", "Delete it, or give another folder by --out.") from error
