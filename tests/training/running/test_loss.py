"""Padding changes no loss, nor does leaving logits out; options' likelihoods are those computed token by token."""

from typing import Any

import pytest
import torch
from builders import on

from geoprobe.training.data.examples import Tokens
from geoprobe.training.data.tasks import Question
from geoprobe.training.running.loss import (
    IGNORED,
    collate,
    likeliest_options,
    mean_loss,
    option_likelihoods,
    response_loss,
    validation_losses,
)

EXAMPLES = (Tokens((5, 6, 7, 8, 2), 3), Tokens((9, 10, 2), 1), Tokens((11, 12, 13, 14, 15, 16, 2), 5))


def test_rows_are_padded_on_the_right_and_only_responses_are_learned() -> None:
    batch = collate(EXAMPLES, padding=2)
    assert batch["input_ids"].tolist()[1] == [9, 10, 2, 2, 2, 2, 2]
    assert batch["attention_mask"].tolist()[1] == [1, 1, 1, 0, 0, 0, 0]
    assert batch["labels"].tolist()[0] == [IGNORED] * 3 + [8, 2, IGNORED, IGNORED]
    assert batch["logits_to_keep"].tolist() == [0, 1, 2, 3, 4, 5]
    assert collate(EXAMPLES[:1], padding=2)["logits_to_keep"].tolist() == [2, 3]


def test_the_loss_is_transformers_own_whatever_the_padding(base: Any) -> None:
    with torch.no_grad():
        summed, count = response_loss(base.model, on(base, collate(EXAMPLES, base.padding)))
        alone = []
        for example in EXAMPLES:
            ids = torch.tensor([example.ids], device=base.model.device)
            labels = ids.clone()
            labels[:, : example.prompt] = IGNORED
            alone.append(base.model(input_ids=ids, labels=labels).loss * (len(example.ids) - example.prompt))
    assert int(count) == 6
    assert float(summed) == pytest.approx(float(sum(alone)), rel=1e-5)


def test_each_examples_loss_is_that_of_a_batch_of_one_and_their_mean_that_of_all(base: Any) -> None:
    losses = validation_losses(base.model, EXAMPLES, padding=base.padding, batch=2, half=False)
    with torch.no_grad():
        for example, loss in zip(EXAMPLES, losses, strict=True):
            summed, count = response_loss(base.model, on(base, collate([example], base.padding)))
            assert loss == pytest.approx(float(summed) / int(count), rel=1e-5)
        summed, count = response_loss(base.model, on(base, collate(EXAMPLES, base.padding)))
    assert mean_loss(losses, EXAMPLES) == pytest.approx(float(summed) / int(count), rel=1e-5)


def test_a_model_that_gives_all_logits_gives_the_same_loss(base: Any) -> None:
    class Whole(torch.nn.Module):
        def forward(self, logits_to_keep: Any, **inputs: Any) -> Any:
            return base.model(**inputs)

    batch = on(base, collate(EXAMPLES[:1], base.padding))
    with torch.no_grad():
        assert float(response_loss(Whole(), batch)[0]) == pytest.approx(float(response_loss(base.model, batch)[0]))


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
