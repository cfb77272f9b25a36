"""What a model answers to the test sets, and how its hidden states lie."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from geoprobe.training.base_model import LoadedBase
from geoprobe.training.generate import greedy_answers
from geoprobe.training.hidden import final_delta
from geoprobe.training.likelihood import likeliest_options
from geoprobe.training.records import Prediction
from geoprobe.training.setup import Setup
from geoprobe.training.tasks import LoadedTask

__all__ = ["Evaluation", "evaluate", "sampled"]

_QUESTIONS = 3  # stream of the seed


@dataclass(frozen=True)
class Evaluation:
    """Predictions and mean relative δ of the final hidden layer, by task."""

    predictions: dict[str, tuple[Prediction, ...]]
    hidden_delta: dict[str, float]


def sampled(task: LoadedTask, setup: Setup) -> LoadedTask:
    """The questions of a test set that are asked: all, or a seeded sample in file order."""
    total = len(task.questions)
    if setup.questions is None or setup.questions >= total:
        return task
    rng = np.random.default_rng((setup.seed, _QUESTIONS))
    places = np.sort(rng.choice(total, setup.questions, replace=False))
    note = f"{task.note} A sample of {setup.questions:,} of its {total:,} questions.".strip()
    return replace(task, questions=tuple(task.questions[place] for place in places), note=note)


def evaluate(
    model: Any,
    base: LoadedBase,
    setup: Setup,
    tasks: Sequence[LoadedTask],
    told: Callable[[int], None] | None = None,
) -> Evaluation:
    """Ask every question of the tasks, already sampled.

    Parameters
    ----------
    model
        The model, or a peft model around it.
    base : LoadedBase
        Its tokenizer and precision.
    setup : Setup
        Batch, longest answer and number of prompts for δ.
    tasks : sequence of LoadedTask
        The test sets.
    told : callable, optional
        Called with the number of questions answered.
    """
    model.eval()
    predictions: dict[str, tuple[Prediction, ...]] = {}
    hidden_delta: dict[str, float] = {}
    before = 0
    for loaded in tasks:
        task, questions = loaded.task, loaded.questions
        done = before
        outputs = greedy_answers(
            model,
            base,
            [question.prompt for question in questions],
            max_new_tokens=setup.max_new_tokens or task.max_new_tokens,
            batch=setup.evaluation_batch,
            finished=task.finished,
            told=None if told is None else lambda count, done=done: told(done + count),  # type: ignore[misc]
        )
        likeliest = likeliest_options(model, base, questions, setup.evaluation_batch)
        answered = []
        for question, output, option in zip(questions, outputs, likeliest, strict=True):
            extracted = task.extract(output)
            answered.append(
                Prediction(
                    question.id,
                    output,
                    extracted,
                    task.is_right(extracted, question.answer),
                    None if option is None else option == question.correct,
                )
            )
        predictions[task.name] = tuple(answered)
        prompts = [question.prompt for question in questions[: setup.delta_prompts]]
        delta = final_delta(model, base, prompts, setup.model) if prompts else None
        if delta is not None:
            hidden_delta[task.name] = delta
        before += len(questions)
    return Evaluation(predictions, hidden_delta)
