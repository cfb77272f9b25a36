"""Test sets known by name: the seven arithmetic and eight commonsense sets of the paper, and their questions.

A set is a row of `TASKS`; one that the hub has also has a row of `geoprobe.training.data.wording`.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from geoprobe.errors import BadDataError, NotFoundError, meant
from geoprobe.files import given_path
from geoprobe.sources.corpora import DATA_VARIABLE, local_folder
from geoprobe.sources.corpora.fields import Record
from geoprobe.sources.corpora.hub_sets import HubSet, hub_records
from geoprobe.sources.corpora.readers import file_records, split_file
from geoprobe.training.answers.reading import AnswerRules, Kind, Reading, extract, finished, is_right, normalised, read
from geoprobe.training.data.instructions import pairs_sha256
from geoprobe.training.data.wording import HUB_SETS, instruction_of, options_of, prompt
from geoprobe.training.setup import Setup

_QUESTIONS = 3  # stream of the seed
#: Tokens of an arithmetic answer that the paper's evaluation waits for.
_PAPERS_LONGEST = 512


@dataclass(frozen=True)
class Task:
    """A test set known by name, by its title in papers, and by those of local folders, in any case.

    `max_new_tokens` is the longest answer that is waited for, as in LLM-Adapters' evaluation.
    """

    name: str
    kind: Kind
    max_new_tokens: int
    title: str
    folders: tuple[str, ...] = ()

    def longest(self, setup: Setup) -> int:
        """Tokens of the longest answer that is waited for: the set-up's, or LLM-Adapters', or the paper's."""
        paper = _PAPERS_LONGEST if setup.answers == "llm-adapters" and self.kind != "words" else self.max_new_tokens
        return setup.max_new_tokens or paper

    def extract(self, output: str, rules: AnswerRules = "stated") -> str | None:
        """The answer in a model's output, in normal form; None where there is none."""
        return self.read(output, rules).answer

    def read(self, output: str, rules: AnswerRules = "stated") -> Reading:
        """The same with the rule that read it."""
        return read(self.kind, output, rules, self.name)

    def is_right(self, extracted: str | None, answer: str) -> bool:
        """Whether an extracted answer is the reference."""
        return is_right(self.kind, extracted, answer)

    def finished(self, output: str, rules: AnswerRules = "stated") -> bool:
        """Whether generation may stop: the answer can no longer change."""
        return finished(self.kind, output, rules, self.name)


TASKS: dict[str, Task] = {
    task.name: task
    for task in (
        Task("multiarith", "number", 256, "MultiArith"),
        Task("gsm8k", "number", 256, "GSM8K"),
        Task("addsub", "number", 256, "AddSub"),
        Task("aqua", "letter", 256, "AQuA", ("aqua_rat",)),
        Task("singleeq", "number", 256, "SingleEq"),
        Task("svamp", "number", 256, "SVAMP"),
        Task("mawps", "number", 256, "MAWPS"),
        Task("boolq", "words", 32, "BoolQ"),
        Task("piqa", "words", 32, "PIQA"),
        Task("siqa", "words", 32, "SIQA", ("social_i_qa", "socialiqa")),
        Task("hellaswag", "words", 32, "HellaSwag"),
        Task("winogrande", "words", 32, "WinoGrande"),
        Task("arc-easy", "words", 32, "ARC-e", ("arc-e", "arc_easy")),
        Task("arc-challenge", "words", 32, "ARC-c", ("arc-c", "arc_challenge")),
        Task("openbookqa", "words", 32, "OBQA", ("obqa",)),
    )
}


@dataclass(frozen=True)
class Question:
    """One test question: the whole prompt as the model sees it, the bare instruction, and the answer in normal form.

    Its id is the set and the index in file order, ``gsm8k/17``. Multiple choice has the texts whose likelihood is
    compared, in option order, and the index of the right one.
    """

    id: str
    prompt: str
    answer: str
    options: tuple[str, ...] = ()
    correct: int | None = None
    text: str = ""


@dataclass(frozen=True)
class LoadedTask:
    """A test set with its questions in file order, and their hash with the answers, whatever file they came in.

    The note says where they came from, and what was left out.
    """

    task: Task
    questions: tuple[Question, ...]
    sha256: str
    note: str = ""


def find_task(name: str) -> Task:
    """A test set by any of its names."""
    wanted = name.strip().lower()
    for task in TASKS.values():
        if wanted in (task.name, task.title.lower(), *task.folders):
            return task
    raise NotFoundError(f"There is no test set {name!r}.", f"{meant(name, TASKS)}Give some of {', '.join(TASKS)}.")


