"""Open any saved report, whatever it reports."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

from geoprobe.errors import BadDataError, GeoprobeError, is_failure
from geoprobe.report.formats import Rendered, read_json
from geoprobe.report.text import visible

__all__ = ["content_of", "open_report", "report_type"]

#: Value of the JSON's ``kind``, which a scan does without, to the class that reads it.
_KINDS: dict[str, tuple[str, str]] = {
    "scan": ("geoprobe.report.document", "Report"),
    "comparison": ("geoprobe.report.comparison", "Comparison"),
    "finetune": ("geoprobe.training.result", "ComparisonResult"),
}


def open_report(path: str | Path) -> Rendered:
    """Read a saved ``scan.json``, ``comparison.json`` or ``finetune.json``.

    Raises
    ------
    NotFoundError
        When there is no such file.
    BadDataError
        When it is none of geoprobe's, or of a version that cannot be read.
    """
    data = read_json(path, "scan.json, comparison.json or finetune.json")
    kind = data.get("kind", "scan") if isinstance(data, dict) else "scan"
    if not isinstance(kind, str) or kind not in _KINDS:
        raise BadDataError(
            f"{path} is a report of an unknown kind, {visible(str(kind))!r}.", "Was it written by another version?"
        )
    reader: Any = report_type(kind)
    opened: Rendered = reader.from_dict(data)
    return opened


def report_type(kind: str) -> type[Rendered]:
    """The class of reports of a kind: named here and imported when asked for, as some stand above this package."""
    module, name = _KINDS[kind]
    found: type[Rendered] = getattr(import_module(module), name)
    return found


@contextmanager
def content_of(*saved: str | Path) -> Iterator[None]:
    """Say of a fault in drawing or comparing saved reports that their values contradict one another.

    Every value has been checked by itself when they were opened. That they fit together, as the two columns of a curve
    do, only those that geoprobe wrote can be relied on for.

    Raises
    ------
    BadDataError
        In place of whatever a drawing library says of such values.
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
