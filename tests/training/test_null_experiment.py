"""LoRA against LoRA with other seeds: real training in which there is nothing to find."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest

import geoprobe
from geoprobe.training.verdict import compare_runs

SEEDS = 4


@pytest.fixture(scope="module")
def guesses(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Questions whose answer nothing tells: a model learns the form, and each seed its own favourite."""
    folder = tmp_path_factory.mktemp("guesses")
    rng = np.random.default_rng(0)
    colours = ("red", "green", "blue", "white", "black")
    asked = [f"Draw {n} in {colour}" for n in range(60) for colour in colours]
    answers = rng.integers(1, 4, len(asked))
    learned = [{"question": q, "answer": f"#### {a}"} for q, a in zip(asked[:200], answers, strict=False)]
    tested = [{"instruction": f"{q} twice", "answer": str(a)} for q, a in zip(asked[200:], answers[200:], strict=True)]
    (folder / "train.jsonl").write_text("\n".join(map(json.dumps, learned)))
    (folder / "AddSub").mkdir()
    (folder / "AddSub" / "test.json").write_text(json.dumps(tested))
    return folder


@pytest.mark.slow
def test_lora_against_lora_with_other_seeds_is_no_detectable_difference(
    tiny_model: Path, guesses: Path, tmp_path: Path
) -> None:
    result = geoprobe.finetune(
        tiny_model,
        train=guesses / "train.jsonl",
        eval="addsub",
        data=guesses,
        out=tmp_path / "out",
        methods=("lora",),
        seeds=tuple(range(2 * SEEDS)),
        rates=(3e-2,),
        rank=8,
        alpha=16.0,
        steps=60,
        batch=8,
        validation=12,
        warmup=4,
        dropout=0.0,
        max_new_tokens=6,
        delta_prompts=0,
        template="plain",
        offline=True,
    )
    right = [run.rights["addsub"].count("1") for run in result.final()]
    assert max(right) > 10  # the form was learned
    assert len(set(right)) > 1  # and seeds differ
    relabelled = [
        run if run.seed < SEEDS else dataclasses.replace(run, method="lora again", seed=run.seed - SEEDS)
        for run in result.runs
    ]
    (found,) = compare_runs(
        relabelled, ("lora", "lora again"), ["addsub"], held_out_tokens=result.training.held_out_tokens
    )
    assert found.seeds == tuple(range(SEEDS))
    assert (found.label, found.loss_label) == ("no detectable difference", "no detectable difference")
