import base64
import dataclasses
import zlib

import numpy as np
import pytest
from builders import HOSTILE

from geoprobe.errors import BadDataError
from geoprobe.figure import Axis
from geoprobe.results import from_builtins
from geoprobe.scatter import VocabularyScatter, pack_scatter


def scatter(n: int = 500, tokens: list[str] | None = None) -> VocabularyScatter:
    rng = np.random.default_rng(0)
    return pack_scatter(
        "vocabulary",
        title="Norm and frequency",
        caption="Every token.",
        x=Axis("occurrences", "log"),
        y=Axis("norm"),
        x_values=np.arange(1, n + 1) ** 2,
        y_values=rng.standard_normal(n),
        groups=rng.integers(0, 3, n),
        group_names=("seen", "unseen", "special"),
        rows=np.arange(n) + 7,
        tokens=tokens or [f"token{i}" for i in range(n)],
        x_exact=np.arange(n) ** 2,
    )


def test_what_was_packed_comes_back_within_a_step():
    n = 500
    unpacked = scatter(n).unpack()
    expected = np.random.default_rng(0).standard_normal(n)
    assert np.abs(unpacked.y - expected).max() <= np.ptp(expected) / 65_535
    assert np.abs(np.log(unpacked.x / np.arange(1, n + 1) ** 2)).max() <= np.log(n**2) / 65_535
    assert unpacked.rows.tolist() == list(range(7, n + 7))
    assert unpacked.tokens[3] == "token3"


def test_exact_values_come_back_to_the_last_digit_and_are_the_steps_where_unknown():
    packed = scatter()
    assert packed.unpack().x_exact.tolist() == [i**2 for i in range(500)]
    without = dataclasses.replace(packed, x_exact="").unpack()
    assert without.x_exact.tolist() == without.x.tolist()


def test_any_token_comes_back_as_it_was():
    hostile = list(HOSTILE)
    assert list(scatter(len(hostile), hostile).unpack().tokens) == hostile


@pytest.mark.parametrize("n", [0, 1, 2])
def test_few_points(n):
    assert len(scatter(n, [str(i) for i in range(n)] if n else []).unpack().tokens) == n


def test_it_passes_through_json():
    import json

    import msgspec

    packed = scatter()
    assert from_builtins(VocabularyScatter, json.loads(json.dumps(msgspec.to_builtins(packed))), what="it") == packed


def test_a_vocabulary_of_llama_3_takes_less_than_a_megabyte_and_a_half():
    n = 128_256
    rng = np.random.default_rng(0)
    counts = rng.zipf(1.9, n)
    packed = pack_scatter(
        "v", title="", caption="", x=Axis("f", "log"), y=Axis("r"), x_values=counts, y_values=rng.random(n),
        x_exact=counts, groups=np.zeros(n, dtype=int), group_names=("seen",), rows=np.arange(n),
        tokens=[f"{rng.integers(1 << 40):x}"[: int(rng.integers(2, 9))] for _ in range(n)],
    )  # fmt: skip
    columns = (packed.x_values, packed.y_values, packed.x_exact, packed.groups, packed.rows, packed.tokens)
    assert sum(map(len, columns)) < 1_500_000


@pytest.mark.parametrize("values", [np.array([1.0, np.nan]), np.array([0.0, 1.0])])
def test_what_cannot_be_placed_is_refused(values):
    with pytest.raises(ValueError, match="norm"):
        pack_scatter(
            "v", title="", caption="", x=Axis("f"), y=Axis("norm", "log"), x_values=np.ones(2), y_values=values,
            groups=np.zeros(2, dtype=int), group_names=("a",), rows=np.arange(2), tokens=["a", "b"],
        )  # fmt: skip


BOMB = base64.b64encode(zlib.compress(b"\0" * 50_000_000)).decode()


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("x_values", "not base64!"),
        ("x_values", ""),
        ("x_values", BOMB),
        ("x_exact", BOMB),
        ("x_exact", base64.b64encode(zlib.compress(np.full(500, np.nan).tobytes())).decode()),
        ("y_values", base64.b64encode(b"not zlib").decode()),
        ("tokens", base64.b64encode(zlib.compress(b"[1]")).decode()),
        ("tokens", base64.b64encode(zlib.compress(b"{")).decode()),
        ("groups", base64.b64encode(zlib.compress(b"\xff" * 500)).decode()),
        ("n", -1),
        ("n", 10**12),
        ("x_range", (0.0, float("inf"))),
    ],
)
def test_a_damaged_scatter_is_named(column, value):
    with pytest.raises(BadDataError, match="Scan the model again"):
        dataclasses.replace(scatter(), **{column: value}).unpack()
