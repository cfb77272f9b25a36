import json
from pathlib import Path

import pytest

from geoprobe.errors import NotFoundError
from geoprobe.sources.corpora import NAMED_SETS, open_corpus
from geoprobe.sources.corpora.resolve import DATA_VARIABLE


@pytest.fixture
def data(tmp_path: Path) -> Path:
    for name, splits in {"GSM8K": ("test", "train"), "social_i_qa": ("test",), "openbookqa": ("train",)}.items():
        (tmp_path / "data" / name).mkdir(parents=True)
        for split in splits:
            (tmp_path / "data" / name / f"{split}.json").write_text(json.dumps([{"instruction": f"{name} {split}"}]))
    return tmp_path / "data"


@pytest.mark.parametrize(
    ("name", "found", "text"),
    [
        ("gsm8k", "GSM8K/test.json", "GSM8K test"),
        ("gsm8k:train", "GSM8K/train.json", "GSM8K train"),
        ("siqa", "social_i_qa/test.json", "social_i_qa test"),
        ("social_i_qa", "social_i_qa/test.json", "social_i_qa test"),
        ("openbookqa", "openbookqa", "openbookqa train"),
    ],
)
def test_a_name_is_found_in_the_data_folder(data: Path, name: str, found: str, text: str) -> None:
    corpus = open_corpus(name, data=data, offline=True)
    assert corpus.name == found
    assert list(corpus.documents()) == [text]


def test_a_name_means_the_same_split_in_the_data_folder_and_on_the_hub(tmp_path: Path) -> None:
    (tmp_path / "boolq").mkdir()
    for split in ("test", "train", "validation"):
        (tmp_path / "boolq" / f"{split}.json").write_text(json.dumps([{"question": split}]))
    assert NAMED_SETS["boolq"].split == "validation"
    assert list(open_corpus("boolq", data=tmp_path).documents()) == ["validation"]
    (tmp_path / "boolq" / "validation.json").unlink()
    assert list(open_corpus("boolq", data=tmp_path).documents()) == ["test"]


def test_the_data_folder_may_be_named_by_the_environment(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(DATA_VARIABLE, str(data))
    assert open_corpus("gsm8k").name == "GSM8K/test.json"


def test_what_the_data_folder_lacks_is_said(data: Path) -> None:
    with pytest.raises(NotFoundError, match=r"no file for the split 'dev'; it has test.json, train.json"):
        open_corpus("gsm8k:dev", data=data)
    with pytest.raises(NotFoundError, match="There is no data folder"):
        open_corpus("gsm8k", data=data / "nowhere")


def test_no_network_is_asked_for_a_named_set_when_offline(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("geoprobe.sources.corpora.hub_sets._datasets", lambda: pytest.fail("the hub was asked"))
    for name in ("wikitext", "owner/name", "owner/name:config:split"):
        with pytest.raises(NotFoundError, match="the network is switched off"):
            open_corpus(name, data=data, offline=True)
    for name in ("folder/missing.json", "missing", "./a/b", "a/b/c"):  # nor for what is no hub id
        with pytest.raises(NotFoundError, match="There is no corpus"):
            open_corpus(name)


def test_the_real_local_sets_are_found_and_read(shared_datasets: Path) -> None:
    sizes = {}
    for name in NAMED_SETS:
        try:
            corpus = open_corpus(name, data=shared_datasets, offline=True)
        except NotFoundError:
            continue
        sizes[name] = sum(1 for _ in corpus.documents())
    published = {"gsm8k": 1319, "aqua": 254, "svamp": 1000, "arc-easy": 2376, "piqa": 1838, "siqa": 1954}
    assert published.items() <= sizes.items()
    assert {"mawps", "boolq", "winogrande", "openbookqa"} <= set(sizes)
