import copy
import dataclasses
import gzip
import json
from importlib import resources
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest

from geoprobe.comparing import compare
from geoprobe.errors import BadDataError, NotFoundError, UsageError
from geoprobe.report.comparison import COMPARISON_VERSION
from geoprobe.report.formats import FORMATS
from geoprobe.report.scan import SCHEMA_VERSION, Report
from geoprobe.report.schema import json_schema
from geoprobe.results import number


def published_schema() -> dict[str, Any]:
    return read_schema(f"scan-{SCHEMA_VERSION}")


def read_schema(name: str) -> dict[str, Any]:
    return dict(json.loads(resources.files("geoprobe.report").joinpath("schemas", f"{name}.json").read_text("utf-8")))


def test_a_saved_report_is_read_back_equal(report: Report, tmp_path: Path) -> None:
    path = report.save(tmp_path / "scan.json")
    assert Report.load(path) == report
    assert Report.load(str(path)).to_json() == report.to_json()


def test_hostile_text_survives_json_unchanged(hostile_report: Report, tmp_path: Path) -> None:
    path = hostile_report.save(tmp_path / "scan.json")
    assert path.read_bytes().isascii()
    assert Report.load(path) == hostile_report


def test_the_report_fits_the_published_schema(report: Report, hostile_report: Report) -> None:
    jsonschema.Draft202012Validator.check_schema(published_schema())
    for each in (report, hostile_report):
        jsonschema.validate(json.loads(each.to_json()), published_schema())


def test_the_published_schemas_are_those_of_the_types() -> None:
    assert published_schema() == json.loads(json.dumps(json_schema("scan")))
    assert read_schema(f"comparison-{COMPARISON_VERSION}") == json.loads(json.dumps(json_schema("comparison")))


def test_a_comparison_fits_its_published_schema(report: Report) -> None:
    jsonschema.validate(json.loads(compare(report, report).to_json()), read_schema(f"comparison-{COMPARISON_VERSION}"))


def test_a_report_of_an_older_version_is_refused_by_naming_what_reads_it() -> None:
    data = json.loads(gzip.decompress((Path(__file__).parent / "kept" / "scan-1.json.gz").read_bytes()))
    with pytest.raises(BadDataError, match=r"schema version 1; .*\n.* wrote it, 0.1.0, reads it"):
        Report.from_dict(data)


def test_the_schema_refuses_what_is_no_report(report: Report) -> None:
    data = json.loads(report.to_json())
    del data["results"]["frequency"]["verdict"]
    with pytest.raises(jsonschema.ValidationError, match="'verdict' is a required property"):
        jsonschema.validate(data, published_schema())


def test_results_are_found_by_name(report: Report) -> None:
    assert report["norms"].name == "norms"
    with pytest.raises(NotFoundError, match=r"no result 'curvature'.\nIt has: frequency, norms, hyperbolicity"):
        report["curvature"]


def broken(report: Report, *path: str | int, value: object) -> dict[str, Any]:
    data: Any = copy.deepcopy(json.loads(report.to_json()))
    place = data
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    return dict(data)


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (("schema_version",), 99, "schema version 99; this geoprobe reads 2"),
        (("schema_version",), "1", "no schema_version"),
        (("seed",), "zero", r"Expected `int`, got `str` - at `\$.seed`"),
        (("model", "rows"), None, r"\$.model.rows"),
        (("results", "norms"), [], r"\$.results"),
        (("results", "norms", "estimate", "value"), "big", r"result 'norms'.*\$.estimate.value"),
        (("results", "frequency", "verdict", "label"), "proven", r"\$.verdict.label"),
        (("results", "hyperbolicity", "prompts", 0, "delta"), [], r"\$.prompts\[0\].delta"),
    ],
)
def test_a_report_that_was_tampered_with_names_the_place(
    report: Report, path: tuple[str | int, ...], value: object, message: str
) -> None:
    with pytest.raises(BadDataError, match=message):
        Report.from_dict(broken(report, *path, value=value))


@pytest.mark.parametrize("content", ["", "{", "[]", "null", '"x"', "[" * 100_000, '{"a": 1}'])
def test_a_file_that_is_no_report_is_bad_data(tmp_path: Path, content: str) -> None:
    path = tmp_path / "scan.json"
    path.write_text(content)
    with pytest.raises(BadDataError):
        Report.load(path)


