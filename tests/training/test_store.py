"""An experiment's folder: what is finished, and whether it is the same experiment."""

from dataclasses import replace
from pathlib import Path

import pytest

from geoprobe.errors import BadDataError, UsageError
from geoprobe.training.records import BaseRecord, Prediction, RunRecord
from geoprobe.training.runs import Run
from geoprobe.training.scale import Scale
from geoprobe.training.setup import Setup
from geoprobe.training.store import Store

SETUP = Setup("demo", "gsm8k", ("mawps",))
MODEL = {"weights": "ab12", "precision": "float32", "device": "cpu"}
VERSIONS = {"torch": "2.13.0", "peft": "0.21.2"}
RUN = Run("lora", 0, 3e-4, "final", 5)
RECORD = RunRecord("lora", 0, 3e-4, "final", predictions={"mawps": (Prediction("mawps/0", "7", "7", True),)})


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
    store.save(RUN, RECORD)
    assert store.record(RUN) == RECORD
    assert not (store.folder(RUN) / "checkpoint-5").exists()
    assert store.record(replace(RUN, seed=1)) is None


def test_a_failed_run_is_not_finished_and_keeps_its_checkpoints(tmp_path: Path) -> None:
    store = Store(tmp_path)
    (store.folder(RUN) / "checkpoint-5").mkdir(parents=True)
    store.save(RUN, replace(RECORD, status="failed", error="loss is nan"))
    assert store.record(RUN) is None
    assert (store.folder(RUN) / "checkpoint-5").exists()


def test_base_and_scales_come_back(tmp_path: Path) -> None:
    store = Store(tmp_path)
    assert store.base_record() is None
    assert store.scales() == ()
    base = BaseRecord({"mawps": (), "addsub": RECORD.predictions["mawps"]}, {"mawps": 0.2}, 1.5, 2.0)
    store.save_base(base)
    scales = (Scale("lora", 0, 64.0, 0.5, 0.5), Scale("hyplora", 0, 32.0, 0.5, 1.0))
    store.save_scales(scales)
    assert store.base_record() == base
    assert store.scales() == scales


def test_a_damaged_record_is_named(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.save(RUN, RECORD)
    (store.folder(RUN) / "record.json").write_text("{")
    with pytest.raises(BadDataError, match=r"record\.json cannot be read"):
        store.record(RUN)
