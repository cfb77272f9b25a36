"""What a case of the table is, and the folder that every case is run in."""

from __future__ import annotations

import json
import os
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from builders import FEW, make_model, make_report, write_safetensors
from experiment_builders import make_experiment

from geoprobe.counts import count
from geoprobe.sources.counts_file import save_counts

__all__ = [
    "EMBEDDING",
    "Case",
    "changed_json",
    "circle",
    "make_workplace",
    "model_with",
    "pipe",
    "raw_safetensors",
]

EMBEDDING = "model.embed_tokens.weight"
Maker = Callable[[Path], object]


@dataclass(frozen=True)
class Case:
    """A command that cannot do what it is asked.

    Parameters
    ----------
    command : str
        Words after ``geoprobe``, split at spaces; ``''`` stands for an empty word.
    code : int
        The exit code.
    says : str
        What standard error must hold.
    files : mapping of str to bytes
        Written into the folder first.
    make : callable or None
        Does what files alone cannot, given the folder.
    """

    command: str
    code: int
    says: str
    files: Mapping[str, bytes] = field(default_factory=dict)
    make: Maker | None = None

    @property
    def words(self) -> list[str]:
        """The command as a shell would split it."""
        return ["" if word == "''" else word for word in self.command.split(" ")]

    def prepare(self, folder: Path) -> None:
        """Put the case's files into the folder."""
        for name, content in self.files.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(content)
        if self.make is not None:
            self.make(folder)


def make_workplace(folder: Path) -> None:
    """A good one of everything that a command is given, so that one bad thing at a time is bad."""
    make_model(folder / "tiny")
    (folder / "good.txt").write_text("the of and to\n\nin a is that the of\n\nthe the of word1 word2")
    make_report(options=FEW).save(folder / "scan.json")
    save_counts(folder / "good.parquet", count(folder / "tiny", [folder / "good.txt"]))
    make_experiment().save(folder / "finetune.json")
    sums = [{"question": f"What is {a} and {a + 1}?", "answer": f"#### {2 * a + 1}"} for a in range(20)]
    (folder / "sums.jsonl").write_text("\n".join(map(json.dumps, sums)))
    (folder / "sets" / "AddSub").mkdir(parents=True)
    asked = "From a shelf of {} jars {} were sold. What number is left?"
    questions = [{"instruction": asked.format(20 + n, n + 1), "answer": "19"} for n in range(8)]
    (folder / "sets" / "AddSub" / "test.json").write_text(json.dumps(questions))


def raw_safetensors(header: object, body: bytes = b"", length: int | None = None) -> bytes:
    """A safetensors file's bytes with any header."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text) if length is None else length) + text + body


def model_with(**tensors: np.ndarray) -> Maker:
    """Put these tensors in place of the good model's; ``E`` is the embedding."""

    def make(folder: Path) -> None:
        named = {EMBEDDING if name == "E" else name: array for name, array in tensors.items()}
        write_safetensors(folder / "tiny" / "model.safetensors", named)

    return make


def pipe(name: str) -> Maker:
    """Make a pipe that nobody writes to in place of a file, or where none was."""

    def make(folder: Path) -> None:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        os.mkfifo(path)

    return make


def circle(name: str) -> Maker:
    """Make a link that leads to itself."""

    def make(folder: Path) -> None:
        (folder / name).unlink(missing_ok=True)
        (folder / name).symlink_to(name.rpartition("/")[2])

    return make


def changed_json(file: str, change: Callable[[dict[str, object]], object]) -> Maker:
    """Change a JSON file of the folder in place."""

    def make(folder: Path) -> None:
        data = json.loads((folder / file).read_text("utf-8"))
        change(data)
        (folder / file).write_text(json.dumps(data), encoding="utf-8")

    return make
