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
from geoprobe.training.data import TrainingData
from geoprobe.training.tasks import LoadedTask
from geoprobe.training.wording import stem

__all__ = [
    "FEWEST",
    "NGRAM",
    "THRESHOLD",
    "Leak",
    "LeakReport",
    "TaskLeaks",
    "find_leaks",
    "leak_warning",
    "refusal",
    "without_leaked",
]

_LISTED = 8

#: A near-duplicate shares this part of a test question's runs of so many words with one training example, at least so
#: many runs, and most of the question's numbers: one story with other numbers is another question. Measured:
#: none of GSM8K's test questions is found in its training set (BoolQ: 0.15%, ARC-e: 0.8%); of its questions with every
#: tenth word replaced 84% are found (AddSub: 76%). Short formulas ("will there be a season 8 of ...") are why runs are
#: counted too.
NGRAM, THRESHOLD, FEWEST = 4, 0.5, 8

_WORD = re.compile(r"\w+")


@dataclass(frozen=True)
class Leak:
    """A test question found among the training data.

    Parameters
    ----------
    question : str
        The question's id, such as ``gsm8k/17``.
    training : int
        Index of the training example.
    kind : {"exact", "near"}
        The same words, or many of the same runs of words.
    overlap : float
        Share of the question's n-grams that the example has.
    """

    question: str
    training: int
    kind: Literal["exact", "near"]
    overlap: float


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

    Parameters
    ----------
    leaks : tuple of Leak
        In question order, the nearest training example of each.
    tasks : tuple of TaskLeaks
        Counts by set.
    ngram, threshold, fewest : int, float, int
        What counts as near.
    """

    leaks: tuple[Leak, ...]
    tasks: tuple[TaskLeaks, ...]
    ngram: int = NGRAM
    threshold: float = THRESHOLD
    fewest: int = FEWEST

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
    """Look for every test question in the training data.

    Parameters
    ----------
    training : TrainingData
        What is trained on.
    tasks : sequence of LoadedTask
        What is tested on.

    Returns
    -------
    LeakReport
        A question is found *exactly* where a training question has the same words in the same order, case, accents'
        encoding, punctuation and the words that all questions of a commonsense set share left aside. It is a
        *near-duplicate* where one training question has at least `THRESHOLD` of its runs of `NGRAM` words, at least
        `FEWEST` of them, and more than half of its numbers.
    """
    asked = [(question.id, _words(question.text)) for task in tasks for question in task.questions]
    index: dict[tuple[str, ...], list[int]] = {gram: [] for _, words in asked for gram in _ngrams(words)}
    exact: dict[tuple[str, ...], int] = {}
    for position, example in enumerate(training.examples):
        words = _words(example.question)
        exact.setdefault(words, position)
        for gram in set(_ngrams(words)):
            if gram in index:
                index[gram].append(position)
    looked = (_find(identity, words, exact, index, training) for identity, words in asked)
    leaks = tuple(leak for leak in looked if leak is not None)
    by_task: dict[str, Counter[str]] = defaultdict(Counter)
    for leak in leaks:
        by_task[leak.question.rpartition("/")[0]][leak.kind] += 1
    counts = tuple(
        TaskLeaks(name, len(task.questions), by_task[name]["exact"], by_task[name]["near"])
        for task in tasks
        for name in (task.task.name,)
    )
    return LeakReport(leaks, counts)


def _find(
    identity: str,
    words: tuple[str, ...],
    exact: dict[tuple[str, ...], int],
    index: dict[tuple[str, ...], list[int]],
    training: TrainingData,
) -> Leak | None:
    if words in exact:
        return Leak(identity, exact[words], "exact", 1.0)
    grams = set(_ngrams(words))
    shared: Counter[int] = Counter()
    for gram in grams:
        shared.update(index[gram])
    enough = max(FEWEST, THRESHOLD * len(grams))
    for count, place in sorted(((count, place) for place, count in shared.items() if count >= enough), key=_nearest):
        if _same_numbers(words, _words(training.examples[place].question)):
            return Leak(identity, place, "near", count / len(grams))
    return None


def _nearest(shared: tuple[int, int]) -> tuple[int, int]:
    return -shared[0], shared[1]


def _same_numbers(asked: tuple[str, ...], learned: tuple[str, ...]) -> bool:
    numbers = Counter(word for word in asked if word[0].isdigit())
    return not numbers or 2 * (numbers & Counter(learned)).total() > numbers.total()


def _words(text: str) -> tuple[str, ...]:
    return tuple(_WORD.findall(unicodedata.normalize("NFKC", stem(text)).casefold()))


def _ngrams(words: tuple[str, ...]) -> list[tuple[str, ...]]:
    """Runs of words; a shorter text is one run."""
    size = min(NGRAM, len(words))
    return [words[start : start + size] for start in range(len(words) - size + 1)] if words else []


def without_leaked(tasks: Sequence[LoadedTask], leaks: LeakReport) -> tuple[LoadedTask, ...]:
    """Test sets without the questions that leaked.

    Raises
    ------
    BadDataError
        When none is left of a set.
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
        note = f"{task.note} {left:,} that are among the training data were left out." if left else task.note
        kept.append(replace(task, questions=questions, note=note.strip()))
    return tuple(kept)


def refusal(leaks: LeakReport, training: TrainingData, out: Path | None) -> BadDataError:
    """The error that lists what leaked, all of it in a file of the folder where that is more than a few."""
    listed = [
        f"  {leak.question} is training example {leak.training:,}"
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
