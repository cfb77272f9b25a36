import importlib.util
import sys
from pathlib import Path

import pytest

from geoprobe.report import glyphs
from geoprobe.report.glyphs import font_folders, legible


@pytest.fixture
def fresh(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    glyphs._known.cache_clear()
    monkeypatch.setattr("geoprobe.report.glyphs._FONT_PACKAGES", ())
    yield monkeypatch
    glyphs._known.cache_clear()


@pytest.mark.usefixtures("fresh")
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
    assert legible(text) == shown


@pytest.mark.usefixtures("fresh")
def test_every_string_of_a_document_is_reached() -> None:
    assert legible({"a": ("日", 1, [None, "b"])}) == {"a": (r"日[\u{65e5}]", 1, [None, "b"])}


def test_a_font_package_that_is_installed_is_used(fresh: pytest.MonkeyPatch, tmp_path: Path) -> None:
    package = tmp_path / "some_font"
    package.mkdir()
    (package / "__init__.py").touch()
    fresh.syspath_prepend(tmp_path)
    fresh.setattr("geoprobe.report.glyphs._FONT_PACKAGES", ("some_font", "no_such_font"))
    importlib.invalidate_caches()
    assert font_folders()[1:] == [str(package)]
    assert "some_font" not in sys.modules  # found without running it
