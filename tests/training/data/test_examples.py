"""Masking, cutting, holding out and ordering."""

from collections import Counter
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jinja2.exceptions import TemplateError

from geoprobe.errors import BadDataError
from geoprobe.training.data.examples import chat_prompt, prepare, prompt_ids, training_order
from geoprobe.training.data.instructions import Example, TrainingData
from geoprobe.training.setup import Setup


class Words:
    """A tokenizer of whole words: an id is a word's length; 0 ends, and 99 begins what may have special tokens."""

    eos_token_id = 0

    def __call__(self, text: str, add_special_tokens: bool = True) -> dict[str, list[int]]:
        return {"input_ids": [99] * add_special_tokens + [len(word) for word in text.split()]}


def _data(*pairs: tuple[str, str]) -> TrainingData:
    return TrainingData("sums", tuple(Example(prompt, response, prompt) for prompt, response in pairs), "sha")


def _setup(**choices: Any) -> Setup:
    return Setup("demo", "sums", ("mawps",), **{"validation": 1, **choices})


def test_the_prompt_is_masked_and_the_response_ends() -> None:
    prepared = prepare(_data(("a bb", "ccc dddd"), ("e", "f")), Words(), _setup())
    both = {example.ids: example.prompt for example in prepared.training + prepared.validation}
    assert both == {(99, 1, 2, 3, 4, 0): 3, (99, 1, 1, 0): 2}


def test_the_whole_text_but_its_first_token_is_learned_where_the_loss_is_on_all() -> None:
    prepared = prepare(_data(("a bb", "ccc dddd"), ("e", "f")), Words(), _setup(loss="full"))
    assert {(example.prompt, example.learned) for example in (*prepared.training, *prepared.validation)} == {
        (1, 5),
        (1, 3),
    }


class Chat(Words):
    """The same with a template for chats that takes no system text."""

    def apply_chat_template(self, messages: list[dict[str, str]], **options: bool) -> str:
        assert options == {"add_generation_prompt": True, "tokenize": False}
        if messages[0]["role"] == "system":
            raise TemplateError("System role not supported")
        return " ".join(f"<{message['role']}> {message['content']}" for message in messages) + " <reply>"


def test_a_prompt_is_put_into_the_tokenizers_chat_template() -> None:
    turns = (("user", "a"), ("assistant", "bb"), ("user", "ccc"))
    assert chat_prompt("a", Chat()) == "<user> a <reply>"
    assert chat_prompt("a bb ccc", Chat(), turns) == "<user> a <assistant> bb <user> ccc <reply>"
    assert chat_prompt("be short a", Chat(), (("system", "be short"), *turns)) == "<user> be short a <reply>"
    assert prompt_ids("a", Chat(), chat=True) == [6, 1, 7]  # the template has all special tokens
    data = TrainingData("sums", tuple(Example("a", "b", str(at), turns=turns) for at in range(2)), "sha")
    prepared = prepare(data, Chat(), _setup(template="chat"))
    assert prepared.training[0].prompt == len(["<user>", "a", "<assistant>", "bb", "<user>", "ccc", "<reply>"])


def test_long_examples_are_cut_without_an_end_or_left_out() -> None:
    data = _data(("a", "b c d e f"), ("g h", "i"), ("j k l m", "n"), ("o", "p"))
    cut = prepare(data, Words(), _setup(cutoff=5))
    everything = cut.training + cut.validation
    assert (99, 1, 1, 1, 1) in {example.ids for example in everything}  # no room for an end
    assert len(everything) == 3  # one prompt alone fills the cutoff
    assert "1 example whose prompt fills the cutoff" in cut.note
    assert cut.cut == 1
    left = prepare(data, Words(), _setup(longest=5))
    assert len(left.training + left.validation) == 2
    assert "2 examples of more than 5 tokens left out" in left.note


