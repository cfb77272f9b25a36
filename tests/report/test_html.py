import base64
import dataclasses
import hashlib
import re
from html.parser import HTMLParser

import numpy as np
import pytest
from builders import HOSTILE, vocabulary_scatter
from markupsafe import escape

from geoprobe.report.html import notebook_html, render_html
from geoprobe.report.scan import Report
from geoprobe.report.view import View


def with_vocabulary(report: Report) -> View:
    """The report with a vocabulary of its own in one section, hostile tokens among it, and in no other."""
    view = report.view()
    scatter = vocabulary_scatter(len(HOSTILE), HOSTILE)
    sections = (dataclasses.replace(section, scatter=None) for section in view.sections)
    first, *others = sections
    return dataclasses.replace(view, sections=(dataclasses.replace(first, scatter=scatter), *others))


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
@pytest.mark.parametrize("live", [False, True])
def test_the_page_asks_nothing_and_runs_at_most_its_own_script(
    which: str, live: bool, request: pytest.FixtureRequest
) -> None:
    page = Page(render_html(with_vocabulary(request.getfixturevalue(which)), live=live))
    assert page.tags.count("script") == (3 if live else 0)  # the vocabulary, the map of words, and what draws them
    assert not set(page.tags) & {"img", "iframe", "object", "embed", "link", "base", "form"}
    for tag, name, value in page.attributes:
        assert not name.startswith("on"), (tag, name)
        assert name != "style"
        if name.endswith(("href", "src")):
            assert value is not None
            assert value.startswith("#"), (tag, name, value)


def digest(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


@pytest.mark.parametrize("live", [False, True])
def test_the_policy_lets_in_only_the_pages_own_style_and_script(report: Report, live: bool) -> None:
    text = render_html(with_vocabulary(report), live=live)
    policy = re.search(r'Content-Security-Policy" content="([^"]+)"', text)
    style = re.search(r"<style>(.*?)</style>", text, re.DOTALL)
    assert policy is not None
    assert style is not None
    expected = ["default-src 'none'", f"style-src 'sha256-{digest(style.group(1))}'"]
    if live:
        script = re.search(r"<script>(.*?)</script>", text, re.DOTALL)
        assert script is not None
        expected.append(f"script-src 'sha256-{digest(script.group(1))}'")
    expected += ["base-uri 'none'", "form-action 'none'"]
    assert policy.group(1).replace("&#39;", "'").split("; ") == expected


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
    drawn = sum(len(result.figures()) + (result.scatter() is not None) for result in report.results.values())
    drawn -= sum(result.word_map() is not None for result in report.results.values())  # two pictures in one figure
    assert page.tags.count("figcaption") == drawn
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
    assert attributes["srcdoc"] == render_html(report.view(), live=False)
    assert report._repr_html_() == notebook_html(report.view())


def test_a_vocabulary_of_128_256_tokens_stays_within_three_megabytes(report: Report) -> None:
    rng = np.random.default_rng(0)
    letters = rng.integers(97, 123, (128_256, 9)).astype(np.uint8)
    lengths = rng.integers(2, 10, len(letters))  # random letters pack worse than words
    tokens = [bytes(row[:length]).decode() for row, length in zip(letters, lengths, strict=True)]
    view = with_vocabulary(report)
    first, *others = view.sections
    large = dataclasses.replace(first, scatter=vocabulary_scatter(len(tokens), tokens))
    page = render_html(dataclasses.replace(view, sections=(large, *others)))
    assert len(page.encode()) < 3_000_000
