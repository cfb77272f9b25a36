"""Saved reports that cannot be drawn or compared."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from bad_inputs.case import Case, changed_json

__all__ = ["REPORTS"]


def drawn(content: bytes, says: str) -> Case:
    return Case("report bad.json --format html,pdf,md,json", 5, says, {"bad.json": content})


def edited(says: str, *path: str | int, value: object = None, command: str = "report scan.json --out out") -> Case:
    """The good report with one value changed."""

    def change(data: Any) -> None:
        for key in path[:-1]:
            data = data[key]
        data[path[-1]] = value

    return Case(command, 5, says, make=changed_json("scan.json", change))


def as_text(old: str, new: str) -> Callable[[Path], object]:
    """Replace text in the report's file: what `json.dumps` would not write."""

    def make(folder: Path) -> None:
        content = (folder / "scan.json").read_text("utf-8")
        assert old in content
        (folder / "scan.json").write_text(content.replace(old, new, 1), encoding="utf-8")

    return make


NORMS = ("results", "norms")

REPORTS: dict[str, Case] = {
    "no such report": Case("report nowhere.json", 3, "There is no report at nowhere.json"),
    "a folder for a report": Case("report tiny", 3, "There is no report at tiny"),
    "a report below a file": Case("report scan.json/x.json", 3, "There is no report at scan.json/x.json"),
    "a report's name too long": Case(f"report {'x' * 5000}", 3, "There is no report at"),
    "a report of no bytes": drawn(b"", "is not JSON"),
    "a report in utf-16": drawn("{}".encode("utf-16"), "is not JSON"),
    "a report cut short": drawn(b'{"schema_version": 2, "mod', "is not JSON"),
    "a report nested deep": drawn(b"[" * 100_000, "is not JSON"),
    "a report that is a list": drawn(b"[]", "no geoprobe report"),
    "a report that is null": drawn(b"null", "no geoprobe report"),
    "a report without a version": drawn(b'{"a": 1}', "no geoprobe report"),
    "a report with a version in words": drawn(b'{"schema_version": "two"}', "no geoprobe report"),
    "a report of an older version": drawn(b'{"schema_version": 1, "versions": {"geoprobe": "0.1.0"}}', "0.1.0"),
    "a report of a later version": drawn(b'{"schema_version": 99}', "this geoprobe reads 2"),
    "a report of another kind": drawn(b'{"kind": "charm", "schema_version": 2}', "of an unknown kind, 'charm'"),
    "a report whose kind is a list": drawn(b'{"kind": [], "schema_version": 2}', "of an unknown kind"),
    "a report of nothing more": drawn(b'{"schema_version": 2}', "missing required field"),
    "a seed in words": edited("at `$.seed`", "seed", value="zero"),
    "a model without rows": edited("$.model", "model", value={}),
    "results that are a list": edited("$.results", "results", value=[]),
    "a verdict of another word": edited("$.verdict.label", *NORMS, "verdict", "label", value="proven"),
    "a value in words": edited("$.estimate.value", *NORMS, "estimate", "value", value="big"),
    "a result that is not installed": Case(
        "report scan.json --out out",
        3,
        "no diagnostic 'charm'",
        make=changed_json("scan.json", lambda data: data["results"].update(charm={})),  # type: ignore[attr-defined]
    ),
    "a number that is none": Case(
        "report scan.json --out out", 5, "NaN", make=as_text('"lookup_scale": 1.0', '"lookup_scale": NaN')
    ),
    "a number without end": Case(
        "report scan.json --out out", 5, "1e999", make=as_text('"lookup_scale": 1.0', '"lookup_scale": 1e999')
    ),
    "a number of 5,000 digits": Case(
        "report scan.json --out out", 5, "is not JSON", make=as_text('"seed": 0', '"seed": ' + "9" * 5000)
    ),
    "a comparison of one": Case("compare scan.json", 2, "Give two or more"),
    "a comparison of none": Case("compare", 2, "Missing argument"),
    "a comparison with what is not there": Case("compare nowhere.json scan.json", 3, "no report at nowhere.json"),
    "a comparison with no report": Case("compare bad.json scan.json", 5, "no geoprobe report", {"bad.json": b"[]"}),
    "a comparison of nothing in common": Case(
        "compare scan.json bare.json",
        2,
        "no diagnostic in common",
        make=lambda folder: (
            (folder / "bare.json").write_bytes((folder / "scan.json").read_bytes()),
            changed_json("bare.json", lambda data: data.update(results={}))(folder),
        ),
    ),
    "a comparison into a file": Case("compare scan.json scan.json --out good.txt", 1, "cannot be written"),
    "a comparison compared": Case(
        "compare both.json scan.json", 5, "report", {"both.json": b'{"kind": "comparison", "schema_version": 1}'}
    ),
    "a comparison of nothing": drawn(b'{"kind": "comparison", "schema_version": 1}', "missing required field"),
    "a comparison of a later version": drawn(b'{"kind": "comparison", "schema_version": 9}', "this geoprobe reads 1"),
}