def test_a_result_of_a_diagnostic_that_is_not_installed_is_named(report: Report) -> None:
    data = json.loads(report.to_json())
    data["results"]["isotropy"] = data["results"]["norms"]
    with pytest.raises(NotFoundError, match="no diagnostic 'isotropy'"):
        Report.from_dict(data)


def test_a_missing_file_is_not_found(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="There is no report at"):
        Report.load(tmp_path / "scan.json")


def test_the_suffix_chooses_the_format(report: Report, tmp_path: Path) -> None:
    assert report.save(tmp_path / "x.html").read_text("utf-8").startswith("<!doctype html>")
    assert report.save(tmp_path / "x.PDF").read_bytes().startswith(b"%PDF-")
    with pytest.raises(UsageError, match="no report format 'docx'"):
        report.save(tmp_path / "x.docx")


def test_all_formats_are_written_under_their_names(report: Report, tmp_path: Path) -> None:
    paths = report.write(tmp_path / "out", FORMATS)
    names = {"json": "scan.json", "html": "report.html", "pdf": "report.pdf", "md": "report.md", "csv": "report.csv"}
    names |= {"card": "card.md"}
    assert {kind: path.name for kind, path in paths.items()} == names
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == sorted(names.values())


def test_an_unknown_format_writes_nothing(report: Report, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no report format 'odt'"):
        report.write(tmp_path / "out", ["json", "odt"])
    assert not (tmp_path / "out").exists()


def test_timings_are_neither_saved_nor_compared(report: Report) -> None:
    import dataclasses

    timed = dataclasses.replace(report, timings={"model": 1.0})
    assert timed == report
    assert timed.to_json() == report.to_json()


def test_every_quantity_of_a_result_has_a_name_of_its_own(report: Report) -> None:
    for result in report.results.values():
        assert result.to_frame().index.is_unique, result.name


def test_a_report_kept_before_a_scatter_had_exact_values_still_opens(report: Report) -> None:
    data = json.loads(report.to_json())
    del data["results"]["norms"]["points"]["x_exact"]
    opened = Report.from_dict(data)
    assert opened["norms"].scatter().x_exact == ""
    assert opened.render("html") != report.render("html")


@pytest.mark.parametrize(("observed", "place"), [(-0.5, 0), (0.0, 1), (0.5, 2)])
def test_a_strip_says_its_axis_its_numbers_and_what_its_side_means(report: Report, observed: float, place: int) -> None:
    drawn = tuple(float(value) for value in np.linspace(-0.1, 0.1, 99))
    null = dataclasses.replace(report["norms"].null, observed=observed, distribution=drawn)
    results = {"norms": dataclasses.replace(report["norms"], null=null)}
    view = dataclasses.replace(report, results=results).view()
    strip = view.sections[0].card.strip
    assert strip is not None
    assert (strip.axis, strip.side) == ("Spearman's ρ", report["norms"].sides[place])
    assert (strip.here, strip.chance) == (number(observed), "−0.096 to 0.096")
    assert (strip.observed < strip.low, strip.observed > strip.high) == (place == 0, place == 2)


def test_a_card_says_in_a_dozen_lines_what_was_asked_and_answered_and_how_it_is_made_again(
    report: Report, tmp_path: Path
) -> None:
    report = dataclasses.replace(report, command="geoprobe scan demo --seed 3")
    lines = report.save(tmp_path / "card.md").read_text("utf-8").splitlines()
    assert len(lines) < 16
    for result in report.results.values():
        assert f"| {result.question} | {result.verdict.label} |" in lines
    assert lines[2] == " ".join(report.conclusion.sentences)
    assert lines[-1] == "    geoprobe scan demo --seed 3"


def test_a_strip_says_where_the_difference_is_less_than_counts(report: Report) -> None:
    drawn = tuple(float(value) for value in np.linspace(0.426, 0.428, 99))
    sides = {}
    for observed in (0.418, 0.41):
        null = dataclasses.replace(report["hyperbolicity"].null, observed=observed, distribution=drawn)
        results = {"hyperbolicity": dataclasses.replace(report["hyperbolicity"], null=null)}
        strip = dataclasses.replace(report, results=results).view().sections[0].card.strip
        assert strip is not None
        sides[observed] = strip.side
    assert sides == {
        0.418: "more tree-like than chance gives, by less than the 0.01 that counts",
        0.41: "more tree-like than chance gives",
    }
