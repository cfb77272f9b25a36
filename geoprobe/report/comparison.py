"""Models side by side: the answers of several scans, and whether they can be compared at all."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import msgspec

from geoprobe.errors import BadDataError
from geoprobe.report.comparison_view import comparison_view
from geoprobe.report.document import CorpusFacts
from geoprobe.report.formats import Rendered, checked_version, read_json
from geoprobe.report.text import shown, visible
from geoprobe.report.view import View
from geoprobe.results import Estimate, Row, Verdict, from_builtins

__all__ = ["COMPARISON_VERSION", "ComparedAnswer", "ComparedModel", "ComparedQuestion", "Comparison"]

COMPARISON_VERSION = 1
#: What a diagnostic may be called: the page uses it as the name of a place.
_NAME = re.compile(r"\w[\w.-]*")


@dataclass(frozen=True)
class ComparedModel:
    """What was scanned, and how: of each model as much as tells whether two scans are comparable."""

    label: str
    model: str
    tensor_sha256: str
    rows: int
    dimension: int
    corpora: tuple[CorpusFacts, ...]
    seed: int
    versions: dict[str, str]

    @property
    def n_tokens(self) -> int:
        """Tokens counted, over all corpora."""
        return sum(corpus.n_tokens for corpus in self.corpora)

    @property
    def documents(self) -> frozenset[str]:
        """Hashes of what was counted."""
        return frozenset(corpus.sha256 for corpus in self.corpora)


@dataclass(frozen=True)
class ComparedAnswer:
    """One model's answer to one question.

    Parameters
    ----------
    label : str
        Of the model.
    verdict : Verdict
        The answer.
    estimate : Estimate
        With its interval.
    statistic, null_model : str
        What was tested, against what.
    observed, null_mean, null_low, null_high, pvalue : float or None
        The statistic here, and its null: the mean and the middle 95%.
    by_size : tuple of (int, float)
        The estimate on random subsets of so many tokens, where its size depends on theirs.
    rows : tuple of Row
        Every quantity of the result.
    """

    label: str
    verdict: Verdict
    estimate: Estimate
    statistic: str
    null_model: str
    observed: float | None
    null_mean: float | None
    null_low: float | None
    null_high: float | None
    pvalue: float | None
    by_size: tuple[tuple[int, float], ...]
    rows: tuple[Row, ...]


@dataclass(frozen=True)
class ComparedQuestion:
    """A question and every model's answer.

    Parameters
    ----------
    name, title, question : str
        Of the diagnostic.
    answers : tuple of ComparedAnswer
        In the order of the models.
    size : int or None
        Where token counts differ, the largest number of tokens at which every model has an estimate.
    """

    name: str
    title: str
    question: str
    answers: tuple[ComparedAnswer, ...]
    size: int | None


@dataclass(frozen=True)
class Comparison(Rendered):
    """Models side by side.

    Parameters
    ----------
    models : tuple of ComparedModel
        What was scanned.
    questions : tuple of ComparedQuestion
        What every scan asked.
    obstacles : tuple of str
        What stands in the way of comparing; empty where nothing does.
    versions : mapping of str to str
        Of what made the comparison.
    """

    models: tuple[ComparedModel, ...]
    questions: tuple[ComparedQuestion, ...]
    obstacles: tuple[str, ...]
    versions: dict[str, str]
    kind: str = "comparison"
    schema_version: int = COMPARISON_VERSION

    stem: ClassVar[str] = "comparison"

    def to_dict(self) -> dict[str, Any]:
        """The comparison as builtin types, in the form of the published JSON Schema."""
        return dict(msgspec.to_builtins(self))

    def view(self) -> View:
        """The comparison in words, as every format shows it."""
        return shown(comparison_view(self))

    @classmethod
    def from_dict(cls, data: object) -> Comparison:
        """Rebuild a comparison from `to_dict`'s output.

        Raises
        ------
        BadDataError
            When it is none, or of a version that cannot be read.
        """
        checked_version(data, COMPARISON_VERSION, "comparison", "comparison")
        read = from_builtins(cls, data, what="comparison")
        seen: set[str] = set()
        for question in read.questions:
            if not _NAME.fullmatch(question.name) or question.name in seen:
                raise BadDataError(
                    f"The comparison has a question named {visible(question.name)!r}"
                    f"{' twice' if question.name in seen else ', which is no name of a diagnostic'}.",
                    "Was the file edited? Compare the scans again to make a new one.",
                )
            seen.add(question.name)
        return read

    @classmethod
    def load(cls, path: str | Path) -> Comparison:
        """Read a saved ``comparison.json``.

        Raises
        ------
        NotFoundError
            When there is no such file.
        BadDataError
            When it is no comparison, or of a version that cannot be read.
        """
        return cls.from_dict(read_json(path, "comparison.json"))
