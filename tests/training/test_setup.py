"""Choices: the paper's by default, presets, and refusals by name and value."""

from typing import Any

import pytest

from geoprobe.errors import UsageError
from geoprobe.training.setup import BUDGETS, Setup, make_setup

ASKED: dict[str, Any] = {"model": "demo", "train": "gsm8k", "tasks": ("mawps",)}


def test_defaults_are_the_papers() -> None:
    setup = make_setup(**ASKED)
    assert (setup.rank, setup.rates, setup.epochs, setup.batch, setup.cutoff) == (32, (3e-4,), 3.0, 16, 256)
    assert setup.targets == ("q_proj", "k_proj", "v_proj", "up_proj", "down_proj")
    papers = make_setup(model="demo", train="gsm8k")
    assert (papers.loss, papers.checkpoint, papers.beams, papers.answers) == ("full", "best", 4, "llm-adapters")


@pytest.mark.parametrize("budget", BUDGETS)
def test_every_budget_makes_a_setup_and_a_choice_goes_before_it(budget: str) -> None:
    setup = make_setup(budget, **ASKED, rank=5, steps=None)
    assert (setup.budget, setup.rank, setup.tasks) == (budget, 5, ("mawps",))
    assert setup.steps == BUDGETS[budget].get("steps")


@pytest.mark.parametrize(
    ("choice", "said"),
    [
        ({"methods": ("lora", "vera")}, "no method 'vera'"),
        ({"methods": ()}, "No methods"),
        ({"seeds": (1, 1)}, "twice in seeds: 1, 1"),
        ({"rates": (0.0,)}, "learning rate is 0.0"),
        ({"rates": (float("nan"),)}, "learning rate is nan"),
        ({"rank": 0}, "rank is 0"),
        ({"steps": -1}, "steps is -1"),
        ({"dropout": 1.0}, "dropout is 1.0"),
        ({"batch": 6, "micro_batch": 4}, "batch of 6 cannot be cut into micro-batches of 4"),
        ({"seeds": (-1,)}, "seed is -1"),
        ({"precision": "float16"}, "The precision is 'float16'"),
        ({"template": "chatml"}, "no prompt template 'chatml'"),
        ({"answers": "mine"}, "no rules 'mine' to read answers by"),
        ({"loss": "prompt"}, "The loss is on 'prompt'"),
        ({"checkpoint": "first"}, "no checkpoint 'first'"),
        ({"beams": 0}, "beams is 0"),
        ({"checkpoint": "best", "validate_every": 0}, "cannot be known without validations"),
    ],
)
def test_what_makes_no_sense_is_refused_by_name(choice: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        make_setup(**{**ASKED, **choice})


def test_an_unknown_budget_is_refused() -> None:
    with pytest.raises(UsageError, match="no budget 'huge'"):
        make_setup("huge", **ASKED)


def test_differences_are_named() -> None:
    setup = Setup(**ASKED)
    assert setup.differences(setup.to_dict()) == []
    assert setup.differences({**setup.to_dict(), "rank": 8, "seeds": [0]}) == ["rank", "seeds"]
