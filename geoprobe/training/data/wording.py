"""The words of LLM-Adapters: prompts around instructions, hub rows as instructions, and options read back from them."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, get_args

from geoprobe.errors import BadDataError, UsageError
from geoprobe.sources.corpora import NAMED_SETS
from geoprobe.sources.corpora.hub_sets import HubSet
from geoprobe.training.answers.reading import Kind
from geoprobe.training.setup import Template

_TASK = "Below is an instruction that describes a task"
_ALONE = f"{_TASK}. Write a response that appropriately completes the request."
_WITH_INPUT = f"{_TASK}, paired with an input that provides further context. " + _ALONE.partition(". ")[2]


def prompt(instruction: str, context: str = "", template: str = "alpaca") -> str:
    """The prompt of an instruction and its further input, up to where the response starts.

    ``alpaca``: the words that LLM-Adapters and the paper train and test with, which are Alpaca's; the sixteen spaces
    before each line in LLM-Adapters' source are left out. ``plain``: the instruction and an empty line. ``chat``: the
    instruction alone, for `geoprobe.training.data.examples.chat_prompt`.
    """
    if template == "chat":  # the tokenizer's own words come around it
        return "\n\n".join(part for part in (instruction, context) if part)
    if template == "plain":
        return "\n\n".join(part for part in (instruction, context) if part) + "\n\n"
    if template != "alpaca":
        raise UsageError(f"There is no prompt template {template!r}.", f"Give one of {', '.join(get_args(Template))}.")
    if context:
        return f"{_WITH_INPUT}\n\n### Instruction:\n{instruction}\n\n### Input:\n{context}\n\n### Response:\n"
    return f"{_ALONE}\n\n### Instruction:\n{instruction}\n\n### Response:\n"


_NUMBERED = re.compile(r"\b(Answer|Solution|Option|Ending)([1-9]):\s*")
_LETTERED = re.compile(r"\(([A-E])\)\s*")
_FORMAT = "Answer format:"
_CHOICES = "Answer Choices:"
_FIRST_OPTION = re.compile(rf"{_CHOICES}|\b(?:Answer|Solution|Option|Ending)1:")
_OPENINGS = re.compile(r"\APlease (?:choose|answer)[^:]*:\s*|\A.*?with true or false, question:\s*")


@dataclass(frozen=True)
class Options:
    """Options in their order: what the set calls each (``answer1``, ``A``, ``true``) and its text."""

    names: tuple[str, ...] = ()
    texts: tuple[str, ...] = ()

    def index_of(self, answer: str) -> int | None:
        """Index of the option that the set calls so; None if there is none."""
        return self.names.index(answer) if answer in self.names else None


def options_of(instruction: str, kind: Kind) -> Options:
    """The options that an instruction lists; none for arithmetic, or where they cannot be told apart.

    What is compared is the option's own text ("light-year."), not its number: texts differ in length, so their
    log-likelihoods are to be divided by it.
    """
    if kind == "number":
        return Options()
    if kind == "letter":
        _, marked, listed = instruction.rpartition(_CHOICES)
        return _split(_LETTERED, listed, "ABCDE") if marked else Options()
    body, form = _without_format(instruction)
    if "true/false" in form:
        return Options(("true", "false"), ("true", "false"))
    return _split(_NUMBERED, body, "123456789")


def stem(instruction: str) -> str:
    """An instruction without the words that every question of its set has: for telling questions apart."""
    return _OPENINGS.sub("", _without_format(instruction)[0], count=1)


def _without_format(instruction: str) -> tuple[str, str]:
    """An instruction up to where it says in what form to answer, and the rest.

    Not by an expression that begins with spaces: it looks from each of them on, and text may be spaces alone.
    """
    body, said, form = instruction.partition(_FORMAT)
    return (body.rstrip() if said else body), form


def without_options(instruction: str) -> str:
    """An instruction up to where its options begin."""
    return _FIRST_OPTION.split(instruction, maxsplit=1)[0]


def _split(marker: re.Pattern[str], listed: str, order: str) -> Options:
    markers = list(marker.finditer(listed))
    signs = "".join(match[match.lastindex or 0] for match in markers)
    if len(markers) < 2 or signs != order[: len(markers)]:
        return Options()  # an option's own text looks like a marker
    ends = [match.start() for match in markers[1:]] + [len(listed)]
    texts = tuple(listed[match.end() : end].strip() for match, end in zip(markers, ends, strict=True))
    if not all(texts):
        return Options()
    names = ("".join(match.groups()) for match in markers)
    return Options(tuple(name if len(name) == 1 else name.lower() for name in names), texts)


Row = dict[str, Any]


def instruction_of(name: str, row: Row) -> dict[str, str]:
    """A row of a set on the hub in LLM-Adapters' form."""
    try:
        asked, answer = _ROWS[name](row)
    except (KeyError, IndexError, TypeError, ValueError) as error:
        raise BadDataError(
            f"A row of {HUB_SETS[name]} on the hub cannot be read ({error!r}); it has {', '.join(row)}.",
            "The set may have changed: name a folder that has it by --data.",
        ) from error
    return {"instruction": asked, "input": "", "output": "", "answer": answer}


