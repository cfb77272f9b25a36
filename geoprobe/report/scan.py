"""The report of a scan: what was scanned, how, and every result; saved as JSON, read back, and put into words."""

from __future__ import annotations

from collections.abc import Iterator, KeysView, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Self

import msgspec

from geoprobe.data import ModelSource
from geoprobe.diagnostics.base import result_type
from geoprobe.errors import NotFoundError
from geoprobe.report.conclusion import Conclusion, conclude
from geoprobe.report.formats import Rendered, checked_version
from geoprobe.report.text import escape, escape_all
from geoprobe.report.view import Card, Section, Strip, View, quantities, shown_table
from geoprobe.results import Result, from_builtins, number, span
from geoprobe.sources.corpora import NAMED_SETS

if TYPE_CHECKING:
    import pandas as pd

#: Raised whenever a reader of the old form could misread the new one.
SCHEMA_VERSION = 2

#: Parts of the names of architectures that write no text.
_ENCODERS = ("bert", "t5encoder")

#: What the verdicts of a scan mean.
VERDICTS = (
    ("supported", "the data show it, more than chance gives, by every check of the rule"),
    ("weak", "some of it holds, and the text says what does not"),
    ("not supported", "no more than chance gives; that is no proof of the opposite"),
    ("contradicted", "the data speak against it"),
    ("inconclusive", "too little data to say"),
)
#: What else a reader may meet first here.
GLOSSARY = (
    ("type", "a different token, counted once however often it occurs"),
    ("null", "what chance gives: the statistic on made-up data of the kind named; a number means little without it"),
    ("interval", "where the number would lie in 95% of repetitions with other documents or tokens of the same kind"),
)


@dataclass(frozen=True)
class ModelFacts:
    """The embedding that was scanned.

    `special` rows are of special tokens, `unnamed` ones of no token; whether the output matrix is `tied` is None if
    unknown; `lookup_scale` is the factor that the model applies after look-up.
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
    conclusion: Conclusion | None = None


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

    def __repr__(self) -> str:
        corpora = ", ".join(corpus.name for corpus in self.corpora)
        lines = [
            f"Report of {self.model.source.name} ({self.model.rows:,} tokens × {self.model.dimension:,}) on {corpora}"
        ]
        width = max(map(len, self.results), default=0)
        lines += [f"  {name:{width}}  {of.verdict.label:13}  {of.summary()}" for name, of in self.results.items()]
        return "\n".join(lines)

    def __iter__(self) -> Iterator[str]:
        return iter(self.results)

    def __len__(self) -> int:
        return len(self.results)

    def __contains__(self, name: object) -> bool:
        return name in self.results

    def keys(self) -> KeysView[str]:
        """Names of the results."""
        return self.results.keys()

    def _ipython_key_completions_(self) -> list[str]:
        return list(self.results)

    def to_frame(self) -> pd.DataFrame:
        """Every quantity of every result: a row each by ``result`` and ``key``."""
        import pandas as pd

        return pd.concat({name: result.to_frame() for name, result in self.results.items()}, names=["result", "key"])

    def tables(self) -> dict[str, pd.DataFrame]:
        """Every table as a data frame, by ``result.table``; each result's quantities are ``result.quantities``."""
        frames = {}
        for name, result in self.results.items():
            frames[f"{name}.quantities"] = result.to_frame()
            frames |= {f"{name}.{table.name}": table.to_frame() for table in result.tables()}
        return frames

    def __getitem__(self, name: str) -> Result:
        """The result of one diagnostic, by name."""
        if name not in self.results:
            raise NotFoundError(f"This report has no result {name!r}.", f"It has: {', '.join(self.results) or 'none'}.")
        return self.results[name]

    @property
    def conclusion(self) -> Conclusion:
        """What the verdicts say together, and what to do next."""
        source = self.model.source
        return conclude(
            tuple(self.results.values()),
            model=source.model,
            corpora=[corpus.name for corpus in self.corpora],
            more=NAMED_SETS,
            adaptable=source.architecture != "unknown" and not any(name in source.architecture for name in _ENCODERS),
        )

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
            conclusion=self.conclusion,
        )
        return dict(msgspec.to_builtins(envelope))

    @classmethod
    def from_dict(cls, data: object) -> Self:
        """Rebuild a report from `to_dict`'s output."""
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

    def view(self) -> View:
        """The report in words, as every format shows it."""
        view = View(
            kind="geoprobe scan",
            title=escape(self.model.source.name),
            version=escape(self.versions.get("geoprobe", "")),
            conclusion=self.conclusion,
            facts=self._facts(),
            notes=tuple(escape(note, 400) for note in self._notes()),
            sections=tuple(_section(name, result) for name, result in self.results.items()),
            verdicts=VERDICTS,
            provenance=self._provenance(),
            glossary=(*GLOSSARY, *(entry for result in self.results.values() for entry in result.glossary)),
        )
        return escape_all(view)

    def _facts(self) -> tuple[tuple[str, str], ...]:
        model = self.model
        corpora = "; ".join(
            f"{escape(c.name)} ({c.n_documents:,} documents, {c.n_tokens:,} tokens, {c.n_types:,} types)"
            for c in self.corpora
        )
        tied = {True: "the same matrix", False: "a matrix of its own", None: "not stated"}[model.tied]
        return (
            ("Model", f"{escape(model.source.model)}, architecture {escape(model.source.architecture)}"),
            ("Input embedding", f"{model.rows:,} tokens × {model.dimension:,}, stored as {escape(model.source.dtype)}"),
            ("Output embedding", tied),
            ("Corpora", corpora),
        )

    def _notes(self) -> list[str]:
        notes = [corpus.note for corpus in self.corpora if corpus.note]
        notes.extend(self.model.source.notes)
        if self.model.lookup_scale != 1.0:
            scale = number(self.model.lookup_scale)
            notes.append(f"The model multiplies embeddings by {scale} after look-up; everything here is without it.")
        return notes

    def _provenance(self) -> tuple[tuple[str, str], ...]:
        source = self.model.source
        options = "; ".join(
            f"{name}: {', '.join(f'{key} {value}' for key, value in values.items()) or 'no options'}"
            for name, values in self.options.items()
        )
        return (
            *((("Command", escape(self.command, 600)),) if self.command else ()),
            ("File", f"{escape(source.file)}, tensor {escape(source.tensor)}"),
            ("SHA-256 of the tensor", escape(source.sha256)),
            *((("Revision", escape(source.revision)),) if source.revision else ()),
            *((f"SHA-256 of {escape(corpus.name)}", escape(corpus.sha256)) for corpus in self.corpora),
            ("Seed", str(self.seed)),
            ("Options", escape(options, 600)),
            ("Versions", versions_line(dict(self.versions))),
        )


