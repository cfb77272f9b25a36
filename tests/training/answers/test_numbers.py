import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from geoprobe.training.answers.numbers import canonical, find_numbers, last_number


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("18", [18]),
        ("1,234.5 and 12,345,678", [1234.5, 12345678]),
        ("1, 2, 3 and 4,5", [1, 2, 3, 4, 5]),
        ("10,00,000 rupees", [1000000]),
        ("-3, −4, –5 and -$6", [-3, -4, -5, -6]),
        ("5-3 = 2, 10 - 3 = 7, (8)-1", [5, 3, 2, 10, 3, 7, 8, 1]),
        ("x-1 and pages 5–10", [1, 5, 10]),
        ("$-7 and $1,000.", [-7, 1000]),
        ("3/4, 1/3 of 9 and 6 / 2", [0.75, 1 / 3, 9, 3]),
        ("12 / 4 = 3, then 6/2.5=", [12, 4, 3, 6, 2.5]),
        ("7/2.5 of it", [2.8]),
        ("1 1/2 cups", [1.5]),
        ("½, 2½ and 1⁄4", [0.5, 2.5, 0.25]),
        (r"\frac{3}{4} or 1\frac{1}{2} or \dfrac{5}{ 2 }", [0.75, 1.5, 2.5]),
        ("-1/2", [-0.5]),
        ("3/0", [3, 0]),
        ("1/2/2020", [1, 2, 2020]),
        ("1e-3, 2.5E6 and 3e", [0.001, 2.5e6, 3]),
        (".5 and 0.25.", [0.5, 0.25]),
        ("48/2 = 24", [48, 2, 24]),
        ("x² + y³", []),
        ("٣ and ４", [3, 4]),
        ("no number", []),
        ("a 50% rise, 3rd, 5kg", [50, 3, 5]),
    ],
)
def test_numbers_are_read_as_people_write_them(text: str, numbers: list[float]) -> None:
    assert list(find_numbers(text)) == pytest.approx(numbers)


@given(st.floats(allow_nan=False, allow_infinity=False, min_value=-1e9, max_value=1e9))
def test_a_number_written_by_python_reads_back(value: float) -> None:
    assert last_number(f"x = {value!r}") == value
    assert float(canonical(value)) == value


@given(st.integers(-(10**15), 10**15))
def test_a_number_with_commas_reads_back(value: int) -> None:
    assert last_number(f"The answer is {value:,}.") == value


@given(st.text(max_size=200))
def test_any_text_is_read_without_an_error(text: str) -> None:
    assert all(not math.isnan(number) for number in find_numbers(text))


def test_a_number_too_large_is_infinite_and_not_an_error() -> None:
    assert last_number("9" * 5000) == math.inf


def test_the_canonical_form_is_short() -> None:
    assert [canonical(value) for value in (18.0, 0.5, -0.0, -3.0, 1e16)] == ["18", "0.5", "0", "-3", "1e+16"]
