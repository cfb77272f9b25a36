import dataclasses
import json
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from geoprobe.training.data.instructions import Example, TrainingData, load_training
from geoprobe.training.data.leaks import find_leaks, refusal
from geoprobe.training.data.near_duplicates import FEWEST, NGRAM, NearDuplicates
from geoprobe.training.data.tasks import TASKS, LoadedTask, Question, load_task
from geoprobe.training.data.word_runs import WordRuns

STORY = (
    "Natalia sold clips to 48 of her friends in April, and then she sold half as many clips in May. How many clips did "
    "Natalia sell altogether in April and May?"
)


def training(*questions: str) -> TrainingData:
    return TrainingData("made up", tuple(Example("", "", question) for question in questions), "")


def asked(*questions: str, name: str = "gsm8k") -> LoadedTask:
    made = tuple(Question(f"{name}/{at}", "", "1", text=text) for at, text in enumerate(questions))
    return LoadedTask(TASKS[name], made, "")


def test_the_same_words_are_exact_whatever_their_case_and_punctuation() -> None:
    report = find_leaks(training("Another one?", STORY.upper().replace(",", " ;") + "  "), [asked("New?", STORY)])
    (leak,) = report.leaks
    assert (leak.question, leak.training, leak.kind, leak.overlap) == ("gsm8k/1", 1, "exact", 1.0)
    assert (report.tasks[0].exact, report.tasks[0].near) == (1, 0)
    assert report.summary() == "gsm8k 1 of 2 (1 word for word)"


def test_a_story_with_another_name_is_near() -> None:
    (leak,) = find_leaks(training("Another one?", STORY.replace("Natalia", "Amira")), [asked(STORY)]).leaks
    assert (leak.training, leak.kind) == (1, "near")


def test_a_story_with_other_numbers_is_another_question() -> None:
    story = STORY.replace("half as many", "12 more")
    other = story.replace("48", "96").replace("12", "30")
    assert not find_leaks(training(other), [asked(story)]).found
    both = find_leaks(training(other, story.replace("Natalia", "Amira")), [asked(story)])
    assert [leak.training for leak in both.leaks] == [1]  # the less alike of the two, but with its numbers


def test_the_overlap_is_the_share_of_the_questions_runs_counted_by_hand() -> None:
    words = [f"w{at}" for at in range(20)]
    changed = [*words[:12], "new", *words[13:]]
    (leak,) = find_leaks(training(" ".join(changed)), [asked(" ".join(words))]).leaks
    runs = 20 - NGRAM + 1
    assert leak.overlap == pytest.approx((runs - NGRAM) / runs)  # NGRAM runs hold the changed word


def test_short_formulas_are_not_taken_for_duplicates() -> None:
    found = find_leaks(
        training("will there be a season 8 of suits"), [asked("will there be a season 8 of vampire diaries")]
    )
    assert not found.found
    assert FEWEST > 4


def test_what_all_questions_of_a_set_share_is_no_overlap() -> None:
    asked_as = "Please choose the correct answer to the question: "
    form = asked_as + "{}\n\nAnswer1: {} Answer2: {}\n\nAnswer format: answer1/answer2"
    one = form.format("Which gas do plants take in", "oxygen", "carbon dioxide")
    other = form.format("What melts first", "ice", "iron")
    assert not find_leaks(training(one), [asked(other, name="arc-easy")]).found
    assert find_leaks(training(one), [asked(one, name="arc-easy")]).leaks[0].kind == "exact"


def test_no_training_data_and_empty_questions_are_no_leak() -> None:
    assert not find_leaks(training(), [asked(STORY)]).found
    assert not find_leaks(training("", "?!"), [asked("new words")]).found


@pytest.fixture(scope="module")
def arithmetic(shared_datasets: Path) -> list[LoadedTask]:
    return [
        load_task(name, data=shared_datasets) for name in ("gsm8k", "aqua", "svamp", "addsub", "multiarith", "mawps")
    ]


