import copy
import dataclasses
import json
import os
import re
from importlib import resources
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from builders import missing
from experiment_builders import HOSTILE, leaky, make_experiment

import geoprobe
from geoprobe.errors import BadDataError, NotFoundError, UsageError
from geoprobe.figure import Figure, Line
from geoprobe.report.formats import open_report
from geoprobe.report.schema import json_schema
from geoprobe.training.report.result import FINETUNE_VERSION, ComparisonResult
from geoprobe.training.report.words import borne_out


@pytest.fixture(scope="module")
def result() -> ComparisonResult:
    return make_experiment()


@pytest.fixture(scope="module")
def three() -> ComparisonResult:
    return make_experiment(methods=("lora", "dora", "hyplora"), gain=0.25, failed=(("hyplora", 1),), leaks=leaky())


@pytest.fixture(scope="module")
def hostile() -> ComparisonResult:
    return make_experiment(hostile=True, failed=(("lora", 1),))


def schema() -> dict[str, Any]:
    path = resources.files("geoprobe.report").joinpath("schemas", f"finetune-{FINETUNE_VERSION}.json")
    return dict(json.loads(path.read_text("utf-8")))


def words(each: ComparisonResult) -> str:
    return each.render("md").decode()


def test_a_saved_result_is_read_back_equal(result: ComparisonResult, tmp_path: Path) -> None:
    path = result.save(tmp_path / "finetune.json")
    assert ComparisonResult.load(path) == result
    assert open_report(path) == result


def test_hostile_text_survives_json_unchanged(hostile: ComparisonResult, tmp_path: Path) -> None:
    path = hostile.save(tmp_path / "finetune.json")
    assert path.read_bytes().isascii()
    assert ComparisonResult.load(path) == hostile


def test_results_fit_the_published_schema_which_is_that_of_the_types(
    result: ComparisonResult, three: ComparisonResult, hostile: ComparisonResult
) -> None:
    assert schema() == json.loads(json.dumps(json_schema("finetune")))
    for each in (result, three, hostile, make_experiment(seeds=(0,)), make_experiment(seeds=())):
        jsonschema.validate(json.loads(each.to_json()), schema())


def test_the_schema_refuses_what_is_no_result(result: ComparisonResult) -> None:
    for change in ({"kind": "scan"}, {"schema_version": 99}, {"comparisons": [{"method": "hyplora"}]}):
        broken = json.loads(result.to_json()) | change
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(broken, schema())


def test_another_version_is_refused_by_naming_what_reads_it(result: ComparisonResult) -> None:
    data = copy.deepcopy(result.to_dict()) | {"schema_version": 99}
    with pytest.raises(BadDataError, match=r"schema version 99; .*\n.* wrote it, 0.3.0, reads it"):
        ComparisonResult.from_dict(data)


def test_the_command_line_draws_a_saved_result_again(result: ComparisonResult, tmp_path: Path, run_cli) -> None:
    path = result.save(tmp_path / "finetune.json")
    code, out, err = run_cli("report", path, "--format", "html,md", "--out", tmp_path / "drawn")
    assert (code, out) == (0, "")
    assert "no detectable difference" in err
    assert (tmp_path / "drawn" / "report.html").read_bytes() == result.render("html")
    assert (tmp_path / "drawn" / "report.md").read_bytes() == result.render("md")


def test_no_difference_is_said_with_its_bound_and_the_effect_of_80_percent_power(result: ComparisonResult) -> None:
    card = result.view().sections[0].card
    assert card.verdict == "no detectable difference"
    overall = result["hyplora"].overall
    assert overall is not None
    assert overall.difference.detectable is not None
    assert overall.difference.equivalent is not None
    assert f"differ by less than {100 * overall.difference.equivalent:.1f} points (95% confidence)" in card.reason
    assert f"A true difference of {100 * overall.difference.detectable:.1f} points" in card.reason
    power = dict(card.lines)["80% power"]
    assert f"estimated; {100 * (overall.difference.detectable_low or 0):.1f} to" in power


