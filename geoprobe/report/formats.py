"""The formats that every report is written in: JSON, HTML, PDF, Markdown, CSV, a card; and reading it back."""

from __future__ import annotations

import json
import math
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

import msgspec

from geoprobe.errors import AccessError, BadDataError, GeoprobeError, NotFoundError, UsageError, is_failure, meant
from geoprobe.files import read_small, write_whole
from geoprobe.report.text import escape
from geoprobe.report.view import View

if TYPE_CHECKING:
    import pandas as pd

#: Formats; but for the card, a piece of Markdown, each is the suffix of its file.
FORMATS: tuple[str, ...] = ("json", "html", "pdf", "md", "csv", "card")
_CARD = "card.md"
#: Bytes of a saved report that is opened: one of 262,144 tokens takes 8 million.
_LARGEST = 1 << 27
#: Value of the JSON's ``kind``, which a scan does without, to the class that reads it.
_KINDS: dict[str, tuple[str, str]] = {
    "scan": ("geoprobe.report.scan", "Report"),
    "comparison": ("geoprobe.report.comparison", "Comparison"),
    "finetune": ("geoprobe.training.report.result", "ComparisonResult"),
}


class Rendered(ABC):
    """Base of what is saved as JSON and drawn from it: a scan, a comparison, an experiment.

    Attributes
    ----------
    stem : str
        Name of its JSON file, without suffix; what is drawn is always called ``report``.
    """

    stem: ClassVar[str]

    def to_dict(self) -> dict[str, Any]:
        """Builtin types only, in the form of the published JSON Schema."""
        return dict(msgspec.to_builtins(self))

    @classmethod
    @abstractmethod
    def from_dict(cls, data: object) -> Self:
        """Rebuild it from `to_dict`'s output.

        Raises
        ------
        BadDataError
            When it is something else, or of a version that cannot be read.
        NotFoundError
            When it holds a result of a diagnostic that is not installed.
        """

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Read the saved JSON, as `from_dict` does.

        Raises
        ------
        NotFoundError
            When there is no such file, or it holds a result of a diagnostic that is not installed.
        BadDataError
            When it is something else, or of a version that cannot be read.
        """
        return cls.from_dict(read_json(path, f"{cls.stem}.json"))

    @abstractmethod
    def view(self) -> View:
        """The report in words, as every format shows it."""

    @abstractmethod
    def to_frame(self) -> pd.DataFrame:
        """Every number of the report as a data frame."""

    def to_json(self) -> str:
        """The report as JSON; the same inputs give the same bytes."""
        return json.dumps(self.to_dict(), indent=1, allow_nan=False) + "\n"

    def render(self, kind: str) -> bytes:
        """The report as a file's content.

        Parameters
        ----------
        kind : {"json", "html", "pdf", "md", "csv", "card"}
            The format.

        Raises
        ------
        UsageError
            When the format is unknown.
        """
        # each is imported when wanted: typesetting and drawing are slow to load
        if kind == "json":
            return self.to_json().encode()
        if kind == "html":
            from geoprobe.report.html import render_html

            return render_html(self.view()).encode()
        if kind == "pdf":
            from geoprobe.report.pdf import render_pdf

            return render_pdf(self.view())
        if kind == "md":
            from geoprobe.report.markdown import render_markdown

            return render_markdown(self.view()).encode()
        if kind == "card":
            from geoprobe.report.markdown import render_card

            return render_card(self.view()).encode()
        if kind == "csv":
            text: str = self.to_frame().reset_index().map(_cell).to_csv(index=False, lineterminator="\n")
            return text.encode()
        raise _unknown(kind)

    def file_name(self, kind: str) -> str:
        """The usual name of a format's file."""
        if kind not in FORMATS:
            raise _unknown(kind)
        if kind == "card":
            return _CARD
        return f"{self.stem if kind == 'json' else 'report'}.{kind}"

    def save(self, path: str | Path) -> Path:
        """Save as the format that the path's suffix names: ``.json``, ``.html``, ``.pdf``, ``.md`` or ``.csv``.

        A file called ``card.md`` is the card: ten lines for a model's README. The file is written whole or not at all.

        Raises
        ------
        UsageError
            When the suffix names no format.
        """
        file = Path(path)
        content = self.render("card" if file.name == _CARD else file.suffix.lower().removeprefix("."))
        write_whole({file: content})
        return file

    def write(self, folder: str | Path, formats: Iterable[str] = ("json", "html", "pdf")) -> dict[str, Path]:
        """Save several formats under their usual names; every file is made before the first is put in place.

        Returns
        -------
        dict of str to Path
            Format to file.
        """
        paths = {kind: Path(folder) / self.file_name(kind) for kind in formats}
        write_whole({path: self.render(kind) for kind, path in paths.items()})
        return paths

    def _repr_html_(self) -> str:
        from geoprobe.report.html import notebook_html

        return notebook_html(self.view())