def test_no_question_is_both_learned_and_held_out() -> None:
    pairs = [
        (f"question {'x' * (place // 3)}", f"{'y' * place}") for place in range(3, 60)
    ]  # each question three times
    for seed in range(5):
        prepared = prepare(_data(*pairs), Words(), _setup(validation=10, seed=seed))
        learned = {example.ids[2] for example in prepared.training}
        held = {example.ids[2] for example in prepared.validation}
        assert not learned & held
        assert 10 <= len(prepared.validation) <= 12


def test_the_turns_of_a_conversation_are_held_out_together() -> None:
    turns = tuple(
        Example(f"turn {'x' * talk} {'y' * turn}", "z", f"{talk} {turn}", f"talk {talk}")
        for talk in range(3, 23)
        for turn in (1, 2)
    )
    for seed in range(5):
        prepared = prepare(TrainingData("chat", turns, "sha"), Words(), _setup(validation=8, seed=seed))
        assert not {each.ids[2] for each in prepared.training} & {each.ids[2] for each in prepared.validation}


def test_the_split_depends_on_its_seed_alone() -> None:
    data = _data(*((f"q {'x' * place}", "y") for place in range(1, 40)))
    one = prepare(data, Words(), _setup(validation=5))
    assert prepare(data, Words(), _setup(validation=5, seeds=(7,), rank=3)) == one
    assert prepare(data, Words(), _setup(validation=5, seed=1)) != one
    assert len(prepare(data, Words(), _setup(validation=5, examples=12)).training) == 7


def test_too_few_examples_are_an_error() -> None:
    with pytest.raises(BadDataError, match="leaves 1 examples to train on and 0 to validate on"):
        prepare(_data(("a", "b")), Words(), _setup())


@settings(max_examples=40)
@given(
    lengths=st.lists(st.integers(1, 300), min_size=1, max_size=80),
    batch=st.integers(1, 9),
    steps=st.integers(1, 40),
    seed=st.integers(0, 5),
)
def test_an_order_shows_each_example_equally_often(lengths: list[int], batch: int, steps: int, seed: int) -> None:
    order = training_order(lengths, batch, steps, seed)
    assert len(order) == batch * steps
    counts = Counter(order)
    seen = [counts[place] for place in range(len(lengths))]
    assert max(seen) - min(seen) <= 1
    assert order == training_order(lengths, batch, steps, seed)


def test_batches_hold_examples_of_like_length_in_no_order_of_length() -> None:
    lengths = np.random.default_rng(0).integers(10, 250, 4000).tolist()
    batches = np.array(lengths)[training_order(lengths, 8, 400, 0)].reshape(400, 8)
    padded, plain = batches.max(axis=1).sum() * 8, batches.sum()
    assert plain / padded > 0.93  # against 0.58 of a random order
    assert abs(np.corrcoef(np.arange(400), batches.mean(axis=1))[0, 1]) < 0.15
    assert training_order(lengths, 8, 400, 0) != training_order(lengths, 8, 400, 1)


def test_where_rates_are_tried_others_are_held_out_to_choose_one() -> None:
    pairs = [(f"question {'x' * place}", "y") for place in range(3, 60)]
    one = prepare(_data(*pairs), Words(), _setup(validation=10, rates=(1e-3,)))
    several = prepare(_data(*pairs), Words(), _setup(validation=10, rates=(1e-3, 1e-4)))
    assert one.choosing == ()
    assert several.validation == one.validation
    assert len(several.choosing) == 10
    assert not {*several.choosing} & {*several.validation, *several.training}


class Ending(Words):
    """A tokenizer that puts its end token behind every text."""

    def __call__(self, text: str, **options: Any) -> dict[str, list[int]]:
        ids = list(super().__call__(text, **options)["input_ids"])
        return {"input_ids": [*ids, self.eos_token_id] if options.get("add_special_tokens", True) else ids}


def test_an_end_token_that_a_tokenizer_adds_is_not_between_prompt_and_response() -> None:
    pairs = [(f"question {'x' * place}", "yes") for place in range(3, 30)]
    assert prepare(_data(*pairs), Ending(), _setup(validation=5)) == prepare(
        _data(*pairs), Words(), _setup(validation=5)
    )