def test_what_one_seed_and_no_right_answer_can_show_is_said() -> None:
    one = make_experiment(seeds=(0,), accuracy=0.0)
    text = words(one)
    assert "With one seed no difference, however large, can be told from luck" in text
    assert "No run answers any question of AddSub, MAWPS, SVAMP right" in text
    assert "interval" not in one.view().sections[0].card.lines[0][1].replace("no interval", "")


def test_an_experiment_in_which_nothing_finished_is_still_a_report() -> None:
    nothing = make_experiment(failed=[(m, s) for m in ("lora", "hyplora") for s in (0, 1, 2)])
    assert nothing["hyplora"].label == "no verdict"
    for kind in ("html", "pdf", "md"):
        assert nothing.render(kind)
    assert words(nothing).count("A run failed and is left out") == 6


def test_three_methods_are_answered_one_by_one(three: ComparisonResult) -> None:
    card = three.view().sections[0].card
    assert card.verdict == ""
    assert [(answer.of, answer.verdict) for answer in card.answers] == [("DoRA", "helps"), ("HypLoRA", "helps")]
    assert "HypLoRA, seed 1" in words(three)
    assert three["hyplora"].seeds == (0, 2)


def test_an_interval_without_zero_that_holms_correction_undoes_is_explained(three: ComparisonResult) -> None:
    each = three["dora"]
    assert each.overall is not None
    undone = dataclasses.replace(each.overall, label="no detectable difference", corrected=0.07)
    changed = dataclasses.replace(each, label="no detectable difference", overall=undone)
    reason = dataclasses.replace(three, comparisons=(changed, three["hyplora"])).view().sections[0].card.reason
    assert "once it counts that several methods were tried (p = 0.070)" in reason


def test_leaks_go_with_the_verdict(three: ComparisonResult) -> None:
    view = three.view()
    assert "But 2 of the 300 questions asked are among the training data" in view.sections[0].card.reason
    assert "Yes: 2 of 300, and 2 of them were asked" in view.sections[-1].card.reason
    assert "addsub/9" in words(three)


def test_leaks_that_were_left_out_of_the_test_do_not(three: ComparisonResult) -> None:
    kept = tuple(f"addsub/{at}" for at in range(120) if at not in (3, 9))
    tasks = (dataclasses.replace(three.tasks[0], asked=kept), *three.tasks[1:])
    view = dataclasses.replace(three, tasks=tasks).view()
    assert "training data" not in view.sections[0].card.reason
    assert "Yes: 2 of 300, and they were left out" in view.sections[-1].card.reason


@pytest.mark.parametrize(
    ("gain", "agrees"), [(0.0, "This settles nothing"), (0.3, "This settles little"), (-0.2, "This settles little")]
)
def test_the_scans_answer_stands_beside_the_experiments(report: "geoprobe.Report", gain: float, agrees: str) -> None:
    made = make_experiment(scan=report, gain=gain)
    assert [each.name for each in made.diagnosis] == list(report.results)
    section = next(section for section in made.view().sections if section.anchor == "scan")
    assert [answer.verdict for answer in section.card.answers][:3] == [r.verdict.label for r in report.results.values()]
    assert report["hyperbolicity"].verdict.label not in ("supported", "weak")
    assert agrees in section.card.reason


@pytest.mark.parametrize(
    ("said", "gain", "agrees"),
    [
        ("supported", 0.3, "They agree"),
        ("supported", -0.2, "They do not agree"),
        ("contradicted", 0.3, "They do not agree"),
        ("contradicted", -0.2, "They agree"),
        ("weak", 0.3, "This settles little"),
        ("not supported", 0.3, "This settles little"),
        ("not supported", -0.2, "This settles little"),
    ],
)
def test_only_an_answer_agrees_or_disagrees_with_the_experiments(
    report: "geoprobe.Report", said: Any, gain: float, agrees: str
) -> None:
    made = make_experiment(scan=report, gain=gain)
    answers = tuple(
        dataclasses.replace(each, verdict=said) if each.name == "hyperbolicity" else each for each in made.diagnosis
    )
    assert borne_out(dataclasses.replace(made, diagnosis=answers)).startswith(agrees)


