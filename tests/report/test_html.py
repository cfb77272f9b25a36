import re
import subprocess
from html.parser import HTMLParser
from pathlib import Path

import pytest
from markupsafe import escape

from geoprobe.report.document import Report
from geoprobe.report.html import notebook_html, render_html

FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


class Page(HTMLParser):
    """Every element and attribute of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str, str | None]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes.extend((tag, name, value) for name, value in attrs)


@pytest.mark.parametrize("which", ["report", "hostile_report"])
def test_the_page_runs_nothing_and_asks_nothing(which: str, request: pytest.FixtureRequest) -> None:
    page = Page(render_html(request.getfixturevalue(which).view()))
    assert not set(page.tags) & {"script", "img", "iframe", "object", "embed", "link", "base", "form"}
    for tag, name, value in page.attributes:
        assert not name.startswith("on"), (tag, name)
        assert name != "style"
        if name.endswith(("href", "src")):
            assert value is not None
            assert value.startswith("#"), (tag, name, value)


def test_the_policy_lets_in_only_the_pages_own_style(report: Report) -> None:
    import base64
    import hashlib

    text = render_html(report.view())
    policy = re.search(r'Content-Security-Policy" content="([^"]+)"', text)
    assert policy is not None
    style = re.search(r"<style>(.*?)</style>", text, re.DOTALL)
    assert style is not None
    digest = base64.b64encode(hashlib.sha256(style.group(1).encode()).digest()).decode()
    words = policy.group(1).replace("&#39;", "'").split("; ")
    assert words == ["default-src 'none'", f"style-src 'sha256-{digest}'", "base-uri 'none'", "form-action 'none'"]


def test_hostile_text_is_shown_escaped(hostile_report: Report) -> None:
    text = render_html(hostile_report.view())
    assert "&lt;script&gt;document.title=" in text
    assert "{{7*7}}" in text  # not computed
    assert "49" not in re.findall(r"<bdi>([^<]*)</bdi>", text)
    assert "\u202e" not in text
    assert "\x00" not in text
    assert "(10,000 characters)" in text


def test_every_question_verdict_and_figure_is_there(report: Report) -> None:
    text = render_html(report.view())
    page = Page(text)
    for result in report.results.values():
        assert text.count(result.question) >= 2
        assert str(escape(result.verdict.rule)) in text
    assert page.tags.count("svg") == sum(len(result.figures()) for result in report.results.values())
    assert page.tags.count("h1") == 1
    ids = [value for _, name, value in page.attributes if name == "id"]
    assert len(ids) == len(set(ids))


def test_the_same_report_gives_the_same_page(report: Report) -> None:
    assert render_html(report.view()) == render_html(Report.from_dict(report.to_dict()).view())


def test_a_notebook_shows_the_page_in_a_sandboxed_frame(report: Report) -> None:
    page = Page(notebook_html(report.view()))
    assert page.tags == ["iframe"]
    attributes = {name: value for _, name, value in page.attributes}
    assert attributes["sandbox"] is None
    assert attributes["srcdoc"] == render_html(report.view())
    assert report._repr_html_() == notebook_html(report.view())


def test_a_browser_shows_it_and_runs_nothing_of_the_hostile_text(
    hostile_report: Report, chromium: str, tmp_path: Path
) -> None:
    path = hostile_report.save(tmp_path / "report.html")
    command = [chromium, *FLAGS, f"--user-data-dir={tmp_path / 'profile'}", "--enable-logging=stderr", "--dump-dom"]
    done = subprocess.run([*command, path.as_uri()], capture_output=True, text=True, timeout=120, check=True)
    title = re.search(r"<title>(.*?)</title>", done.stdout)
    assert title is not None
    assert title.group(1).startswith("&lt;/style&gt;&lt;img src=x onerror=")  # as it was, not what a script set
    assert "Is token frequency a power law?" in done.stdout
    assert "Content Security Policy" not in done.stderr  # the policy stopped nothing: there was nothing to stop
