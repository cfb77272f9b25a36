import json
import subprocess
import sys
from pathlib import Path

import pytest

import geoprobe
from geoprobe.diagnostics.norms.analyzer import NormsAnalyzer
from geoprobe.errors import BadDataError, GeoprobeError, NotFoundError, UsageError


def test_a_scan_reports_every_built_in_diagnostic(model_folder: Path, corpus_file: Path) -> None:
    report = geoprobe.scan(model_folder, corpus_file)
    assert list(report.results) == ["frequency", "norms", "hyperbolicity"]
    assert report.model.rows == 127
    assert report.corpora[0].n_documents == 60
    assert report.options["norms"] == {"replicates": 999, "bootstrap": 200}
    assert report.versions["geoprobe"] == geoprobe.__version__
    assert list(report.timings) == ["model", f"count {report.corpora[0].name}", *report.results]


def test_one_seed_gives_the_same_json_and_another_seed_another(model_folder: Path, corpus_file: Path) -> None:
    first = geoprobe.scan(model_folder, corpus_file, seed=5).to_json()
    assert geoprobe.scan(model_folder, corpus_file, seed=5).to_json() == first
    assert geoprobe.scan(model_folder, corpus_file, seed=6).to_json() != first


def test_the_number_of_threads_does_not_change_the_json(model_folder: Path, corpus_file: Path) -> None:
    code = f"import geoprobe; print(geoprobe.scan({str(model_folder)!r}, {str(corpus_file)!r}).to_json())"
    outputs = set()
    for threads in ("1", "2"):
        environment = {"NUMBA_NUM_THREADS": threads, "OMP_NUM_THREADS": threads, "RAYON_NUM_THREADS": threads}
        import os

        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=os.environ | environment
        )
        outputs.add(done.stdout)
    assert len(outputs) == 1


def test_a_diagnostic_draws_the_same_numbers_whichever_others_run(model_folder: Path, corpus_file: Path) -> None:
    alone = geoprobe.scan(model_folder, corpus_file, analyzers=["hyperbolicity"])
    assert alone["hyperbolicity"] == geoprobe.scan(model_folder, corpus_file)["hyperbolicity"]


def test_one_diagnostic_needs_no_list(model_folder: Path, corpus_file: Path) -> None:
    report = geoprobe.scan(model_folder, corpus_file, analyzers="frequency")
    assert list(report.results) == ["frequency"]
    assert "--analyzer frequency" in report.command


def test_a_diagnostic_can_be_given_its_own_options(model_folder: Path, corpus_file: Path) -> None:
    report = geoprobe.scan(model_folder, [corpus_file], analyzers=[NormsAnalyzer(replicates=19)])
    assert len(report["norms"].null.distribution) == 19
    assert report.options == {"norms": {"replicates": 19, "bootstrap": 200}}


def test_the_command_that_makes_the_report_again_is_kept(model_folder: Path, corpus_file: Path) -> None:
    corpus = f"{corpus_file.parent.name}/{corpus_file.name}"
    report = geoprobe.scan(model_folder, corpus_file, seed=3, field="text", analyzers=["norms"])
    expected = f"geoprobe scan {model_folder.name} --corpus {corpus} --analyzer norms --field text --seed 3"
    assert report.command == expected
    assert geoprobe.Report.from_dict(report.to_dict()).command == expected
    assert geoprobe.scan(model_folder, corpus_file, analyzers=[NormsAnalyzer(replicates=19)]).command == ""


def test_several_corpora_are_counted_apart_and_together(model_folder: Path, corpus_file: Path) -> None:
    report = geoprobe.scan(model_folder, [corpus_file, "python-docs"], analyzers=["frequency"])
    assert len(report.corpora) == 2
    total = sum(corpus.n_tokens for corpus in report.corpora)
    assert report["frequency"].to_frame().loc["tokens counted", "value"] == total
    assert report.corpora[1].note.startswith("The reference manual")


@pytest.mark.parametrize(
    ("options", "kind", "message"),
    [
        ({"seed": -1}, UsageError, "The seed is -1"),
        ({"corpora": []}, UsageError, "No corpus was given"),
        ({"corpora": "nowhere.txt"}, NotFoundError, "There is no corpus 'nowhere.txt'"),
        ({"analyzers": ["charm"]}, NotFoundError, "no diagnostic 'charm'"),
        ({"analyzers": [3]}, UsageError, "3 is no diagnostic"),
        ({"tensor": "nope"}, NotFoundError, "no matrix named 'nope'"),
        ({"field": "nope"}, BadDataError, "no field 'nope'"),
    ],
)
def test_bad_options_are_said(
    model_folder: Path, corpus_file: Path, options: dict[str, object], kind: type[GeoprobeError], message: str
) -> None:
    with pytest.raises(kind, match=message):
        geoprobe.scan(model_folder, **({"corpora": corpus_file} | options))  # type: ignore[arg-type]


def test_a_notebook_sees_a_report_a_table_and_a_plot(
    model_folder: Path, corpus_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from matplotlib import pyplot

    pyplot.switch_backend("agg")
    report = geoprobe.scan(model_folder, corpus_file)
    assert "<iframe" in report._repr_html_()
    frame = report["hyperbolicity"].to_frame()
    assert frame.loc["prompts", "value"] == 60
    assert report["hyperbolicity"].plot().get_xlabel().startswith("relative δ")
    assert report["norms"].plot("classes").get_title() == "Norm by frequency"
    pyplot.close("all")
    report.save(tmp_path / "x.json")
    again = geoprobe.Report.load(tmp_path / "x.json")
    assert again.render("html") == report.render("html")
    assert again.render("pdf") == report.render("pdf")


def test_the_demo_on_real_text(demo: Path, shared_datasets: Path) -> None:
    """Figures measured apart, on SmolLM2: group means 2.80, 2.71, 2.38, 2.41, and a negative rank correlation."""
    files = [str(shared_datasets / name / "test.json") for name in ("gsm8k", "mawps", "SVAMP", "AQuA")]
    report = geoprobe.scan("demo", files)
    norms = report["norms"]
    groups = [row[1] for row in next(table for table in norms.tables() if table.name == "groups").rows]
    assert groups == pytest.approx([2.80, 2.705, 2.38, 2.41], abs=0.006)
    assert norms.verdict.label == "weak"
    tree = report["hyperbolicity"]
    assert tree.verdict.label == "weak"
    assert "but not than other tokens of equal frequency" in tree.verdict.reason
    assert "Random tokens are explained by covariance and norms" in tree.verdict.reason
    assert norms.estimate.value is not None
    assert norms.estimate.value < -0.2
    gammas = {corpus.name: corpus for corpus in report.corpora}
    assert gammas["gsm8k/test.json"].n_documents == 1319
    frequency = json.loads(report.to_json())["results"]["frequency"]
    assert 1.7 < frequency["fit"]["gamma"] < 2.1
