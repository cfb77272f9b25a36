"""Answers in batches are those of one prompt at a time, stop when they are given, and are read and kept."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from geoprobe.stats.hyperbolicity import delta_basepoint_batch
from geoprobe.training.data.tasks import load_task, sampled
from geoprobe.training.model.adapters import adapted, b_matrices
from geoprobe.training.running.evaluate import evaluate, final_delta, written_answers

PROMPTS = ["One and one", "How many pens has Ann if she finds two more pens?", "Twice seven is", "Count: 1 2 3 4 5 6"]


def _answers(model: Any, base: Any, prompts: list[str], **choices: Any) -> list[str]:
    settings: dict[str, Any] = {"max_new_tokens": 6, "batch": 3, "finished": lambda _: False, **choices}
    return written_answers(model, base, prompts, **settings)


def test_batches_give_what_each_prompt_gives_alone(base: Any, make: Callable[..., Any]) -> None:
    with adapted(base.model, make(), "hyplora", 0) as model:
        model.eval()
        with torch.no_grad():
            for matrix in b_matrices(model).values():
                matrix.normal_(generator=torch.Generator(matrix.device).manual_seed(0))
        together = _answers(model, base, PROMPTS)
        assert together == [_answers(model, base, [prompt])[0] for prompt in PROMPTS]
        by_hand = base.tokenizer(PROMPTS[0], return_tensors="pt")["input_ids"].to(model.device)
        start = by_hand.shape[1]
        with torch.no_grad():
            for _ in range(6):
                by_hand = torch.cat([by_hand, model(by_hand).logits[:, -1:].argmax(-1)], dim=1)
        assert together[0] == base.tokenizer.decode(by_hand[0, start:], skip_special_tokens=True)


def test_beams_give_what_the_models_own_search_gives(base: Any) -> None:
    ids = base.tokenizer(PROMPTS[1], return_tensors="pt")["input_ids"].to(base.model.device)
    with torch.no_grad():
        own = base.model.generate(ids, num_beams=4, max_new_tokens=8, do_sample=False, generation_config=None)
    by_beams = _answers(base.model, base, PROMPTS, beams=4, max_new_tokens=8, finished=lambda _: True)
    assert by_beams[1] == base.tokenizer.decode(own[0, ids.shape[1] :], skip_special_tokens=True)


def test_a_thought_that_the_chat_template_opens_is_no_answer(base: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    opening = "{% for m in messages %}{{ m.content }}{% endfor %}{% if add_generation_prompt %}<think>{% endif %}"
    monkeypatch.setattr(base.tokenizer, "chat_template", opening)
    (answer,) = _answers(base.model, replace(base, chat=True), PROMPTS[:1], max_new_tokens=2)
    (alone,) = _answers(base.model, base, [f"{PROMPTS[0]}<think>"], max_new_tokens=2)
    assert answer == f"<think>{alone}"


def test_a_batch_stops_once_every_row_has_answered(base: Any) -> None:
    seen: list[int] = []

    def finished(text: str) -> bool:
        seen.append(len(base.tokenizer(text)["input_ids"]))
        return len(text) > 3

    answers = _answers(base.model, base, PROMPTS, batch=4, max_new_tokens=50, finished=finished)
    assert max(seen) < 20
    assert all(len(answer) > 3 for answer in answers)


def test_a_finished_row_writes_nothing_more(base: Any) -> None:
    """It waits for the slowest row of its batch."""
    whole = _answers(base.model, base, PROMPTS, batch=4, max_new_tokens=12)
    first = whole[0][: len(whole[0]) // 3]
    stopped = _answers(
        base.model, base, PROMPTS, batch=4, max_new_tokens=12, finished=lambda text: text.startswith(first)
    )
    assert len(stopped[0]) < len(whole[0])
    assert stopped[1:] == whole[1:]


def test_every_question_is_answered_read_and_judged(base: Any, make: Callable[..., Any], test_sets: Path) -> None:
    setup = make()
    tasks = [load_task(name, data=test_sets, template="plain") for name in setup.tasks]
    counts: list[int] = []
    found = evaluate(base.model, base, setup, tasks, counts.append)
    assert counts[-1] == 8 + 6
    assert [each.id for each in found.predictions["addsub"]] == [f"addsub/{n}" for n in range(8)]
    for task in tasks:
        for question, each in zip(task.questions, found.predictions[task.task.name], strict=True):
            assert each.extracted == task.task.extract(each.output)
            assert each.right == task.task.is_right(each.extracted, question.answer)
            assert (each.likelihood_right is None) == (not question.options)
    assert all(each.likelihood_right is None for each in found.predictions["addsub"])
    assert all(each.likelihood_right is not None for each in found.predictions["aqua"])
    assert set(found.hidden_delta) == {"addsub", "aqua"}


def test_a_model_that_writes_the_answer_is_right(
    base: Any, make: Callable[..., Any], test_sets: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = load_task("addsub", data=test_sets, template="plain")
    outputs = ["So #### 19"] * 3 + ["#### 18", "no idea"] + ["19.0"] * 3
    monkeypatch.setattr("geoprobe.training.running.evaluate.written_answers", lambda *_, **__: outputs)
    found = evaluate(base.model, base, make(delta_prompts=0), [task])
    assert [each.right for each in found.predictions["addsub"]] == [True] * 3 + [False] * 2 + [True] * 3
    assert found.predictions["addsub"][4].extracted is None
    assert found.hidden_delta == {}


def test_a_sample_of_questions_is_seeded_and_in_file_order(make: Callable[..., Any], test_sets: Path) -> None:
    task = load_task("addsub", data=test_sets, template="plain")
    some = sampled(task, make(questions=5))
    places = [int(question.id.partition("/")[2]) for question in some.questions]
    assert len(places) == 5
    assert places == sorted(places)
    assert "5 of its 8 questions" in some.note
    assert sampled(task, make(questions=5, rank=2)) == some
    assert sampled(task, make(questions=5, seed=1)) != some
    assert sampled(task, make(questions=8)) == task


def test_delta_is_that_of_the_final_hidden_states(base: Any, make: Callable[..., Any]) -> None:
    clouds = []
    for prompt in PROMPTS:
        ids = base.tokenizer(prompt, return_tensors="pt")["input_ids"].to(base.model.device)
        if ids.shape[1] >= 4:
            with torch.no_grad():
                states = base.model(ids, output_hidden_states=True).hidden_states[-1]
            clouds.append(states[0].double().cpu().numpy())
    expected = float(np.mean(delta_basepoint_batch(clouds).relative))
    assert final_delta(base.model, base, PROMPTS, "tiny") == pytest.approx(expected, rel=1e-4)
    with adapted(base.model, make(), "lora", 0) as model:
        assert final_delta(model, base, PROMPTS, "tiny") == pytest.approx(expected, rel=1e-4)
    assert final_delta(base.model, base, ["a"], "tiny") is None


def test_the_longest_answer_is_the_tasks_unless_another_is_asked_for(
    base: Any, make: Callable[..., Any], test_sets: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []

    def answers(*_: Any, max_new_tokens: int, **__: Any) -> list[str]:
        asked.append(max_new_tokens)
        return ["1"] * 8

    monkeypatch.setattr("geoprobe.training.running.evaluate.written_answers", answers)
    task = load_task("addsub", data=test_sets, template="plain")
    for choice in (4, 10_000, None):
        evaluate(base.model, base, replace(make(), max_new_tokens=choice, delta_prompts=0), [task])
    assert asked == [4, 10_000, task.task.max_new_tokens]
