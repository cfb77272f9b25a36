import time
from pathlib import Path

import numpy as np
import pytest

from geoprobe.training.data import Example, TrainingData, load_training
from geoprobe.training.leaks import FEWEST, NGRAM, find_leaks
from geoprobe.training.tasks import TASKS, LoadedTask, Question, load_task

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
