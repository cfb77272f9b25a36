"""Rows as the hub has them, against the same questions in LLM-Adapters' files where those are at hand."""

from pathlib import Path

import pytest

from geoprobe.errors import BadDataError, UsageError
from geoprobe.training.data import instructions
from geoprobe.training.data.instructions import load_training
from geoprobe.training.data.tasks import TASKS, load_task, read_questions
from geoprobe.training.data.wording import HUB_SETS, instruction_of, options_of, prompt, stem

ROWS = {
    "gsm8k": {"question": "How many?", "answer": "3 + 4 = <<3+4=7>>7\n#### 7"},
    "aqua": {"question": "Which?", "options": ["A)21%", "B)20%", "C)25%", "D)33%", "E)18%"], "correct": "C"},
    "mawps": {"question": "How many?", "result": "7", "result_float": 7.0},
    "svamp": {"question_concat": "There are 5. How many?", "Answer": "5.0"},
    "multiarith": {"question": "How many?", "final_ans": "7"},
    "boolq": {"question": "is it", "answer": True, "passage": "It is."},
    "piqa": {"goal": "Where can I buy a tennis ball", "sol1": "At a shop", "sol2": "At a bank", "label": 0},
    "siqa": {
        "context": "Kai won.",
        "question": "How is Kai?",
        "answerA": "sad",
        "answerB": "glad",
        "answerC": "ill",
        "label": "2",
    },
    "hellaswag": {"activity_label": "Baking", "ctx": "She", "endings": ["a", "b", "c", "d"], "label": "3"},
    "winogrande": {"sentence": "A _ is.", "option1": "cat", "option2": "dog", "answer": "2"},
    "arc-easy": {"question": "Which?", "choices": {"text": ["w", "x"], "label": ["1", "2"]}, "answerKey": "2"},
    "arc-challenge": {
        "question": "Which?",
        "choices": {"text": ["w", "x", "y"], "label": ["A", "B", "C"]},
        "answerKey": "C",
    },
    "openbookqa": {"question_stem": "The sun", "choices": {"text": ["w", "x"], "label": ["A", "B"]}, "answerKey": "A"},
}
ANSWERS = {
    "gsm8k": "7",
    "aqua": "C",
    "mawps": "7",
    "svamp": "5",
    "multiarith": "7",
    "boolq": "true",
    "piqa": "solution1",
}
ANSWERS |= {"siqa": "answer2", "hellaswag": "ending4", "winogrande": "option2", "arc-easy": "answer2"}
ANSWERS |= {"arc-challenge": "answer3", "openbookqa": "answer1"}


def test_every_set_of_the_hub_has_a_row_here() -> None:
    assert set(ROWS) == set(HUB_SETS) == set(TASKS) - {"addsub", "singleeq"}


@pytest.mark.parametrize("name", ROWS)
def test_a_row_of_the_hub_becomes_a_question(name: str) -> None:
    kind = TASKS[name].kind
    (question,) = read_questions(name, kind, [instruction_of(name, ROWS[name])], "hub", "alpaca")
    assert question.answer == ANSWERS[name]
    assert len(question.options) == {"number": 0}.get(kind, max(2, len(question.options)))
    assert (question.correct is None) == (kind == "number")


@pytest.mark.parametrize(
    ("name", "row"),
    [
        ("piqa", ("Where can I buy a tennis ball", "You can purchase a tennis ball at any sports store")),
        ("boolq", ("does ethanol take more energy make that produces", "true")),
        ("winogrande", ("Sarah was a much better surgeon than Maria so _ always got the easier cases.", "Sarah")),
    ],
)
def test_the_words_are_those_of_llm_adapters_files(shared_datasets: Path, name: str, row: tuple[str, str]) -> None:
    """The instruction around a real question, letter by letter, with its options put back."""
    real = next(q for q in load_task(name, data=shared_datasets).questions if row[0] in q.text)
    made = {
        "piqa": lambda: {"goal": row[0], "sol1": real.options[0], "sol2": real.options[1], "label": 0},
        "boolq": lambda: {"question": row[0], "answer": False},
        "winogrande": lambda: {
            "sentence": row[0],
            "option1": real.options[0],
            "option2": real.options[1],
            "answer": "2",
        },
    }[name]()
    assert instruction_of(name, made)["instruction"] == real.text


def test_a_row_of_another_form_is_refused_by_what_it_has() -> None:
    with pytest.raises(BadDataError, match=r"Rowan/hellaswag.*it has text.*\n.*--data"):
        instruction_of("hellaswag", {"text": "x"})


def test_options_are_read_back_from_the_instruction() -> None:
    made = instruction_of("siqa", ROWS["siqa"])
    assert options_of(made["instruction"], "words").texts == ("sad", "glad", "ill")
    assert options_of(instruction_of("aqua", ROWS["aqua"])["instruction"], "letter").texts[2] == "25%"


@pytest.mark.parametrize("name", ROWS)
def test_a_set_of_the_hub_is_trained_on_with_a_response_that_is_read_as_its_answer(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr(instructions, "hub_records", lambda *_, **__: iter([ROWS[name]]))
    (example,) = load_training(name).examples
    assert TASKS[name].extract(example.response) == ANSWERS[name]


def test_the_template_has_alpacas_words() -> None:
    assert prompt("Add 1 and 2.") == (
        "Below is an instruction that describes a task. Write a response that appropriately completes the request.\n\n"
        "### Instruction:\nAdd 1 and 2.\n\n### Response:\n"
    )
    assert prompt("Add.", "1 and 2") == (
        "Below is an instruction that describes a task, paired with an input that provides further context. "
        "Write a response that appropriately completes the request.\n\n"
        "### Instruction:\nAdd.\n\n### Input:\n1 and 2\n\n### Response:\n"
    )


def test_the_plain_template_adds_nothing() -> None:
    assert prompt("Add.", "1 and 2", "plain") == "Add.\n\n1 and 2\n\n"


def test_an_unknown_template_is_refused_by_naming_those_there_are() -> None:
    with pytest.raises(UsageError, match=r"'chatml'.*\n.*alpaca, plain"):
        prompt("Add.", template="chatml")


@pytest.mark.parametrize("gap", [" ", "\n", "\t\u2003"])
def test_a_text_of_spaces_takes_no_longer_than_its_length(gap: str) -> None:
    """A million of them: by an expression that looks from each on, an hour."""
    spaces = gap * (1_000_000 // len(gap))
    assert options_of(f"1{spaces}x", "words") == options_of("", "words")
    assert stem(f"1{spaces}x{spaces}Answer format: y") == f"1{spaces}x"
    assert options_of(f"Answer1: a{spaces}Answer2: b{spaces}Answer format: x", "words").texts == ("a", "b")
    assert options_of(f"Is it?{spaces}Answer format: true/false", "words").texts == ("true", "false")
