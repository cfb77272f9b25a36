import json
import re
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geoprobe.training.answers.reading import Kind, extract, finished, is_right, normalised, read
from geoprobe.training.data.tasks import TASKS

OUTPUTS = json.loads((Path(__file__).parent / "outputs.json").read_text("utf-8"))


@pytest.mark.parametrize(
    ("output", "answer"),
    [
        ("She has 3 + 4 = 7 apples.\n#### 7", "7"),
        ("#### 1,234\nThat is 5 more than 1,229.", "1234"),
        ("#### $18 for 2 days", "18"),
        ("####\nwell\n#### 12", "12"),
        ("There are 7 - 3 = 4 crayons. The answer is 4.", "4"),
        ("The answer is 4. I hope that 2 helps.", "4"),
        ("The answer is 4 + 5 = 9.\nCheck: 3", "9"),
        ("The answer is 0.125 mile.", "0.125"),
        ("The answer is -5", "-5"),
        ("The answer is 3/4.", "0.75"),
        ("The answer is what follows.\n2 + 2 = 4", "4"),
        (r"So \boxed{42}. Two of 3.", "42"),
        ("Answer: 12\nBecause 3 * 4", "12"),
        ("He buys 2 and then 5", "5"),
        ("5\n\n### Instruction:\nWhat is 8 + 1?\n\n### Response:\n9", "5"),
        ("### Instruction:\n7", None),
        ("He gets 24 answers * 2 points/answer = 48 points.\nAnd 18 more.\n#### 66", "66"),
        ("At 2 points per answer: 48.\nWith 18 more it is 66", "66"),
        ("answer = 12 because 3 * 4 = 12, not 13", "12"),
        ("answer =\n#### 7", "7"),
        ("I cannot say.", None),
        ("", None),
        (r"\boxed{9{,}500}", "9500"),
        (r"It costs 57\,500", "57500"),
        (r"The answer is \$70{,}000", "70000"),
        ("That makes 12\u00a0500", "12500"),
        ("That makes 1\u2009234\u2009567 in all", "1234567"),
        ("The answer is 3\u202f400.", "3400"),
        ("The answer is $118 000.", "118000"),  # as 2 of 3,054 answers of LLM-Adapters' set write it
        ("In 2024 200 came", "200"),
        (r"\boxed{42} of 3 to 7", "42"),
        (r"\boxed{25\text{ cm}^2}", "25"),
        (r"\boxed{25\,\mathrm{cm}^{2}}", "25"),
        ("The answer is 25 cm^2.", "25"),
        (r"\boxed{\frac{3}{4}}", "0.75"),
        (r"\boxed{\boxed{6}}", "6"),
        (r"\boxed{x = 12}", "12"),
        (r"\boxed{3.2 \times 10^{4}}", "32000"),
        (r"The answer is \boxed{7", "7"),
        ("<think>Maybe the answer is 12. Or so.</think> The answer is 18.", "18"),
        ("<think>So 3 + 4.</think>\n#### 7", "7"),
        ("<think>The answer is 12. But", None),
        ("The answer is not 12. It is 18.", "18"),
        ("The answer is not 12, but 18 of them.", "18"),
        ("The answer is 18, not 12.", "18"),
        ("The answer is 18 rather than 12.", "18"),
        ("So she has 18.\nCheck: 3 * 4 + 6 = 10 + 8", "18"),
        ("So she has 18.\n**Verification:** 18 - 6 = 12", "18"),
        ("Check: 9", "9"),
    ],
)
def test_a_number_is_read_where_the_output_says_it_is(output: str, answer: str | None) -> None:
    assert extract("number", output) == answer


@pytest.mark.parametrize(
    ("output", "answer"),
    [
        ("Rationale: 2 + 2.The answer is (D).", "D"),
        ("The answer is B", "B"),
        ("the correct option is C, not A", "C"),
        ("Answer: A\nB is wrong", "A"),
        ("C", "C"),
        ("B) 25", "B"),
        ("(E) none of these", "E"),
        ("A train goes 5 miles, so (C) fits", "C"),
        ("It can be neither A nor B, so D", "D"),
        (r"\boxed{E}", "E"),
        ("Because CD is longer", None),
        ("I'd say 25", None),
        ("\\boxed{q = \\Delta E} is what we want.\nAnswer: D", "D"),
        (r"\boxed{\text{(C)}}", "C"),
        (r"\boxed{\text{B. } 25}", "B"),
        ("Answer: d", "D"),
        ("The answer is (c) 25.", "C"),
        ("d) 12", "D"),
        ("The answer is option b.", "B"),
        ("The answer is a train. So (D).", "D"),
        ("The answer is A train. So (D).", "D"),
        ("The answer is A because it is.", "A"),
        ("The answer is A", "A"),
        ("The answer is not A, the answer is B.", "B"),
        ("<think>The answer is A.</think>The answer is C.", "C"),
    ],
)
def test_an_option_letter_is_read(output: str, answer: str | None) -> None:
    assert extract("letter", output) == answer


