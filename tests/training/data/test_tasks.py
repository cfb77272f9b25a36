import json
from pathlib import Path

import pytest

from geoprobe.errors import BadDataError, NotFoundError
from geoprobe.training.data.tasks import TASKS, find_task, load_task

ARITHMETIC = ("multiarith", "gsm8k", "addsub", "aqua", "singleeq", "svamp", "mawps")
COMMONSENSE = ("boolq", "piqa", "siqa", "hellaswag", "winogrande", "arc-easy", "arc-challenge", "openbookqa")
#: Questions of LLM-Adapters' test files.
SIZES = {"multiarith": 600, "gsm8k": 1319, "addsub": 395, "aqua": 254, "svamp": 1000, "mawps": 238}
SIZES |= {"boolq": 3270, "piqa": 1838, "siqa": 1954, "winogrande": 1267, "arc-easy": 2376}


def write(folder: Path, records: list[dict[str, object]], name: str = "test.json") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps(records) if name.endswith(".json") else "\n".join(map(json.dumps, records))
    (folder / name).write_text(text)
    return folder.parent


def test_the_papers_fifteen_sets_are_known_by_name() -> None:
    assert tuple(TASKS) == ARITHMETIC + COMMONSENSE
    for name in ("ARC-e", "arc-c", "OBQA", "social_i_qa", "AQuA", " GSM8K "):
        assert find_task(name).name in TASKS


def test_an_unknown_set_is_refused_by_naming_those_there_are() -> None:
    with pytest.raises(NotFoundError, match=r"'gms8k'.*\n.*gsm8k, addsub"):
        find_task("gms8k")


@pytest.mark.parametrize("name", SIZES)
def test_the_real_sets_are_read_whole(shared_datasets: Path, name: str) -> None:
    loaded = load_task(name, data=shared_datasets, offline=True)
    assert len(loaded.questions) == SIZES[name]
    assert [question.id for question in loaded.questions[:2]] == [f"{name}/0", f"{name}/1"]
    for question in loaded.questions:
        assert question.text in question.prompt
        assert loaded.task.is_right(loaded.task.extract(question.answer), question.answer)
        if loaded.task.kind != "number":
            assert question.correct is not None
            assert question.options[question.correct]


@pytest.mark.parametrize("name", ["arc-easy", "aqua", "piqa", "gsm8k", "svamp"])
def test_the_reference_outputs_of_real_sets_are_read_as_their_answers(shared_datasets: Path, name: str) -> None:
    """LLM-Adapters' `output` of a test question ends in an answer, sometimes a wrong one: what a model is to learn."""
    folder = {"arc-easy": "ARC-Easy", "aqua": "AQuA", "svamp": "SVAMP"}.get(name, name)
    records = json.loads((shared_datasets / folder / "test.json").read_text("utf-8"))
    loaded = load_task(name, data=shared_datasets, offline=True)
    read = [loaded.task.extract(record["output"]) for record in records]
    assert sum(each is None for each in read) / len(read) < 0.06  # some of AQuA's and SVAMP's have no answer at all
    right = sum(map(loaded.task.is_right, read, (question.answer for question in loaded.questions))) / len(read)
    assert right > {"arc-easy": 0.999, "piqa": 0.999, "svamp": 0.7, "gsm8k": 0.5, "aqua": 0.3}[name]


def test_gsm8ks_own_form_is_read(tmp_path: Path) -> None:
    rows = [{"question": "How many?", "answer": "6 * 200 = <<6*200=1200>>1,200\n#### 1,200"}]
    data = write(tmp_path / "gsm8k", rows, "test.jsonl")
    (question,) = load_task("gsm8k", data=data).questions
    assert (question.answer, question.text) == ("1200", "How many?")


def test_options_that_cannot_be_told_apart_leave_generation_only(tmp_path: Path) -> None:
    options = "Answer1: a Answer1: b\n\nAnswer format: answer1/answer2"
    asked = f"Please choose the correct answer to the question: Which?\n\n{options}"
    data = write(tmp_path / "arc-easy", [{"instruction": asked, "answer": "answer2"}])
    (question,) = load_task("arc-easy", data=data).questions
    assert (question.answer, question.options, question.correct) == ("answer2", (), None)


@pytest.mark.parametrize(
    ("record", "said"),
    [
        ({"problem": "1 + 1", "answer": "2"}, "needs an instruction .* has problem, answer"),
        ({"instruction": "1 + 1"}, "has instruction"),
        ({"instruction": "1 + 1", "answer": "two"}, "the answer 'two', which is no number"),
        ("text", "has no columns"),
    ],
)
def test_a_record_that_is_no_question_is_refused_by_its_place(tmp_path: Path, record: object, said: str) -> None:
    good: dict[str, object] = {"instruction": "1 + 1", "answer": "2"}
    data = write(tmp_path / "gsm8k", [good, record])  # type: ignore[list-item]
    with pytest.raises(BadDataError, match=f"record 2.*{said}"):
        load_task("gsm8k", data=data)


def test_an_empty_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadDataError, match="holds no question"):
        load_task("gsm8k", data=write(tmp_path / "gsm8k", []))


def test_a_set_that_is_nowhere_says_where_to_get_it(tmp_path: Path) -> None:
    (tmp_path / "SingleEq").mkdir()
    with pytest.raises(NotFoundError, match=r"singleeq is not at hand(.|\n)*LLM-Adapters"):
        load_task("singleeq", data=tmp_path)
    with pytest.raises(
        NotFoundError, match=r"'hellaswag' is on the hub \(Rowan/hellaswag\), and the network is switched"
    ):
        load_task("hellaswag", data=tmp_path, offline=True)


def test_the_hash_is_of_the_questions_and_not_of_the_file(tmp_path: Path) -> None:
    rows: list[dict[str, object]] = [{"instruction": "1 + 1", "answer": "2"}]
    one = load_task("gsm8k", data=write(tmp_path / "a" / "gsm8k", rows))
    other = load_task(
        "gsm8k", data=write(tmp_path / "b" / "gsm8k", [{"question": "1 + 1", "answer": "2.0"}], "test.jsonl")
    )
    changed = load_task("gsm8k", data=write(tmp_path / "c" / "gsm8k", [{"question": "1 + 1", "answer": "3"}]))
    assert one.sha256 == other.sha256 != changed.sha256
