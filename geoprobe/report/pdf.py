"""The PDF report, typeset by typst: the same words as the HTML, vector figures, the same bytes for the same report."""

from __future__ import annotations

import json
import tempfile
from importlib import resources
from pathlib import Path
from typing import Any

import msgspec

from geoprobe.report.density import density_figure
from geoprobe.report.figures import figure_svg
from geoprobe.report.glyphs import font_folders, legible
from geoprobe.report.view import View, tone

__all__ = ["render_pdf"]

#: Written into the file instead of the time of typesetting: equal reports are equal files.
_TIMESTAMP = 0
#: Figures are drawn this wide and set three in a row, so that their labels come out at 5 to 6 points.
_FIGURE_INCHES = 3.6


def render_pdf(view: View) -> bytes:
    """Typeset a report as a tagged PDF (PDF/UA-1).

    Every string reaches typst as JSON data, never as markup, so nothing in a name or a token is typeset as code.
    """
    import typst

    with tempfile.TemporaryDirectory(prefix="geoprobe-") as name:
        folder = Path(name)
        document = _document(view)
        for place, (section, shown) in enumerate(zip(view.sections, document["sections"], strict=True)):
            still = () if section.scatter is None else (density_figure(section.scatter),)
            for number, figure in enumerate((*section.figures, *still)):
                file = f"{place}-{number}.svg"  # by count: an anchor may come from a stranger's file
                svg = figure_svg(legible(figure), prefix="f", themed=False, width=_FIGURE_INCHES)
                (folder / file).write_text(svg, encoding="utf-8")
                shown["figures"].append({"file": file, "title": figure.title, "caption": figure.caption})
        (folder / "report.json").write_text(json.dumps(legible(document)), encoding="utf-8")
        template = resources.files("geoprobe.report").joinpath("templates", "report.typ").read_text(encoding="utf-8")
        source = folder / "report.typ"
        source.write_text(template, encoding="utf-8")
        made: bytes = typst.compile(
            str(source),
            root=name,
            font_paths=font_folders(),
            ignore_system_fonts=True,
            format="pdf",
            pdf_standards="ua-1",
            timestamp=_TIMESTAMP,
        )
    return made


def _document(view: View) -> dict[str, Any]:
    """The view as typst reads it: strings, with the looks of each verdict and no data of figures."""
    sections = [
        {
            "title": section.title,
            "card": msgspec.to_builtins(section.card),
            "rule": section.rule,
            "warnings": section.warnings,
            "figures": [],
            "tables": msgspec.to_builtins(section.tables),
            "methods": section.methods,
        }
        for section in view.sections
    ]
    words = {answer.verdict for section in view.sections for answer in section.card.answers}
    words |= {section.card.verdict for section in view.sections} | {verdict for verdict, _ in view.verdicts}
    return {
        "kind": view.kind,
        "title": view.title,
        "version": view.version,
        "facts": view.facts,
        "notes": view.notes,
        "warnings": view.warnings,
        "sections": sections,
        "verdicts": view.verdicts,
        "glossary": view.glossary,
        "provenance": view.provenance,
        "tones": {word: tone(word) for word in sorted(words)},
    }
