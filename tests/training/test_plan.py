"""A plan says what the experiment then does, and writes nothing."""

import json
import re
import shutil
import statistics
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
    speed = plan.methods[0].tokens_per_second
    assert speed
    assert plan.training_seconds == pytest.approx(plan.tokens / speed, rel=1.5)
    assert plan.evaluation_seconds
    said = "\n".join(plan.lines())
    assert "4 runs of 3 steps to choose the learning rate, 4 runs of 6 steps of 4 examples" in said
    assert "hyplora      2,570 trainable parameters, 10 of them curvatures and scales" in said
    assert "up to 2 as long at another alpha" not in said
    assert re.search(r"alpha about \S+, or \S+ by the norm over all layers", said)
    start = plan.methods[1].start
    assert start is not None
    least, most = min(start.curvatures.values()), max(start.curvatures.values())
    assert f"K about {least:.2g} to {most:.2g} by layer" in said
    assert "% of tokens beyond the maps' limit" in said
    assert "GPU          less than a minute of one A100, less than a minute of one H100 in bfloat16" in said
    assert list(tmp_path.iterdir()) == []


def test_runs_at_another_alpha_are_counted_with_their_tokens(
    tiny_model: Path, training_file: Path, test_sets: Path
) -> None:
    once = plan_finetune(tiny_model, train=training_file, data=test_sets, **CHOICES)
    asked = plan_finetune(tiny_model, train=training_file, data=test_sets, alpha_check=True, **CHOICES)
    assert (once.again, asked.again) == (0, 2)
    # 4 methods and seeds at two rates of 3 steps, 4 of 6, and again 2 of 6
    assert 2 * 6 * 4 * 20 < asked.tokens - once.tokens < 2 * 6 * 4 * 60
    assert "of 4 examples, and up to 2 as long at another alpha" in "\n".join(asked.lines())


def test_many_inputs_beyond_the_limit_of_the_maps_are_warned_of(
    tiny_model: Path, training_file: Path, test_sets: Path
) -> None:
    plan = plan_finetune(tiny_model, train=training_file, data=test_sets, curvature=1e-4, **CHOICES)
    (warning,) = [warning for warning in plan.warnings if "longer than its maps are exact for" in warning]
    start = plan.methods[1].start
    assert start is not None
    assert warning.startswith(f"{statistics.mean(start.beyond.values()):.0%} of hyplora's inputs")


def test_leaks_are_refused_as_in_the_run(tiny_model: Path, test_sets: Path) -> None:
    leaked = test_sets / "AddSub" / "test.json"
    with pytest.raises(BadDataError, match="addsub 8 of 8"):
        plan_finetune(tiny_model, train=leaked, data=test_sets, field="instruction,answer", **CHOICES)


def test_what_is_done_is_said_before_it_is_done(tiny_model: Path, training_file: Path, test_sets: Path) -> None:
    said: list[str] = []
    plan_finetune(tiny_model, train=training_file, data=test_sets, on_step=said.append, **CHOICES)
    assert said == [
        "reading the data, and looking for test questions in it",
        "counting tokens and parameters",
        "loading the model",
        "a few steps of each method",
        "a few answers",
    ]


@pytest.mark.parametrize(("load", "warned"), [(9.25, True), (2.75, False)])
def test_other_work_on_the_machine_is_said_beside_its_times(
    load: float,
    warned: bool,
    tiny_model: Path,
    training_file: Path,
    test_sets: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("psutil.getloadavg", lambda: (load, 0.0, 0.0))
    monkeypatch.setattr("os.cpu_count", lambda: 2)
    plan = plan_finetune(tiny_model, train=training_file, data=test_sets, **CHOICES)
    assert ("(9.2 processes on 2 cores)" in " ".join(plan.lines())) == warned


def test_a_model_without_weights_is_planned_by_its_shape(
    tiny_model: Path, training_file: Path, test_sets: Path, tmp_path: Path
) -> None:
    folder = shutil.copytree(tiny_model, tmp_path / "bare", ignore=shutil.ignore_patterns("*.safetensors"))
    whole = plan_finetune(tiny_model, train=training_file, data=test_sets, **CHOICES)
    bare = plan_finetune(folder, train=training_file, data=test_sets, **CHOICES)
    assert (bare.parameters, bare.tokens, bare.layers) == (whole.parameters, whole.tokens, whole.layers)
    counts = [(each.trainable_parameters, each.geometry_parameters, each.memory) for each in whole.methods]
    assert [(each.trainable_parameters, each.geometry_parameters, each.memory) for each in bare.methods] == counts
    assert bare.training_seconds is None
    assert "time here    not measured" in "\n".join(bare.lines())


def test_the_papers_protocol_on_llama_3_8b_needs_what_the_paper_prints(
    tiny_model: Path, training_file: Path, test_sets: Path, tmp_path: Path
) -> None:
    """Its size, the adapters' share that its equation gives (0.7002%), and more memory than its weights in 16 bits."""
    folder = tmp_path / "Llama-3-8B"
    shutil.copytree(tiny_model, folder, ignore=shutil.ignore_patterns("*.safetensors"))
    sizes = {"vocab_size": 128256, "hidden_size": 4096, "intermediate_size": 14336, "num_hidden_layers": 32}
    heads = {"num_attention_heads": 32, "num_key_value_heads": 8, "tie_word_embeddings": False, "head_dim": 128}
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, **sizes, **heads}))
    plan = plan_finetune(folder, train=training_file, data=test_sets, eval="addsub", validation=6, seeds=(0,))
    assert plan.parameters == 8_030_261_248
    lora, hyplora = plan.methods
    assert 100 * lora.trainable_parameters / (plan.parameters + lora.trainable_parameters) == pytest.approx(
        0.7002, abs=5e-5
    )
    assert hyplora.trainable_parameters - lora.trainable_parameters == 160
    gib = {precision: size / 2**30 for precision, size in lora.memory.items()}
    assert 15 < gib["bfloat16"] < 30 < gib["float32"] < 45
    assert gib["4 bits"] < 14
    hours = plan.tokens * 4 * plan.parameters / (0.4 * 312e12) / 3600
    assert hours < plan.gpu_hours["A100"] < 20 * hours
    told = "\n".join(plan.lines())
    assert "of one A100" in told
    assert "not paper's  alpha 64 of lora" in told
