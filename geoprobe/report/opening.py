"""Open any saved report, whatever it reports."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

from geoprobe.errors import BadDataError
from geoprobe.report.formats import Rendered, read_json
from geoprobe.report.text import visible

__all__ = ["open_report"]

#: Value of the JSON's ``kind``, which a scan does without, to the class that reads it.
_KINDS: dict[str, tuple[str, str]] = {
    "scan": ("geoprobe.report.document", "Report"),
    "comparison": ("geoprobe.report.comparison", "Comparison"),
}


def open_report(path: str | Path) -> Rendered:
    """Read a saved ``scan.json`` or ``comparison.json``.

    Raises
    ------
    NotFoundError
        When there is no such file.
    BadDataError
        When it is none of geoprobe's, or of a version that cannot be read.
    """
    data = read_json(path, "scan.json or comparison.json")
    kind = data.get("kind", "scan") if isinstance(data, dict) else "scan"
    if not isinstance(kind, str) or kind not in _KINDS:
        raise BadDataError(
            f"{path} is a report of an unknown kind, {visible(str(kind))!r}.", "Was it written by another version?"
        )
    module, name = _KINDS[kind]
    reader: Any = getattr(import_module(module), name)
    opened: Rendered = reader.from_dict(data)
    return opened
