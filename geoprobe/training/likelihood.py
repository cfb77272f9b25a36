"""Multiple choice by likelihood: the option whose tokens the model finds likeliest, on average over its tokens."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from geoprobe.training.base_model import LoadedBase
from geoprobe.training.batches import IGNORED, collate
from geoprobe.training.distributed import gathered, rank, world_size
from geoprobe.training.examples import Tokens
from geoprobe.training.tasks import Question

__all__ = ["likeliest_options", "option_likelihoods"]


def likeliest_options(model: Any, base: LoadedBase, questions: Sequence[Question], batch: int) -> list[int | None]:
    """Index of each question's likeliest option; None for a question without options."""
    scores = iter(
        option_likelihoods(
            model, base, [(question.prompt, option) for question in questions for option in question.options], batch
        )
    )
    chosen: list[int | None] = []
    for question in questions:
        mine = [next(scores) for _ in question.options]
        chosen.append(max(range(len(mine)), key=mine.__getitem__) if mine else None)
    return chosen


def option_likelihoods(model: Any, base: LoadedBase, pairs: Sequence[tuple[str, str]], batch: int) -> list[float]:
    """Mean log-likelihood per token, in nats, of each continuation after its prompt.

    Parameters
    ----------
    model
        The model, or a peft model around it.
    base : LoadedBase
        Its tokenizer and precision.
    pairs : sequence of (str, str)
        Prompt and continuation.
    batch : int
        Pairs at a time.
    """
    tokenizer, device = base.tokenizer, base.model.device
    rows = []
    for prompt, option in pairs:
        start = tokenizer(prompt)["input_ids"]
        rows.append(Tokens((*start, *tokenizer(option, add_special_tokens=False)["input_ids"]), len(start)))
    order = sorted(range(len(rows)), key=lambda place: (len(rows[place].ids), place))
    found: dict[int, float] = {}
    for start in range(0, len(order), batch)[rank() :: world_size()]:
        places = order[start : start + batch]
        inputs = {
            name: value.to(device) for name, value in collate([rows[place] for place in places], base.padding).items()
        }
        keep = inputs["logits_to_keep"]
        with torch.inference_mode(), torch.autocast(device.type, torch.bfloat16, enabled=base.half):
            logits = model(
                input_ids=inputs["input_ids"],
                attention_mask=inputs["attention_mask"],
                logits_to_keep=keep,
                use_cache=False,
            ).logits
        if logits.shape[1] != len(keep):
            logits = logits[:, keep]
        labels = inputs["labels"][:, keep + 1]
        learned = labels != IGNORED
        each = logits.float().log_softmax(-1).gather(-1, labels.clamp(min=0)[..., None])[..., 0]
        means = (each * learned).sum(dim=1) / learned.sum(dim=1)
        found.update(zip(places, means.tolist(), strict=True))
    whole = gathered(found)
    return [whole[place] for place in range(len(rows))]
