from collections.abc import Callable

import pytest

from geoprobe import errors
from geoprobe.cli.options import formats_of
from geoprobe.diagnostics.base import make_analyzer
from geoprobe.errors import GeoprobeError, meant
from geoprobe.sources.corpora import open_corpus
from geoprobe.training.setup import make_setup


@pytest.mark.parametrize(
    ("kind", "code"),
    [("GeoprobeError", 1), ("UsageError", 2), ("NotFoundError", 3), ("AccessError", 4), ("BadDataError", 5)],
)
def test_exit_codes_are_those_of_the_design(kind: str, code: int) -> None:
    error = getattr(errors, kind)("The cup is empty.", "Fill it.")
    assert error.exit_code == code
    assert isinstance(error, errors.GeoprobeError)
    assert str(error) == "The cup is empty.\nFill it."


def test_all_is_every_error() -> None:
    assert errors.__all__ == sorted(
        name for name, kind in vars(errors).items() if isinstance(kind, type) and issubclass(kind, Exception)
    )


@pytest.mark.parametrize(
    ("call", "near"),
    [
        (lambda: make_analyzer("norm"), "norms"),
        (lambda: make_analyzer("Frequencey"), "frequency"),
        (lambda: make_analyzer("norms:replicats=9"), "replicates"),
        (lambda: open_corpus("gms8k"), "gsm8k"),
        (lambda: make_setup("smal", model="m", train="t"), "small"),
        (lambda: make_setup("demo", model="m", train="t", methods=("hiplora",)), "hyplora"),
        (lambda: make_setup("demo", model="m", train="t", template="plan"), "plain"),
        (lambda: make_setup("demo", model="m", train="t", precision="bflat16"), "bfloat16"),
        (lambda: formats_of("json,htm"), "html"),
    ],
)
def test_a_name_with_a_slip_has_the_nearest_one_beside_it(call: Callable[[], object], near: str) -> None:
    with pytest.raises(GeoprobeError) as raised:
        call()
    assert raised.value.hint.startswith(f"Is {near} meant? ")


def test_a_name_that_is_like_none_has_none_beside_it() -> None:
    assert meant("xyzzy", ["norms", "frequency"]) == ""
