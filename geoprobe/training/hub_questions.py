"""Test sets on the hub, their rows put into the words that LLM-Adapters asks them in."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

from geoprobe.errors import BadDataError
from geoprobe.sources.corpora import NAMED_SETS
from geoprobe.sources.corpora.hub_sets import HubSet

__all__ = ["HUB_SETS", "instruction_of"]

Row = dict[str, Any]


def instruction_of(name: str, row: Row) -> dict[str, str]:
    """A row of a set on the hub in LLM-Adapters' form.

    Raises
    ------
    BadDataError
        When the row lacks a column that the set had.
    """
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
    **{
        name: HubSet(NAMED_SETS[name].hub_id, NAMED_SETS[name].config, NAMED_SETS[name].split)
        for name in _ROWS
        if name in NAMED_SETS
    },
    "multiarith": HubSet("ChilleD/MultiArith", None, "test"),
}
