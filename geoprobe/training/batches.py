"""Examples put side by side for the model: padded on the right, and the loss of their response tokens."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from geoprobe.training.examples import Tokens

__all__ = ["IGNORED", "collate", "response_loss"]

#: The label of a token whose loss does not count.
IGNORED = -100


def collate(examples: Sequence[Tokens], padding: int) -> dict[str, Tensor]:
    """Examples as one batch.

    Parameters
    ----------
    examples : sequence of Tokens
        n of them, the longest of T tokens.
    padding : int
        Id that fills up the others.

    Returns
    -------
    dict
        ``input_ids`` and ``attention_mask``, (n, T); ``labels``, (n, T), `IGNORED` at prompts and padding; and
        ``logits_to_keep``, the positions whose next token is learned in some example: the others' logits, most of
        a small model's work, are not computed.
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
    """The summed loss of a batch's response tokens, in nats, and their number.

    Parameters
    ----------
    model
        A causal language model.
    batch : dict
        What `collate` gave.
    """
    keep = batch["logits_to_keep"]
    logits = model(
        input_ids=batch["input_ids"], attention_mask=batch["attention_mask"], logits_to_keep=keep, use_cache=False
    ).logits
    if logits.shape[1] != len(keep):  # a model that cannot leave logits out
        logits = logits[:, keep]
    labels = batch["labels"][:, keep + 1]
    summed = cross_entropy(
        logits.float().reshape(-1, logits.shape[-1]), labels.reshape(-1), ignore_index=IGNORED, reduction="sum"
    )
    return summed, (labels != IGNORED).sum()