def load_task(
    name: str, *, data: str | Path | None = None, offline: bool = False, template: str = "alpaca"
) -> LoadedTask:
    """Read a test set: from the data folder where it has it, else from the hub.

    Local sets are in LLM-Adapters' or GSM8K's own form, a folder each; the data folder is by default what
    ``GEOPROBE_DATA`` names, if anything.
    """
    task = find_task(name)
    where = data or os.environ.get(DATA_VARIABLE)
    path = _test_file(given_path(where), task) if where else None
    records: list[Record]
    if path is not None:
        records, source, note = list(file_records(path)), str(path), f"{path.parent.name}/{path.name}."
    else:
        hub = _hub_set(task, where)
        rows = hub_records(hub, task.name, offline=offline)
        records, source = [instruction_of(task.name, row) for row in rows], str(hub)
        note = f"{hub} on the hub, put into LLM-Adapters' words."
    questions = read_questions(task.name, task.kind, records, source, template)
    if not questions:
        raise BadDataError(f"{source} holds no question.", "Give the set's test file.")
    return LoadedTask(task, questions, questions_sha256(questions), note)


def _test_file(data: Path, task: Task) -> Path | None:
    """The set's test file in the data folder; None where it has no such folder, or only other splits in it."""
    for called in (task.name, task.title, *task.folders):
        folder = local_folder(data, called)
        if folder is not None:
            with suppress(NotFoundError):
                return split_file(folder, "test")
    return None


def _hub_set(task: Task, where: str | Path | None) -> HubSet:
    if task.name in HUB_SETS:
        return HUB_SETS[task.name]
    looked = f"{str(where)!r} has no test file of it" if where else "no data folder was named"
    raise NotFoundError(
        f"The test set {task.name} is not at hand: {looked}, and the hub has no copy that can be read without code.",
        f"Get {task.title}/test.json of LLM-Adapters (github.com/AGI-Edgerunners/LLM-Adapters, dataset/), "
        "and name its folder's folder by --data.",
    )


def sampled(task: LoadedTask, setup: Setup) -> LoadedTask:
    """The questions of a test set that are asked: all, or a seeded sample in file order."""
    total = len(task.questions)
    if setup.questions is None or setup.questions >= total:
        return task
    rng = np.random.default_rng((setup.seed, _QUESTIONS))
    places = np.sort(rng.choice(total, setup.questions, replace=False))
    note = f"{task.note} A sample of {setup.questions:,} of its {total:,} questions.".strip()
    return replace(task, questions=tuple(task.questions[place] for place in places), note=note)


def read_questions(name: str, kind: Kind, records: Iterable[Record], where: str, template: str) -> tuple[Question, ...]:
    """Questions of records in LLM-Adapters' form (``instruction``, ``answer``) or GSM8K's (``question``)."""
    return tuple(_question(name, kind, position, record, where, template) for position, record in enumerate(records))


def questions_sha256(questions: Iterable[Question]) -> str:
    """SHA-256 of questions with their answers, whatever file they came in."""
    return pairs_sha256((question.text, question.answer) for question in questions)


def _question(name: str, kind: Kind, position: int, record: Record, where: str, template: str) -> Question:
    at = f"{where}: record {position + 1:,}"
    columns = record if isinstance(record, dict) else {}
    asked = columns.get("instruction", columns.get("question"))
    if not isinstance(asked, str) or not asked.strip() or "answer" not in columns:
        present = ", ".join(map(str, columns)) or "no columns"
        raise BadDataError(
            f"{at} is no question: it needs an instruction (or a question) and an answer, and has {present}.",
            "Give the test file in LLM-Adapters' form or in GSM8K's own.",
        )
    written = str(columns["answer"])
    # GSM8K's own answers are whole solutions with the answer on their last line
    marked = written.rpartition("####")
    answer = extract(kind, "".join(marked[1:])) if marked[1] else normalised(kind, written)
    if answer is None:
        raise BadDataError(f"{at} has the answer {written[:60]!r}, which is no {kind} answer.", f"Is this {name}?")
    options = options_of(asked, kind)
    correct = options.index_of(answer)
    context = columns.get("input")
    return Question(
        id=f"{name}/{position}",
        prompt=prompt(asked, context if isinstance(context, str) else "", template),
        answer=answer,
        options=options.texts if correct is not None else (),
        correct=correct,
        text=asked,
    )
