"""The HTML report: one file that asks no network and runs no script, under a strict policy."""

from __future__ import annotations

import base64
import hashlib
import html
from functools import lru_cache
from importlib import resources
from typing import Any

from geoprobe.report.figures import figure_svg
from geoprobe.report.view import View, tone

__all__ = ["notebook_html", "render_html"]


def render_html(view: View) -> str:
    """Draw a report as one self-contained HTML page.

    Every name, token and number goes through the template's escaping; the policy lets in the page's own
    style sheet, by its hash, and nothing else.
    """
    from markupsafe import Markup

    style = _resource("report.css")
    figures = {
        (section.anchor, figure.name): Markup(figure_svg(figure, prefix=f"{section.anchor}-{figure.name}", themed=True))
        for section in view.sections
        for figure in section.figures
    }
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    page: str = _template().render(
        view=view,
        figures=figures,
        style=Markup(style),
        policy=policy,
    )
    return page


def notebook_html(view: View) -> str:
    """The page inside a frame, so that a notebook's styles and the report's do not meet."""
    page = html.escape(render_html(view), quote=True)
    return f'<iframe title="report" sandbox width="100%" height="720" srcdoc="{page}"></iframe>'


@lru_cache(maxsize=1)
def _template() -> Any:
    from jinja2 import Environment, StrictUndefined

    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters["tone"] = tone
    return environment.from_string(_resource("report.html"))


def _resource(name: str) -> str:
    return resources.files("geoprobe.report").joinpath("templates", name).read_text(encoding="utf-8")
