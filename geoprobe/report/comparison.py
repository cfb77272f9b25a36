"""Models side by side: the answers of several scans, and whether they can be compared at all."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Self

from geoprobe.diagnostics.base import BUILTIN, ON_REQUEST, result_type
from geoprobe.errors import BadDataError, GeoprobeError
from geoprobe.report.compared import LONGEST_NAME, ComparedModel, ComparedQuestion, question_section
from geoprobe.report.conclusion import Conclusion, conclude_models
from geoprobe.report.formats import Rendered, checked_version
from geoprobe.report.scan import GLOSSARY, VERDICTS, versions_line
from geoprobe.report.text import distinct, escape, escape_all
from geoprobe.report.view import View
from geoprobe.results import from_builtins

if TYPE_CHECKING:
    import pandas as pd

COMPARISON_VERSION = 1
#: What a diagnostic may be called: the page uses it as the name of a place.
_NAME = re.compile(r"\w[\w.-]*")


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

    def __repr__(self) -> str:
        lines = [f"Comparison of {', '.join(model.label for model in self.models)}"]
        lines += [
            f"  {question.name}: {', '.join(f'{answer.label} {answer.verdict.label}' for answer in question.answers)}"
            for question in self.questions
        ]
        return "\n".join(lines)

    def to_frame(self) -> pd.DataFrame:
        """Every quantity of every model: a row each by ``question``, ``model`` and ``key``."""
        import pandas as pd

        columns = ["question", "model", "key", "label", "value", "low", "high", "note"]
        records = [
            (question.name, answer.label, row.key, row.quantity, row.value, row.low, row.high, row.note)
            for question in self.questions
            for answer in question.answers
            for row in answer.rows
        ]
        return pd.DataFrame.from_records(records, columns=columns).set_index(columns[:3])

    def view(self) -> View:
        """The comparison in words, as every format shows it."""
        names = distinct([model.label for model in self.models], LONGEST_NAME)
        view = View(
            kind="geoprobe compare",
            title=", ".join(names),
            version=escape(self.versions.get("geoprobe", "")),
            facts=tuple((name, _facts(model)) for name, model in zip(names, self.models, strict=True)),
            notes=() if self.obstacles else (self._comparable(),),
            warnings=tuple(escape(obstacle, 600) for obstacle in self.obstacles),
            conclusion=self._conclusion(names),
            sections=tuple(question_section(question) for question in self.questions),
            verdicts=VERDICTS,
            provenance=tuple(
                row for name, model in zip(names, self.models, strict=True) for row in _provenance(name, model)
            ),
            glossary=(*GLOSSARY, *(entry for question in self.questions for entry in _words_of(question.name))),
        )
        return escape_all(view)

    def _conclusion(self, names: Sequence[str]) -> Conclusion | None:
        """What the answers say together, of the diagnostics that are known here."""
        known = []
        for question in self.questions:
            with suppress(GeoprobeError):
                labels = {name: answer.verdict.label for name, answer in zip(names, question.answers, strict=False)}
                known.append((result_type(question.name), labels))
        return conclude_models(known)

    def _comparable(self) -> str:
        counts = {model.n_tokens for model in self.models}
        if len(counts) == 1:
            return f"All scans are of the same documents, {counts.pop():,} tokens each."
        sizes = sorted({question.size for question in self.questions if question.size is not None})
        matched = ", ".join(f"{size:,}" for size in sizes)
        how = f"; what depends on their number is compared at {matched} tokens each, too" if matched else ""
        other = "which the models' tokenizers split into other numbers of tokens"
        return f"All scans are of the same documents, {other}{how}."

    @classmethod
    def from_dict(cls, data: object) -> Self:
        """Rebuild a comparison from `to_dict`'s output."""
        checked_version(data, COMPARISON_VERSION, "comparison", "comparison")
        read = from_builtins(cls, data, what="comparison")
        seen: set[str] = set()
        for question in read.questions:
            if not _NAME.fullmatch(question.name) or question.name in seen:
                raise BadDataError(
                    f"The comparison has a question named {escape(question.name)!r}"
                    f"{' twice' if question.name in seen else ', which is no name of a diagnostic'}.",
                    "Was the file edited? Compare the scans again to make a new one.",
                )
            seen.add(question.name)
        return read


def _words_of(name: str) -> tuple[tuple[str, str], ...]:
    """What a diagnostic's result explains; nothing of one that is not built in, and need not be here."""
    return result_type(name).glossary if name in BUILTIN or name in ON_REQUEST else ()


def _facts(model: ComparedModel) -> str:
    corpora = ", ".join(escape(corpus.name, 60) for corpus in model.corpora)
    return f"{model.rows:,} tokens × {model.dimension:,}; {corpora}: {model.n_tokens:,} tokens"


def _provenance(label: str, model: ComparedModel) -> Iterable[tuple[str, str]]:
    if len(model.label) > LONGEST_NAME:
        yield f"{label}, in full", escape(model.label, 600)
    yield f"{label}, SHA-256 of the tensor", escape(model.tensor_sha256)
    for corpus in model.corpora:
        yield f"{label}, SHA-256 of {escape(corpus.name, 60)}", escape(corpus.sha256)
    yield f"{label}, seed and versions", f"{model.seed}; {versions_line(model.versions)}"
