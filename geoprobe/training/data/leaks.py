"""Test questions that are among the training data: word for word, or nearly."""

from __future__ import annotations

import json
import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import msgspec

from geoprobe.errors import BadDataError
from geoprobe.files import write_whole
from geoprobe.results import counted
from geoprobe.training.data.instructions import TrainingData
from geoprobe.training.data.near_duplicates import FEWEST, NGRAM, THRESHOLD, NearDuplicates
from geoprobe.training.data.tasks import LoadedTask
from geoprobe.training.data.word_runs import WordRuns
from geoprobe.training.data.wording import stem, without_options

_LISTED = 8

#: Questions of fewer words are looked for as whole sentences: as a run of words they could stand anywhere by chance.
SHORTEST = 5
#: A question that lists its options is looked for without them where it has so many words: other data list them
#: otherwise. Five of ARC-e's test questions are so found in its training set, with other options.
WITHOUT_OPTIONS = 8

_WORD = re.compile(r"\w+")
#: Where a sentence ends, or what comes before it does.
_SENTENCE = re.compile(r"[\n.?!:;|\"()]+")


@dataclass(frozen=True)
class Leak:
    """A test question found among the training data.

    `question` is its id, such as ``gsm8k/17``, `training` the index of the example. A near one has many of the same
    runs of words; `overlap` is the share of the question's n-grams that the example has. A prompt is all that the model
    is shown there (a turn, a system text and further input too), a response what it learns to say.
    """

    question: str
    training: int
    kind: Literal["exact", "near"]
    overlap: float
    place: Literal["prompt", "response"] = "prompt"


@dataclass(frozen=True)
class TaskLeaks:
    """How many of a set's questions were looked for and found."""

    task: str
    questions: int
    exact: int
    near: int


@dataclass(frozen=True)
class LeakReport:
    """Every test question that was found, and how many were looked for.

    Of each question it has the nearest training example. `everywhere` says whether all that is learned from was looked
    at, and not whole prompts alone; `ngram`, `threshold` and `fewest` what counts as near.
    """

    leaks: tuple[Leak, ...]
    tasks: tuple[TaskLeaks, ...]
    ngram: int = NGRAM
    threshold: float = THRESHOLD
    fewest: int = FEWEST
    everywhere: bool = False

    @property
    def found(self) -> bool:
        """Whether any question leaked."""
        return bool(self.leaks)

    def summary(self) -> str:
        """Counts in a line, such as ``gsm8k 1,055 of 1,319 (1,050 word for word)``; empty without leaks."""
        parts = [
            f"{task.task} {task.exact + task.near:,} of {task.questions:,} ({task.exact:,} word for word)"
            for task in self.tasks
            if task.exact + task.near
        ]
        return ", ".join(parts)