@pytest.mark.parametrize(
    ("output", "answer"),
    [
        ("the correct answer is answer3", "answer3"),
        ("Answer2: because answer1 is wrong", "answer2"),
        ("solution 2", "solution2"),
        ("Ending4", "ending4"),
        ("option1/option2", "option1"),
        ("True", "true"),
        ("the correct answer is false", "false"),
        ("untrue, or answer12", None),
        ("The sun", None),
    ],
)
def test_an_option_word_is_the_first_one(output: str, answer: str | None) -> None:
    assert extract("words", output) == answer


@pytest.mark.parametrize(
    ("kind", "output", "rule"),
    [
        ("number", "2 + 2 = 4\n#### 4", "hashes"),
        ("number", r"so \boxed{4}", "boxed"),
        ("number", "The answer is 4", "stated"),
        ("number", "2 and 2 make 4", "last number"),
        ("number", "four", ""),
        ("letter", "B) 4", "opening letter"),
        ("letter", "I take (B) then", "last letter in brackets"),
        ("letter", "It must be B", "last letter"),
        ("words", "answer2", "first option word"),
    ],
)
def test_the_rule_that_read_an_answer_is_told(kind: Kind, output: str, rule: str) -> None:
    assert read(kind, output).rule == rule


#: Outputs and what LLM-Adapters' evaluation (for letters, the paper's copy of it) makes of them, by its patterns.
REFERENCE = [
    ("number", "gsm8k", "The answer is 18. Explanation: 3 and 4", "4"),
    ("number", "gsm8k", "It costs $1,250.50", "1250.5"),
    ("number", "gsm8k", "7-3 left", "-3"),
    ("number", "gsm8k", "5\n\n### Instruction:\nWhat is 8?", "8"),
    ("number", "gsm8k", "5\n\n### Instruction:\nWhat is 8?\n\n### Response:\n9", "8"),
    ("number", "gsm8k", "none", None),
    ("letter", "aqua", r"(A) or (B)? \boxed{C}", "C"),
    ("letter", "aqua", r"\boxed{\text{(D)}} and \boxed{E}", "D"),
    ("letter", "aqua", "(A) is wrong, (B) is right", "B"),
    ("letter", "aqua", "the correct answer is: D", "D"),
    ("letter", "aqua", "What fits is E.", "E"),
    ("letter", "aqua", "Option C", "C"),
    ("letter", "aqua", "none", None),
    ("words", "boolq", "untrue", "true"),
    ("words", "winogrande", "It is true that Option2", "option2"),
    ("words", "arc-easy", "True: ANSWER4", "answer4"),
    ("words", "piqa", "answer1", None),
]


@pytest.mark.parametrize(("kind", "task", "output", "answer"), REFERENCE)
def test_the_reference_evaluations_rules_read_as_it_does(kind: Kind, task: str, output: str, answer: str) -> None:
    assert extract(kind, output, "llm-adapters", task) == answer
    assert TASKS[task].read(output, "llm-adapters").rule == ("llm-adapters" if answer else "")
    assert finished(kind, output, "llm-adapters", task) == ("### Response:" in output or bool(answer) * kind == "words")


