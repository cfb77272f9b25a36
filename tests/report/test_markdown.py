import dataclasses
import re

import pytest
from builders import HOSTILE
from markdown_it import MarkdownIt

from geoprobe.report.markdown import render_markdown
from geoprobe.report.scan import Report


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


LINES = "x\n\n# Heading\n\n## Another\n\n1. one\n\n- item\n\n===\n\n    code"


def test_lines_of_a_strangers_text_begin_no_heading_list_or_code(report: Report) -> None:
    view = report.view()
    first = view.sections[0]
    card = dataclasses.replace(first.card, question=LINES, reason=LINES)
    for start in ("", "# ", "- ", "+ ", "= ", "#1 ", "1. ", "2) ", "    "):
        text = f"{start}{LINES}"
        tables = tuple(dataclasses.replace(table, note=text) for table in first.tables)
        section = dataclasses.replace(
            first, card=card, title=text, rule=text, warnings=(text,), methods=(text,), tables=tables
        )
        attacked = dataclasses.replace(view, notes=(text,), sections=(section, *view.sections[1:]))
        plain = dataclasses.replace(first, warnings=("x",), methods=("x",))
        expected = dataclasses.replace(view, notes=("x",), sections=(plain, *view.sections[1:]))
        tags = [
            [
                token.type
                for token in MarkdownIt("commonmark").enable("table").parse(render_markdown(each))
                if token.block
            ]
            for each in (attacked, expected)
        ]
        for kind in ("heading_open", "bullet_list_open", "ordered_list_open", "code_block", "blockquote_open"):
            assert tags[0].count(kind) == tags[1].count(kind), (start, kind)


@pytest.mark.parametrize(
    "found",
    ["#12", r"\\#1", "owner/repo#12", "https://x.example", "HTTP://x", "www.x.example", "_www.x.example", "mailto:a"],
)
def test_nothing_becomes_a_link_by_itself(report: Report, found: str) -> None:
    text = render_markdown(dataclasses.replace(report.view(), notes=(f"see {found}",)))
    assert f"see {found}" not in text
    assert f"see {found}" in MarkdownIt("commonmark").render(text)  # read as it was
