"""Records survive being saved, predictions with any text in them."""

import json
from pathlib import Path

import pytest

from geoprobe.errors import BadDataError
from geoprobe.training.records import (
    LayerCurvature,
    Prediction,
    RunRecord,
    predictions_to_jsonl,
    read_predictions,
    record_from_dict,
    record_to_dict,
)

PREDICTIONS = (
    Prediction("addsub/0", "3 + 4\u2028= 7\n#### 7", "7", True),
    Prediction("addsub/1", 'nul\x00, "quotes" and \ud800', None, False, True),
)


def test_a_record_comes_back_as_it_was(tmp_path: Path) -> None:
    record = RunRecord(
        method="hyplora",
        seed=1,
        learning_rate=3e-4,
        purpose="final",
        train_losses=((1, 2.5), (2, 2.25)),
        curvatures=(LayerCurvature("layer.0", 0.1, 0.11, 7.5),),
        hidden_delta={"addsub": 0.25},
        predictions={"mawps": (), "addsub": PREDICTIONS},
        tokens=100,
        seconds=4.0,
    )
    saved = json.loads(json.dumps(record_to_dict(record)))
    assert saved["predictions"] == ["mawps", "addsub"]
    assert record_from_dict(saved, record.predictions) == record
    assert record.tokens_per_second == 25.0


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
