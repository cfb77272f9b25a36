"""The paper's choices against the facts that were read in it and in its released code."""

import dataclasses
import re
from pathlib import Path

import pytest
from experiment_builders import make_experiment

from geoprobe.training.data.leaks import LeakReport, TaskLeaks
from geoprobe.training.data.tasks import TASKS
from geoprobe.training.protocol import PAPER, beside_paper, deviations
from geoprobe.training.report.explanations import leak_methods, loss_methods
from geoprobe.training.setup import make_setup

PAPERS = make_setup("paper", model="llama", train="math_10k.json")


@pytest.fixture(scope="module")
def facts(shared_datasets: Path) -> str:
    return (shared_datasets.parent / "paper_facts.md").read_text("utf-8")


#: What is stated of each choice, as the facts have it.
STATED = {
    "rank": r"rank 32",
    "layers with adapters": r"attention and MLP \(q, k, v, up, down\)",
    "batch": r"batch 16",
    "passes": r"3 epochs",
    "learning rate": r"lr 3e-4",
    "cutoff": r"cutoff 256",
    "held out": r"120 held out agree",
    "loss on": r"loss on \| prompt and response",
    "checkpoint evaluated": r"checkpoint evaluated \| best on 120 held out",
    "prompt": r"prompt \| Alpaca for base LLaMA; chat headers",
    "decoding": r"decoding \| 4 beams, 512 new tokens \(arithmetic\)",
    "new tokens": r"256 new tokens for arithmetic \(the fork 512\), 32 for commonsense",
    "answer rule": r"answer rule \| last number",
    "test sets": r"Math10K and Commonsense170K",
    "training data": r"Math10K and Commonsense170K",
    "K at the start": r"K started from \{0\.5, 1\.0\}",
    "alpha": r"alpha \| HypLoRA 128 .*, LoRA 64",
    "batches": r"batches \| random",
    "optimizer": r"AdamW",
}


@pytest.mark.parametrize("choice", PAPER, ids=lambda choice: choice.what)
def test_a_choice_of_the_paper_is_what_the_facts_say(facts: str, choice: object) -> None:
    what, paper = getattr(choice, "what"), getattr(choice, "paper")  # noqa: B009
    found = re.search(STATED[what], facts)
    assert found, what
    numbers = set(re.findall(r"\d+(?:\.\d+)?(?:e-\d+)?", paper))
    assert numbers <= set(re.findall(r"\d+(?:\.\d+)?(?:e-\d+)?", found[0])), (paper, found[0])


def test_the_papers_budget_differs_in_what_it_names_alone() -> None:
    """Alpha, which is matched, and the order of batches: nothing else."""
    other = [one.what for one in beside_paper(PAPERS.to_dict()) if not one.same]
    assert other == ["alpha", "batches"]
    assert set(PAPERS.tasks) == set(TASKS)
    assert TASKS["gsm8k"].longest(PAPERS) == 512
    assert TASKS["boolq"].longest(PAPERS) == 32


def test_every_other_choice_is_told_with_the_papers() -> None:
    small = make_setup("small", model="demo", train="gsm8k").to_dict()
    told = deviations(small)
    assert "passes 50 steps (paper: 3 epochs)" in told
    assert "decoding greedy (paper: 4 beams)" in told
    assert "loss on response (paper: prompt and response)" in told
    assert "learning rate 0.0003, 0.001 (paper: 3e-4)" in told
    assert not any(one.startswith(("rank", "cutoff", "optimizer")) for one in told)


def test_an_experiment_from_before_these_choices_was_greedy_on_responses() -> None:
    kept = {name: value for name, value in PAPERS.to_dict().items() if name not in ("beams", "loss", "checkpoint")}
    here = {one.what: one.here for one in beside_paper(kept)}
    assert (here["decoding"], here["loss on"], here["checkpoint evaluated"]) == ("greedy", "response", "last")


def test_of_an_experiment_of_an_earlier_version_is_said_what_it_did() -> None:
    """0.2.0 started K at 0.1, matched alpha over all layers, and looked for questions in whole prompts alone."""
    now = {**PAPERS.to_dict(), "curvature": None}
    before = {name: value for name, value in now.items() if name != "curvature_rate"}
    here = [{one.what: one.here for one in beside_paper(setup)} for setup in (before, now)]
    assert [choices["K at the start"] for choices in here] == [
        "0.1 in units of the width",
        "chosen by layer from the norms of its inputs",
    ]
    assert ["all layers" in choices["alpha"] for choices in here] == [True, False]
    for setup, everywhere in ((before, False), (now, True)):
        result = make_experiment(leaks=LeakReport((), (TaskLeaks("addsub", 9, 0, 0),), everywhere=everywhere))
        result = dataclasses.replace(result, setup=setup)
        assert ("all layers together" in loss_methods(result)[0]) == (not everywhere)
        assert ("whole prompts alone" in leak_methods(result)[0]) == (not everywhere)
