from dataclasses import dataclass
from importlib.metadata import EntryPoint
from typing import ClassVar

import numpy as np
import pytest
from builders import SOME, scan_inputs

import geoprobe
from geoprobe.data import ScanInputs
from geoprobe.diagnostics import base
from geoprobe.diagnostics.hyperbolicity.analyzer import HyperbolicityAnalyzer
from geoprobe.diagnostics.norms.analyzer import NormsAnalyzer
from geoprobe.errors import NotFoundError, UsageError
from geoprobe.results import Estimate, NullDistribution, Result, Verdict


@dataclass(frozen=True, kw_only=True)
class SizeResult(Result):
    """Somebody else's diagnostic: the vocabulary's size."""

    name: ClassVar[str] = "size"
    title: ClassVar[str] = "Size"
    question: ClassVar[str] = "How large is the vocabulary?"

    def rows(self) -> tuple:
        return ()

    figures = tables = methods = rows


@dataclass(frozen=True)
class SizeAnalyzer:
    name: ClassVar[str] = "size"
    result: ClassVar[type[Result]] = SizeResult

    def run(self, inputs: ScanInputs, rng: np.random.Generator) -> Result:
        return SizeResult(
            estimate=Estimate("V", "rows", float(inputs.embedding.size)),
            null=NullDistribution("none", "V", None, (), "less", None),
            verdict=Verdict("inconclusive", "A size is no claim.", "Always."),
        )


@pytest.mark.parametrize("name", base.BUILTIN)
def test_every_built_in_diagnostic_keeps_the_protocol(name: str) -> None:
    kind = base.analyzer_type(name)
    assert isinstance(kind(), base.Analyzer)
    assert kind.name == kind.result.name == name
    assert kind().__dataclass_params__.frozen
    assert kind.result.__dataclass_params__.frozen


@pytest.mark.parametrize("name", base.BUILTIN)
def test_every_result_survives_json(name: str, zipf_texts: list[str]) -> None:
    import json

    result = base.analyzer_type(name)(**SOME[name]).run(scan_inputs(zipf_texts), np.random.default_rng(0))
    again = base.result_type(name).from_dict(json.loads(json.dumps(result.to_dict(), allow_nan=False)))
    assert again == result
    assert again.rows() == result.rows()
    assert again.figures() == result.figures()
    assert again.tables() == result.tables()


@pytest.mark.parametrize("name", base.BUILTIN)
@pytest.mark.parametrize("texts", [["one word"], ["a b c a b a", "a"], ["x"] * 40])
def test_too_little_data_is_inconclusive_and_never_a_crash(name: str, texts: list[str]) -> None:
    result = base.analyzer_type(name)().run(scan_inputs(texts), np.random.default_rng(0))
    assert result.verdict.label == "inconclusive"
    assert result.estimate.value is None
    assert base.result_type(name).from_dict(result.to_dict()) == result
    assert not result.to_frame().empty
    assert all(isinstance(figure.name, str) for figure in result.figures())
    assert "inconclusive" in result._repr_html_()


def test_another_packages_diagnostic_is_found_by_its_entry_point(monkeypatch: pytest.MonkeyPatch) -> None:
    point = EntryPoint("size", f"{__name__}:SizeAnalyzer", base.ENTRY_POINT_GROUP)
    monkeypatch.setattr(base, "entry_points", lambda group: [point] if group == base.ENTRY_POINT_GROUP else [])
    assert list(base.available()) == [*base.BUILTIN, *base.ON_REQUEST, "size"]
    assert base.analyzer_type("size") is SizeAnalyzer
    assert base.result_type("size") is SizeResult


def test_an_entry_point_cannot_take_the_place_of_a_built_in(monkeypatch: pytest.MonkeyPatch) -> None:
    point = EntryPoint("norms", f"{__name__}:SizeAnalyzer", base.ENTRY_POINT_GROUP)
    monkeypatch.setattr(base, "entry_points", lambda group: [point])
    assert base.analyzer_type("norms") is not SizeAnalyzer


def test_a_diagnostic_refuses_its_options_before_the_model_is_looked_for() -> None:
    with pytest.raises(UsageError, match="5 null clouds cannot reject"):
        geoprobe.scan("no-such-model-anywhere", analyzers=["norms", "curvature:draws=5"])


def test_an_unknown_diagnostic_lists_the_known() -> None:
    with pytest.raises(NotFoundError, match=r"no diagnostic 'isotropy'.\nThere are: frequency, norms, hyperbolicity"):
        base.analyzer_type("isotropy")


def test_options_of_a_diagnostic_are_given_behind_its_name() -> None:
    made = base.make_analyzer("hyperbolicity:shown=off,draws=9")
    assert made == HyperbolicityAnalyzer(shown="off", draws=9)
    assert base.make_analyzer("norms") == NormsAnalyzer()
    assert base.make_analyzer("hierarchy:taxonomy=a,b, c.csv,draws=99").taxonomy == "a,b, c.csv"


@pytest.mark.parametrize(
    ("specs", "expected"),
    [
        (None, [*base.BUILTIN, "hierarchy:taxonomy=a.csv"]),
        (["norms"], ["norms", "hierarchy:taxonomy=a.csv"]),
        (["hierarchy", "norms"], ["hierarchy:taxonomy=a.csv", "norms"]),
        (["hierarchy:draws=99"], ["hierarchy:draws=99,taxonomy=a.csv"]),
    ],
)
def test_an_option_is_given_to_those_that_have_it_or_adds_them(specs: list[str] | None, expected: list[str]) -> None:
    assert base.with_option(specs, "taxonomy", "a.csv") == expected


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("norms:draws=9", "'norms' has no option 'draws'.\nIt has: replicates, bootstrap"),
        ("norms:replicates=many", "gives an option a value that it cannot have"),
        ("hyperbolicity:shown=half", "gives an option a value that it cannot have"),
        ("norms:replicates", "gives an option a value that it cannot have"),
        ("hyperbolicity:draws=1", "gives an option a value that it cannot have.\nExpected `int` >= 2"),
        ("norms:=", "has no option ''"),
    ],
)
def test_an_option_that_is_not_there_or_cannot_be_is_said(spec: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        base.make_analyzer(spec)
