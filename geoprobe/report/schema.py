"""The published JSON Schema of reports, made from the types that write and read them.

``python -m geoprobe.report.schema scan`` (or ``comparison``, ``finetune``) prints it.
"""

from __future__ import annotations

import json
import sys
from typing import Any

import msgspec

from geoprobe.diagnostics.base import BUILTIN, ON_REQUEST, result_type
from geoprobe.report.formats import report_type
from geoprobe.report.scan import SCHEMA_VERSION, Envelope


def json_schema(kind: str) -> dict[str, Any]:
    """The JSON Schema of a report's `to_dict`; a scan's holds that of every built-in diagnostic's result."""
    return _scan() if kind == "scan" else _other(kind)


def _scan() -> dict[str, Any]:
    names = (*BUILTIN, *ON_REQUEST)
    kinds = [Envelope, *(result_type(name) for name in names)]
    (envelope, *results), components = msgspec.json.schema_components(kinds, ref_template="#/$defs/{name}")
    definition = _taken(envelope, components, SCHEMA_VERSION)
    definition["properties"]["results"]["properties"] = dict(zip(names, results, strict=True))
    return _finished("geoprobe scan report", definition, components)


def _other(kind: str) -> dict[str, Any]:
    """The form of what says its own kind and version."""
    reported: Any = report_type(kind)
    (outer,), components = msgspec.json.schema_components([reported], ref_template="#/$defs/{name}")
    definition = _taken(outer, components, reported.schema_version)
    definition["properties"]["kind"] = {"const": kind}
    definition["required"] += ["kind", "schema_version"]
    return _finished(f"geoprobe {kind}", definition, components)


def _taken(reference: dict[str, Any], components: dict[str, Any], version: int) -> dict[str, Any]:
    definition: dict[str, Any] = components.pop(reference["$ref"].rsplit("/", 1)[-1])
    definition["properties"]["schema_version"] = {"const": version}
    return definition


def _finished(title: str, definition: dict[str, Any], components: dict[str, Any]) -> dict[str, Any]:
    for described in (definition, *components.values()):
        # releases of msgspec differ in how they format a docstring, and in whether they name an empty default
        if "description" in described:
            described["description"] = described["description"].strip().partition("\n")[0]
        for field in described.get("properties", {}).values():
            if field.get("default") in ({}, []):
                del field["default"]
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": title,
        **{key: value for key, value in definition.items() if key != "title"},
        "$defs": components,
    }


if __name__ == "__main__":
    sys.stdout.write(json.dumps(json_schema(sys.argv[1]), indent=1, ensure_ascii=False) + "\n")
