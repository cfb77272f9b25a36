"""An experiment's folder: what is finished, and whether it is the same experiment."""

import json
import os
from dataclasses import replace
from pathlib import Path

import pytest

from geoprobe.errors import BadDataError, UsageError
from geoprobe.training.records import BaseFacts, LayerCurvature, Prediction, Run, RunFacts
from geoprobe.training.running.matched_alpha import MatchedAlpha
from geoprobe.training.setup import Setup
from geoprobe.training.store import Store, predictions_to_jsonl, read_predictions

KEPT = Path(__file__).resolve().parents[2] / "reports"
SETUP = Setup("demo", "gsm8k", ("mawps",))
MODEL = {"weights": "ab12", "precision": "float32", "device": "cpu"}
VERSIONS = {"torch": "2.13.0", "peft": "0.21.2"}
RUN = Run("lora", 0, 3e-4, "final", 5)
ANSWERS = {"mawps": (Prediction("mawps/0", "7", "7", True, rule="last number"),)}
FACTS = RunFacts("lora", 0, 3e-4, "final", "finished", rights={"mawps": "1"}, unread={"mawps": 0})
FACTS = replace(FACTS, read_by={"mawps": {"last number": 1}})
PREDICTIONS = (
    Prediction("addsub/0", "3 + 4\u2028= 7\n#### 7", "7", True, rule="hashes"),
    Prediction("addsub/1", 'nul\x00, "quotes" and \ud800', None, False, True),
)


def test_the_same_experiment_goes_on_only_when_asked(tmp_path: Path) -> None:
    store = Store(tmp_path / "out")
    store.check(SETUP, {"gsm8k": "1"}, resume=False)
    assert not store.out.exists()
    assert store.begin(SETUP, {"gsm8k": "1"}, MODEL, VERSIONS) == ()
    with pytest.raises(UsageError, match="holds an experiment already"):
        store.check(SETUP, {"gsm8k": "1"}, resume=False)
    store.check(SETUP, {"gsm8k": "1"}, resume=True)


