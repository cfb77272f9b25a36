"""Experiments on a GPU: in bfloat16 and in 4 bits, against one in float32."""

from pathlib import Path
from typing import Any

import pytest
import torch
from builders import needs_gpu

import geoprobe
from geoprobe.training.report.result import ComparisonResult

SMALL: dict[str, Any] = {
    "rank": 4,
    "steps": 30,
    "batch": 4,
    "validation": 6,
    "dropout": 0.0,
    "template": "plain",
    "max_new_tokens": 4,
    "delta_prompts": 3,
    "seeds": (0,),
    "rates": (1e-2,),
    "threads": 1,
}


@pytest.fixture(autouse=True)
def _gpu() -> None:
    needs_gpu()


def _run(model: Path, training: Path, sets: Path, out: Path, **choices: Any) -> ComparisonResult:
    return geoprobe.finetune(
        str(model), train=training, eval=("addsub", "aqua"), data=sets, out=out, **{**SMALL, **choices}
    )


@pytest.mark.parametrize("choice", [{}, {"four_bit": True}], ids=["bfloat16", "4-bit"])
def test_an_experiment_learns_as_in_float32(
    choice: dict[str, Any], tiny_model: Path, training_file: Path, test_sets: Path, tmp_path: Path
) -> None:
    if choice:
        pytest.importorskip("bitsandbytes", reason="bitsandbytes is not installed")
    found = _run(tiny_model, training_file, test_sets, tmp_path / "low", **choice)
    exact = _run(tiny_model, training_file, test_sets, tmp_path / "full", precision="float32")
    assert found.model.dtype == ("4 bits" if choice else "bfloat16")
    assert exact.model.dtype == "float32"
    assert found.model.device == torch.cuda.get_device_name()
    for low, full in zip(found.runs, exact.runs, strict=True):
        assert (low.status, low.method, low.error) == ("finished", full.method, None)
        losses, expected = ([loss for _, loss in run.train_losses] for run in (low, full))
        assert losses[0] == pytest.approx(expected[0], rel=0.01)
        assert losses[-1] == pytest.approx(expected[-1], rel=0.05)
        assert low.validation_loss is not None
        assert found.base.validation_loss is not None
        assert low.validation_loss < found.base.validation_loss - 0.05
        assert {task: len(rights) for task, rights in low.rights.items()} == {"addsub": 8, "aqua": 6}
        assert low.peak_memory > 10**6
    hyplora = next(run for run in found.runs if run.method == "hyplora")
    assert max(abs(each.end - each.start) for each in hyplora.curvatures) > 1e-5
