"""What a data set's name means, whatever the set is for."""

from pathlib import Path

import pytest

from geoprobe.errors import NotFoundError, UsageError
from geoprobe.sources.corpora import open_corpus
from geoprobe.sources.corpora.hub_sets import HubSet
from geoprobe.sources.corpora.resolve import resolve_set


@pytest.fixture(autouse=True)
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "data" / "GSM8K").mkdir(parents=True)
    (tmp_path / "here" / "boolq").mkdir(parents=True)
    (tmp_path / "here" / "boolq" / "train.jsonl").write_text('{"text": "x"}\n')
    (tmp_path / "here" / "a.txt").write_text("x")
    (tmp_path / "here" / "owner").mkdir()
    (tmp_path / "here" / "owner" / "name").write_text("x")
    monkeypatch.chdir(tmp_path / "here")


@pytest.mark.parametrize(
    ("name", "data", "kind", "place"),
    [
        ("python-docs", None, "manual", None),
        ("-", None, "stdin", None),
        ("-.jsonl", None, "stdin", None),
        ("gsm8k", "../data", "set", "../data/GSM8K"),
        ("GSM8K:train", "../data", "set", "../data/GSM8K"),
        ("gsm8k", None, "hub", HubSet("openai/gsm8k", "main", "train")),
        ("GSM8K:test", None, "hub", HubSet("openai/gsm8k", "main", "test")),
        ("social_i_qa", None, "hub", HubSet("lighteval/siqa", None, "train")),
        ("MultiArith", None, "hub", HubSet("ChilleD/MultiArith", None, "train")),
        ("boolq", None, "folder", "boolq"),
        ("boolq", "../data", "folder", "boolq"),
        ("a.txt", None, "file", "a.txt"),
        ("owner/name", None, "file", "owner/name"),
        ("owner/other", None, "hub", HubSet("owner/other", None, "train")),
        ("owner/name:c", None, "hub", HubSet("owner/name", "c", "train")),
        ("owner/name:c:s", None, "hub", HubSet("owner/name", "c", "s")),
    ],
)
def test_a_name_is_looked_for_in_one_order(name: str, data: str | None, kind: str, place: str | HubSet | None) -> None:
    location = resolve_set(name, data=data)
    assert location.kind == kind
    if isinstance(place, HubSet):
        assert location.on_hub("train") == place
    else:
        assert (location.path and str(location.path)) == place


@pytest.mark.parametrize("name", ["missing.json", "nowhere", "./a/b", "a/b/c", "owner/x.jsonl"])
def test_what_is_nowhere_is_said(name: str) -> None:
    with pytest.raises(NotFoundError, match="There is no training data"):
        resolve_set(name, what="training data")
    with pytest.raises(NotFoundError, match="There is no corpus"):
        open_corpus(name)


def test_an_empty_name_is_a_usage_error() -> None:
    with pytest.raises(UsageError, match="The name of the corpus is empty"):
        resolve_set(" ")


@pytest.mark.parametrize(("name", "meant"), [("gms8k", "gsm8k"), ("helaswag:test", "hellaswag"), ("xyz", None)])
def test_a_name_with_a_typing_error_has_the_nearest_one_beside_it(name: str, meant: str | None) -> None:
    with pytest.raises(NotFoundError) as raised:
        resolve_set(name)
    assert (f"Is {meant} meant?" in raised.value.hint) is (meant is not None)
