"""The folder of an experiment: what is finished, each piece written whole, and whether it is the same experiment."""

from __future__ import annotations

import json
import shutil
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
from safetensors import SafetensorError

from geoprobe.errors import BadDataError, UsageError
from geoprobe.files import check_folder, write_whole
from geoprobe.results import from_builtins
from geoprobe.training.checkpoints import clear_checkpoints
from geoprobe.training.records import (
    BaseRecord,
    Prediction,
    RunRecord,
    predictions_to_jsonl,
    read_predictions,
    record_from_dict,
    record_to_dict,
)
from geoprobe.training.runs import Run
from geoprobe.training.scale import Scale
from geoprobe.training.setup import Setup
from geoprobe.training.trainer import disk_error

__all__ = ["Store"]


@dataclass(frozen=True)
class _Begun:
    """What `setup.json` holds: choices, hashes of what is trained and tested on, the model as loaded, and versions."""

    setup: dict[str, Any]
    inputs: dict[str, str]
    model: dict[str, str] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Store:
    """An experiment's folder.

    ``setup.json``; ``scales.json``; ``base/``; ``runs/ID/`` with ``record.json``, ``predictions/TASK.jsonl``,
    ``adapter/`` and, until the run is finished, its checkpoints.

    Parameters
    ----------
    out : Path
        The folder.
    """

    out: Path

    def check(self, setup: Setup, inputs: Mapping[str, str], *, resume: bool) -> None:
        """Refuse a folder that this experiment cannot be begun or gone on with in; nothing is written.

        Parameters
        ----------
        setup : Setup
            Its choices.
        inputs : mapping of str to str
            Hashes of what is trained and tested on.
        resume : bool
            Whether to go on where there is one already.

        Raises
        ------
        UsageError
            When the folder holds another experiment, or this one and going on was not asked for.
        BadDataError
            When what it holds of one cannot be read.
        GeoprobeError
            When it could not be written in.
        """
        check_folder(self.out)
        path = self.out / "setup.json"
        if not path.exists():
            return
        if not resume:
            raise UsageError(
                f"{self.out} holds an experiment already.",
                "Go on with it by --resume, or give another folder.",
            )
        saved = from_builtins(_Begun, _read(path), what=f"file {path}")
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

        Parameters
        ----------
        setup, inputs
            As of `check`.
        model : mapping of str to str
            What tells its weights and arithmetic from others; known once it has been loaded.
        versions : mapping of str to str
            Of what computes, by package.

        Returns
        -------
        tuple of str
            What a reader must know: versions other than those the experiment began with.

        Raises
        ------
        UsageError
            When the model is another one.
        """
        path = self.out / "setup.json"
        if not path.exists():
            content = msgspec.to_builtins(_Begun(setup.to_dict(), dict(inputs), dict(model), dict(versions)))
            write_whole({path: (json.dumps(content, indent=1) + "\n").encode()})
            return ()
        saved = from_builtins(_Begun, _read(path), what=f"file {path}")
        changed = [name for name, value in model.items() if saved.model.get(name, value) != value]
        if changed:
            raise UsageError(
                f"The model of the experiment in {self.out} has changed since it began: {', '.join(changed)}.",
                "Put back the one that it began with, or give another folder by --out.",
            )
        other = [
            f"{name} {old} (now {versions[name]})" for name, old in saved.versions.items() if versions[name] != old
        ]
        return (f"The experiment began with other versions than it ended with: {', '.join(other)}.",) if other else ()

    def folder(self, run: Run) -> Path:
        """A run's own."""
        return self.out / "runs" / run.id

    def record(self, run: Run) -> RunRecord | None:
        """What a finished run gave; None for one that is not finished."""
        found = self._load(self.folder(run), base=False)
        return found if isinstance(found, RunRecord) and found.status == "finished" else None

    def base_record(self) -> BaseRecord | None:
        """What the model did before any training; None where it was not asked yet."""
        found = self._load(self.out / "base", base=True)
        return found if isinstance(found, BaseRecord) else None

    def save(self, run: Run, record: RunRecord) -> None:
        """Save a run's record and predictions; its checkpoints are then of no more use."""
        self._save(self.folder(run), record)
        if record.status == "finished":
            clear_checkpoints(self.folder(run))
            (self.folder(run) / "error.txt").unlink(missing_ok=True)

    def save_trace(self, run: Run, trace: str) -> None:
        """Save where in the code a run failed."""
        write_whole({self.folder(run) / "error.txt": trace.encode("utf-8", "replace")})

    def save_base(self, record: BaseRecord) -> None:
        """Save what the model did before any training."""
        self._save(self.out / "base", record)

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
        return folder.relative_to(self.out).as_posix()

    def scales(self) -> tuple[Scale, ...]:
        """The scales measured so far."""
        path = self.out / "scales.json"
        return from_builtins(tuple[Scale, ...], _read(path), what=f"file {path}") if path.exists() else ()

    def save_scales(self, scales: Sequence[Scale]) -> None:
        """Save scales."""
        write_whole({self.out / "scales.json": (json.dumps(msgspec.to_builtins(scales), indent=1) + "\n").encode()})

    def _save(self, folder: Path, record: RunRecord | BaseRecord) -> None:
        files = {
            folder / "predictions" / f"{task}.jsonl": predictions_to_jsonl(lines)
            for task, lines in record.predictions.items()
        }
        # the record is put in place last, and says that the rest is there
        files[folder / "record.json"] = (json.dumps(record_to_dict(record), indent=1) + "\n").encode()
        write_whole(files)

    def _load(self, folder: Path, *, base: bool) -> RunRecord | BaseRecord | None:
        path = folder / "record.json"
        if not path.exists():
            return None
        data = _read(path)
        predictions: dict[str, tuple[Prediction, ...]] = {
            task: read_predictions(folder / "predictions" / f"{task}.jsonl") for task in data.get("predictions", ())
        }
        return record_from_dict(data, predictions, base=base)


def _read(path: Path) -> Any:
    try:
        return json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise BadDataError(f"{path} cannot be read: {error}.", "Delete it, or give another folder by --out.") from error
