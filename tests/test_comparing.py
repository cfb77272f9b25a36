import copy
import dataclasses
import json
import re
from pathlib import Path
from typing import Any

import pytest

import geoprobe
from geoprobe.errors import BadDataError, UsageError
from geoprobe.report.comparison import Comparison
from geoprobe.report.formats import open_report
from geoprobe.report.scan import Report


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
            # the 95% range by interpolation; of draws that stop early, where it is clear, there may be too few to cut
            draws = len(result.null.distribution)
            assert 0.85 * draws <= inside <= (0.99 * draws if draws >= 40 else draws)


def test_the_same_documents_and_tokens_have_no_obstacle(comparison: Comparison) -> None:
    assert comparison.obstacles == ()
    assert comparison.view().notes == ("All scans are of the same documents, 3,600 tokens each.",)


def test_other_documents_are_an_obstacle_and_named(report: Report) -> None:
    corpus = dataclasses.replace(report.corpora[0], name="other/text", sha256="f" * 64)
    obstacles = geoprobe.compare(report, changed(report, "Other", corpora=(corpus,))).obstacles
    assert len(obstacles) == 1
    assert "Not counted in every scan: made-up (only Tiny); other/text (only Other)" in obstacles[0]


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


def test_models_of_one_name_are_told_apart_by_no_more_than_it_takes(report: Report) -> None:
    def of(model: str, revision: str | None = None, sha256: str = "0" * 64) -> Report:
        source = dataclasses.replace(report.model.source, model=model, revision=revision, sha256=sha256)
        return dataclasses.replace(report, model=dataclasses.replace(report.model, source=source))

    def labels(*scans: Report) -> list[str]:
        return [model.label for model in geoprobe.compare(*scans, changed(report, "Other")).models][:-1]

    assert labels(of("a/x", sha256="1" * 64), of("b/x")) == ["Tiny (a/x)", "Tiny (b/x)"]
    assert labels(of("x", "abc"), of("x", "def", "1" * 64)) == ["Tiny (abc)", "Tiny (def)"]
    assert labels(of("x", sha256="1" * 64), of("x")) == ["Tiny (tensor 11111111)", "Tiny (tensor 00000000)"]
    assert labels(of("x"), of("x")) == ["Tiny", "Tiny, scan 2"]


def test_long_names_of_models_still_tell_them_apart_where_they_are_shown(report: Report) -> None:
    ends = [f"SmolLM2-135M-Instruct-gsm8k-hyplora-rank32-{'x' * 30}-seed{seed}" for seed in range(2)]
    middles = [f"{'a' * 60}{place}{'b' * 60}" for place in range(2)]
    view = geoprobe.compare(*(changed(report, name) for name in (*ends, *middles))).view()
    section = view.sections[0]
    shown_at = {
        "facts": [name for name, _ in view.facts],
        "answers": [answer.of for answer in section.card.answers],
        "figures": section.figures[0].layers[0].names,
        "columns": section.tables[-1].columns,
        "rows": [row[0] for row in section.tables[0].rows],
    }
    for where, names in shown_at.items():
        assert len(set(names)) == len(names) >= 4, where
    assert shown_at["answers"][1].endswith("-seed1")
    assert shown_at["answers"][3].endswith("b [4]")


def test_scans_made_in_other_ways_are_said(report: Report) -> None:
    other = changed(report, "Other")
    options = {**report.options, "frequency": {"replicates": 5, "x": (1,)}}
    assert geoprobe.compare(report, dataclasses.replace(other, options=options)).obstacles == (
        "The scans differ in options of frequency: replicates 1 (Tiny), 5 (Other); x not stated (Tiny), [1] (Other).",
    )
    source = dataclasses.replace(other.model.source, notes=("Quick scan: 488 of 128,256 rows were read.",))
    sampled = dataclasses.replace(other, model=dataclasses.replace(other.model, source=source))
    (obstacle,) = geoprobe.compare(report, sampled).obstacles
    assert "a sample of the rows was read (Other)" in obstacle
    assert geoprobe.compare(sampled, sampled).obstacles == ()