def find_leaks(training: TrainingData, tasks: Sequence[LoadedTask]) -> LeakReport:
    """Look for every test question in the training data, in time that grows as both together.

    A question is found *exactly* where its words stand one after the other anywhere in an example's prompt (system
    text, turns and further input with it) or response; case, accents' encoding, punctuation and the words that all
    questions of a commonsense set share are left aside, and so are its options from `WITHOUT_OPTIONS` words on. One of
    fewer than `SHORTEST` words must be a sentence of its own. A question is a *near-duplicate* where within some
    stretch of twice its length one prompt or response has at least `THRESHOLD` of its runs of `NGRAM` words, at least
    `FEWEST` of them, and more than half of its numbers. Questions under eleven words have no near-duplicates.
    """
    asked = [(question.id, words_of(stem(question.text)), question) for task in tasks for question in task.questions]
    sought = {identity: _sought(words, question.text) for identity, words, question in asked}
    runs = WordRuns(run for run in sought.values() if len(run) >= SHORTEST)
    sentences: dict[tuple[str, ...], int | None] = {run: None for run in sought.values() if 0 < len(run) < SHORTEST}
    texts = [text for example in training.examples for text in (example.question, example.response)]
    near = NearDuplicates((words for _, words, _ in asked), lambda place: words_of(texts[place]))
    for place, text in enumerate(texts):
        words = words_of(text)
        runs.look(words, place)
        near.add(words, place)
        if sentences:
            for sentence in map(words_of, _SENTENCE.split(text)):
                if sentences.get(sentence, place) is None:
                    sentences[sentence] = place
    leaks = []
    by_task: dict[str, Counter[str]] = defaultdict(Counter)
    for identity, words, _ in asked:
        found = runs.first.get(sought[identity], sentences.get(sought[identity]))
        nearest = None if found is not None else near.nearest(words)
        if found is not None:
            leaks.append(Leak(identity, found // 2, "exact", 1.0, _PLACES[found % 2]))
        elif nearest is not None:
            leaks.append(Leak(identity, nearest.text // 2, "near", nearest.overlap, _PLACES[nearest.text % 2]))
        else:
            continue
        by_task[identity.rpartition("/")[0]][leaks[-1].kind] += 1
    counts = tuple(
        TaskLeaks(name, len(task.questions), by_task[name]["exact"], by_task[name]["near"])
        for task in tasks
        for name in (task.task.name,)
    )
    return LeakReport(tuple(leaks), counts, everywhere=True)


_PLACES: tuple[Literal["prompt", "response"], ...] = ("prompt", "response")


def _sought(words: tuple[str, ...], text: str) -> tuple[str, ...]:
    """The run of words that a question is looked for by."""
    body = words_of(without_options(stem(text)))
    return body if len(body) >= WITHOUT_OPTIONS else words


def words_of(text: str) -> tuple[str, ...]:
    """A text's words, whatever its case, punctuation and way of writing accents."""
    return tuple(_WORD.findall(unicodedata.normalize("NFKC", text).casefold()))


def without_leaked(tasks: Sequence[LoadedTask], leaks: LeakReport) -> tuple[LoadedTask, ...]:
    """Test sets without the questions that leaked.

    BadDataError when none is left of a set.
    """
    leaked = {leak.question for leak in leaks.leaks}
    kept = []
    for task in tasks:
        questions = tuple(question for question in task.questions if question.id not in leaked)
        left = len(task.questions) - len(questions)
        if not questions:
            raise BadDataError(
                f"Every question of {task.task.name} is among the training data.",
                "Leave the set out.",
            )
        note = f"{task.note} {counted(left, 'question')} among the training data left out." if left else task.note
        kept.append(replace(task, questions=questions, note=note.strip()))
    return tuple(kept)


def refusal(leaks: LeakReport, training: TrainingData, out: Path | None) -> BadDataError:
    """The error that lists what leaked, all of it in a file of the folder where that is more than a few."""
    listed = [
        f"  {leak.question} is in the {leak.place} of training example {leak.training:,}"
        + (" word for word" if leak.kind == "exact" else f", {leak.overlap:.0%} of its word runs")
        for leak in leaks.leaks[:_LISTED]
    ]
    more = len(leaks.leaks) - len(listed)
    if more > 0 and out is not None:
        path = out / "leaks.json"
        write_whole({path: (json.dumps(msgspec.to_builtins(leaks), indent=1) + "\n").encode()})
        listed.append(f"  and {more:,} more, all listed in {path}")
    elif more > 0:
        listed.append(f"  and {more:,} more")
    return BadDataError(
        f"Test questions are among the training data {training.name}: {leaks.summary()}.\n" + "\n".join(listed),
        "Train on other data, leave these questions out by --drop-leak, or accept them by --allow-leak.",
    )


def leak_warning(leaks: LeakReport, training: TrainingData, handled: str) -> str:
    """What a report must say of an experiment whose test questions leaked and were dropped or allowed."""
    done = (
        "These were left out of the test."
        if handled == "drop"
        else "They were asked all the same: accuracies are too high."
    )
    return f"Test questions are among the training data {training.name}: {leaks.summary()}. {done}"
