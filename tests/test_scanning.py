import json
import os
import subprocess
import sys
from dataclasses import dataclass, replace
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
from builders import make_corpus, make_model, some_analyzers
from threadpoolctl import threadpool_info, threadpool_limits

import geoprobe
from geoprobe import reading
from geoprobe.data import ScanInputs
from geoprobe.diagnostics import base
from geoprobe.diagnostics.norms.analyzer import NormsAnalyzer
from geoprobe.diagnostics.norms.result import NormsResult
from geoprobe.errors import BadDataError, GeoprobeError, NotFoundError, UsageError
from geoprobe.results import Estimate, Result
from geoprobe.scanning import report_folder


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> geoprobe.Report:
    """A scan with the options that a user gets."""
    folder = tmp_path_factory.mktemp("scanned")
    return geoprobe.scan(make_model(folder / "tiny-llama"), make_corpus(folder / "corpus.jsonl"))


def test_a_scan_reports_every_built_in_diagnostic(report: geoprobe.Report) -> None:
    assert list(report.results) == ["frequency", "norms", "hyperbolicity"]
    assert report.model.rows == 127
    assert report.corpora[0].n_documents == 60
    assert report.options["norms"] == {"replicates": 999, "bootstrap": 200}
    assert report.versions["geoprobe"] == geoprobe.__version__
    assert list(report.timings) == ["model", f"count {report.corpora[0].name}", *report.results]


def test_one_seed_gives_the_same_json_and_another_seed_another(model_folder: Path, corpus_file: Path) -> None:
    first, again, other = (
        geoprobe.scan(model_folder, corpus_file, seed=seed, analyzers=some_analyzers()).to_json() for seed in (5, 5, 6)
    )
    assert again == first
    assert other != first


@pytest.mark.parametrize("how", ["replaced", "written"])
def test_a_model_that_changes_while_it_is_scanned_is_refused(tmp_path: Path, corpus_file: Path, how: str) -> None:
    """A report would have the first one's hash and the second one's numbers."""
    folder, other = make_model(tmp_path / "tiny"), make_model(tmp_path / "other")
    weights = folder / "model.safetensors"

    @dataclass(frozen=True)
    class Replacing(NormsAnalyzer):
        def run(self, inputs: ScanInputs, rng: np.random.Generator) -> NormsResult:
            if how == "replaced":
                (other / weights.name).replace(weights)
            else:
                weights.write_bytes(weights.read_bytes()[:-4] + b"\1\2\3\4")
            return super().run(inputs, rng)

    with pytest.raises(BadDataError, match=r"model\.safetensors was changed or replaced while it was read"):
        geoprobe.scan(folder, corpus_file, analyzers=Replacing(replicates=9, bootstrap=9))


def test_a_report_says_where_files_were_and_nothing_of_models_by_name(
    model_folder: Path, corpus_file: Path, demo: Path
) -> None:
    said = geoprobe.scan(model_folder, corpus_file, analyzers="frequency").model.source
    assert (said.model, said.path) == (model_folder.name, str(model_folder))
    assert geoprobe.scan("demo", corpus_file, analyzers="frequency").model.source.path is None


def test_the_number_of_threads_does_not_change_the_json(model_folder: Path, corpus_file: Path) -> None:
    where = f"{str(model_folder)!r}, {str(corpus_file)!r}"
    code = f"import geoprobe, builders; print(geoprobe.scan({where}, analyzers=builders.some_analyzers()).to_json())"
    path = os.pathsep.join(entry for entry in sys.path if entry)  # the tests' builders too
    outputs = set()
    for threads in ("1", "2"):
        variables = ("NUMBA_NUM_THREADS", "OMP_NUM_THREADS", "RAYON_NUM_THREADS")
        environment = os.environ | dict.fromkeys(variables, threads) | {"PYTHONPATH": path}
        done = subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            text=True,
            check=True,
            env=environment,
        )
        outputs.add(done.stdout)
    assert len(outputs) == 1


