import numpy as np
import pytest
from builders import scan_inputs

from geoprobe.diagnostics.norms.token_traits import SPECIAL, STARTS, TOKEN_ID, byte_values, starts_a_word, token_traits


@pytest.mark.parametrize(
    ("token", "length", "digit", "upper", "latin", "other", "byte"),
    [
        ("the", 3, 0, 0, 1, 0, 0),
        (" The", 4, 0, 1, 1, 0, 0),
        (" 42", 3, 1, 0, 0, 0, 0),
        ("größe", 7, 0, 0, 1, 0, 0),
        ("мир", 6, 0, 0, 0, 1, 0),
        ("日本", 6, 0, 0, 0, 1, 0),
        ("...", 3, 0, 0, 0, 0, 0),
        ("##ing", 3, 0, 0, 1, 0, 0),
        ("<0x0A>", 1, 0, 0, 0, 0, 1),
        ("\\xe2\\x80", 2, 0, 0, 0, 0, 1),
        (" \\xf0\\x9f", 3, 0, 0, 0, 0, 1),
    ],
)
def test_traits_of_a_token(token: str, length: int, digit: int, upper: int, latin: int, other: int, byte: int) -> None:
    table = scan_inputs(["x"], words=["x", token], dimension=2).embedding
    names, values = token_traits(table, np.array([2]))
    assert names[-1] == TOKEN_ID
    found = dict(zip(names, values[0].tolist(), strict=True))
    assert list(found.values())[:6] == [length, digit, upper, latin, other, byte]
    assert (found[SPECIAL], found[TOKEN_ID]) == (0, 2)


def test_a_special_token_is_one() -> None:
    table = scan_inputs(["x"], words=["x"], dimension=2).embedding
    names, values = token_traits(table, np.array([0, 1]))
    assert values[:, names.index(SPECIAL)].tolist() == [1, 0]


@pytest.mark.parametrize(
    ("vocabulary", "starting", "going_on"),
    [
        ([" dog", " the", "ing", "s"], " dog", "ing"),
        (["dog", "the", "##ing", "##s"], "dog", "##ing"),
        (["dog", "the", "ing"], "ing", None),
    ],
)
def test_each_vocabulary_marks_the_start_of_a_word_in_its_way(
    vocabulary: list[str], starting: str, going_on: str | None
) -> None:
    starts = starts_a_word(["", *vocabulary * 30])
    assert starts(starting)
    assert going_on is None or not starts(going_on)


def test_bytes_are_read_in_both_spellings_and_words_are_none() -> None:
    assert byte_values("<0xF5>") == [0xF5]
    assert byte_values("\\xc0") == [0xC0]
    assert byte_values("x41") == byte_values("\\x41") == []
    names, _ = token_traits(scan_inputs(["x"], words=["x"]).embedding, np.array([1]))
    assert STARTS in names
