"""The published JSON Schema of reports, made from the types that write and read them.

``python -m geoprobe.report.schema`` prints it.
"""

from __future__ import annotations

import json
import sys
from typing import Any

import msgspec

from geoprobe.analyzers.base import BUILTIN, ON_REQUEST, result_type
from geoprobe.report.document import SCHEMA_VERSION, Envelope

__all__ = ["json_schema"]


def json_schema() -> dict[str, Any]:
    """The JSON Schema of `Report.to_dict`, with that of every built-in diagnostic's result."""
    names = (*BUILTIN, *ON_REQUEST)
    kinds = [Envelope, *(result_type(name) for name in names)]
    (envelope, *results), components = msgspec.json.schema_components(kinds, ref_template="#/$defs/{name}")
    definition = components.pop(envelope["$ref"].rsplit("/", 1)[-1])
    definition["properties"]["schema_version"] = {"const": SCHEMA_VERSION}
    definition["properties"]["results"]["properties"] = dict(zip(names, results, strict=True))
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "geoprobe scan report",
        **{key: value for key, value in definition.items() if key != "title"},
        "$defs": components,
    }


if __name__ == "__main__":
    sys.stdout.write(json.dumps(json_schema(), indent=1, ensure_ascii=False) + "\n")