def test_diagnostics_multiply_matrices_on_one_thread_and_the_caller_as_before(
    model_folder: Path, corpus_file: Path
) -> None:
    """On a busy machine BLAS' threads wait for one another: norms of the demo took five times as long."""

    def threads() -> set[int]:
        return {pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"}

    seen = []

    @dataclass(frozen=True)
    class Looking(NormsAnalyzer):
        def run(self, inputs: ScanInputs, rng: np.random.Generator) -> NormsResult:
            seen.append(threads())
            return super().run(inputs, rng)

    with threadpool_limits(2, "blas"):
        geoprobe.scan(model_folder, corpus_file, analyzers=Looking(replicates=9, bootstrap=9))
        assert threads() == {2}
    assert seen == [{1}]


def test_a_diagnostic_draws_the_same_numbers_whichever_others_run(model_folder: Path, corpus_file: Path) -> None:
    several = some_analyzers()
    one = geoprobe.scan(model_folder, corpus_file, analyzers=several[-1:])
    assert one["hyperbolicity"] == geoprobe.scan(model_folder, corpus_file, analyzers=several)["hyperbolicity"]


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
    assert report["frequency"].to_frame().loc["tokens", "value"] == total
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


def test_a_notebook_sees_a_report_a_table_and_a_plot(report: geoprobe.Report, tmp_path: Path) -> None:
    from matplotlib import pyplot

    pyplot.switch_backend("agg")
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
    assert tree.verdict.label == "not supported"
    assert "The vocabulary is hardly more tree-like than its covariance and norms explain" in tree.verdict.reason
    assert "Prompts are no more tree-like than other tokens of equal frequency" in tree.verdict.reason
    assert norms.estimate.value is not None
    assert norms.estimate.value < -0.2
    gammas = {corpus.name: corpus for corpus in report.corpora}
    assert gammas["gsm8k/test.json"].n_documents == 1319
    frequency = json.loads(report.to_json())["results"]["frequency"]
    assert 1.7 < frequency["fit"]["gamma"] < 2.1


@dataclass(frozen=True)
class DepthAnalyzer:
    """Somebody else's diagnostic, which looks at hidden states."""

    name: ClassVar[str] = "depth"
    result: ClassVar[type[Result]] = NormsAnalyzer.result
    needs: ClassVar[frozenset[str]] = frozenset({"states"})

    layers: tuple[int, ...] = (0,)

    def run(self, inputs: ScanInputs, rng: np.random.Generator) -> Result:
        assert inputs.states is not None
        (states,) = inputs.states.read([inputs.prompts[0].ids[0]], self.layers[:1])
        norms = NormsAnalyzer(replicates=9, bootstrap=9).run(inputs, rng)
        return replace(norms, estimate=Estimate("L", "width of the layer", float(states[0].shape[1])))


class Layers:
    """Hidden states as wide as their layer's number."""

    layers = 3

    def read(self, prompts: list[np.ndarray], layers: tuple[int, ...]) -> tuple[tuple[np.ndarray, ...], ...]:
        return tuple(tuple(np.zeros((len(ids), layer), dtype=np.float32) for ids in prompts) for layer in layers)


@pytest.fixture
def depth(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The plug-in installed, and a record of the models that were opened to be run."""
    opened: list[str] = []
    point = EntryPoint("depth", f"{__name__}:DepthAnalyzer", base.ENTRY_POINT_GROUP)
    monkeypatch.setattr(base, "entry_points", lambda group: [point])
    monkeypatch.setattr(reading, "open_states", lambda model, **_: opened.append(str(model)) or Layers())
    return opened


def test_a_plug_in_gets_the_hidden_states_that_it_needs_and_the_layers_asked_for(
    model_folder: Path, corpus_file: Path, depth: list[str]
) -> None:
    report = geoprobe.scan(model_folder, corpus_file, analyzers=["depth"], layers=[2])
    assert list(report.results) == ["depth"]  # it looks at the layers, so no other diagnostic need
    assert depth == [str(model_folder)]
    assert report.options["depth"] == {"layers": (2,)}
    assert report["depth"].estimate.value == 2
    assert report.command.endswith("--analyzer depth --layer 2 --seed 0")


def test_without_a_diagnostic_that_needs_them_no_states_are_read(
    model_folder: Path, corpus_file: Path, depth: list[str]
) -> None:
    geoprobe.scan(model_folder, corpus_file, analyzers=["frequency"])
    assert depth == []


def test_a_need_that_no_scan_makes_is_said(
    model_folder: Path, corpus_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(DepthAnalyzer, "needs", frozenset({"counts", "gradients"}))
    with pytest.raises(UsageError, match="'depth' needs gradients, which a scan does not make"):
        geoprobe.scan(model_folder, corpus_file, analyzers=DepthAnalyzer())


def test_models_of_one_name_do_not_take_each_others_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert report_folder("owner/name", "a" * 64) == Path("reports/owner--name")
    saved = tmp_path / "reports" / "owner--name" / "scan.json"
    saved.parent.mkdir(parents=True)
    for content, own in (("{", True), ('{"model": {"source": {"notes": [], "sha256": "HASH"}}}', False)):
        saved.write_text(content.replace("HASH", "b" * 64))
        assert report_folder("owner/name", "b" * 64) == Path("reports/owner--name")
        other = "reports/owner--name" if own else "reports/owner--name-aaaaaaaa"
        assert report_folder("owner/name", "a" * 64) == Path(other)


def test_a_report_is_headed_as_asked(model_folder: Path, corpus_file: Path) -> None:
    report = geoprobe.scan(model_folder, corpus_file, analyzers=["frequency"], name="My model")
    assert (report.model.source.name, report.model.source.model) == ("My model", "tiny-llama")
    assert "--name 'My model'" in report.command


def test_a_layer_that_the_model_has_not_is_refused_before_weights_are_loaded_and_texts_counted(
    demo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("open_states", "count_tokens"):
        monkeypatch.setattr(f"geoprobe.reading.{name}", None)
    with pytest.raises(UsageError, match="has no layer 99: it has 30 blocks"):
        geoprobe.scan(demo, layers=[3, 99])
