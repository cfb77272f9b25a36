import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from geoprobe.errors import BadDataError, NotFoundError, UsageError
from geoprobe.sources.corpora import open_corpus
from geoprobe.training.data.instructions import load_training


def save(path: Path, records: list[Any]) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = "\n".join(json.dumps(record) for record in records)
    text = json.dumps(records) if path.suffix == ".json" else lines
    path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())
    return str(path)


LLM_ADAPTERS = {"instruction": "Add 1 and 2.", "input": "", "output": "\nA: 1 + 2 = 3. The answer is 3.", "answer": "3"}
GSM8K = {"question": "How many?", "answer": "48/2 = <<48/2=24>>24 clips.\n#### 24"}
CHAT: dict[str, list[dict[str, str]]] = {
    "messages": [
        {"role": "system", "content": "Be short."},
        {"role": "user", "content": "1 + 1?"},
        {"role": "assistant", "content": "2"},
        {"role": "user", "content": "And 3 more?"},
        {"role": "assistant", "content": "5"},
    ]
}


def test_llm_adapters_form_is_read(tmp_path: Path) -> None:
    loaded = load_training(save(tmp_path / "sets" / "math.json", [LLM_ADAPTERS]))
    (example,) = loaded.examples
    assert example.question == "Add 1 and 2."
    assert example.prompt.endswith("### Instruction:\nAdd 1 and 2.\n\n### Response:\n")
    assert example.response == "A: 1 + 2 = 3. The answer is 3."
    assert loaded.name == "sets/math.json"
    assert "LLM-Adapters" in loaded.note


def test_an_input_is_part_of_prompt_and_question(tmp_path: Path) -> None:
    (example,) = load_training(save(tmp_path / "a.json", [LLM_ADAPTERS | {"input": "Slowly."}])).examples
    assert "### Input:\nSlowly.\n" in example.prompt
    assert example.question == "Add 1 and 2.\nSlowly."


def test_gsm8ks_form_is_read_without_its_calculator_and_the_note_says_so(tmp_path: Path) -> None:
    loaded = load_training(save(tmp_path / "a.jsonl", [GSM8K]))
    assert loaded.examples[0].response == "48/2 = 24 clips.\n#### 24"
    assert "<<...>> are taken out" in loaded.note


def test_chat_messages_give_an_example_for_each_reply(tmp_path: Path) -> None:
    loaded = load_training(save(tmp_path / "a.jsonl.gz", [CHAT]))
    assert [example.response for example in loaded.examples] == ["2", "5"]
    assert loaded.examples[0].question == "Be short.\n\n1 + 1?"
    assert loaded.examples[1].question.endswith("User: 1 + 1?\n\nAssistant: 2\n\nUser: And 3 more?")
    assert loaded.examples[0].group == loaded.examples[1].group == loaded.examples[0].question


def test_the_context_of_a_question_is_in_its_prompt_and_in_what_is_looked_for(tmp_path: Path) -> None:
    record = {"question": "is it big", "passage": "It is a town of 30 people.", "answer": "no", "title": "Town"}
    loaded = load_training(save(tmp_path / "a.jsonl", [record]))
    (example,) = loaded.examples
    assert "### Instruction:\nis it big\n\n### Input:\nIt is a town of 30 people.\n" in example.prompt
    assert example.question == "is it big\nIt is a town of 30 people."
    assert loaded.note.endswith("Columns that are not used: title.")


@pytest.mark.parametrize(
    ("choices", "answer", "asked", "response"),
    [
        (["ice", "iron"], "ice", "What melts? Answer Choices: (A) ice (B) iron", "ice"),
        (["A) ice", "B) iron"], "A", "What melts? Answer Choices: (A) ice (B) iron", "A"),
        (["ice", "iron"], 1, "What melts? Answer Choices: (A) ice (B) iron", "(B) iron"),
        ({"text": ["ice", "iron"], "label": ["1", "2"]}, "1", "What melts? Answer Choices: (1) ice (2) iron", "1"),
        ({"A": "ice", "B": "iron"}, "A", "What melts? Answer Choices: (A) ice (B) iron", "A"),
    ],
)
def test_the_options_of_a_question_are_in_its_prompt(
    tmp_path: Path, choices: Any, answer: Any, asked: str, response: str
) -> None:
    path = save(tmp_path / "a.jsonl", [{"question": "What melts?", "choices": choices, "answer": answer}])
    (example,) = load_training(path).examples
    assert (example.question, example.response) == (asked, response)


def test_sharegpts_roles_are_those_of_chat_messages(tmp_path: Path) -> None:
    names = {"system": "system", "user": "human", "assistant": "gpt"}
    turns = [{"from": names[turn["role"]], "value": turn["content"]} for turn in CHAT["messages"]]
    chat = load_training(save(tmp_path / "chat.jsonl", [CHAT]))
    for name, record in (("conversations", turns), ("messages", turns)):
        loaded = load_training(save(tmp_path / f"{name}.jsonl", [{name: record}]))
        assert loaded.examples == chat.examples
    assert chat.examples[1].turns == tuple((turn["role"], turn["content"]) for turn in CHAT["messages"][:4])


def test_text_parts_of_a_message_are_joined(tmp_path: Path) -> None:
    parts = [{"type": "text", "text": "1 + 1?"}, {"type": "text", "text": "In words."}]
    messages = [{"role": "user", "content": parts}, {"role": "assistant", "content": [{"type": "text", "text": "two"}]}]
    (example,) = load_training(save(tmp_path / "a.jsonl", [{"messages": messages}])).examples
    assert (example.question, example.response) == ("1 + 1?\nIn words.", "two")


