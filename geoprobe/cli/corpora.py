"""The list of corpora, as a table for a terminal and as plain values for machines."""

from __future__ import annotations

import os
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from geoprobe.files import given_path
from geoprobe.report.text import escape
from geoprobe.sources.corpora import (
    DATA_VARIABLE,
    FIELDS,
    FORMATS,
    NAMED_SETS,
    PYTHON_DOCS,
    local_folder,
    local_folders,
)


def list_corpora(data: str | Path | None = None) -> dict[str, Any]:
    """Every named corpus, where each comes from, and what files can be read."""
    where = data or os.environ.get(DATA_VARIABLE)
    folder = given_path(where) if where else None
    sets: list[dict[str, Any]] = [{"name": PYTHON_DOCS, "folder": None, "hub": None}]
    for each in NAMED_SETS.values():
        local = local_folder(folder, each.name) if folder else None
        hub = {key: value for key, value in asdict(each).items() if key in ("hub_id", "config", "split", "field")}
        sets.append({"name": each.name, "folder": str(local) if local else None, "hub": hub})
    used = {each["folder"] for each in sets}
    if folder:
        sets += [
            {"name": path.name, "folder": str(path), "hub": None}
            for path in local_folders(folder)
            if not path.name.startswith(".") and str(path) not in used
        ]
    return {"corpora": sets, "formats": list(FORMATS), "compressions": [".gz", ".zst"], "fields": list(FIELDS)}


def show_corpora(listed: dict[str, Any]) -> None:
    """Print the list as a table on standard output."""
    console = Console(highlight=False)
    table = Table()
    for heading in ("corpus", "comes from", "column"):
        table.add_column(heading, overflow="fold")
    for each in listed["corpora"]:
        hub = each["hub"]
        if each["folder"]:
            source, column = each["folder"], ""
        elif hub:
            source, column = f"{hub['hub_id']}:{hub['config'] or ''}:{hub['split']} on the hub", hub["field"]
        else:
            source, column = "the manual inside CPython", ""
        table.add_row(Text(escape(each["name"])), Text(escape(source)), Text(column))
    console.print(table)
    console.print(
        Text(
            f"Also files ({', '.join(listed['formats'])}, each also with {' or '.join(listed['compressions'])}), "
            "folders, `-` for text on standard input (`-.jsonl` for other formats), and any set on the hub as "
            "owner/name:config:split. Without --field the text is in the first of the columns "
            f"{', '.join(listed['fields'])} that is there. A split of a set is named as in gsm8k:train. "
            f"Local folders of sets are found by --data or {DATA_VARIABLE}."
        )
    )
