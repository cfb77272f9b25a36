"""Padding changes no loss, and leaving logits out changes none either."""

from typing import Any

import pytest
import torch
from builders import on

from geoprobe.training.batches import IGNORED, collate, response_loss
from geoprobe.training.examples import Tokens

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


def test_a_model_that_gives_all_logits_gives_the_same_loss(base: Any) -> None:
    class Whole(torch.nn.Module):
        def forward(self, logits_to_keep: Any, **inputs: Any) -> Any:
            return base.model(**inputs)

    batch = on(base, collate(EXAMPLES[:1], base.padding))
    with torch.no_grad():
        assert float(response_loss(Whole(), batch)[0]) == pytest.approx(float(response_loss(base.model, batch)[0]))
