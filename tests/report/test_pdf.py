import dataclasses
import importlib.util
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from builders import vocabulary_scatter

from geoprobe.figure import Axis, Figure, Forest
from geoprobe.report import pdf
from geoprobe.report.pdf import add_codes, font_folders, render_pdf
from geoprobe.report.scan import Report


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
    assert 4 <= len(pages) <= 10
    assert len(data) < 1_000_000


def test_it_says_what_the_report_says(report: Report, tmp_path: Path) -> None:
    text = text_of(report.save(tmp_path / "r.pdf"))
    flowing = re.sub(r"\s+", " ", text.replace("-\n", "-"))
    for result in report.results.values():
        assert result.question in flowing
        assert result.verdict.label in flowing
    assert "Provenance" in flowing
    assert report.corpora[0].sha256 in re.sub(r"\s+", "", text)
    assert "\u200b" not in text  # which would be copied with a hash that is broken there


def test_hostile_text_is_typeset_as_itself(hostile_report: Report, tmp_path: Path) -> None:
    text = text_of(hostile_report.save(tmp_path / "r.pdf"))
    flowing = re.sub(r"\s+", "", text)
    assert "<script>document.title='owned'</script>" in flowing
    assert "{{7*7}}" in flowing
    assert "#import" in flowing  # not imported: shown
    assert "root:" not in flowing
    assert "x" * 120 in flowing
    assert "x" * 120 not in text  # broken before the edge of the page


def test_names_in_figures_are_spelled_where_the_fonts_lack_them(report: Report, tmp_path: Path) -> None:
    view = report.view()
    figure = Figure("f", "", "", Axis("x"), Axis(""), (Forest(("ไ", "b"), (1.0, 2.0), (0.0, 1.0), (2.0, 3.0)),))
    section = dataclasses.replace(view.sections[0], figures=(figure,), scatter=None)
    path = tmp_path / "r.pdf"
    path.write_bytes(render_pdf(dataclasses.replace(view, sections=(section,))))
    assert r"[\u{e44}]" in text_of(path)


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


@pytest.fixture
def no_font_packages(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    pdf._known.cache_clear()
    monkeypatch.setattr("geoprobe.report.pdf._FONT_PACKAGES", ())
    yield monkeypatch
    pdf._known.cache_clear()


@pytest.mark.usefixtures("no_font_packages")
@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("größer γ ≤ − ␣", "größer γ ≤ − ␣"),
        ("русский العربية", "русский العربية"),
        ("ไทย", r"ไทย[\u{e44}\u{e17}\u{e22}]"),
        ("a日本b", r"a日本[\u{65e5}\u{672c}]b"),
    ],
)
def test_what_no_font_has_is_spelled_as_well(text: str, shown: str) -> None:
    assert add_codes(text) == shown


@pytest.mark.usefixtures("no_font_packages")
def test_every_string_of_a_document_is_reached() -> None:
    assert add_codes({"a": ("日", 1, [None, "b"])}) == {"a": (r"日[\u{65e5}]", 1, [None, "b"])}


def test_a_font_package_that_is_installed_is_used(no_font_packages: pytest.MonkeyPatch, tmp_path: Path) -> None:
    package = tmp_path / "some_font"
    package.mkdir()
    (package / "__init__.py").touch()
    no_font_packages.syspath_prepend(tmp_path)
    no_font_packages.setattr("geoprobe.report.pdf._FONT_PACKAGES", ("some_font", "no_such_font"))
    importlib.invalidate_caches()
    assert font_folders()[1:] == [str(package)]
    assert "some_font" not in sys.modules  # found without running it
