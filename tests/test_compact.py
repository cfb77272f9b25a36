"""What is printed fits a screen, whatever is held."""

from dataclasses import dataclass

import geoprobe
from geoprobe.compact import Compact


@dataclass(frozen=True)
class Curve(Compact):
    name: str
    x: tuple[float, ...]
    ends: tuple[float, float] = (0.0, 1.0)
    inner: object = None


def test_columns_are_named_by_their_length_and_short_ones_printed() -> None:
    inner = Curve("y" * 100, (1.0, 2.0))
    assert repr(Curve("x", tuple(range(5000)), inner=inner)) == (
        "Curve(name='x', x=<5,000 int>, ends=(0.0, 1.0), inner=Curve(…))"
    )
    assert repr(inner) == f"Curve(name='{'y' * 60}…', x=(1.0, 2.0), ends=(0.0, 1.0), inner=None)"


def test_every_object_of_a_report_fits_a_screen(report: geoprobe.Report) -> None:
    assert len(repr(report)) < 1000
    assert repr(report).count("\n") == len(report)
    held = [report[name] for name in report]
    for value in [*held, *(value for result in held for value in vars(result).values())]:
        if not isinstance(value, tuple):  # a list of plain rows is the reader's own to cut
            assert len(repr(value)) < 2000, type(value)


def test_a_result_says_its_verdict_and_its_numbers(report: geoprobe.Report) -> None:
    norms = report["norms"]
    assert repr(norms).startswith(f"<NormsResult: {norms.verdict.label}; Spearman's ρ of frequency and norm, ρ = ")
    assert repr(norms).endswith(", p = " + geoprobe.results.number(norms.null.pvalue) + ">")


def test_a_report_is_gone_through_like_a_mapping(report: geoprobe.Report) -> None:
    assert list(report) == list(report.keys()) == ["frequency", "norms", "hyperbolicity"]
    assert len(report) == 3
    assert "norms" in report
    assert "curvature" not in report
    assert dict(report) == report.results
    assert report._ipython_key_completions_() == list(report)