def test_where_scan_or_experiment_could_say_nothing_they_neither_agree_nor_disagree(report: "geoprobe.Report") -> None:
    one = make_experiment(scan=report, seeds=(0,))
    assert "the experiment could have seen no difference" in borne_out(one)
    three = make_experiment(scan=report)
    unsure = tuple(
        dataclasses.replace(each, verdict="inconclusive") if each.name == "hyperbolicity" else each
        for each in three.diagnosis
    )
    assert "the scan came to no answer" in borne_out(dataclasses.replace(three, diagnosis=unsure))


@pytest.mark.parametrize(
    ("purpose", "diverged", "said"),
    [
        ("final", False, "left out, with its partner"),
        ("sweep", True, "that rate is not taken"),
        ("sweep", False, "no method may take that rate"),
    ],
)
def test_a_run_that_failed_is_told_with_what_follows(
    result: ComparisonResult, purpose: Any, diverged: bool, said: str
) -> None:
    failed = dataclasses.replace(result.runs[0], purpose=purpose, status="failed", error="gone", diverged=diverged)
    (warning,) = dataclasses.replace(result, runs=(failed, *result.runs[1:])).view().warnings
    assert said in warning
    assert "(gone)" in warning


def test_hostile_names_are_shown_and_mark_nothing_up(hostile: ComparisonResult) -> None:
    page = hostile.render("html").decode()
    assert "<script" not in page
    assert "\u202e" not in page
    assert "\x00" not in page
    assert "&lt;script&gt;alert(1)" in page
    text = words(hostile)
    assert HOSTILE not in text
    assert re.search(r"(?<!\\)<script", text) is None
    assert re.search(r"(?<!\\)\]\(javascript", text) is None
    assert hostile.render("pdf").startswith(b"%PDF")


def test_every_figure_can_be_drawn_by_name(result: ComparisonResult) -> None:
    from matplotlib import pyplot

    names = [figure.name for section in result.view().sections for figure in section.figures]
    assert names == ["differences", "accuracies", "losses", "rates", "deltas", "curvature-hyplora"]
    for name in names:
        assert result.plot(name).get_title()
    assert result.plot().get_title() == "Difference in accuracy"
    pyplot.close("all")
    with pytest.raises(UsageError, match=r"no figure 'loss'.*\n.*differences, accuracies"):
        result.plot("loss")


def test_the_rates_that_were_tried_are_the_ticks_of_their_figure(result: ComparisonResult) -> None:
    from matplotlib import pyplot

    axes = result.plot("rates")
    tried = {run.learning_rate for run in result.runs if run.purpose == "sweep"}
    assert list(axes.get_xticks()) == sorted(tried)
    axes.figure.canvas.draw()
    assert [text.get_text() for text in axes.get_xticklabels()] == ["10⁻⁴", "3×10⁻⁴", "10⁻³"]
    pyplot.close("all")


def test_learned_curvatures_are_a_figure_by_layer_and_a_table_by_kind_of_module(result: ComparisonResult) -> None:
    tables = {table.title: table for section in result.view().sections for table in section.tables}
    figures = (figure for section in result.view().sections for figure in section.figures)
    figure = next(each for each in figures if isinstance(each, Figure) and each.title == "K by layer, HypLoRA")
    start = next(layer for layer in figure.layers if layer.label == "median at the start")
    assert isinstance(start, Line)
    assert (start.x[:2], start.y[:2]) == ((0.0, 1.0), (1.0, 1.0))
    assert [row[1] for row in tables["Learned curvature by kind of module"].rows] == ["q_proj", "v_proj"]


def test_the_cost_is_the_median_ratio_of_speeds_with_its_range_over_seeds(result: ComparisonResult) -> None:
    seconds = {"lora": (100.0, 100.0, 100.0), "hyplora": (100.0, 125.0, 80.0)}
    runs = tuple(dataclasses.replace(run, seconds=seconds[run.method][run.seed]) for run in result.runs)
    (card,) = (
        section.card for section in dataclasses.replace(result, runs=runs).view().sections if section.anchor == "cost"
    )
    assert (
        "HypLoRA trains 1.00 times as many tokens a second as LoRA (0.80 to 1.25 by seed), by whole runs" in card.reason
    )
    assert "It trains 60 more parameters" in card.reason


