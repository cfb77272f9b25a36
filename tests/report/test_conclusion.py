"""What is said of every combination of verdicts: the rule as a table."""

import re
import shlex
from itertools import product
from types import SimpleNamespace
from typing import Any, get_args

import pytest

from geoprobe.diagnostics.base import BUILTIN, ON_REQUEST, result_type
from geoprobe.diagnostics.frequency.result import FrequencyResult
from geoprobe.diagnostics.hyperbolicity.result import HyperbolicityResult
from geoprobe.diagnostics.norms.result import NormsResult
from geoprobe.diagnostics.states.result import StatesResult
from geoprobe.report.conclusion import SAVED, Conclusion, conclude, conclude_models
from geoprobe.results import VerdictLabel

LABELS: tuple[VerdictLabel, ...] = get_args(VerdictLabel)
POWER_LAW = "token frequencies follow a power law"
NEAR = "frequent tokens lie nearer the origin than rare ones"
OPENS = {
    "supported": "it is true here that",
    "weak": "it is true only in part that",
    "not supported": "there is no evidence that",
    "contradicted": "it is not true that",
    "inconclusive": "there is too little text to say whether",
}
GEOMETRY = {
    "supported": "By every check made, the tokens of this model are arranged more like a tree than chance explains.",
    "weak": "By some checks but not by all, the tokens of this model are arranged more like a tree than chance "
    "explains.",
    "not supported": "The tokens of this model are arranged no more like a tree than chance or plain clusters are.",
    "contradicted": "The tokens of this model are arranged less like a tree than chance alone would make them.",
    "inconclusive": "There is too little text here to say how the tokens of this model are arranged.",
}
ADAPTATION = {
    "supported": "worth a try, and does not show that it helps",
    "weak": "neither recommends hyperbolic adaptation (HypLoRA) nor rules it out",
    "not supported": "Nothing in this geometry recommends hyperbolic adaptation (HypLoRA), and nothing rules it out",
    "contradicted": "Nothing in this geometry recommends",
    "inconclusive": "nothing can be said yet",
}


def concluded(labels: dict[str, VerdictLabel], **more: Any) -> Conclusion:
    results = []
    for name, label in labels.items():
        kind = result_type(name)
        verdict = SimpleNamespace(label=label)
        results.append(SimpleNamespace(claim=kind.claim, tree_like=kind.tree_like, verdict=verdict))
    options = {"model": "demo", "corpora": ["gsm8k/test.json"], "more": ("gsm8k", "aqua"), **more}
    return conclude(results, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize("labels", list(product(LABELS, repeat=3)), ids="/".join)
def test_every_combination_of_three_verdicts(labels: tuple[VerdictLabel, VerdictLabel, VerdictLabel]) -> None:
    frequency, norms, tree = labels
    found = concluded(dict(zip(("frequency", "norms", "hyperbolicity"), labels, strict=True)))
    geometry, claims, adaptation = found.sentences
    assert claims.startswith("Of the usual claims, ")
    assert claims.count(POWER_LAW) == claims.count(NEAR) == 1
    for label, claim in ((frequency, POWER_LAW), (norms, NEAR)):
        (part,) = (part for part in re.split("[;,] ", claims) if claim in part)
        assert part.startswith(OPENS[label])
    assert geometry == GEOMETRY[tree]
    assert ADAPTATION[tree] in adaptation
    if "inconclusive" in labels:
        assert found.command == "geoprobe scan demo --corpus gsm8k/test.json --corpus aqua"
    else:
        assert found.command == f"geoprobe finetune --from-scan {SAVED} --dry-run"
    assert found.purpose.endswith(".")


@pytest.mark.parametrize("labels", list(product(LABELS, repeat=2)), ids="/".join)
def test_tokens_and_hidden_states_are_one_geometry(labels: tuple[VerdictLabel, VerdictLabel]) -> None:
    found = concluded(dict(zip(("hyperbolicity", "states"), labels, strict=True)))
    assert len(found.sentences) == 2
    assert "tokens and hidden states of this model" in found.sentences[0]
    known = set(labels) - {"inconclusive"}
    if len(known) == 1:
        expected = GEOMETRY[known.pop()]
    elif not known:
        expected = GEOMETRY["inconclusive"]
    else:
        expected = GEOMETRY["weak" if known & {"supported", "weak"} else "not supported"]
    assert found.sentences[0] == expected.replace("tokens of", "tokens and hidden states of")


@pytest.mark.parametrize("names", [("frequency",), ("norms",), ("frequency", "norms"), ()])
def test_a_scan_that_did_not_ask_for_the_geometry_says_so_and_asks_next(names: tuple[str, ...]) -> None:
    found = concluded(dict.fromkeys(names, "weak"))
    assert "did not ask how the tokens are arranged" in found.sentences[-1]
    assert found.command == "geoprobe scan demo --corpus gsm8k/test.json"


def test_word_vectors_are_not_sent_to_a_training() -> None:
    found = concluded({"hyperbolicity": "supported"}, adaptable=False)
    assert "which this is not known to be" in found.sentences[-1]
    assert found.command == ""


def test_a_model_with_a_space_in_its_name_can_be_pasted() -> None:
    found = concluded({"norms": "inconclusive"}, model="my model; rm -rf")
    assert shlex.split(found.command)[2] == "my model; rm -rf"


@pytest.mark.parametrize("label", LABELS)
def test_no_sentence_has_a_symbol_or_a_number(label: VerdictLabel) -> None:
    found = concluded(dict.fromkeys((*BUILTIN, *ON_REQUEST), label))
    assert all(re.fullmatch(r"[A-Za-z ,.;:()]+", sentence) for sentence in found.sentences)
    assert all(sentence[0].isupper() and sentence.endswith(".") for sentence in found.sentences)


def test_several_models_are_named_by_what_their_tokens_are_like_and_what_is_true_of_them() -> None:
    said = conclude_models(
        [
            (FrequencyResult, {"A": "weak", "B": "weak", "C": "weak"}),
            (NormsResult, {"A": "supported", "B": "contradicted", "C": "supported"}),
            (HyperbolicityResult, {"A": "not supported", "B": "supported", "C": "not supported"}),
        ]
    )
    assert said is not None
    assert said.sentences == (
        "The tokens of B are arranged more like a tree than chance explains, by every check made.",
        "The tokens of A and C are arranged no more like a tree than chance or plain clusters are.",
        "That token frequencies follow a power law is true only in part of all models.",
        "That frequent tokens lie nearer the origin than rare ones is true of A and C, and is not true of B.",
    )
    assert said.command == ""


def test_two_measures_of_one_geometry_are_one_answer_a_model_and_nothing_asked_is_nothing_said() -> None:
    said = conclude_models(
        [
            (HyperbolicityResult, {"A": "not supported", "B": "not supported"}),
            (StatesResult, {"A": "supported", "B": "not supported"}),
        ]
    )
    assert said is not None
    assert [sentence.split(" are ")[0] for sentence in said.sentences] == [
        f"The {HyperbolicityResult.tree_like} and {StatesResult.tree_like} of A",
        f"The {HyperbolicityResult.tree_like} and {StatesResult.tree_like} of B",
    ]
    assert conclude_models([]) is None