def test_a_changed_choice_is_refused_by_name_with_both_values(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.begin(SETUP, {}, MODEL, VERSIONS)
    with pytest.raises(UsageError, match=r"batch \(was 16, is 8\), rank \(was 32, is 4\)"):
        store.check(replace(SETUP, rank=4, batch=8), {}, resume=True)


def test_an_experiment_that_chose_its_rates_otherwise_is_not_gone_on_with(tmp_path: Path) -> None:
    """A folder as 0.2.0 left it: its choices and hashes alone, without the protocol that it followed."""
    store = Store(tmp_path)
    (tmp_path / "setup.json").write_text(json.dumps({"setup": SETUP.to_dict(), "inputs": {}}))
    with pytest.raises(UsageError, match=r"chose rates and matched alpha otherwise.*\n.*begin anew in another folder"):
        store.check(SETUP, {}, resume=True)


def test_changed_data_are_refused_by_name(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.begin(SETUP, {"gsm8k/train.jsonl": "1", "mawps": "2"}, MODEL, VERSIONS)
    with pytest.raises(UsageError, match=r"have changed since: gsm8k/train\.jsonl\."):
        store.check(SETUP, {"gsm8k/train.jsonl": "3", "mawps": "2"}, resume=True)


@pytest.mark.parametrize("name", MODEL)
def test_another_model_is_refused_by_what_differs(tmp_path: Path, name: str) -> None:
    store = Store(tmp_path)
    store.begin(SETUP, {}, MODEL, VERSIONS)
    assert store.begin(SETUP, {}, MODEL, VERSIONS) == ()
    with pytest.raises(UsageError, match=f"has changed since it began: {name}"):
        store.begin(SETUP, {}, {**MODEL, name: "other"}, VERSIONS)


def test_other_versions_are_told(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.begin(SETUP, {}, MODEL, VERSIONS)
    (said,) = store.begin(SETUP, {}, MODEL, {"torch": "2.14.0", "peft": "0.21.2"})
    assert "torch 2.13.0 (now 2.14.0)" in said
    assert "peft" not in said


def test_a_record_is_there_once_it_is_saved_whole(tmp_path: Path) -> None:
    store = Store(tmp_path)
    assert store.record(RUN) is None
    (store.folder(RUN) / "checkpoint-5").mkdir(parents=True)
    store.save(RUN, FACTS, ANSWERS)
    assert store.record(RUN) == FACTS
    assert not (store.folder(RUN) / "checkpoint-5").exists()
    assert store.record(replace(RUN, seed=1)) is None


def test_a_failed_run_is_not_finished_and_keeps_its_checkpoints(tmp_path: Path) -> None:
    store = Store(tmp_path)
    (store.folder(RUN) / "checkpoint-5").mkdir(parents=True)
    store.save(RUN, replace(FACTS, status="failed", error="loss is nan"), ANSWERS)
    assert store.record(RUN) is None
    assert (store.folder(RUN) / "checkpoint-5").exists()


def test_a_record_is_what_a_run_gave_with_its_predictions_in_files_of_their_own(tmp_path: Path) -> None:
    store = Store(tmp_path)
    facts = replace(
        FACTS,
        train_losses=((1, 2.5), (2, 2.25)),
        curvatures=(LayerCurvature("layer.0", 0.1, 0.11, 7.5),),
        hidden_delta={"addsub": 0.25},
        rights={"mawps": "", "addsub": "10"},
        unread={"mawps": 0, "addsub": 1},
        read_by={"addsub": {"hashes": 1}},
    )
    store.save(RUN, facts, {"mawps": (), "addsub": PREDICTIONS})
    saved = json.loads((store.folder(RUN) / "record.json").read_text())
    assert list(saved)[-7:-3] == ["hidden_delta", "predictions", "adapter", "diverged"]
    assert saved["predictions"] == ["mawps", "addsub"]
    assert store.record(RUN) == facts


def test_base_and_alphas_come_back(tmp_path: Path) -> None:
    store = Store(tmp_path)
    assert store.base_record() is None
    assert store.matched_alphas() == ()
    base = BaseFacts({"mawps": "", "addsub": "1"}, {}, {"mawps": 0.2}, 1.5)
    store.save_base(base, {"mawps": (), "addsub": ANSWERS["mawps"]}, 2.0)
    alphas = (MatchedAlpha("lora", 0, 64.0, 0.5, 0.5), MatchedAlpha("hyplora", 0, 32.0, 0.5, 1.0))
    store.save_matched_alphas(alphas)
    assert store.base_record() == base
    assert store.matched_alphas() == alphas


def test_a_damaged_record_is_named(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.save(RUN, FACTS, ANSWERS)
    (store.folder(RUN) / "record.json").write_text("{")
    with pytest.raises(BadDataError, match=r"record\.json cannot be read"):
        store.record(RUN)


TAMPERED = [
    *(b"7", b"[]", b'"x"', b"null", b"NaN", b"1e999", b"\xff", b"[" * 100_000, b'{"a":' * 100_000, b"9" * 5000),
    *(b'{"predictions": 7}', b'{"predictions": null}', b'{"predictions": {"a": 1}}', b'{"predictions": [["a"]]}'),
    *(b'{"predictions": ["../../../x"]}', b'{"predictions": ["/etc/x"]}', b'{"predictions": [""]}'),
    *(b'{"predictions": ["a\\u0000b"]}', b'{"predictions": ["nowhere"]}'),
]


@pytest.mark.parametrize("content", TAMPERED, ids=lambda content: content[:32].decode("latin-1"))
def test_records_of_another_kind_are_refused_and_nothing_outside_is_read(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x.jsonl").write_bytes(predictions_to_jsonl(PREDICTIONS))
    store = Store(tmp_path / "out" / "a")
    for file, read in (
        ("base/record.json", store.base_record),
        (f"runs/{RUN.id}/record.json", lambda: store.record(RUN)),
        ("scales.json", store.matched_alphas),
        ("steps.json", store.step_costs),
        ("setup.json", lambda: store.check(SETUP, {}, resume=True)),
    ):
        (store.out / file).parent.mkdir(parents=True, exist_ok=True)
        (store.out / file).write_bytes(content)
        if file in ("scales.json", "steps.json") and content == b"[]":
            assert read() == ()  # no alpha was measured yet
            continue
        with pytest.raises(BadDataError, match=r"\.json|record of|jsonl"):
            read()


@pytest.mark.parametrize("change", [{"method": "hyplora"}, {"seed": 1}, {"purpose": "sweep"}, {"adapter": "../../x"}])
def test_a_record_that_names_another_run_or_place_is_refused(tmp_path: Path, change: dict[str, object]) -> None:
    store = Store(tmp_path)
    store.save(RUN, FACTS, ANSWERS)
    path = store.folder(RUN) / "record.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    with pytest.raises(BadDataError, match="the record of another run"):
        store.record(RUN)


@pytest.mark.parametrize(
    "where", ["setup.json", "scales.json", "steps.json", "base", "runs", f"runs/{RUN.id}", "runs/a/adapter.part"]
)
@pytest.mark.parametrize("resume", [False, True])
def test_no_link_in_the_folder_is_followed(tmp_path: Path, where: str, resume: bool) -> None:
    elsewhere = tmp_path / "elsewhere"
    (elsewhere / "checkpoint-5").mkdir(parents=True)
    store = Store(tmp_path / "out")
    link = store.out / where
    link.parent.mkdir(parents=True, exist_ok=True)
    link.symlink_to(elsewhere)
    with pytest.raises(BadDataError, match="is a link to"):
        store.check(SETUP, {}, resume=resume)
    link.unlink()
    os.mkfifo(link)
    with pytest.raises(BadDataError, match="neither a file nor a folder"):
        store.check(SETUP, {}, resume=resume)
    assert (elsewhere / "checkpoint-5").is_dir()


@pytest.mark.parametrize("where", ["setup.json", "scales.json", f"runs/{RUN.id}/checkpoint-5/trainer_state.json"])
def test_files_that_are_not_stored_are_refused(tmp_path: Path, where: str) -> None:
    path = tmp_path / where
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"{")
    os.truncate(path, 4_000_000_000)
    with pytest.raises(BadDataError, match="claims 4,000,000,000 bytes, of which"):
        Store(tmp_path).check(SETUP, {}, resume=True)


def test_a_folder_that_is_itself_a_link_is_the_users_own(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    (tmp_path / "out").symlink_to(tmp_path / "disk")
    Store(tmp_path / "out").check(SETUP, {}, resume=False)


def test_versions_of_packages_that_nobody_knows_are_told(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.begin(SETUP, {}, MODEL, {**VERSIONS, "flax": "1"})
    (said,) = store.begin(SETUP, {}, MODEL, VERSIONS)
    assert "flax 1 (now not asked)" in said


def test_predictions_are_one_a_line_whatever_their_text(tmp_path: Path) -> None:
    path = tmp_path / "addsub.jsonl"
    path.write_bytes(predictions_to_jsonl(PREDICTIONS))
    assert path.read_bytes().count(b"\n") == 2
    assert read_predictions(path) == PREDICTIONS


@pytest.mark.parametrize("line", ["not JSON", '{"id": 3}', "[]"])
def test_a_damaged_file_is_named(tmp_path: Path, line: str) -> None:
    path = tmp_path / "addsub.jsonl"
    path.write_text(line + "\n")
    with pytest.raises(BadDataError, match=r"addsub\.jsonl"):
        read_predictions(path)


@pytest.mark.parametrize(
    "path", sorted(KEPT.glob("*/**/record.json")), ids=lambda path: str(path.parent.relative_to(KEPT))
)
def test_a_kept_experiments_record_is_read_and_written_byte_for_byte_but_for_later_fields(
    path: Path, tmp_path: Path
) -> None:
    content = json.loads(path.read_bytes())
    predictions = {
        task: read_predictions(path.parent / "predictions" / f"{task}.jsonl") for task in content["predictions"]
    }
    here, there = Store(path.parents[path.parent.name != "base"].parent), Store(tmp_path)
    if path.parent.name == "base":
        facts = here.base_record()
        assert facts is not None
        there.save_base(facts, predictions, content["evaluation_seconds"])
    else:
        run = Run(*(content[name] for name in ("method", "seed", "learning_rate", "purpose", "steps")))
        saved = here.record(run)
        assert saved is not None
        there.save(run, saved, predictions)
    copy = tmp_path / path.relative_to(here.out)
    assert copy.read_text().replace(',\n "held_out_losses": []', "") == path.read_text()  # a field since
    for task in predictions:
        file = Path("predictions", f"{task}.jsonl")
        assert (copy.parent / file).read_bytes() == (path.parent / file).read_bytes()
