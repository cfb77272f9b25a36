"""What a training leaves behind as plain values."""

import numpy as np

from geoprobe.training.records import (
    LayerCurvature,
    Prediction,
    Run,
    RunFacts,
    finite,
    likelihood_rights,
    read_by,
    rights,
    unread,
)


def test_a_runs_folder_says_what_it_is() -> None:
    assert Run("lora", 2, 3e-4, "final", 5).id == "final-lora-seed2-lr0.0003"
    assert Run("lora", 2, 1e-3, "final", 5).id != Run("lora", 2, 1.0000001e-3, "final", 5).id


def test_speed_is_tokens_over_seconds() -> None:
    assert RunFacts("lora", 0, 3e-4, "final", "finished", tokens=100, seconds=4.0).tokens_per_second == 25.0


def test_predictions_are_reduced_to_right_wrong_and_unread() -> None:
    predictions = {
        "mawps": (Prediction("mawps/0", "7", "7", True), Prediction("mawps/1", "?", None, False)),
        "aqua": (
            Prediction("aqua/0", "B", "B", False, True, "last letter"),
            Prediction("aqua/1", "A", "A", True, False, "last letter"),
        ),
    }
    assert rights(predictions) == {"mawps": "10", "aqua": "01"}
    assert likelihood_rights(predictions) == {"aqua": "10"}
    assert unread(predictions) == {"mawps": 1, "aqua": 0}
    assert read_by(predictions) == {"aqua": {"last letter": 2}}


def test_what_json_cannot_hold_is_left_out_of_a_runs_facts() -> None:
    nan = float("nan")
    record = RunFacts(
        "lora",
        0,
        3e-4,
        "final",
        status="failed",
        train_losses=((1, 2.0), (2, nan)),
        validation_loss=float("inf"),
        gradient_norm=np.float64(0.5),
        hidden_delta={"addsub": nan, "mawps": 0.1},
        curvatures=(LayerCurvature("layers.0.q_proj", 1.0, 2.0, None),),
    )
    facts = finite(record)
    assert facts.train_losses == ((1, 2.0),)
    assert facts.validation_loss is None
    assert type(facts.gradient_norm) is float
    assert facts.hidden_delta == {"mawps": 0.1}
    assert facts.curvatures == record.curvatures
