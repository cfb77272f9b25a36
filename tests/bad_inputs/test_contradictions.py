"""Reports whose values are each sound and do not fit together: drawn, or bad data, and never a fault of geoprobe's."""

import copy
import json
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

Run = Callable[..., tuple[int, str, str]]
CHANGES = 40


def places(data: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Every place in parsed JSON; of a list, its first few."""
    inner = data.items() if isinstance(data, dict) else enumerate(data[:6]) if isinstance(data, list) else ()
    for key, value in inner:
        yield (*path, key)
        yield from places(value, (*path, key))


def other(value: object, rng: random.Random) -> object:
    """Another value of the same type, or none."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return rng.choice([0, -1, 7, 10**18, 2**64, 10**400])
    if isinstance(value, float):
        return rng.choice([0.0, -1.0, 0.5, 1e308, -1e308, 5e-324])
    if isinstance(value, str):
        return rng.choice(["", "log", "\x00", "\ud800", value[: len(value) // 2], "x" * 1000])
    if isinstance(value, list):
        return rng.choice([[], value[:1], value[:-1], value[::-1], value * 2])
    return {} if isinstance(value, dict) else 1.0


def change(data: Any, path: tuple[str | int, ...], rng: random.Random) -> None:
    for key in path[:-1]:
        data = data[key]
    data[path[-1]] = other(data[path[-1]], rng)


@pytest.mark.parametrize("seed", [0, pytest.param(1, marks=pytest.mark.slow), pytest.param(2, marks=pytest.mark.slow)])
def test_a_changed_report_is_drawn_or_refused(workplace: Path, tmp_path: Path, run_cli: Run, seed: int) -> None:
    rng = random.Random(seed)
    good = json.loads((workplace / "scan.json").read_text("utf-8"))
    everywhere = list(places(good))
    codes = []
    for number in range(CHANGES if seed == 0 else 20 * CHANGES):
        data = copy.deepcopy(good)
        path = rng.choice(everywhere)
        change(data, path, rng)
        (tmp_path / "scan.json").write_text(json.dumps(data))
        kind = "pdf,html" if number % 10 == 0 else "html,md"
        code, stdout, stderr = run_cli("report", tmp_path / "scan.json", "--format", kind, "--out", tmp_path / "out")
        assert code in (0, 3, 5), (path, stderr)
        assert stdout == ""
        assert "Traceback" not in stderr
        codes.append(code)
    assert 0 in codes
    assert 5 in codes


def test_curves_of_unequal_columns_are_said_to_contradict(workplace: Path, tmp_path: Path, run_cli: Run) -> None:
    data = json.loads((workplace / "scan.json").read_text("utf-8"))
    data["results"]["norms"]["curve"]["low"].pop()
    for name in ("a.json", "b.json"):
        (tmp_path / name).write_text(json.dumps(data))
    code, _, stderr = run_cli("report", tmp_path / "a.json", "--format", "html", "--out", tmp_path / "out")
    assert code == 5
    assert "a.json holds values that contradict one another" in stderr
    assert not (tmp_path / "out").exists()
