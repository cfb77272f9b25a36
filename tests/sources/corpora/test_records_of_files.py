"""Files read record by record with all their fields, as training data and test sets are."""

import gzip
import json
from pathlib import Path

import pyarrow as pa
import pytest
from pyarrow import parquet

from geoprobe.errors import NotFoundError, UsageError
from geoprobe.sources.corpora.hub_sets import HubSet, hub_records
from geoprobe.sources.corpora.readers import file_records, split_file

ROWS = [{"question": "1 + 1?", "answer": "2"}, {"question": "2 + 2?", "answer": "4"}]


def written(folder: Path, name: str) -> Path:
    path = folder / name
    lines = "\n".join(map(json.dumps, ROWS)).encode()
    if name.endswith(".parquet"):
        parquet.write_table(pa.Table.from_pylist(ROWS), path)
    elif name.endswith(".gz"):
        path.write_bytes(gzip.compress(lines))
    elif name.endswith(".json"):
        path.write_text(json.dumps(ROWS))
    elif name.endswith((".csv", ".tsv")):
        mark = "\t" if name.endswith(".tsv") else ","
        path.write_text("\n".join(mark.join(row) for row in (ROWS[0].keys(), *(row.values() for row in ROWS))))
    else:
        path.write_bytes(lines)
    return path


@pytest.mark.parametrize("suffix", [".json", ".jsonl", ".jsonl.gz", ".csv", ".tsv", ".parquet"])
def test_every_format_gives_all_fields(tmp_path: Path, suffix: str) -> None:
    assert list(file_records(written(tmp_path, f"train{suffix}"))) == ROWS


def test_what_is_not_there_or_not_of_a_format_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="There is no file"):
        file_records(tmp_path / "train.json")
    (tmp_path / "train.pkl").write_bytes(b"")
    with pytest.raises(UsageError, match=r"is a \.pkl file"):
        file_records(tmp_path / "train.pkl")


def test_the_first_split_that_is_there_is_taken(tmp_path: Path) -> None:
    for name in ("Test.jsonl", "trainset.json", "notes.docx"):
        (tmp_path / name).touch()
    assert split_file(tmp_path, "train", "trainset").name == "trainset.json"
    assert split_file(tmp_path, "test").name == "Test.jsonl"
    with pytest.raises(NotFoundError, match=r"no file for the split 'dev'; it has Test\.jsonl, trainset\.json"):
        split_file(tmp_path, "dev")


def test_the_hub_is_not_asked_offline() -> None:
    with pytest.raises(
        NotFoundError, match=r"set 'gsm8k' is on the hub \(openai/gsm8k\), and the network is switched off"
    ):
        hub_records(HubSet("openai/gsm8k", "main", "test"), "gsm8k", offline=True)