def estimate_line(result: Result) -> str:
    """The estimate in words, with its interval."""
    estimate, interval = result.estimate, result.estimate.interval
    named = estimate.label if estimate.symbol in estimate.label else f"{estimate.label} {estimate.symbol}"
    line = f"{named} = {number(estimate.value)}"
    if interval is not None:
        line += f" ({interval.level:.0%} interval {span(interval.low, interval.high)})"
    return escape(line, 400)


def versions_line(versions: dict[str, str]) -> str:
    """Names and versions, in one line."""
    return escape(", ".join(f"{name} {version}" for name, version in versions.items()), 600)


def _section(name: str, result: Result) -> Section:
    return Section(
        anchor=name,
        title=result.title,
        card=Card(
            anchor=name,
            question=result.question,
            verdict=result.verdict.label,
            reason=escape(result.verdict.reason, 600),
            lines=(("Estimate", estimate_line(result)), ("Null", _null_line(result))),
            strip=_strip(result),
        ),
        rule=result.verdict.rule,
        warnings=tuple(escape(warning, 400) for warning in result.warnings),
        figures=result.figures(),
        tables=(quantities(result.rows()), *(shown_table(table) for table in result.tables() if table.rows)),
        methods=result.methods(),
        scatter=result.scatter(),
        word_map=result.word_map(),
    )


def _null_line(result: Result) -> str:
    """What the null gives beside what was observed."""
    null = result.null
    if null.mean is None:
        return escape(null.model, 300)
    found = f"{null.statistic}: {number(null.observed)} here, {number(null.mean)} on average in {null.model}"
    return escape(f"{found} (p = {number(null.pvalue)})", 500)


def _strip(result: Result) -> Strip | None:
    observed, middle = result.null.observed, result.null.middle()
    if observed is None or middle is None:
        return None
    low, high = middle
    start, end = min(low, observed), max(high, observed)
    if end <= start:
        return None
    below, within, above = result.sides
    side = below if observed < low else above if observed > high else within
    if side != within and result.null.mean is not None and abs(observed - result.null.mean) < result.floor:
        side += f", by less than the {result.floor:g} that counts"
    left, right, dot = (0.06 + 0.88 * (value - start) / (end - start) for value in (low, high, observed))
    axis = escape(result.null.statistic, 200)
    return Strip(left, right, dot, axis, here=number(observed), chance=span(low, high), side=side)
