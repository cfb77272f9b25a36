import re

import pytest
from builders import HOSTILE
from markdown_it import MarkdownIt

from geoprobe.report.document import Report
from geoprobe.report.markdown import render_markdown


def test_every_question_verdict_table_and_hash_is_there(report: Report) -> None:
    text = render_markdown(report.view())
    for result in report.results.values():
        assert text.count(result.question) == 2
        assert f"| {result.verdict.label} |" in text
    assert text.count("| quantity |") == len(report.results)
    for section in report.view().sections:
        assert f"## {section.title}" in text
    assert report.corpora[0].sha256 in text


@pytest.mark.parametrize("which", ["report", "hostile_report"])
def test_every_table_row_has_the_columns_of_its_head(which: str, request: pytest.FixtureRequest) -> None:
    columns = None
    for line in render_markdown(request.getfixturevalue(which).view()).split("\n"):
        cells = len(re.findall(r"(?<!\\)\|", line)) if line.startswith("|") else None
        assert columns is None or cells is None or cells == columns, line
        columns = cells


def test_hostile_text_is_text_to_a_commonmark_reader(hostile_report: Report) -> None:
    text = render_markdown(hostile_report.view())
    html = MarkdownIt("commonmark").enable("table").render(text)
    assert not re.findall(r"<(script|img|a|!--|label|html)\b", html)
    assert "&lt;script&gt;document.title='owned'&lt;/script&gt;" in html
    assert html.count("<h1>") == 1
    assert not any(character in text for character in "\u202e\u200b\x00")
    assert HOSTILE[8] not in text  # the token of 10,000 characters is cut