def test_the_frame_has_a_row_for_every_run_and_set(result: ComparisonResult) -> None:
    frame = result.to_frame()
    assert len(frame) == 6 * 3
    means = frame.groupby(["method", "set"])["right"].sum() / frame.groupby(["method", "set"])["questions"].sum()
    for one in result["hyplora"].tasks:
        assert means["hyplora", one.task] == pytest.approx(one.method_accuracy)
        assert means["lora", one.task] == pytest.approx(one.reference_accuracy)


def test_the_same_result_gives_the_same_bytes(result: ComparisonResult) -> None:
    for kind in ("json", "html", "pdf", "md"):
        assert make_experiment().render(kind) == result.render(kind)


def test_a_method_that_was_not_compared_is_refused_by_naming_those_that_were(result: ComparisonResult) -> None:
    with pytest.raises(NotFoundError, match=r"'dora'.*\n.*hyplora"):
        result["dora"]


def test_the_report_is_small_and_its_first_screen_is_in_plain_words(result: ComparisonResult) -> None:
    page = result.render("html")
    assert len(page) < 300_000
    head = words(result).partition("## Accuracy")[0]
    assert "Does HypLoRA answer more test questions right than LoRA?" in head
    for term in ("McNemar", "Holm", "bootstrap", "softplus"):
        assert term not in head


@pytest.mark.parametrize("width", [1280, 400])
@pytest.mark.parametrize("dark", [False, True])
def test_the_page_fits_its_width_and_asks_nothing(
    three: ComparisonResult, chromium: str, tmp_path: Path, width: int, dark: bool
) -> None:
    from browser import Browser

    path = three.save(tmp_path / "report.html")
    with Browser(chromium) as browser:
        browser.look(width, dark=dark)
        browser.open(path)
        assert not browser.evaluate("document.documentElement.scrollWidth > innerWidth")
        assert browser.logged() == []
        assert browser.requests() == [path.resolve().as_uri()]


@pytest.mark.parametrize("dark", [False, True])
def test_axe_finds_no_serious_fault(three: ComparisonResult, chromium: str, tmp_path: Path, dark: bool) -> None:
    from browser import Browser

    axe = Path(os.environ.get("GEOPROBE_AXE", "node_modules/axe-core/axe.min.js"))
    if not axe.is_file():
        missing("axe", f"no axe-core at {axe}: npm install axe-core, and set GEOPROBE_AXE to its axe.min.js")
    with Browser(chromium) as browser:
        browser.look(1280, 20_000, dark=dark)  # laid out as a whole
        browser.open(three.save(tmp_path / "report.html"))
        browser.evaluate(axe.read_text(encoding="utf-8") + "; true")
        serious = "v.filter((each) => ['serious', 'critical'].includes(each.impact)).map((each) => each.id)"
        assert browser.evaluate(f"axe.run().then(({{violations: v}}) => {serious})") == []


def test_the_pdf_is_tagged_and_of_few_pages(result: ComparisonResult, tmp_path: Path) -> None:
    import shutil
    import subprocess

    if shutil.which("pdfinfo") is None:
        missing("poppler", "no pdfinfo on PATH")
    path = result.save(tmp_path / "report.pdf")
    said = subprocess.run(["pdfinfo", path], capture_output=True, text=True, check=True).stdout
    assert re.search(r"Tagged:\s+yes", said)
    assert 3 <= int(re.search(r"Pages:\s+(\d+)", said)[1]) <= 8  # type: ignore[index]