def test_another_quantity_under_the_same_question_is_said(report: Report) -> None:
    def with_norms(**fields: object) -> Report:
        results = dict(report.results) | {"norms": dataclasses.replace(report["norms"], **fields)}
        return changed(report, "Other", results=results)

    norms = report["norms"]
    layer = with_norms(estimate=dataclasses.replace(norms.estimate, label="index of layer 30"))
    (obstacle,) = geoprobe.compare(report, layer).obstacles
    assert obstacle.startswith("The estimate of norms is not the same quantity in every scan: ")
    assert "index of layer 30 (Other)" in obstacle
    (obstacle,) = geoprobe.compare(report, with_norms(null=dataclasses.replace(norms.null, statistic="δ"))).obstacles
    assert obstacle == "The test of norms is not the same quantity in every scan: Spearman's ρ (Tiny), δ (Other)."
    # another number of tokens or prompts to average over is not another quantity
    tree = report["hyperbolicity"]
    fewer = re.sub(r"\d+", "1", tree.null.statistic)
    assert fewer != tree.null.statistic
    null = dataclasses.replace(tree.null, statistic=fewer)
    results = dict(report.results) | {"hyperbolicity": dataclasses.replace(tree, null=null)}
    assert geoprobe.compare(report, changed(report, "Other", results=results)).obstacles == ()


def test_a_forest_plot_without_one_models_estimate_shows_the_others_and_says_so(report: Report) -> None:
    norms = report["norms"]
    empty = dataclasses.replace(norms, estimate=dataclasses.replace(norms.estimate, value=None, interval=None))
    without = changed(report, "Third", results=dict(report.results) | {"norms": empty})
    figures = geoprobe.compare(report, changed(report, "Other"), without).view().sections[1].figures
    assert [figure.name for figure in figures] == ["estimates", "nulls"]
    assert figures[0].layers[0].names == ("Tiny", "Other")
    assert figures[0].caption.endswith("Not drawn, as there is none: Third.")
    assert figures[1].layers[0].names == ("Tiny", "Other", "Third")


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
        names = [figure.name for figure in section.figures]
        # tree-likeness shows the paper's δ as well
        assert names == ["estimates", "nulls", *(["other-0"] if len(names) > 2 else [])]
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


def test_a_csv_has_every_number_by_model_and_no_cell_that_a_spreadsheet_would_run(
    report: Report, tmp_path: Path
) -> None:
    compared = geoprobe.compare(report, changed(report, "=cmd|' /C x'!A0"))
    frame = compared.to_frame()
    assert set(frame.index.get_level_values("question")) == set(report)
    assert len(frame) == 2 * len(report.to_frame())
    written = compared.save(tmp_path / "x.csv").read_text()
    assert ",'=cmd" in written
    assert ",=cmd" not in written


def test_a_reason_is_never_cut_where_two_models_differ_in_its_last_words(report: Report) -> None:
    def with_reason(last: str, name: str) -> Report:
        verdict = dataclasses.replace(report["norms"].verdict, reason="What is said of norms. " * 30 + last)
        results = {**report.results, "norms": dataclasses.replace(report["norms"], verdict=verdict)}
        return dataclasses.replace(changed(report, name), results=results)

    compared = geoprobe.compare(with_reason("Here it ends so.", "A"), with_reason("There otherwise.", "B"))
    (section,) = (section for section in compared.view().sections if section.anchor == "norms")
    (table,) = (table for table in section.tables if table.title == "In words")
    assert [row[1].rpartition(". ")[2] for row in table.rows] == ["Here it ends so.", "There otherwise."]


def test_the_papers_delta_is_drawn_beside_each_models_null(report: Report, comparison: Comparison) -> None:
    (section,) = (section for section in comparison.view().sections if section.anchor == "hyperbolicity")
    (figure,) = (figure for figure in section.figures if figure.title.startswith("Relative δ"))
    null, own = figure.layers
    delta = report["hyperbolicity"].delta  # type: ignore[attr-defined]
    assert own.values == (delta.mean, delta.mean)  # type: ignore[union-attr]
    assert null.values == (delta.null.mean, delta.null.mean)  # type: ignore[union-attr]


def test_obstacles_stand_in_the_terminal_before_the_answers(report: Report, capsys: pytest.CaptureFixture[str]) -> None:
    from geoprobe.report.terminal import show_report

    show_report(geoprobe.compare(report, changed(report, "Other", seed=1)).view(), {})
    said = " ".join(capsys.readouterr().err.split())
    assert 0 < said.index("The scans differ in seed: 0, 1.") < said.index("Do token frequencies follow a power law?")
