"""What every diagnostic's result shares: verdict, estimate, null, tables, figures, and its JSON form.

A result is a frozen dataclass of plain values (numbers, strings, tuples). It holds everything that its
tables and figures need, so a report can be drawn again from JSON with no model there.
"""

from __future__ import annotations

import html
import math
import re
import unicodedata
from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self, TypeVar

import msgspec

from geoprobe.compact import Compact
from geoprobe.errors import BadDataError, UsageError
from geoprobe.figure import Figure
from geoprobe.scatter import VocabularyScatter
from geoprobe.word_map import WordMap

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

__all__ = [
    "Cell",
    "Estimate",
    "Interval",
    "NullDistribution",
    "Result",
    "Row",
    "Table",
    "Verdict",
    "VerdictLabel",
    "from_builtins",
    "key_of",
    "number",
    "span",
]

VerdictLabel = Literal["supported", "weak", "not supported", "contradicted", "inconclusive"]
Cell = str | int | float | None
T = TypeVar("T")


@dataclass(frozen=True)
class Interval:
    """A confidence interval, its level and how it was made."""

    low: float
    high: float
    method: str
    level: float = 0.95


@dataclass(frozen=True)
class Estimate:
    """The one number that answers a diagnostic's question.

    Parameters
    ----------
    symbol, label : str
        Its sign in formulas and its name in words.
    value : float or None
        None where the data allow no estimate.
    interval : Interval or None
        None where the data allow no interval.
    """

    symbol: str
    label: str
    value: float | None
    interval: Interval | None = None


@dataclass(frozen=True)
class NullDistribution(Compact):
    """What the same statistic gives where there is nothing to find.

    Parameters
    ----------
    model : str
        What was simulated or permuted, in words.
    statistic : str
        Which statistic the distribution and the observed value are of.
    observed : float or None
        The statistic on the data.
    distribution : tuple of float
        The statistic on each replicate.
    alternative : {"less", "greater", "two-sided"}
        Which side of the null counts as evidence.
    pvalue : float or None
        Monte-Carlo p, (1 + as extreme) / (1 + replicates).
    """

    model: str
    statistic: str
    observed: float | None
    distribution: tuple[float, ...]
    alternative: Literal["less", "greater", "two-sided"]
    pvalue: float | None

    @property
    def mean(self) -> float | None:
        """Mean over the replicates."""
        return math.fsum(self.distribution) / len(self.distribution) if self.distribution else None

    def middle(self) -> tuple[float, float] | None:
        """Between what the middle 95% of the replicates lie; None with fewer than 20."""
        if len(self.distribution) < 20:
            return None
        ordered = sorted(self.distribution)
        cut = len(ordered) // 40
        return ordered[cut], ordered[-1 - cut]


@dataclass(frozen=True)
class Verdict:
    """An answer in one word, the sentence behind it and the rule that gave it."""

    label: VerdictLabel
    reason: str
    rule: str


@dataclass(frozen=True)
class Row:
    """One quantity of a result, with its interval where it has one.

    Parameters
    ----------
    quantity : str
        What a reader calls it.
    value : str, int, float or None
        None where there is none.
    low, high : float or None
        Ends of the interval.
    note : str
        How it was made.
    key : str
        What code calls it, an identifier of ASCII letters that stays when the words change; made of `quantity` where
        none is given.
    """

    quantity: str
    value: Cell
    low: float | None = None
    high: float | None = None
    note: str = ""
    key: str = ""

    def __post_init__(self) -> None:
        if not self.key:
            object.__setattr__(self, "key", key_of(self.quantity))


@dataclass(frozen=True)
class Table(Compact):
    """A table of a report."""

    name: str
    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    note: str = ""

    def to_frame(self) -> pd.DataFrame:
        """The table as a data frame."""
        import pandas as pd

        return pd.DataFrame.from_records(list(self.rows), columns=list(self.columns))