def read_json(path: str | Path, wanted: str) -> object:
    """Parse a saved report's JSON; `wanted`, such as ``scan.json``, is what a user would give, for the error."""
    file = Path(path)
    try:
        content = read_small(file, _LARGEST).decode("utf-8")
        return json.loads(content, parse_float=_finite, parse_constant=_finite)
    except GeoprobeError:
        raise
    except PermissionError as error:
        raise AccessError(f"{file} may not be read.", "Check its permissions.") from error
    except OSError as error:  # nothing there, a folder, below a file, a name too long
        raise NotFoundError(f"There is no report at {file}.", f"Give the path of a {wanted}.") from error
    except (ValueError, RecursionError) as error:
        raise BadDataError(f"{file} is not JSON: {error}.", f"Give a {wanted} that geoprobe wrote.") from error


def _finite(text: str) -> float:
    """A number that a report can hold: geoprobe writes none that is not finite, and `json` would read them."""
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text[:20]} is no number that a report can hold")
    return number


def checked_version(data: object, reads: int, what: str, kind: str) -> None:
    """Refuse what is no report, one of another kind, and a version of the form that this geoprobe does not read.

    A scan's JSON does without `kind`; the error names the geoprobe that wrote it.
    """
    version = data.get("schema_version") if isinstance(data, dict) else None
    if not isinstance(data, dict) or not isinstance(version, int):
        raise BadDataError(f"This is no geoprobe {what}: it has no schema_version.", "Give JSON that geoprobe wrote.")
    other = data.get("kind", "scan")
    if other != kind:
        raise BadDataError(
            f"This is no geoprobe {what} but of the kind {escape(str(other))!r}.",
            f"Give the JSON of a {kind}; `geoprobe report` shows any kind.",
        )
    if version != reads:
        versions = data.get("versions")
        writer = versions.get("geoprobe") if isinstance(versions, dict) else None
        raise BadDataError(
            f"The {what} has schema version {version}; this geoprobe reads {reads}.",
            f"The geoprobe that wrote it, {escape(str(writer)) if writer else 'of another version'}, reads it: "
            "install that one, or make the file again.",
        )


def open_report(path: str | Path) -> Rendered:
    """Read a saved ``scan.json``, ``comparison.json`` or ``finetune.json``."""
    data = read_json(path, "scan.json, comparison.json or finetune.json")
    kind = data.get("kind", "scan") if isinstance(data, dict) else "scan"
    if not isinstance(kind, str) or kind not in _KINDS:
        raise BadDataError(
            f"{path} is a report of an unknown kind, {escape(str(kind))!r}.", "Was it written by another version?"
        )
    return report_type(kind).from_dict(data)


def report_type(kind: str) -> type[Rendered]:
    """The class of reports of a kind: named here and imported when asked for, as some stand above this package."""
    module, name = _KINDS[kind]
    kind_of: type[Rendered] = getattr(import_module(module), name)
    return kind_of


@contextmanager
def content_of(*saved: str | Path) -> Iterator[None]:
    """Say of a fault in drawing or comparing saved reports that their values contradict one another.

    Every value has been checked by itself when they were opened. That they fit together, as the two columns of a curve
    do, only those that geoprobe wrote can be relied on for. BadDataError takes the place of whatever a drawing library
    says of such values.
    """
    try:
        yield
    except (GeoprobeError, OSError, MemoryError):
        raise
    except BaseException as error:
        # a panic of the typesetter's Rust code is no Exception
        if not is_failure(error):
            raise
        named = " or ".join(map(str, saved))
        raise BadDataError(
            f"{named} holds values that contradict one another ({type(error).__name__}: {error}).",
            "Was the file edited? Scan the model again to make a new one; if it was not, report it with the file.",
        ) from error


def _cell(value: object) -> object:
    """A cell of a CSV file: text that a spreadsheet would run as a formula is marked as text."""
    if not isinstance(value, str):
        return value
    shown = escape(value, 1000)
    return f"'{shown}" if shown[:1] in ("=", "+", "-", "@") else shown


def _unknown(kind: str) -> UsageError:
    return UsageError(f"There is no report format {kind!r}.", f"{meant(kind, FORMATS)}There are: {', '.join(FORMATS)}.")
