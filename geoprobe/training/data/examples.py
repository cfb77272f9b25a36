"""Training examples as token ids: prompts masked, long ones cut, and in an order that all methods share."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jinja2.exceptions import TemplateError

from geoprobe.errors import BadDataError
from geoprobe.results import counted
from geoprobe.training.data.forms import Turn
from geoprobe.training.data.instructions import Example, TrainingData
from geoprobe.training.setup import Setup

#: Batches within which examples are sorted by length, so that a batch pads little and batches still differ in kind.
_SORTED_TOGETHER = 16

_SAMPLE, _SPLIT, _ORDER = 0, 1, 2  # streams of a seed


@dataclass(frozen=True)
class Tokens:
    """One example: prompt, response and end token; the loss of the first `prompt` ids does not count.

    Those are the prompt's, or the first alone.
    """

    ids: tuple[int, ...]
    prompt: int

    @property
    def learned(self) -> int:
        """Tokens whose loss counts."""
        return len(self.ids) - self.prompt


@dataclass(frozen=True)
class Prepared:
    """Examples to train on and examples held out.

    `training` is learned from, `validation` held out to measure the loss, and `choosing` to choose the rate by, where
    there is a choice; no question is in two of them. `cut` counts the examples longer than the cutoff, and `note` says
    what was left out.
    """

    training: tuple[Tokens, ...]
    validation: tuple[Tokens, ...]
    choosing: tuple[Tokens, ...]
    cut: int
    note: str = ""


def prepare(data: TrainingData, tokenizer: Any, setup: Setup) -> Prepared:
    """Tokenise, cut at the cutoff, sample, and hold out the validation split."""
    kept: list[tuple[str, Tokens]] = []
    cut = left = hopeless = 0
    for example in data.examples:
        tokens = _tokens(example, tokenizer, chat=setup.template == "chat")
        if setup.longest is not None and len(tokens.ids) > setup.longest:
            left += 1
            continue
        if tokens.prompt >= setup.cutoff:  # no token of the response would be learned
            hopeless += 1
            continue
        cut += len(tokens.ids) > setup.cutoff
        # nothing foretells the first token
        masked = tokens.prompt if setup.loss == "response" else 1
        kept.append((_same(example.group or example.question), Tokens(tokens.ids[: setup.cutoff], masked)))
    if setup.examples is not None and setup.examples < len(kept):
        rng = np.random.default_rng((setup.seed, _SAMPLE))
        kept = [kept[place] for place in np.sort(rng.choice(len(kept), setup.examples, replace=False))]
    training, validation, choosing = _split(kept, setup)
    if not training or not validation or (len(setup.rates) > 1 and not choosing):
        raise BadDataError(
            f"{data.name} leaves {len(training)} examples to train on and {len(validation)} to validate on.",
            "Give more data, a longer cutoff, or fewer --validation examples.",
        )
    notes = [
        f"{counted(left, 'example')} of more than {setup.longest} tokens left out." if left else "",
        f"{counted(hopeless, 'example')} whose prompt fills the cutoff of {setup.cutoff} tokens left out."
        if hopeless
        else "",
        f"{counted(cut, 'example')} cut at {setup.cutoff} tokens." if cut else "",
    ]
    return Prepared(tuple(training), tuple(validation), tuple(choosing), cut, " ".join(filter(None, notes)))


def training_order(lengths: Sequence[int], batch: int, steps: int, seed: int) -> list[int]:
    """Indices of the examples of every step, one after the other.

    Every example comes once before any comes twice. Within `_SORTED_TOGETHER` batches examples are sorted by length and
    the batches shuffled, so that padding is not what is computed.

    `lengths` are the tokens of each example; the same seed gives the same ``steps * batch`` indices, whatever the
    method.
    """
    rng = np.random.default_rng((seed, _ORDER))
    wanted = steps * batch
    stream: list[int] = []
    while len(stream) < wanted:
        stream += rng.permutation(len(lengths)).tolist()
    order: list[int] = []
    for start in range(0, wanted, _SORTED_TOGETHER * batch):
        chunk = sorted(stream[start : min(start + _SORTED_TOGETHER * batch, wanted)], key=lengths.__getitem__)
        for place in rng.permutation(len(chunk) // batch):
            order += chunk[place * batch : (place + 1) * batch]
    return order


def prompt_ids(prompt: str, tokenizer: Any, *, chat: bool = False, turns: Sequence[Turn] = ()) -> list[int]:
    """Ids of a prompt that a response follows, without the end token that some tokenizers put behind every text.

    `chat`: in the tokenizer's own template, as what a user says, or as the turns of a conversation.
    """
    if chat:
        return list(tokenizer(chat_prompt(prompt, tokenizer, turns), add_special_tokens=False)["input_ids"])
    ids = list(tokenizer(prompt)["input_ids"])
    return ids[:-1] if ids and ids[-1] == tokenizer.eos_token_id else ids


def chat_prompt(prompt: str, tokenizer: Any, turns: Sequence[Turn] = ()) -> str:
    """A prompt, or a conversation so far, in the tokenizer's chat template, up to where the reply starts.

    BadDataError when the template takes neither.
    """
    as_asked = [("user", prompt)]
    for said in (turns, as_asked) if turns else (as_asked,):
        messages = [{"role": role, "content": content} for role, content in said]
        try:
            return str(tokenizer.apply_chat_template(messages, add_generation_prompt=True, tokenize=False))
        except TemplateError as error:  # some take no system text, or only roles in turn
            refused = error
    raise BadDataError(
        f"The tokenizer's chat template cannot be filled: {refused}.", "Give --template alpaca or plain."
    )


def _tokens(example: Example, tokenizer: Any, *, chat: bool) -> Tokens:
    # apart, as at test time the prompt is there alone
    prompt = prompt_ids(example.prompt, tokenizer, chat=chat, turns=example.turns)
    response = tokenizer(example.response, add_special_tokens=False)["input_ids"]
    return Tokens((*prompt, *response, tokenizer.eos_token_id), len(prompt))


def _split(kept: list[tuple[str, Tokens]], setup: Setup) -> tuple[list[Tokens], list[Tokens], list[Tokens]]:
    """Hold out random samples; a question that comes twice, and a conversation, go to one side."""
    rng = np.random.default_rng((setup.seed, _SPLIT))
    samples = 2 if len(setup.rates) > 1 else 1
    wanted = min(setup.validation, len(kept) // (samples + 1))
    twins = Counter(question for question, _ in kept)
    held_out: dict[str, int] = {}
    sizes = [0] * samples
    for place in rng.permutation(len(kept)):
        question = kept[place][0]
        sample = next((sample for sample, size in enumerate(sizes) if size < wanted), None)
        if sample is not None and question not in held_out:
            held_out[question] = sample
            sizes[sample] += twins[question]
    training = [tokens for question, tokens in kept if question not in held_out]
    validation, choosing = ([tokens for question, tokens in kept if held_out.get(question) == part] for part in (0, 1))
    return training, validation, choosing


def _same(question: str) -> str:
    return " ".join(re.findall(r"\w+", question.casefold()))