@dataclass(frozen=True, kw_only=True)
class Result(Compact, ABC):
    """Base of every diagnostic's result.

    Subclasses add their own fields and say how they are shown; they compute nothing anew.

    Attributes
    ----------
    estimate : Estimate
        The number that answers the question.
    null : NullDistribution
        What the null model gives.
    verdict : Verdict
        The answer.
    warnings : tuple of str
        What a reader of this very result should know.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    question: ClassVar[str]
    #: The usual claim that the question asks about, as a clause without a symbol; empty where there is none.
    claim: ClassVar[str] = ""
    #: What it means that the statistic lies below its null's middle 95%, within it, above it.
    sides: ClassVar[tuple[str, str, str]] = ("below what chance gives", "what chance gives", "above what chance gives")
    #: A difference from the null's mean that is smaller than this counts as none, however significant.
    floor: ClassVar[float] = 0.0
    #: Words of this result that a reader may meet first here, each with what it means.
    glossary: ClassVar[tuple[tuple[str, str], ...]] = ()
    #: What of the model is more like a tree than chance or not, such as ``tokens``; empty where that is not asked.
    tree_like: ClassVar[str] = ""

    estimate: Estimate
    null: NullDistribution
    verdict: Verdict
    warnings: tuple[str, ...] = ()

    @abstractmethod
    def rows(self) -> tuple[Row, ...]:
        """Every quantity of the result, the estimate first."""

    @abstractmethod
    def figures(self) -> tuple[Figure, ...]:
        """The figures, the most telling one first."""

    @abstractmethod
    def tables(self) -> tuple[Table, ...]:
        """Tables beyond `rows`, if any."""

    def by_size(self) -> tuple[tuple[int, float], ...]:
        """The estimate on random subsets of so many tokens, if its value depends on their number."""
        return ()

    def others(self) -> tuple[tuple[Estimate, NullDistribution], ...]:
        """Further statistics that a comparison of models shows beside the estimate, each with its null."""
        return ()

    def scatter(self) -> VocabularyScatter | None:
        """The whole vocabulary as points, if the result has them."""
        return None

    def word_map(self) -> WordMap | None:
        """Some words in the hyperbolic plane and in the flat one, if the result has them."""
        return None

    @abstractmethod
    def methods(self) -> tuple[str, ...]:
        """How the numbers were made and what they do not show, a paragraph each."""

    def to_dict(self) -> dict[str, Any]:
        """Builtin types only, ready for JSON."""
        return dict(msgspec.to_builtins(self))

    @classmethod
    def from_dict(cls, data: object) -> Self:
        """Rebuild a result from `to_dict`'s output.

        Raises
        ------
        BadDataError
            When a field is missing or of the wrong type.
        """
        return from_builtins(cls, data, what=f"result {cls.name!r}")

    def to_frame(self) -> pd.DataFrame:
        """Every quantity: a row each by its key, with ``label``, ``value``, ``low``, ``high`` and ``note``."""
        import pandas as pd

        columns = ["key", "label", "value", "low", "high", "note"]
        records = [(row.key, row.quantity, row.value, row.low, row.high, row.note) for row in self.rows()]
        return pd.DataFrame.from_records(records, columns=columns).set_index("key")

    def plot(self, name: str | None = None, ax: Axes | None = None) -> Axes:
        """Draw one of the result's figures.

        Parameters
        ----------
        name : str, optional
            Which figure; the first by default.
        ax : matplotlib.axes.Axes, optional
            Where to draw.

        Raises
        ------
        UsageError
            When there is no figure of that name.
        """
        return draw_one(self.figures(), name, ax, f"{self.name} result")

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {self.verdict.label}; {self.summary()}>"

    def summary(self) -> str:
        """The estimate with its interval, and the p of the test, in a line."""
        estimate, interval = self.estimate, self.estimate.interval
        line = f"{estimate.label}, {estimate.symbol} = {number(estimate.value)}"
        if interval is not None:
            line += f" ({span(interval.low, interval.high)})"
        return line if self.null.pvalue is None else f"{line}, p = {number(self.null.pvalue)}"

    def _repr_html_(self) -> str:
        verdict = f"<b>{html.escape(self.verdict.label)}</b>: {html.escape(self.verdict.reason)}"
        heading = f"<p><b>{html.escape(self.question)}</b><br>{verdict}</p>"
        body = "".join(
            f"<tr><td>{html.escape(row.quantity)}</td><td>{html.escape(number(row.value))}</td>"
            f"<td>{html.escape(span(row.low, row.high))}</td><td>{html.escape(row.note)}</td></tr>"
            for row in self.rows()
        )
        head = "<tr><th>quantity</th><th>value</th><th>95% interval</th><th>note</th></tr>"
        return f"<div>{heading}<table>{head}{body}</table></div>"


def key_of(words: str) -> str:
    """An identifier made of words: ``Spearman's ρ, all tokens`` is ``spearman_s_rho_all_tokens``."""
    spelled = "".join(_GREEK.get(character, character) for character in unicodedata.normalize("NFKD", words.lower()))
    return re.sub(r"[^a-z0-9]+", "_", spelled.encode("ascii", "ignore").decode()).strip("_")


