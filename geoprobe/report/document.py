"""The report of a scan: what was scanned, how, and every result; saved as JSON and read back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import msgspec

from geoprobe.data import ModelSource
from geoprobe.diagnostics.base import result_type
from geoprobe.errors import NotFoundError
from geoprobe.report.formats import Rendered, checked_version, read_json
from geoprobe.report.scan_view import scan_view
from geoprobe.report.text import shown
from geoprobe.report.view import View
from geoprobe.results import Result, from_builtins

__all__ = ["SCHEMA_VERSION", "CorpusFacts", "Envelope", "ModelFacts", "Report"]

#: Raised whenever a reader of the old form could misread the new one.
SCHEMA_VERSION = 2


@dataclass(frozen=True)
class ModelFacts:
    """The embedding that was scanned.

    Parameters
    ----------
    source : ModelSource
        Where it came from.
    rows, dimension : int
        V and d.
    special, unnamed : int
        Rows of special tokens, and rows that no token has.
    tied : bool or None
        Whether the output matrix is the same; None if unknown.
    lookup_scale : float
        The factor that the model applies after look-up.
    """

    source: ModelSource
    rows: int
    dimension: int
    special: int
    unnamed: int
    tied: bool | None
    lookup_scale: float


@dataclass(frozen=True)
class CorpusFacts:
    """A corpus that was counted: its name, the hash of its documents, and its size."""

    name: str
    sha256: str
    n_documents: int
    n_tokens: int
    n_types: int
    note: str = ""


@dataclass(frozen=True)
class Envelope:
    """A report's JSON, the results still unread."""

    schema_version: int
    generator: str
    model: ModelFacts
    corpora: tuple[CorpusFacts, ...]
    seed: int
    options: dict[str, dict[str, Any]]
    versions: dict[str, str]
    results: dict[str, dict[str, Any]]
    command: str = ""


@dataclass(frozen=True)
class Report(Rendered):
    """Everything a scan found.

    Parameters
    ----------
    model : ModelFacts
        What was scanned.
    corpora : tuple of CorpusFacts
        What was counted.
    seed : int
        The seed of all randomness.
    options : mapping of str to mapping
        Each diagnostic's options.
    versions : mapping of str to str
        Versions of geoprobe and of what computed the numbers.
    results : mapping of str to Result
        By diagnostic.
    command : str
        The command line that makes this report again; empty where none does.
    timings : mapping of str to float
        Seconds by step; not saved, so that equal scans give equal files.
    """

    model: ModelFacts
    corpora: tuple[CorpusFacts, ...]
    seed: int
    options: Mapping[str, Mapping[str, Any]]
    versions: Mapping[str, str]
    results: Mapping[str, Result]
    command: str = ""
    timings: Mapping[str, float] = field(default_factory=dict, compare=False)

    stem: ClassVar[str] = "scan"
    schema_version: ClassVar[int] = SCHEMA_VERSION

    def __getitem__(self, name: str) -> Result:
        """The result of one diagnostic, by name."""
        if name not in self.results:
            raise NotFoundError(f"This report has no result {name!r}.", f"It has: {', '.join(self.results) or 'none'}.")
        return self.results[name]

    def to_dict(self) -> dict[str, Any]:
        """The report as builtin types, in the form of the published JSON Schema."""
        envelope = Envelope(
            schema_version=SCHEMA_VERSION,
            generator="geoprobe",
            model=self.model,
            corpora=self.corpora,
            seed=self.seed,
            options={name: dict(options) for name, options in self.options.items()},
            versions=dict(self.versions),
            results={name: result.to_dict() for name, result in self.results.items()},
            command=self.command,
        )
        return dict(msgspec.to_builtins(envelope))

    @classmethod
    def from_dict(cls, data: object) -> Report:
        """Rebuild a report from `to_dict`'s output.

        Raises
        ------
        BadDataError
            When it is no report, or of a version that cannot be read.
        NotFoundError
            When it holds a result of a diagnostic that is not installed.
        """
        checked_version(data, SCHEMA_VERSION, "report", "scan")
        read = from_builtins(Envelope, data, what="report")
        return cls(
            model=read.model,
            corpora=read.corpora,
            seed=read.seed,
            options=read.options,
            versions=read.versions,
            results={name: result_type(name).from_dict(result) for name, result in read.results.items()},
            command=read.command,
        )

    @classmethod
    def load(cls, path: str | Path) -> Report:
        """Read a saved ``scan.json``.

        Raises
        ------
        NotFoundError
            When there is no such file.
        BadDataError
            When it is no report, or of a version that cannot be read.
        """
        return cls.from_dict(read_json(path, "scan.json"))

    def view(self) -> View:
        """The report in words, as every format shows it."""
        return shown(scan_view(self))
