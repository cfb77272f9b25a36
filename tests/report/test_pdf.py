import dataclasses
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from builders import vocabulary_scatter

from geoprobe.report.document import Report
from geoprobe.report.pdf import render_pdf


def text_of(path: Path) -> str:
    tool = shutil.which("pdftotext")
    if tool is None:
        from builders import missing

        missing("poppler", "no pdftotext on PATH")
    return subprocess.run([str(tool), "-layout", str(path), "-"], capture_output=True, text=True, check=True).stdout


def test_the_same_report_gives_the_same_bytes(report: Report) -> None:
    assert render_pdf(report.view()) == render_pdf(Report.from_dict(report.to_dict()).view())


def test_it_is_a_tagged_accessible_pdf_of_a_few_pages(report: Report) -> None:
    data = render_pdf(report.view())
    assert data.startswith(b"%PDF-1.7")
    assert b"pdfuaid:part" in data or b"/MarkInfo" in data
    pages = re.findall(rb"/Type\s*/Page\b(?!s)", data)
    assert 4 <= len(pages) <= 8
    assert len(data) < 1_000_000


def test_it_says_what_the_report_says(report: Report, tmp_path: Path) -> None:
    text = text_of(report.save(tmp_path / "r.pdf"))
    flowing = re.sub(r"\s+", " ", text.replace("-\n", "-"))
    for result in report.results.values():
        assert result.question in flowing
        assert result.verdict.label in flowing
    assert "Provenance" in flowing


def test_hostile_text_is_typeset_as_itself(hostile_report: Report, tmp_path: Path) -> None:
    text = text_of(hostile_report.save(tmp_path / "r.pdf"))
    flowing = re.sub(r"[\s\u200b]+", "", text)
    assert "<script>document.title='owned'</script>" in flowing
    assert "{{7*7}}" in flowing
    assert "#import" in flowing  # not imported: shown
    assert "root:" not in flowing


@pytest.mark.parametrize("anchor", ["{elsewhere}/owned", "../owned", "a\x00b"])
def test_names_from_a_report_name_no_file(report: Report, tmp_path: Path, anchor: str) -> None:
    view = report.view()
    named = dataclasses.replace(view.sections[0], anchor=anchor.format(elsewhere=tmp_path))
    made = render_pdf(dataclasses.replace(view, sections=(named,)))
    assert made == render_pdf(dataclasses.replace(view, sections=view.sections[:1]))
    assert list(tmp_path.iterdir()) == []


def test_it_tells_a_reader_what_the_verdicts_mean_and_shows_a_still_vocabulary(report: Report, tmp_path: Path) -> None:
    view = report.view()
    sections = tuple(dataclasses.replace(section, scatter=vocabulary_scatter()) for section in view.sections[:1])
    path = tmp_path / "r.pdf"
    path.write_bytes(render_pdf(dataclasses.replace(view, sections=sections)))
    flowing = re.sub(r"\s+", " ", text_of(path))
    assert "The whole vocabulary." in flowing
    for word, meaning in (*view.verdicts, *view.glossary):
        assert f"{word}: {meaning}." in flowing
