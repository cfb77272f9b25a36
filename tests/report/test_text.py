import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from geoprobe.report.text import distinct, escape


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("the", "the"),
        (" the", "␣the"),
        ("  a b ", "␣␣a b␣"),
        (" ", "␣"),
        ("", ""),
        ("\n\t", r"\n\t"),
        ("a\x00b", r"a\u{0}b"),
        ("\u202eevil", r"\u{202e}evil"),
        ("a\u200bb\ufeff", r"a\u{200b}b\u{feff}"),
        ("\ud800", r"\u{d800}"),
        ("\u00a0", r"\u{a0}"),
        ("größer日本🙂", "größer日本🙂"),
        ("<script>", "<script>"),
    ],
)
def test_what_hides_is_written_out(text: str, shown: str) -> None:
    assert escape(text) == shown


def test_long_texts_are_cut_with_their_length() -> None:
    assert escape("x" * 10_000) == "x" * 120 + "… (10,000 characters)"
    assert len(escape("\u202e" * 10_000)) < 1200


@given(st.text(st.characters(), max_size=200))
def test_nothing_shown_is_a_control_or_a_format_character(text: str) -> None:
    assert not {unicodedata.category(c) for c in escape(text)} & {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}


def test_names_are_shortened_in_the_middle_and_stay_distinct() -> None:
    assert distinct(["a", "a\u200bb"], 9) == ["a", r"a\u{200b}b"]
    assert distinct(["x" * 20 + "1", "x" * 20 + "2"], 9) == ["xxx…xxxx1", "xxx…xxxx2"]
    assert distinct(["x" * 20, "a" * 20, "x" * 21], 9) == ["xxx…xxxxx [1]", "aaa…aaaaa", "xxx…xxxxx [3]"]
