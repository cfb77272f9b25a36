"""Greedy answers, many at a time: rows that have answered stop the batch once all have."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from transformers import GenerationConfig, StoppingCriteria, StoppingCriteriaList

from geoprobe.training.base_model import LoadedBase
from geoprobe.training.distributed import gathered, rank, world_size

__all__ = ["greedy_answers"]


class _Answered(StoppingCriteria):
    """A row is done once its answer can no longer change."""

    def __init__(self, tokenizer: Any, start: int, finished: Callable[[str], bool]) -> None:
        self._tokenizer = tokenizer
        self._start = start
        self._finished = finished

    def __call__(self, input_ids: Tensor, scores: Any, **_: Any) -> Tensor:
        texts = self._tokenizer.batch_decode(input_ids[:, self._start :], skip_special_tokens=True)
        return torch.tensor([self._finished(text) for text in texts], dtype=torch.bool, device=input_ids.device)


def greedy_answers(
    model: Any,
    base: LoadedBase,
    prompts: Sequence[str],
    *,
    max_new_tokens: int,
    batch: int,
    finished: Callable[[str], bool],
    told: Callable[[int], None] | None = None,
) -> list[str]:
    """What a model writes after each prompt, the likeliest token each time.

    Parameters
    ----------
    model
        The model, or a peft model around it.
    base : LoadedBase
        Its tokenizer and precision.
    prompts : sequence of str
        Sorted by length here, so that little padding (on the left) is computed.
    max_new_tokens : int
        The longest answer.
    batch : int
        Prompts at a time.
    finished : callable
        Whether an output may stop there.
    told : callable, optional
        Called with the number of prompts answered.

    Returns
    -------
    list of str
        In the order of the prompts.
    """
    tokenizer = base.tokenizer
    ids = [tokenizer(prompt)["input_ids"] for prompt in prompts]
    order = sorted(range(len(prompts)), key=lambda place: (len(ids[place]), place))
    settings = GenerationConfig(**{**base.model.generation_config.to_dict(), "max_new_tokens": max_new_tokens})
    answers: dict[int, str] = {}
    device = base.model.device
    for start in range(0, len(order), batch)[rank() :: world_size()]:
        places = order[start : start + batch]
        longest = len(ids[places[-1]])
        rows = torch.full((len(places), longest), base.padding, dtype=torch.int64)
        mask = torch.zeros_like(rows)
        for row, place in enumerate(places):
            rows[row, longest - len(ids[place]) :] = torch.tensor(ids[place])
            mask[row, longest - len(ids[place]) :] = 1
        with torch.inference_mode(), torch.autocast(device.type, torch.bfloat16, enabled=base.half):
            written = model.generate(
                input_ids=rows.to(device),
                attention_mask=mask.to(device),
                generation_config=settings,
                stopping_criteria=StoppingCriteriaList([_Answered(tokenizer, longest, finished)]),
            )
        texts = tokenizer.batch_decode(written[:, longest:], skip_special_tokens=True)
        answers.update(zip(places, texts, strict=True))
        if told is not None:
            told(min(start + batch, len(order)))
    whole = gathered(answers)
    return [whole[place] for place in range(len(prompts))]
