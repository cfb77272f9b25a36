"""Sets through `datasets`, given a local repository of parquet: the network is never asked."""

import sys
from pathlib import Path

import pytest

from geoprobe.errors import AccessError, BadDataError, GeoprobeError, NotFoundError
from geoprobe.sources.corpora.hub_sets import HubSet, _translated, hub_corpus, parse_hub_id


@pytest.fixture(autouse=True)
def connected(monkeypatch: pytest.MonkeyPatch) -> None:
    """The sets here are folders, which ask no network."""
    monkeypatch.setattr("geoprobe.sources.corpora.hub_sets.reachable", lambda: True)


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    import pyarrow as pa
    from pyarrow import parquet

    pytest.importorskip("datasets", reason="sets on the hub are read by datasets: pip install '.[finetune]'")
    folder = tmp_path / "owner" / "name"
    folder.mkdir(parents=True)
    for config in ("main", "other"):
        for split in ("train", "test"):
            (folder / config).mkdir(exist_ok=True)
            questions = [f"{config} {split} {number}" for number in range(3)]
            parquet.write_table(
                pa.table({"id": [1, 2, 3], "question": questions}), folder / config / f"{split}-00000-of-00001.parquet"
            )
    (folder / "README.md").write_text(
        "---\nconfigs:\n"
        + "".join(
            f"- config_name: {config}\n  data_files:\n"
            + "".join(f"  - split: {split}\n    path: {config}/{split}-*\n" for split in ("train", "test"))
            for config in ("main", "other")
        )
        + "---\n"
    )
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", tmp_path / "cache")
    return folder


def test_a_set_is_streamed_by_configuration_split_and_field(repository: Path) -> None:
    corpus = hub_corpus(HubSet(str(repository), "other", "test", "question"), "a-set", offline=False)
    assert list(corpus.documents()) == ["other test 0", "other test 1", "other test 2"]
    assert list(corpus.documents()) == ["other test 0", "other test 1", "other test 2"]
    assert corpus.name == "a-set"
    assert "other configuration, split test, column question" in corpus.note


def test_the_field_is_found_where_none_is_named(repository: Path) -> None:
    corpus = hub_corpus(HubSet(str(repository), "main"), "a-set", offline=False)
    assert list(corpus.documents()) == ["main train 0", "main train 1", "main train 2"]


@pytest.mark.parametrize(
    ("config", "split", "field", "kind", "message"),
    [
        ("none", "train", None, NotFoundError, "BuilderConfig 'none' not found"),
        ("main", "dev", None, NotFoundError, r"cannot be read as .*name:main:dev"),
        ("main", "train", "body", BadDataError, "has no field 'body'; it has id, question"),
    ],
)
def test_what_a_set_lacks_is_said(
    repository: Path, config: str, split: str, field: str | None, kind: type[GeoprobeError], message: str
) -> None:
    with pytest.raises(kind, match=message):
        list(hub_corpus(HubSet(str(repository), config, split, field), "a-set", offline=False).documents())


@pytest.mark.parametrize(
    ("error", "kind", "message"),
    [
        (RuntimeError("Dataset scripts are no longer supported, but found x.py"), BadDataError, "never run"),
        (ConnectionError("no route"), GeoprobeError, "cannot be fetched: no route"),
        (PermissionError("Dataset 'x' is a gated dataset on the Hub."), AccessError, "is gated"),
        (OSError("odd"), BadDataError, "cannot be read: odd"),
    ],
)
def test_the_librarys_errors_become_geoprobes(error: Exception, kind: type[GeoprobeError], message: str) -> None:
    found = _translated(HubSet("owner/name"), error)
    assert type(found) is kind
    assert message in found.message


def test_a_missing_package_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(NotFoundError, match=r"pip install 'geoprobe-lm\[finetune\]'"):
        hub_corpus(HubSet("owner/name"), "owner/name", offline=False)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("owner/name", HubSet("owner/name")),
        ("owner/name:config", HubSet("owner/name", "config")),
        ("owner/name:config:split", HubSet("owner/name", "config", "split")),
        ("owner/name::split", HubSet("owner/name", None, "split")),
        ("owner", None),
        ("a/b/c", None),
        ("../b", None),
        ("owner/name:a:b:c", None),
        ("/owner/name", None),
    ],
)
def test_hub_ids(name: str, expected: HubSet | None) -> None:
    assert parse_hub_id(name) == expected