def test_a_loss_compared_before_each_examples_was_kept_says_so(result: ComparisonResult) -> None:
    loss = result["hyplora"].loss
    assert loss is not None
    assert f"({loss.seeds} seeds, {loss.questions} examples)" in words(result)
    data = result.to_dict()
    for run in data["runs"]:
        del run["held_out_losses"]
    for name in ("choosing", "held_out_tokens"):
        del data["training"][name]
    (compared,) = data["comparisons"]
    compared["loss"]["questions"], compared["loss_label"] = 0, "hurts"
    for name in ("detectable_low", "detectable_high", "equivalent"):
        del compared["loss"][name]
    card = next(s.card for s in ComparisonResult.from_dict(data).view().sections if s.anchor == "loss")
    assert "It was called higher by seeds alone" in card.reason
    assert "did not keep each example's loss" in card.reason


def loss_card(each: ComparisonResult) -> str:
    return next(section.card.reason for section in each.view().sections if section.anchor == "loss")


@pytest.mark.parametrize(
    ("gain", "other", "label", "said"),
    [
        (
            0.3,
            0.3,
            "helps",
            "The verdict is the same with alpha matched by the norm over all layers (390 in place of 640)",
        ),
        (0.3, 0.0, "depends on alpha", "higher, which luck explains: it depends on alpha."),
        (0.0, -0.3, "depends on alpha", "higher, more than luck gives: it depends on alpha."),
        (0.3, None, "helps", "Whether that depends on alpha was not checked."),
    ],
)
def test_what_the_verdict_on_loss_owes_to_alpha_is_said_and_shown(
    gain: float, other: float | None, label: str, said: str
) -> None:
    each = make_experiment(gain=gain, at_other_alpha=other)
    assert each["hyplora"].loss_label == label
    assert said in loss_card(each)
    rows = [table.rows for section in each.view().sections for table in section.tables if "matchings" in table.title]
    assert [[row[1] for row in of] for of in rows] == [["median layer", "all layers' norm"]] * (other is not None)
    accuracy = next(section.card for section in each.view().sections if section.anchor == "accuracy")
    caveat = "questions were asked at one matching alone" in accuracy.reason
    assert caveat == (accuracy.verdict == "helps" and label == "depends on alpha")


def test_one_seed_is_told_at_both_alphas_and_settles_nothing() -> None:
    each = make_experiment(seeds=(0,), at_other_alpha=-0.3)
    assert each["hyplora"].loss_label == "no detectable difference"
    assert "One seed cannot tell that from luck with alpha matched by the norm over all layers" in loss_card(each)


def test_a_result_saved_before_alpha_was_checked_opens_and_says_so() -> None:
    data = make_experiment(gain=0.3).to_dict()
    for part in data["comparisons"]:
        del part["alpha_check"]
    for run in data["runs"]:
        del run["other_alpha"]
    assert "Whether that depends on alpha was not checked." in loss_card(ComparisonResult.from_dict(data))


def test_a_run_at_another_alpha_that_failed_is_told() -> None:
    each = make_experiment(at_other_alpha=0.0)
    lost = tuple(
        dataclasses.replace(run, status="failed", error="killed") if (run.purpose, run.seed) == ("alpha", 1) else run
        for run in each.runs
    )
    said = words(dataclasses.replace(each, runs=lost))
    assert "A run at another alpha failed, so whether the verdict depends on it is not known" in said


def test_a_best_rate_at_the_end_of_those_tried_is_said_with_the_verdict(result: ComparisonResult) -> None:
    cards = {section.anchor: section.card for section in result.view().sections}
    assert "may be better" not in cards["accuracy"].reason + cards["loss"].reason
    highest = tuple(
        dataclasses.replace(run, learning_rate=1e-3) if (run.method, run.purpose) == ("hyplora", "final") else run
        for run in result.runs
    )
    cards = {s.anchor: s.card for s in dataclasses.replace(result, runs=highest).view().sections}
    for anchor in ("accuracy", "loss"):
        assert cards[anchor].reason.endswith(
            "HypLoRA's rate is the highest of those tried, so a higher one may be better for it."
        )


def test_what_is_printed_of_a_result_fits_a_screen(result: ComparisonResult) -> None:
    lines = repr(result).splitlines()
    assert lines[0] == f"Experiment on {result.model.name}: lora, hyplora, {len(result.final())} final runs"
    (one,) = result.comparisons
    assert lines[1:] == [f"  hyplora against lora: accuracy {one.label}, loss {one.loss_label}"]
