"""The PDF report, typeset by typst: the same words as the HTML, vector figures, the same bytes for the same report."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from dataclasses import fields, is_dataclass, replace
from functools import lru_cache
from importlib import resources
from importlib.util import find_spec
from itertools import groupby
from pathlib import Path
from typing import Any

import msgspec

from geoprobe.report.svg import density_figure, figure_svg
from geoprobe.report.view import View, tone

#: Written into the file instead of the time of typesetting: equal reports are equal files.
_TIMESTAMP = 0
#: Distributions of fonts under the Open Font License that are used where installed (extra ``fonts``).
_FONT_PACKAGES = ("noto_cjk_sans_jp_regular",)


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
                svg = figure_svg(add_codes(figure), prefix="f", themed=False)
                (folder / file).write_text(svg, encoding="utf-8")
                shown["figures"].append({"file": file, "title": figure.title, "caption": figure.caption})
        (folder / "report.json").write_text(json.dumps(add_codes(document)), encoding="utf-8")
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
        "conclusion": msgspec.to_builtins(view.conclusion),
        "facts": view.facts,
        "notes": view.notes,
        "warnings": view.warnings,
        "sections": sections,
        "verdicts": view.verdicts,
        "glossary": view.glossary,
        "provenance": view.provenance,
        "tones": {word: tone(word) for word in sorted(words)},
    }


def font_folders() -> list[str]:
    """Where typst looks for fonts: matplotlib's own, which figures are drawn with, and installed packages."""
    import matplotlib

    folders = [str(Path(matplotlib.get_data_path()) / "fonts" / "ttf")]
    for name in _FONT_PACKAGES:
        package = find_spec(name)
        if package is not None and package.origin is not None:
            folders.append(str(Path(package.origin).parent))
    return folders


def add_codes(value: Any) -> Any:
    r"""Every string in tuples, lists, mappings and dataclasses, with ``[\u{e44}]`` after what no font here has."""
    if isinstance(value, str):
        return value if value.isascii() else _spelled(value)
    if isinstance(value, Mapping):
        return {name: add_codes(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(add_codes(part) for part in value)
    if is_dataclass(value) and not isinstance(value, type):
        return replace(value, **{field.name: add_codes(getattr(value, field.name)) for field in fields(value)})
    return value


def _spelled(text: str) -> str:
    known = _known()
    parts = []
    for has, run in groupby(text, key=lambda character: ord(character) in known):
        joined = "".join(run)
        parts.append(
            joined if has else joined + "[" + "".join(f"\\u{{{ord(character):x}}}" for character in joined) + "]"
        )
    return "".join(parts)


@lru_cache(maxsize=1)
def _known() -> frozenset[int]:
    from matplotlib.ft2font import FT2Font

    fonts = [Path(font_folders()[0]) / "DejaVuSans.ttf"]
    for folder in font_folders()[1:]:
        fonts += sorted(Path(folder).glob("*.[ot]tf"))
    return frozenset(code for path in fonts for code in FT2Font(str(path)).get_charmap())