def test_the_training_file_that_holds_the_tests_is_caught(shared_datasets: Path, arithmetic: list[LoadedTask]) -> None:
    """80% of GSM8K, AQuA and SVAMP, 82 to 85% of AddSub and MultiArith, word for word, as counted elsewhere."""
    leaky = load_training(str(shared_datasets / "ft-training_set" / "math_data.json"))
    report = find_leaks(leaky, arithmetic)
    shares = {each.task: each.exact / each.questions for each in report.tasks}
    for name in ("gsm8k", "aqua", "svamp"):
        assert shares[name] == pytest.approx(0.80, abs=0.01)
    for name in ("addsub", "multiarith"):
        assert 0.81 < shares[name] < 0.86
    assert all(leak.training < len(leaky.examples) for leak in report.leaks)


def test_nothing_of_gsm8ks_test_set_is_found_in_its_training_set(
    shared_datasets: Path, arithmetic: list[LoadedTask]
) -> None:
    start = time.monotonic()
    report = find_leaks(load_training("gsm8k", data=shared_datasets), arithmetic)
    assert time.monotonic() - start < 30  # about a second here
    (gsm8k, *_) = report.tasks
    assert (gsm8k.exact, gsm8k.near) == (0, 0)


def test_most_questions_are_found_again_after_words_are_replaced(arithmetic: list[LoadedTask]) -> None:
    rng = np.random.default_rng(0)
    texts = [question.text for question in arithmetic[0].questions[:400]]
    pool = " ".join(texts).split()

    def shaken(text: str, share: float) -> str:
        return " ".join(str(rng.choice(pool)) if rng.random() < share else word for word in text.split())

    for share, found in ((0.05, 0.93), (0.1, 0.78)):
        report = find_leaks(training(*(shaken(text, share) for text in texts)), [asked(*texts)])
        assert len(report.leaks) / len(texts) > found
        assert np.mean([leak.question == f"gsm8k/{leak.training}" for leak in report.leaks]) == 1


SYSTEM = "You are a helpful assistant. Think step by step, and answer in one word if you can. "
SETS = (
    "gsm8k",
    "svamp",
    "mawps",
    "addsub",
    "multiarith",
    "aqua",
    "boolq",
    "piqa",
    "siqa",
    "winogrande",
    "arc-easy",
)


def chat(*turns: tuple[str, str]) -> dict[str, object]:
    return {"messages": [{"role": role, "content": text} for role, text in turns]}


#: Where a question may stand in what is learned from: a record of training data around it.
PLACES: dict[str, Callable[[str], dict[str, object]]] = {
    "instruction": lambda text: {"instruction": text, "output": "It is so."},
    "input": lambda text: {"instruction": "Say it.", "input": f"Some text. {text} More text.", "output": "It is so."},
    "system text": lambda text: chat(("system", f"{SYSTEM}\n{text}"), ("user", "Well?"), ("assistant", "It is so.")),
    "behind a system text": lambda text: chat(("system", SYSTEM), ("user", text), ("assistant", "It is so.")),
    "a later turn": lambda text: chat(
        ("user", "Hello."), ("assistant", "Yes?"), ("user", f"Tell me: {text}"), ("assistant", "It is so.")
    ),
    "an earlier reply": lambda text: chat(
        ("user", "Hello."), ("assistant", f"{text} Is that what you ask?"), ("user", "Yes."), ("assistant", "So it is.")
    ),
    "response": lambda text: {"instruction": "Make up a question.", "output": f"Here is one:\n{text}\nGood luck!"},
    "in capitals": lambda text: {"instruction": text.upper().replace(" ", "  "), "output": "It is so."},
}


def missed(sets: list[LoadedTask], place: str, folder: Path) -> dict[str, int]:
    """How many questions of each set are not found where each stands in an example of its own."""
    lines = [json.dumps(PLACES[place](question.text)) for one in sets for question in one.questions]
    (folder / "train.jsonl").write_text("\n".join(lines))
    report = find_leaks(load_training(str(folder / "train.jsonl")), sets)
    assert {leak.place for leak in report.leaks} <= {"prompt", "response"}
    return {each.task: each.questions - each.exact for each in report.tasks}


@pytest.fixture(scope="module")
def shared_sets(shared_datasets: Path) -> list[LoadedTask]:
    return [load_task(name, data=shared_datasets) for name in SETS]


