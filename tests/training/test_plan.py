"""A plan says what the experiment then does, and writes nothing."""

from pathlib import Path
from typing import Any

import pytest

from geoprobe.errors import BadDataError
from geoprobe.training.plan import plan_finetune

CHOICES: dict[str, Any] = {
    "eval": "addsub",
    "seeds": (0, 1),
    "rates": (1e-3, 1e-2),
    "rank": 4,
    "steps": 6,
    "sweep_steps": 3,
    "batch": 4,
    "validation": 6,
    "template": "plain",
    "max_new_tokens": 3,
    "threads": 1,
}


def test_a_plan_counts_runs_steps_tokens_and_parameters(
    tiny_model: Path, training_file: Path, test_sets: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    plan = plan_finetune(tiny_model, train=training_file, data=test_sets, **CHOICES)
    assert (plan.training, plan.validation, plan.choosing, plan.questions) == (48, 6, 6, {"addsub": 8})
    assert (plan.sweep, plan.sweep_steps, plan.final, plan.final_steps) == (4, 3, 4, 6)
    assert 4 * (4 * 3 + 4 * 6) * 20 < plan.tokens < 4 * (4 * 3 + 4 * 6) * 60
    assert [(each.method, each.geometry_parameters) for each in plan.methods] == [("lora", 0), ("hyplora", 10)]
    assert plan.methods[1].trainable_parameters - plan.methods[0].trainable_parameters == 10
    assert plan.training_seconds == pytest.approx(plan.tokens / plan.methods[0].tokens_per_second, rel=1.5)
    assert plan.evaluation_seconds > 0
    said = "\n".join(plan.lines())
    assert "4 runs of 3 steps to choose the learning rate, 4 runs of 6 steps of 4 examples" in said
    assert "hyplora      2,570 trainable parameters, 10 of them curvatures and scales" in said
    assert list(tmp_path.iterdir()) == []


def test_leaks_are_refused_as_in_the_run(tiny_model: Path, test_sets: Path) -> None:
    leaked = test_sets / "AddSub" / "test.json"
    with pytest.raises(BadDataError, match="addsub 8 of 8"):
        plan_finetune(tiny_model, train=leaked, data=test_sets, field="instruction,answer", **CHOICES)
