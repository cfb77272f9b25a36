"""The whole experiment on the real demo model and real data, as short as it can be."""

from pathlib import Path

import pytest

import geoprobe


@pytest.mark.slow
def test_an_experiment_on_the_demo_learns_from_one_start(demo: Path, shared_datasets: Path, tmp_path: Path) -> None:
    result = geoprobe.finetune(
        "demo",
        train="gsm8k",
        eval=("addsub", "boolq"),
        budget="demo",
        out=tmp_path / "out",
        data=shared_datasets,
        steps=8,
        batch=4,
        warmup=0,
        validation=8,
        questions=4,
        max_new_tokens=24,
        delta_prompts=4,
        threads=2,
    )
    lora, hyplora = result.runs
    assert (lora.status, hyplora.status) == ("finished", "finished")
    assert hyplora.gradient_norm == pytest.approx(lora.gradient_norm, rel=1e-3)
    assert hyplora.unmatched_gradient_norm is not None
    assert hyplora.unmatched_gradient_norm > 1.2 * lora.gradient_norm  # type: ignore[operator]
    assert hyplora.train_losses[0][1] == pytest.approx(lora.train_losses[0][1], rel=1e-5)
    assert hyplora.trainable_parameters - lora.trainable_parameters == hyplora.geometry_parameters == 30 * 5
    for run in (lora, hyplora):
        assert run.validation_loss is not None
        assert result.base.validation_loss is not None
        assert run.validation_loss < result.base.validation_loss - 0.02
        assert set(run.hidden_delta) == {"addsub", "boolq"}
        assert set(run.likelihood_rights) == {"boolq"}
    assert max(abs(each.end - each.start) for each in hyplora.curvatures) > 1e-4
    assert result.leaks is not None
    assert not result.leaks.found