def _gsm8k(row: Row) -> tuple[str, str]:
    return row["question"], row["answer"]


def _aqua(row: Row) -> tuple[str, str]:
    listed = " ".join(re.sub(r"\A([A-E])\)\s*", r"(\1) ", option) for option in row["options"])
    return f"{row['question']} Answer Choices: {listed}", row["correct"]


def _mawps(row: Row) -> tuple[str, str]:
    return row["question"], str(row["result_float"] if "result_float" in row else row["result"])


def _svamp(row: Row) -> tuple[str, str]:
    return row["question_concat"], str(row["Answer"])


def _multiarith(row: Row) -> tuple[str, str]:
    return row["question"], str(row["final_ans"])


def _boolq(row: Row) -> tuple[str, str]:
    asked = f"Please answer the following question with true or false, question: {row['question']}?"
    return f"{asked}\n\nAnswer format: true/false", str(bool(row["answer"])).lower()


def _piqa(row: Row) -> tuple[str, str]:
    solutions = "\n\n".join(f"Solution{n}: {row[f'sol{n}']}" for n in (1, 2))
    asked = f"Please choose the correct solution to the question: {row['goal']}\n\n{solutions}"
    return f"{asked}\n\nAnswer format: solution1/solution2", f"solution{int(row['label']) + 1}"


def _siqa(row: Row) -> tuple[str, str]:
    answers = [row["answerA"], row["answerB"], row["answerC"]]
    return _choice(f"{row['context']} {row['question']}", answers), f"answer{int(row['label'])}"


def _hellaswag(row: Row) -> tuple[str, str]:
    asked = "Please choose the correct ending to complete the given sentence: "
    context = f"{row['activity_label']}: {row['ctx']}"
    return _choice(context, row["endings"], asked, "Ending"), f"ending{int(row['label']) + 1}"


def _winogrande(row: Row) -> tuple[str, str]:
    asked = "Please choose the correct answer to fill in the blank to complete the given sentence: "
    options = f"Option1: {row['option1']} Option2: {row['option2']} Answer format: option1/option2"
    return f"{asked}{row['sentence']}\n\n{options}", f"option{int(row['answer'])}"


def _arc(row: Row) -> tuple[str, str]:
    labels, texts = row["choices"]["label"], row["choices"]["text"]
    return _choice(row["question"], texts), f"answer{labels.index(row['answerKey']) + 1}"


def _openbookqa(row: Row) -> tuple[str, str]:
    labels, texts = row["choices"]["label"], row["choices"]["text"]
    return _choice(row["question_stem"], texts), f"answer{labels.index(row['answerKey']) + 1}"


def _choice(
    question: str,
    options: Sequence[str],
    asked: str = "Please choose the correct answer to the question: ",
    word: str = "Answer",
) -> str:
    listed = " ".join(f"{word}{number}: {text}" for number, text in enumerate(options, start=1))
    names = "/".join(f"{word.lower()}{number}" for number in range(1, len(options) + 1))
    return f"{asked}{question}\n\n{listed}\n\nAnswer format: {names}"


_ROWS: dict[str, Callable[[Row], tuple[str, str]]] = {
    "gsm8k": _gsm8k,
    "aqua": _aqua,
    "mawps": _mawps,
    "svamp": _svamp,
    "multiarith": _multiarith,
    "boolq": _boolq,
    "piqa": _piqa,
    "siqa": _siqa,
    "hellaswag": _hellaswag,
    "winogrande": _winogrande,
    "arc-easy": _arc,
    "arc-challenge": _arc,
    "openbookqa": _openbookqa,
}

#: Where each set is on the hub, in repositories without code; AddSub and SingleEq have no such copy.
HUB_SETS: dict[str, HubSet] = {
    name: HubSet(NAMED_SETS[name].hub_id, NAMED_SETS[name].config, NAMED_SETS[name].split)
    for name in _ROWS
    if name in NAMED_SETS
}
