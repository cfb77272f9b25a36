"""Losses of a model: of a batch's responses, of the examples held out, and of the options of a question."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from geoprobe.training.data.examples import Tokens, prompt_ids
from geoprobe.training.data.tasks import Question
from geoprobe.training.model.base import LoadedBase
from geoprobe.training.running.distributed import gathered, rank, world_size

#: The label of a token whose loss does not count.
IGNORED = -100


def collate(examples: Sequence[Tokens], padding: int) -> dict[str, Tensor]:
    """N examples, the longest of T tokens, as one batch; `padding` is the id that fills up the others.

    ``input_ids`` and ``attention_mask``, (n, T); ``labels``, (n, T), `IGNORED` at prompts and padding; and
    ``logits_to_keep``, the positions whose next token is learned in some example: the others' logits, most of a small
    model's work, are not computed.
    """
    longest = max(len(example.ids) for example in examples)
    ids = torch.full((len(examples), longest), padding, dtype=torch.int64)
    mask = torch.zeros_like(ids)
    labels = torch.full_like(ids, IGNORED)
    for row, example in enumerate(examples):
        length = len(example.ids)
        ids[row, :length] = torch.tensor(example.ids)
        mask[row, :length] = 1
        labels[row, example.prompt : length] = ids[row, example.prompt : length]
    learned = (labels != IGNORED).any(dim=0).nonzero().flatten()
    return {"input_ids": ids, "attention_mask": mask, "labels": labels, "logits_to_keep": learned - 1}


def response_loss(model: Any, batch: dict[str, Any]) -> tuple[Tensor, Tensor]:
    """The summed loss of a batch's response tokens, in nats, and their number."""
    logits, labels = _learned(model, batch)
    loss = cross_entropy(
        logits.float().reshape(-1, logits.shape[-1]), labels.reshape(-1), ignore_index=IGNORED, reduction="sum"
    )
    return loss, (labels != IGNORED).sum()


def _learned(model: Any, batch: dict[str, Any]) -> tuple[Tensor, Tensor]:
    """Logits and labels at the positions whose next token is learned in some row."""
    keep = batch["logits_to_keep"]
    logits = model(
        input_ids=batch["input_ids"], attention_mask=batch["attention_mask"], logits_to_keep=keep, use_cache=False
    ).logits
    if logits.shape[1] != len(keep):  # a model that cannot leave logits out
        logits = logits[:, keep]
    return logits, batch["labels"][:, keep + 1]


def validation_losses(
    model: Any, examples: Sequence[Tokens], *, padding: int, batch: int, half: bool
) -> tuple[float, ...]:
    """Mean loss per response token of every example held out, in nats, each process with its share of them.

    `half`: compute products in bfloat16.
    """
    model.eval()
    device = model.device
    order = sorted(range(len(examples)), key=lambda place: len(examples[place].ids))
    losses: dict[int, float] = {}
    for start in range(0, len(order), batch)[rank() :: world_size()]:
        places = order[start : start + batch]
        inputs = collate([examples[place] for place in places], padding)
        with torch.inference_mode(), torch.autocast(device.type, torch.bfloat16, enabled=half):
            logits, labels = _learned(model, {name: value.to(device) for name, value in inputs.items()})
        single = cross_entropy(logits.float().transpose(1, 2), labels, ignore_index=IGNORED, reduction="none")
        means = single.double().sum(dim=1) / (labels != IGNORED).sum(dim=1)
        losses.update(zip(places, means.tolist(), strict=True))
    whole = gathered(losses)
    return tuple(whole[place] for place in range(len(examples)))


def mean_loss(losses: Sequence[float], examples: Sequence[Tokens]) -> float:
    """Mean loss per response token over examples, from each one's mean."""
    tokens = [example.learned for example in examples]
    return math.fsum(loss * count for loss, count in zip(losses, tokens, strict=True)) / sum(tokens)


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
    """Mean log-likelihood per token, in nats, of each continuation after its prompt."""
    tokenizer, device = base.tokenizer, base.model.device
    rows = []
    for prompt, option in pairs:
        before = prompt_ids(prompt, tokenizer, chat=base.chat)
        rows.append(Tokens((*before, *tokenizer(option, add_special_tokens=False)["input_ids"]), len(before)))
    order = sorted(range(len(rows)), key=lambda place: (len(rows[place].ids), place))
    likelihoods: dict[int, float] = {}
    for start in range(0, len(order), batch)[rank() :: world_size()]:
        places = order[start : start + batch]
        inputs = {
            name: value.to(device) for name, value in collate([rows[place] for place in places], base.padding).items()
        }
        with torch.inference_mode(), torch.autocast(device.type, torch.bfloat16, enabled=base.half):
            logits, labels = _learned(model, inputs)
        learned = labels != IGNORED
        single = logits.float().log_softmax(-1).gather(-1, labels.clamp(min=0)[..., None])[..., 0]
        means = (single * learned).sum(dim=1) / learned.sum(dim=1)
        likelihoods.update(zip(places, means.tolist(), strict=True))
    whole = gathered(likelihoods)
    return [whole[place] for place in range(len(rows))]
