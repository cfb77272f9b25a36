"""A model small enough to train in seconds, with the demo's tokenizer; sums to learn, and other sums to ask."""

import io
import json
import warnings
from collections.abc import Callable
from contextlib import redirect_stderr
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

INSTALLED = all(find_spec(name) for name in ("torch", "peft", "accelerate"))
#: What trains; the rest of the package's tests need no torch.
_TRAINING = (
    "model",
    "running",
    "test_engines.py",
    "test_experiment.py",
    "test_families.py",
    "test_finetuning.py",
    "test_gpu.py",
    "test_inputs.py",
    "test_interrupted.py",
    "test_null_experiment.py",
    "test_plan.py",
    "test_real_model.py",
    "test_resume.py",
    "test_store.py",
    "test_targets.py",
)
collect_ignore = [] if INSTALLED else list(_TRAINING)

NAMES = ("Ann", "Ben", "Cleo", "Dov", "Eve", "Finn")
THINGS = ("apples", "pens", "coins", "shells", "books")


def _sums(count: int) -> list[dict[str, str]]:
    """Additions in GSM8K's form, no two alike."""
    found = []
    for place in range(count):
        a, b = place % 17 + 2, place // 17 + 3
        name, thing = NAMES[place % len(NAMES)], THINGS[place % len(THINGS)]
        found.append(
            {
                "question": f"{name} has {a} {thing} and is given {b} more. How many {thing} has {name} now?",
                "answer": f"{a} + {b} = {a + b}\n#### {a + b}",
            }
        )
    return found


@pytest.fixture(scope="session")
def training_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sixty additions."""
    path = tmp_path_factory.mktemp("training") / "sums.jsonl"
    path.write_text("\n".join(map(json.dumps, _sums(60))))
    return path


@pytest.fixture(scope="session")
def test_sets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two test sets in LLM-Adapters' form: subtractions, and a choice of five."""
    folder = tmp_path_factory.mktemp("datasets")
    subtractions = [
        {"instruction": f"From a shelf of {20 + n} jars {n + 1} were sold. What number is left?", "answer": "19"}
        for n in range(8)
    ]
    choices = [
        {
            "instruction": f"What is twice {n}? Answer Choices: (A) {2 * n} (B) {n + 90} (C) {n + 70} (D) 99 (E) 98",
            "answer": "A",
        }
        for n in range(3, 9)
    ]
    for name, records in (("AddSub", subtractions), ("AQuA", choices)):
        (folder / name).mkdir()
        (folder / name / "test.json").write_text(json.dumps(records))
    return folder


if INSTALLED:
    import torch
    import transformers

    torch.set_num_threads(1)  # of no use to models this small

    @pytest.fixture(scope="session")
    def tiny_model(demo: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
        """Two layers of a Llama at random, saved in a folder."""
        from geoprobe.sources.models.gguf import open_gguf
        from geoprobe.sources.models.gguf_tokenizer import gguf_tokenizer

        folder = tmp_path_factory.mktemp("models") / "tiny-llama"
        with redirect_stderr(io.StringIO()), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            backend = gguf_tokenizer(open_gguf(demo)).backend
            tokenizer = transformers.PreTrainedTokenizerFast(
                tokenizer_object=backend, bos_token="<|im_start|>", eos_token="<|im_end|>", pad_token="<|im_end|>"
            )
            tokenizer.save_pretrained(folder)
            torch.manual_seed(0)
            config = transformers.LlamaConfig(
                vocab_size=len(tokenizer),
                hidden_size=32,
                intermediate_size=48,
                num_hidden_layers=2,
                num_attention_heads=4,
                num_key_value_heads=2,
                max_position_embeddings=512,
                bos_token_id=1,
                eos_token_id=2,
                tie_word_embeddings=True,
            )
            transformers.LlamaForCausalLM(config).save_pretrained(folder)
        return folder

    @pytest.fixture(scope="session")
    def make(tiny_model: Path, training_file: Path) -> Callable[..., Any]:
        """Set-ups of the tiny model, what is not said being small."""
        from geoprobe.training.setup import Setup

        small = {
            "model": str(tiny_model),
            "train": str(training_file),
            "tasks": ("addsub", "aqua"),
            "seeds": (0,),
            "rates": (1e-2,),
            "rank": 4,
            "alpha": 8.0,
            "dropout": 0.0,
            "steps": 4,
            "batch": 4,
            "validation": 6,
            "validate_every": 2,
            "save_every": 2,
            "max_new_tokens": 4,
            "delta_prompts": 3,
            "template": "plain",
            "threads": 1,
            "precision": "float32",  # where there is a GPU, too
        }
        return lambda **choices: Setup(**{**small, **choices})

    @pytest.fixture(scope="session")
    def base(make: Callable[..., Any]) -> Any:
        """The tiny model, loaded; what adapts it takes its adapters off again."""
        from geoprobe.training.model.base import load_base

        return load_base(make())

    @pytest.fixture(scope="session")
    def prepared(make: Callable[..., Any], base: Any) -> Any:
        """The sums as tokens."""
        from geoprobe.training.data.examples import prepare
        from geoprobe.training.data.instructions import load_training

        setup = make()
        return prepare(load_training(setup.train, template="plain"), base.tokenizer, setup)

    @pytest.fixture
    def experiment(make: Callable[..., Any], test_sets: Path, tmp_path: Path) -> Callable[..., Any]:
        """Experiments on the tiny model, in a folder of the test's own."""
        from geoprobe.training.data.instructions import load_training
        from geoprobe.training.data.tasks import load_task
        from geoprobe.training.experiment import Experiment

        def made(**choices: Any) -> Experiment:
            setup = make(**choices)
            tasks = tuple(load_task(name, data=test_sets, template="plain") for name in setup.tasks)
            return Experiment(setup, load_training(setup.train, template="plain"), tasks, tmp_path / "out")

        return made
