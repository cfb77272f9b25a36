"""Options' likelihoods, token by token by hand."""

from typing import Any

import pytest
import torch

from geoprobe.training.likelihood import likeliest_options, option_likelihoods
from geoprobe.training.tasks import Question

PAIRS = [
    ("Twice two is\n", "4"),
    ("Twice two is\n", "forty-two apples"),
    ("A longer question, is it?\n", "true"),
]


def test_a_likelihood_is_the_mean_over_the_options_tokens(base: Any) -> None:
    by_hand = []
    for prompt, option in PAIRS:
        start = base.tokenizer(prompt)["input_ids"]
        end = base.tokenizer(option, add_special_tokens=False)["input_ids"]
        with torch.no_grad():
            logs = base.model(torch.tensor([start + end], device=base.model.device)).logits[0].log_softmax(-1)
        by_hand.append(sum(float(logs[len(start) + n - 1, token]) for n, token in enumerate(end)) / len(end))
    for batch in (1, 2, 3):
        assert option_likelihoods(base.model, base, PAIRS, batch) == pytest.approx(by_hand, rel=1e-4)


def test_each_question_has_its_likeliest_option_or_none(base: Any) -> None:
    options = ("4", "forty-two apples", "true")
    scores = option_likelihoods(base.model, base, [("Twice two is\n", option) for option in options], 2)
    questions = [
        Question("aqua/0", "Twice two is\n", "A", options, 0),
        Question("addsub/0", "Twice two is\n", "4"),
    ]
    assert likeliest_options(base.model, base, questions, 2) == [scores.index(max(scores)), None]