@pytest.mark.parametrize("place", PLACES)
def test_no_verbatim_question_of_any_set_is_missed_wherever_it_stands(
    shared_sets: list[LoadedTask], place: str, tmp_path: Path
) -> None:
    """Every twentieth question; all of them in the slow test."""
    some = [dataclasses.replace(one, questions=one.questions[::20]) for one in shared_sets]
    assert missed(some, place, tmp_path) == dict.fromkeys(SETS, 0)


@pytest.mark.slow
@pytest.mark.parametrize("place", PLACES)
def test_not_one_of_all_questions_is_missed(shared_sets: list[LoadedTask], place: str, tmp_path: Path) -> None:
    assert missed(shared_sets, place, tmp_path) == dict.fromkeys(SETS, 0)


def test_the_place_of_a_leak_is_told() -> None:
    data = TrainingData("made up", (Example("", f"He asked: {STORY}", "Well?"),), "")
    (leak,) = find_leaks(data, [asked(STORY)]).leaks
    assert (leak.training, leak.kind, leak.place) == (0, "exact", "response")
    assert (
        "gsm8k/0 is in the response of training example 0 word for word"
        in refusal(find_leaks(data, [asked(STORY)]), data, None).message
    )


def test_a_question_without_the_options_that_the_set_lists_is_the_question() -> None:
    body = "Which of these gases do green plants take in by day"
    form = "Please choose the correct answer to the question: {}\n\nAnswer1: oxygen Answer2: neon\n\nAnswer format: a/b"
    (leak,) = find_leaks(training(f"Q: {body}? (a) neon (b) oxygen"), [asked(form.format(body), name="arc-easy")]).leaks
    assert leak.kind == "exact"


def test_questions_of_a_few_words_must_be_sentences_of_their_own() -> None:
    short = [asked("Is pop music?", "Are we?", name="boolq")]
    assert not find_leaks(training("what is pop music today, are we to ask"), short).found
    found = find_leaks(training("Well. Is pop music? Yes", "A list:\nare we\nall"), short)
    assert [(leak.question, leak.training) for leak in found.leaks] == [("boolq/0", 0), ("boolq/1", 1)]


def test_near_duplicates_in_a_long_text_must_stand_together() -> None:
    words = STORY.split()
    filler = " ".join(f"w{at}" for at in range(500))
    together = f"{filler} {STORY.replace('Natalia', 'Amira')} {filler}"
    apart = f" {filler} ".join(" ".join(words[at : at + 7]) for at in range(0, len(words), 7))
    assert find_leaks(training(together), [asked(STORY)]).leaks[0].kind == "near"
    assert not find_leaks(training(apart), [asked(STORY)]).found


def test_runs_are_found_as_a_search_of_every_text_finds_them() -> None:
    """Against plain search, over short runs of two words that overlap and end in one another."""
    rng = np.random.default_rng(1)
    runs = [tuple(rng.choice(["a", "b"], size=rng.integers(1, 7)).tolist()) for _ in range(40)]
    texts = [rng.choice(["a", "b", "c"], size=rng.integers(0, 30), p=(0.45, 0.45, 0.1)).tolist() for _ in range(60)]
    sought = WordRuns([*runs, ()])
    for place, text in enumerate(texts):
        sought.look(text, place)
    plain = {
        run: next(place for place, text in enumerate(texts) if f" {' '.join(run)} " in f" {' '.join(text)} ")
        for run in runs
        if any(f" {' '.join(run)} " in f" {' '.join(text)} " for text in texts)
    }
    assert sought.first == plain
    assert len(plain) > 20


def test_time_grows_as_the_texts_even_where_all_tell_one_story() -> None:
    """Work is counted, not timed: texts that are read again are bounded for every question."""
    read: list[int] = []
    texts = [tuple(f"{STORY} {at} {at + 1} {at + 2}".split()) for at in range(1500)]

    def words(text: int) -> tuple[str, ...]:
        read.append(text)
        return texts[text]

    questions = [tuple(f"{STORY.replace('48', str(at))} {at} and {at + 7}".split()) for at in range(5000, 5020)]
    near = NearDuplicates(questions, words)
    for place, text in enumerate(texts):
        near.add(text, place)
    assert all(near.nearest(question) is None for question in questions)
    assert len(read) <= 64 * len(questions)
