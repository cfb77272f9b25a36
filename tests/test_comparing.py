import copy
import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest

import geoprobe
from geoprobe.errors import BadDataError, UsageError
from geoprobe.report.comparison import Comparison
from geoprobe.report.document import Report
from geoprobe.report.opening import open_report


def changed(report: Report, name: str, **facts: object) -> Report:
    """The report of another model of that name."""
    source = dataclasses.replace(report.model.source, name=name, model=f"team/{name}")
    return dataclasses.replace(report, model=dataclasses.replace(report.model, source=source), **facts)


@pytest.fixture(scope="module")
def comparison(report: Report) -> Comparison:
    return geoprobe.compare(report, changed(report, "Other"))


def test_every_number_is_the_scans_own(report: Report, comparison: Comparison) -> None:
    assert [question.name for question in comparison.questions] == list(report.results)
    for question in comparison.questions:
        result = report[question.name]
        for answer in question.answers:
            assert answer.estimate == result.estimate
            assert answer.verdict == result.verdict
            assert answer.rows == result.rows()
            assert (answer.observed, answer.null_mean) == (result.null.observed, result.null.mean)
            inside = sum(answer.null_low <= value <= answer.null_high for value in result.null.distribution)
            assert 0.95 <= inside / len(result.null.distribution) <= 0.99


def test_the_same_documents_and_tokens_have_no_obstacle(comparison: Comparison) -> None:
    assert comparison.obstacles == ()
    assert comparison.view().notes == ("All scans are of the same documents, 3,600 tokens each.",)


def test_other_documents_are_an_obstacle_and_named(report: Report) -> None:
    corpus = dataclasses.replace(report.corpora[0], name="other/text", sha256="f" * 64)
    obstacles = geoprobe.compare(report, changed(report, "Other", corpora=(corpus,))).obstacles
    assert len(obstacles) == 1
    assert "not of the same documents (Tiny: made-up; Other: other/text)" in obstacles[0]


def test_other_token_counts_are_matched_at_the_largest_size_both_have(report: Report) -> None:
    fit = report["frequency"].fit
    sizes = dataclasses.replace(fit.gamma_by_size, x=(1000.0, 2000.0, 3500.0), y=(2.5, 2.25, 2.0))
    mine = dataclasses.replace(sizes, x=(1000.0, 2000.0, 3600.0))
    corpus = dataclasses.replace(report.corpora[0], n_tokens=3500)

    def with_sizes(each: Report, by_size: Any) -> Report:
        result = dataclasses.replace(each["frequency"], fit=dataclasses.replace(fit, gamma_by_size=by_size))
        return dataclasses.replace(each, results=dict(each.results) | {"frequency": result})

    found = geoprobe.compare(with_sizes(report, mine), with_sizes(changed(report, "Other", corpora=(corpus,)), sizes))
    assert found.obstacles == ()
    assert found.questions[0].size == 2000
    assert "compared at 2,000 tokens each" in found.view().notes[0]
    assert "2.25 at 2,000 tokens" in found.view().sections[0].card.answers[1].line
    apart = dataclasses.replace(sizes, x=(1.0, 2.0, 3500.0))
    found = geoprobe.compare(with_sizes(report, mine), with_sizes(changed(report, "Other", corpora=(corpus,)), apart))
    assert "there is no size at which every scan has an estimate of frequency" in found.obstacles[0]


def test_other_seeds_and_versions_are_said(report: Report) -> None:
    other = changed(report, "Other", seed=7, versions={"geoprobe": "9.9"})
    assert geoprobe.compare(report, other).obstacles == (
        "The scans differ in geoprobe: 0.0, 9.9.",
        "The scans differ in seed: 0, 7.",
    )


def test_models_of_one_name_are_told_apart(report: Report) -> None:
    labels = [model.label for model in geoprobe.compare(report, changed(report, "Tiny"), report).models]
    assert labels == ["Tiny (tiny)", "Tiny (team/Tiny)", "Tiny (tiny), scan 2"]


def test_what_not_every_scan_has_is_left_out_and_said(report: Report) -> None:
    partly = dataclasses.replace(report, results={"norms": report["norms"]})
    found = geoprobe.compare(report, partly)
    assert [question.name for question in found.questions] == ["norms"]
    assert found.obstacles == ("Not every scan has the diagnostics frequency, hyperbolicity; they are left out.",)
    alone = dataclasses.replace(report, results={"frequency": report["frequency"]})
    with pytest.raises(UsageError, match="no diagnostic in common"):
        geoprobe.compare(partly, alone)


def test_one_scan_is_nothing_to_compare(report: Report) -> None:
    with pytest.raises(UsageError, match="Give two or more"):
        geoprobe.compare(report)


def test_a_result_without_estimate_or_null_is_compared_in_words(report: Report) -> None:
    result = report["norms"]
    empty = dataclasses.replace(
        result,
        estimate=dataclasses.replace(result.estimate, value=None, interval=None),
        null=dataclasses.replace(result.null, distribution=(), observed=None, pvalue=None),
    )
    found = geoprobe.compare(report, changed(report, "Other", results=dict(report.results) | {"norms": empty}))
    section = found.view().sections[1]
    assert section.figures == ()
    assert section.card.answers[1].line == "ρ = –"


def test_it_is_saved_read_back_and_drawn_the_same(comparison: Comparison, tmp_path: Path) -> None:
    paths = comparison.write(tmp_path, ("json", "html", "pdf", "md"))
    assert paths["json"].name == "comparison.json"
    again = open_report(paths["json"])
    assert again == comparison
    for kind in ("html", "pdf", "md"):
        assert again.render(kind) == paths[kind].read_bytes()


def test_forest_plots_show_each_estimate_and_each_null(comparison: Comparison) -> None:
    for section in comparison.view().sections:
        assert [figure.name for figure in section.figures] == ["estimates", "nulls"]
        for figure in section.figures:
            for layer in figure.layers:
                assert layer.names == ("Tiny", "Other")


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("schema_version", 2, "The comparison has schema version 2; this geoprobe reads 1"),
        ("questions", "none", r"The comparison does not have the form .*\$.questions"),
    ],
)
def test_what_cannot_be_read_is_said(comparison: Comparison, key: str, value: object, message: str) -> None:
    data = copy.deepcopy(json.loads(comparison.to_json()))
    data[key] = value
    with pytest.raises(BadDataError, match=message):
        Comparison.from_dict(data)


@pytest.mark.parametrize("name", ["", "a b", "../up", "/tmp/elsewhere", 'x" onclick="', "norms"])
def test_a_question_that_no_diagnostic_can_be_called_is_refused(comparison: Comparison, name: str) -> None:
    data = json.loads(comparison.to_json())
    data["questions"][0]["name"] = name
    with pytest.raises(BadDataError, match="The comparison has a question named"):
        Comparison.from_dict(data)


def test_a_file_of_an_unknown_kind_is_said(tmp_path: Path) -> None:
    (tmp_path / "x.json").write_text('{"kind": "\\u202esurvey", "schema_version": 1}')
    with pytest.raises(BadDataError, match=r"unknown kind, '\\\\u\{202e\}survey'"):
        open_report(tmp_path / "x.json")