def test_prompts_and_completions_are_texts_or_messages(tmp_path: Path) -> None:
    said = [{"role": "user", "content": "1 + 1?"}], [{"role": "assistant", "content": "2"}]
    for record in (
        {"prompt": "1 + 1?", "completion": "2"},
        {"prompt": said[0], "completion": said[1]},
        {"instruction": "1 + 1?", "response": "2"},
    ):
        (example,) = load_training(save(tmp_path / "a.jsonl", [record])).examples
        assert (example.question, example.response) == ("1 + 1?", "2")


def test_columns_of_other_names_are_given_by_field(tmp_path: Path) -> None:
    path = save(tmp_path / "a.jsonl", [{"problem": "1 + 1?", "solution": 2.0}])
    (example,) = load_training(path, field="problem,solution").examples
    assert (example.question, example.response) == ("1 + 1?", "2.0")
    with pytest.raises(UsageError, match="'problem' are not two"):
        load_training(path, field="problem")


def test_a_wrong_column_is_refused_by_naming_those_there_are(tmp_path: Path) -> None:
    path = save(tmp_path / "a.jsonl", [{"problem": "1 + 1?", "solution": "2"}])
    with pytest.raises(BadDataError, match=r"has the columns problem, solution.*\n.*--field QUESTION,RESPONSE"):
        load_training(path)
    with pytest.raises(BadDataError, match=r"has no column 'text'; it has problem, solution"):
        load_training(path, field="text,solution")


@pytest.mark.parametrize(
    ("records", "said"),
    [
        ([GSM8K, {"question": "?"}], "record 2 has no column 'answer'; it has question"),
        ([GSM8K, {"question": ["?"], "answer": "1"}], "record 2: column 'question' holds list, not text"),
        ([{"messages": "hello"}], "messages is no list"),
        ([{"messages": [{"from": "user"}]}], "a message has the keys from"),
        ([{"conversations": {}}], "conversations is no list of objects"),
        (
            [{"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "x"}}]}]}],
            "a part of the kind 'image_url', which has no text",
        ),
        ([{"messages": [{"role": "user", "content": ["hello"]}]}], "a part of the kind 'str'"),
        ([{"question": "?", "choices": "a or b", "answer": "a"}], "column 'choices' holds no list of texts"),
        ([{"question": "?", "choices": ["a", 2], "answer": "a"}], "column 'choices' holds no list of texts"),
        ([{"question": "?", "choices": ["a", "b"], "answer": 2}], "the answer is 2, and there are 2 options"),
        ([{"question": "?", "context": ["a"], "answer": "b"}], "column 'context' holds list, not text"),
        ([{"prompt": [{"role": "user", "content": "?"}], "completion": []}], "completion is no single reply"),
        (["text"], "record 1 is str"),
        ([], "it has no record"),
        ([{"question": "?", "answer": " "}], "none of its 1 record has both"),
    ],
)
def test_bad_records_are_refused_by_their_place(tmp_path: Path, records: list[Any], said: str) -> None:
    with pytest.raises(BadDataError, match=said):
        load_training(save(tmp_path / "a.jsonl", records))


def test_records_without_a_response_are_left_out_and_counted(tmp_path: Path) -> None:
    loaded = load_training(save(tmp_path / "a.json", [LLM_ADAPTERS, LLM_ADAPTERS | {"output": ""}]))
    assert len(loaded.examples) == 1
    assert "1 record without a question or a response left out" in loaded.note


def test_a_lone_surrogate_does_not_reach_the_tokenizer(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text('{"question": "a\\ud800b", "answer": "1"}')
    (example,) = load_training(str(path)).examples
    example.prompt.encode()


def test_a_folder_of_the_data_folder_is_found_by_name_and_split(tmp_path: Path) -> None:
    save(tmp_path / "GSM8K" / "train.jsonl", [GSM8K])
    save(tmp_path / "GSM8K" / "extra.jsonl", [GSM8K, GSM8K])
    assert len(load_training("gsm8k", data=tmp_path).examples) == 1
    assert len(load_training("gsm8k:extra", data=tmp_path).examples) == 2
    assert len(load_training(str(tmp_path / "GSM8K")).examples) == 1
    with pytest.raises(NotFoundError, match=r"no file for the split 'dev'; it has extra.jsonl, train.jsonl"):
        load_training("gsm8k:dev", data=tmp_path)


def test_a_name_is_looked_for_as_that_of_a_corpus_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("gsm8k", "GSM8K", "multiarith", "owner/name"):
        for opened in (load_training, open_corpus):
            with pytest.raises(NotFoundError, match="the network is switched off"):
                opened(name, offline=True)
    (tmp_path / "gsm8k").mkdir()
    (tmp_path / "gsm8k" / "train.jsonl").write_text('{"question": "1 + 1?", "answer": "2"}\n')
    assert len(load_training("gsm8k", offline=True).examples) == 1
    assert list(open_corpus("gsm8k", offline=True).documents()) == ["1 + 1?"]
    for name in ("python-docs", "-"):
        with pytest.raises(UsageError, match="has no responses to train on"):
            load_training(name)


def test_data_that_are_nowhere_are_refused(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="no training data 'gms8k'"):
        load_training("gms8k", data=tmp_path)
    with pytest.raises(NotFoundError, match=r"There is no training data 'nowhere\.jsonl'"):
        load_training("nowhere.jsonl")
    with pytest.raises(NotFoundError, match="'owner/name' is on the hub"):
        load_training("owner/name", offline=True)


def test_the_real_training_set_of_gsm8k_is_read(shared_datasets: Path) -> None:
    loaded = load_training("gsm8k", data=shared_datasets)
    assert len(loaded.examples) == 7473
    assert not any("<<" in example.response for example in loaded.examples)
    assert all("#### " in example.response for example in loaded.examples)
