"""What a model answers to the test sets, and how its hidden states lie."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from transformers import GenerationConfig, StoppingCriteria, StoppingCriteriaList

from geoprobe.sources.models.states import ModelStates
from geoprobe.stats.hyperbolicity import delta_basepoint_batch
from geoprobe.training.data.examples import chat_prompt, prompt_ids
from geoprobe.training.data.tasks import LoadedTask
from geoprobe.training.model.base import LoadedBase
from geoprobe.training.records import Prediction
from geoprobe.training.running.distributed import gathered, rank, world_size
from geoprobe.training.running.loss import likeliest_options
from geoprobe.training.setup import Setup


@dataclass(frozen=True)
class Evaluation:
    """Predictions and mean relative δ of the final hidden layer, by task."""

    predictions: dict[str, tuple[Prediction, ...]]
    hidden_delta: dict[str, float]


def evaluate(
    model: Any,
    base: LoadedBase,
    setup: Setup,
    tasks: Sequence[LoadedTask],
    on_answers: Callable[[int], None] | None = None,
) -> Evaluation:
    """Ask a model, or a peft model around it, every question of the tasks, already sampled.

    `on_answers` is called with the number of questions answered.
    """
    model.eval()
    predictions: dict[str, tuple[Prediction, ...]] = {}
    hidden_delta: dict[str, float] = {}
    before = 0
    for loaded in tasks:
        task, questions = loaded.task, loaded.questions
        done = before
        outputs = written_answers(
            model,
            base,
            [question.prompt for question in questions],
            max_new_tokens=task.longest(setup),
            beams=setup.beams,
            batch=setup.evaluation_batch,
            finished=lambda output, task=task: task.finished(output, setup.answers),  # type: ignore[misc]
            on_answers=None if on_answers is None else lambda count, done=done: on_answers(done + count),  # type: ignore[misc]
        )
        likeliest = likeliest_options(model, base, questions, setup.evaluation_batch)
        answered = []
        for question, output, option in zip(questions, outputs, likeliest, strict=True):
            reading = task.read(output, setup.answers)
            answered.append(
                Prediction(
                    question.id,
                    output,
                    reading.answer,
                    task.is_right(reading.answer, question.answer),
                    None if option is None else option == question.correct,
                    reading.rule,
                )
            )
        predictions[task.name] = tuple(answered)
        prompts = [question.prompt for question in questions[: setup.delta_prompts]]
        delta = final_delta(model, base, prompts, setup.model) if prompts else None
        if delta is not None:
            hidden_delta[task.name] = delta
        before += len(questions)
    return Evaluation(predictions, hidden_delta)


class _Answered(StoppingCriteria):
    """A row is done once its answer can no longer change."""

    def __init__(self, tokenizer: Any, start: int, lead: str, finished: Callable[[str], bool]) -> None:
        self._tokenizer = tokenizer
        self._lead = lead
        self._start = start
        self._finished = finished

    def __call__(self, input_ids: Tensor, scores: Any, **_: Any) -> Tensor:
        texts = self._tokenizer.batch_decode(input_ids[:, self._start :], skip_special_tokens=True)
        return torch.tensor(
            [self._finished(self._lead + text) for text in texts], dtype=torch.bool, device=input_ids.device
        )


def written_answers(
    model: Any,
    base: LoadedBase,
    prompts: Sequence[str],
    *,
    max_new_tokens: int,
    batch: int,
    finished: Callable[[str], bool],
    on_answers: Callable[[int], None] | None = None,
    beams: int = 1,
) -> list[str]:
    """What a model writes after each prompt, in the order of the prompts: the likeliest token each time, or by beams.

    Prompts of like length go together, so that little padding (on the left) is computed. `finished` says whether an
    output may stop there; with beams none does before its end.
    """
    tokenizer = base.tokenizer
    ids = [prompt_ids(prompt, tokenizer, chat=base.chat) for prompt in prompts]
    # some chat templates open a thought that the model closes
    lead = "<think>" if base.chat and chat_prompt("?", tokenizer).rstrip().endswith("<think>") else ""
    order = sorted(range(len(prompts)), key=lambda place: (len(ids[place]), place))
    settings = GenerationConfig(
        **{**base.model.generation_config.to_dict(), "max_new_tokens": max_new_tokens, "num_beams": beams}
    )
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
                stopping_criteria=StoppingCriteriaList([_Answered(tokenizer, longest, lead, finished)] * (beams == 1)),
            )
        texts = tokenizer.batch_decode(written[:, longest:], skip_special_tokens=True)
        answers.update(zip(places, [lead + text for text in texts], strict=True))
        if on_answers is not None:
            on_answers(min(start + batch, len(order)))
    whole = gathered(answers)
    return [whole[place] for place in range(len(prompts))]


#: Longer prompts are cut, as δ takes the square of their length.
MAX_TOKENS = 128
_FEWEST = 4


def final_delta(model: Any, base: LoadedBase, prompts: Sequence[str], name: str) -> float | None:
    """Mean relative δ over prompts of what leaves the model's last layer, behind its final norm.

    Base point is the first token and distances are Euclidean, the paper's protocol. Prompts are cut to `MAX_TOKENS`
    tokens; None without prompts of at least four. `name` is the model's, for errors.
    """
    causal = model.get_base_model() if hasattr(model, "get_base_model") else model
    states = ModelStates(causal.base_model, name)
    ids = [
        np.array(prompt_ids(prompt, base.tokenizer, chat=base.chat)[:MAX_TOKENS], dtype=np.int64) for prompt in prompts
    ]
    ids = [row for row in ids if len(row) >= _FEWEST]
    if not ids:
        return None
    (clouds,) = states.read(ids, [states.layers])
    return float(np.mean(delta_basepoint_batch([cloud.astype(np.float64) for cloud in clouds]).relative))