@pytest.mark.parametrize("kind", ["number", "letter", "words"])
@pytest.mark.parametrize(
    "piece",
    [
        "The answer is ",
        "The answer is not ",
        "answer is A train ",
        "#### ",
        r"\boxed{",
        r"answer is \boxed{",
        r"\boxed{}",
        "<think>",
        r"\text{",
        "1{,}",
        "1,",
        "1/",
        "9",
        "a^{",
        "\n",
        "> ",
    ],
)
def test_an_answer_is_read_in_linear_time(kind: Kind, piece: str) -> None:
    """Forty thousand characters took from 10 to 35 seconds where a rule was quadratic; now below a quarter of one."""
    output = piece * (40_000 // len(piece))
    start = time.process_time()
    extract(kind, output)
    finished(kind, output)
    assert time.process_time() - start < 3


@pytest.mark.parametrize("row", OUTPUTS, ids=lambda row: f"{row['id']} by {row['model']}")
def test_real_outputs_are_read_as_a_person_reads_them(row: dict[str, str | None]) -> None:
    task = TASKS[str(row["task"])]
    found = task.extract(str(row["output"]))
    assert found == row["read"]
    assert task.is_right(found, str(row["answer"])) == row["right"]


@pytest.mark.parametrize("row", OUTPUTS, ids=lambda row: f"{row['id']} by {row['model']}")
def test_stopping_a_real_output_as_soon_as_it_may_changes_no_answer(row: dict[str, str]) -> None:
    task, output = TASKS[row["task"]], row["output"]
    stops = [end for end in range(len(output) + 1) if task.finished(output[:end])]
    if stops:
        assert task.extract(output[: stops[0]]) == task.extract(output)
        assert stops == list(range(stops[0], len(output) + 1))  # once finished, always finished


def test_kept_experiments_answers_are_read_now_as_they_were_then() -> None:
    kept = sorted((Path(__file__).parents[3] / "reports").glob("finetune-*/**/predictions/*.jsonl"))
    assert kept
    for path in kept:
        for line in path.read_text("utf-8").splitlines():
            row = json.loads(line)
            assert TASKS[path.stem].extract(row["output"]) == row["extracted"], (path, row["id"])


#: lm-evaluation-harness's two rules for GSM8K: what follows the marks, and the last thing that looks like a number.
STRICT, FLEXIBLE = re.compile(r"#### (\-?[0-9\.\,]+)"), re.compile(r"(-?[$0-9.,]{2,})|(-?[0-9]+)")


def test_lm_evaluation_harness_reads_kept_experiments_answers_alike() -> None:
    """All but 3 of 1,038 by its strict rule, where the line goes on (a result, a fraction); 99% by its flexible one."""
    kept = sorted((Path(__file__).parents[3] / "reports").glob("finetune-*/**/predictions/*.jsonl"))
    outputs = [json.loads(line)["output"] for path in kept for line in path.read_text("utf-8").splitlines()]

    def value(text: str) -> str | None:
        return normalised("number", re.sub(r"[$,]|\.$", "", text))

    strict = [(match[1], output) for output in outputs if (match := STRICT.search(output))]
    other = [output for found, output in strict if value(found) != extract("number", output)]
    assert len(strict) > 1000
    assert len(other) <= 3
    assert all(re.search("[=/]", output.partition("####")[2]) for output in other)
    flexible = [(found[-1], output) for output in outputs if (found := FLEXIBLE.findall(output))]
    alike = [value("".join(found)) == extract("number", output) for found, output in flexible]
    assert sum(alike) / len(alike) > 0.99


MARKS = ["The answer is", " answer:", "####", "###", "#", " Instruction:", "\\boxed{", "}", " correct option is"]
TURNS = ["Below is an instruction that", " describes"]
VALUES = ["4", "-", "5", ",000", ".", "/2", "1", "2", "e3", "½", "=", "B", " (D)", "A", "true", "answer", "option"]
REST = [" ", "\n", "Because", "!", "'s", " not", " but ", "<think>", "</think>", "Check:", "\\text{", "{,}", "^2", " d"]
PIECES = st.lists(st.sampled_from([*MARKS, *TURNS, *VALUES, *REST]), max_size=12)


@pytest.mark.parametrize("kind", ["number", "letter", "words"])
@settings(max_examples=400)
@given(head=PIECES, tail=PIECES)
def test_what_is_written_behind_a_finished_answer_changes_nothing(kind: Kind, head: list[str], tail: list[str]) -> None:
    output = "".join(head)
    if finished(kind, output):
        assert extract(kind, output + "".join(tail)) == extract(kind, output)
        assert finished(kind, output + "".join(tail))


@pytest.mark.parametrize(
    ("kind", "open_", "closed"),
    [
        ("number", "The answer is 4", "The answer is 4.\n"),
        ("number", "#### 1", "#### 12\n"),
        ("number", "2 + 2 = 4\n", "2 + 2 = 4\n\n### Instruction:"),
        ("letter", "The answer is (D)", "The answer is (D). "),
        ("words", "the correct answer is answer1", "the correct answer is answer1\n"),
        ("words", "true", "true."),
    ],
)
def test_generation_stops_at_the_answer_and_not_before(kind: Kind, open_: str, closed: str) -> None:
    assert not finished(kind, open_)
    assert finished(kind, closed)


def test_numbers_are_right_within_a_thousandth_as_in_the_reference_evaluation() -> None:
    assert is_right("number", "18", "18")
    assert is_right("number", "1.8340", "1.8333333333333335")
    assert not is_right("number", "1.83", "1.8333333333333335")
    assert not is_right("number", "inf", "3")
    assert not is_right("number", None, "3")
    assert not is_right("letter", "B", "A")


def test_reference_answers_have_one_form() -> None:
    assert normalised("number", "576.0") == "576"
    assert normalised("number", "1,000") == "1000"
    assert normalised("letter", " C ") == "C"
    assert normalised("words", "Answer3") == "answer3"
    assert normalised("letter", "3") is None
    assert normalised("words", "maybe") is None
    assert normalised("number", "many") is None
