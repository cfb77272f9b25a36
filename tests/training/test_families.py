"""Real experiments of three steps on tiny models of many families: equal modules by every method, or a refusal."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import transformers
from model_families import FAMILIES, LLAMA, configured, gemma3, mamba

import geoprobe
from geoprobe.errors import UsageError
from geoprobe.training.plan import plan_finetune

CHOICES: dict[str, Any] = {
    "eval": "addsub",
    "seeds": (0,),
    "rates": (1e-2,),
    "rank": 2,
    "steps": 3,
    "batch": 2,
    "validation": 2,
    "dropout": 0.0,
    "template": "plain",
    "questions": 2,
    "max_new_tokens": 2,
    "delta_prompts": 0,
    "beams": 1,
    "loss": "response",
    "checkpoint": "last",
    "threads": 1,
    "precision": "float32",
}
#: What a run of every family takes minutes for, a run of these shows in seconds.
FAST = ("gpt-2", "mixtral")


@pytest.fixture(scope="module")
def saved(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, Callable[[int], Any]], Path]:
    """Save a model of a configuration for a vocabulary of so many words, with the demo's tokenizer."""
    tokenizer = transformers.AutoTokenizer.from_pretrained(tiny_model)

    def save(name: str, config: Callable[[int], Any]) -> Path:
        folder = tmp_path_factory.mktemp("families") / name.replace(" ", "-")
        made = config(len(tokenizer))
        auto = transformers.AutoModelForImageTextToText if name == "gemma-3" else transformers.AutoModelForCausalLM
        auto.from_config(made).save_pretrained(folder)
        tokenizer.save_pretrained(folder)
        return folder

    return save


def compared(folder: Path, train: Path, tests: Path, out: Path) -> Any:
    """The plan of an experiment on a model, and what it gives."""
    plan = plan_finetune(folder, train=train, data=tests, **CHOICES)
    result = geoprobe.finetune(folder, train=train, data=tests, out=out, **CHOICES)
    assert plan.layers == result.model.adapted
    lora, hyplora = result.final()
    assert (lora.method, hyplora.method, lora.steps, hyplora.steps) == ("lora", "hyplora", 3, 3)
    assert hyplora.trainable_parameters - lora.trainable_parameters == hyplora.geometry_parameters
    assert [each.trainable_parameters for each in plan.methods] == [
        lora.trainable_parameters,
        hyplora.trainable_parameters,
    ]
    assert lora.train_losses[0][1] == pytest.approx(hyplora.train_losses[0][1], rel=1e-5)  # B is 0 at the start
    configs = [json.loads((out / run.adapter / "adapter_config.json").read_text()) for run in (lora, hyplora)]
    assert set(configs[0]["target_modules"]) == set(configs[1]["target_modules"])
    return result


@pytest.mark.parametrize(
    "family", [family if family in FAST else pytest.param(family, marks=pytest.mark.slow) for family in FAMILIES]
)
def test_an_experiment_of_three_steps_adapts_the_same_modules_by_every_method(
    family: str,
    saved: Callable[[str, Callable[[int], Any]], Path],
    training_file: Path,
    test_sets: Path,
    tmp_path: Path,
) -> None:
    folder = saved(family, lambda words: configured(family, words))
    result = compared(folder, training_file, test_sets, tmp_path / "out")
    assert result.model.adapted == FAMILIES[family][2]


@pytest.mark.slow
def test_of_a_multimodal_model_the_language_model_alone_is_trained(
    saved: Callable[[str, Callable[[int], Any]], Path], training_file: Path, test_sets: Path, tmp_path: Path
) -> None:
    result = compared(saved("gemma-3", gemma3), training_file, test_sets, tmp_path / "out")
    assert result.model.adapted == LLAMA
    assert not any("vision" in layer.layer for run in result.final("hyplora") for layer in run.curvatures)


def test_a_model_without_the_papers_layers_is_refused_by_the_plan_and_the_run(
    saved: Callable[[str, Callable[[int], Any]], Path], training_file: Path, test_sets: Path, tmp_path: Path
) -> None:
    folder = saved("mamba", mamba)
    for made in (plan_finetune, lambda *given, **choices: geoprobe.finetune(*given, out=tmp_path / "out", **choices)):
        with pytest.raises(UsageError, match=r"none of the paper's kinds of layer; it has in_proj × 2"):
            made(folder, train=training_file, data=test_sets, **CHOICES)
    assert not [path for path in (tmp_path / "out").rglob("*") if path.is_file()]