_GREEK = {"α": "alpha", "γ": "gamma", "δ": "delta", "ζ": "zeta", "λ": "lambda", "ρ": "rho", "τ": "tau", "κ": "kappa"}


def draw_one(figures: Iterable[Figure], name: str | None, ax: Axes | None, of: str) -> Axes:
    """Draw the figure of this name, or the first, of a thing that errors call `of`."""
    by_name = {figure.name: figure for figure in figures}
    chosen = next(iter(by_name), "") if name is None else name
    if chosen not in by_name:
        raise UsageError(
            f"The {of} has no figure {chosen!r}.",
            f"It has: {', '.join(by_name) or 'none, as there was too little data'}.",
        )
    return by_name[chosen].draw(ax)


def from_builtins(kind: type[T], data: object, *, what: str) -> T:
    """Build a dataclass from builtin types, checking every field.

    Parameters
    ----------
    kind : type
        The dataclass to build.
    data : object
        What `msgspec.to_builtins` gave, or JSON parsed.
    what : str
        Name of the thing, for the error.

    Raises
    ------
    BadDataError
        With the path of the first field that does not fit.
    """
    try:
        return msgspec.convert(data, type=kind, strict=True)
    except msgspec.ValidationError as error:
        raise BadDataError(
            f"The {what} does not have the form that geoprobe writes: {error}.",
            "Was the file edited, or written by another version? Scan the model again to make a new one.",
        ) from error


def number(value: Cell, digits: int = 3) -> str:
    """A value as a reader wants it: thousands separated, a true minus, `digits` significant digits.

    Below 1 it has as many decimals, so that numbers of a column compare; more where two digits need them.
    """
    if value is None:
        return "–"
    if isinstance(value, str):
        return value
    if isinstance(value, int):
        return f"{value:,}".replace("-", "−")
    if value != 0 and not 1e-4 <= abs(value) < 1e6:
        text = f"{value:.{digits - 1}e}"
    else:
        size = int(f"{value:.{digits - 1}e}".partition("e")[2])  # of the rounded value: 9.996 is 10.0
        decimals = max(digits - 1 - size, 0) if value and size >= 0 else max(digits, 1 - size)
        text = f"{value:,.{decimals}f}"
        if decimals > digits:
            text = text.rstrip("0")
    return text.replace("-", "−")


def counted(amount: int, what: str) -> str:
    """So many of something: ``1 thread``, ``2,000 threads``."""
    return f"{amount:,} {what}{'s' * (amount != 1)}"


def span(low: float | None, high: float | None) -> str:
    """An interval for a reader: ``low to high``, empty where there is none."""
    if low is None or high is None:
        return ""
    if float(low).is_integer() and float(high).is_integer() and abs(high) >= 10:  # counts, not shares
        return f"{number(int(low))} to {number(int(high))}"
    return f"{number(low)} to {number(high)}"
