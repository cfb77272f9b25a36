"""The HTML report: one file that asks no network, and runs its own script only, under a strict policy."""

from __future__ import annotations

import base64
import hashlib
import html
import json
from functools import lru_cache
from importlib import resources
from typing import Any

import msgspec
from markupsafe import Markup

from geoprobe.report.svg import FIGURE_INCHES, density_figure, figure_svg
from geoprobe.report.view import View, tone
from geoprobe.scatter import VocabularyScatter
from geoprobe.word_map import WordMap

#: The vocabulary's still picture stands alone.
_STILL_INCHES = 5.6
_SCRIPTS = ("scatter_scale.js", "scatter.js", "word_map.js")


def render_html(view: View, *, live: bool = True) -> str:
    """Draw a report as one self-contained HTML page.

    Every name, token and number goes through the template's escaping; the policy lets in the page's own style sheet
    and, where there is a vocabulary to draw, the page's own script, each by its hash, and nothing else. Not `live`, the
    vocabulary is a still picture, without the script.
    """
    figures = {}
    payloads = {}
    for section in view.sections:
        drawn = [(figure, FIGURE_INCHES) for figure in section.figures]
        if section.scatter is not None:
            drawn.append((density_figure(section.scatter), _STILL_INCHES))
            payloads[section.anchor] = _payload(section.scatter)
        for figure, width in drawn:
            svg = figure_svg(figure, prefix=f"{section.anchor}-{figure.name}", themed=True, width=width)
            figures[(section.anchor, figure.name)] = Markup(svg)
    words = {section.anchor: _words(section.word_map) for section in view.sections if section.word_map is not None}
    live = live and bool(payloads or words)
    style = _resource("report.css")
    script = "\n".join(_resource(name) for name in _SCRIPTS) if live else ""
    allowed = {"style-src": style, "script-src": script}
    hashes = "; ".join(f"{kind} 'sha256-{_digest(text)}'" for kind, text in allowed.items() if text)
    page: str = _template().render(
        view=view,
        figures=figures,
        payloads=payloads,
        words=words,
        live=live,
        style=Markup(style),
        script=Markup(script),
        policy=f"default-src 'none'; {hashes}; base-uri 'none'; form-action 'none'",
    )
    return page


def notebook_html(view: View) -> str:
    """The page inside a frame that runs nothing, so that a notebook's styles and the report's do not meet."""
    page = html.escape(render_html(view, live=False), quote=True)
    return f'<iframe title="report" sandbox width="100%" height="720" srcdoc="{page}"></iframe>'


def _payload(scatter: VocabularyScatter) -> Markup:
    """The packed columns."""
    data = msgspec.to_builtins(scatter)
    return _json({name: value for name, value in data.items() if name not in ("name", "title", "caption")})


def _words(shown: WordMap) -> Markup:
    return _json({"words": shown.words, "disk": shown.disk, "plane": shown.plane})


def _json(data: dict[str, Any]) -> Markup:
    """JSON that no markup parser can leave: `<` is written as its escape."""
    return Markup(json.dumps(data, separators=(",", ":")).replace("<", "\\u003c"))


def _digest(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


@lru_cache(maxsize=1)
def _template() -> Any:
    from jinja2 import Environment, StrictUndefined

    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters["tone"] = tone
    return environment.from_string(_resource("report.html"))


def _resource(name: str) -> str:
    return resources.files("geoprobe.report").joinpath("templates", name).read_text(encoding="utf-8")
