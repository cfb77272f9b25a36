import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from builders import make_model
from hub_server import Hub, serve
from test_cli import command

import geoprobe
from geoprobe.errors import BadDataError, UsageError
from geoprobe.sources.counts_file import read_counts

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def counts_file(run_cli: Run, model_folder: Path, corpus_file: Path) -> Path:
    out = model_folder.parent / "counts.parquet"
    code, stdout, stderr = run_cli("count", model_folder, "--corpus", corpus_file, "--out", out)
    assert (code, stdout) == (0, "")
    assert f"{out}: 2,400 tokens" in stderr
    return out


def test_a_scan_of_counts_is_that_of_their_corpus_but_for_what_needs_documents(
    model_folder: Path, corpus_file: Path, counts_file: Path
) -> None:
    whole = geoprobe.scan(model_folder, corpus_file)
    counted = geoprobe.scan(model_folder, counts=counts_file)
    (fact,), (original,) = counted.corpora, whole.corpora
    assert (fact.name, fact.sha256, fact.n_tokens, fact.n_types, fact.n_documents) == (
        (original.name, original.sha256, original.n_tokens, original.n_types, original.n_documents)
    )  # fmt: skip
    assert fact.note == "Counts read from counts.parquet."
    assert counted["frequency"].estimate.value == whole["frequency"].estimate.value
    assert counted["norms"].estimate.value == whole["norms"].estimate.value
    assert counted["norms"].estimate.interval is not None
    assert "documents" not in counted["norms"].estimate.interval.method
    assert counted["hyperbolicity"].verdict.label == "inconclusive"


def test_a_corpus_beside_counts_gives_the_prompts_and_both_are_counted(
    model_folder: Path, counts_file: Path, tmp_path: Path
) -> None:
    texts = [" ".join(f"word{(start + step) % 100}" for step in range(9)) for start in range(20)]
    (tmp_path / "more.jsonl").write_text("\n".join(json.dumps({"text": text}) for text in texts))
    report = geoprobe.scan(model_folder, tmp_path / "more.jsonl", counts=[counts_file])
    assert [fact.n_tokens for fact in report.corpora] == [180, 2400]
    assert report["hyperbolicity"].to_frame().loc["prompts", "value"] == 20
    assert report["frequency"].to_frame().loc["tokens", "value"] == 2580


def test_counts_that_do_not_fit_are_refused(model_folder: Path, corpus_file: Path, counts_file: Path) -> None:
    with pytest.raises(UsageError, match=r"is in counts\.parquet too, and would be counted twice"):
        geoprobe.scan(model_folder, corpus_file, counts=counts_file)
    other = make_model(model_folder.parent / "other")
    tokenizer = json.loads((other / "tokenizer.json").read_text())
    tokenizer["model"]["unk_token"] = "the"
    (other / "tokenizer.json").write_text(json.dumps(tokenizer))
    with pytest.raises(BadDataError, match=r"counts\.parquet was counted by another tokenizer"):
        geoprobe.scan(other, counts=counts_file)


def test_counts_are_merged(run_cli: Run, model_folder: Path, counts_file: Path, tmp_path: Path) -> None:
    (tmp_path / "b.txt").write_text("the the of\n\nof word7")
    more, both = tmp_path / "more.parquet", tmp_path / "both.parquet"
    assert run_cli("count", model_folder, "--corpus", tmp_path / "b.txt", "--out", more, "-q")[0] == 0
    assert run_cli("count", "--merge", counts_file, more, "--out", both, "-q") == (0, "", "")
    merged, first = read_counts(both), read_counts(counts_file)
    assert merged.counts.sum() == 2405
    assert merged.counts[merged.tokens == 1] == first.counts[first.tokens == 1] + 2
    np.testing.assert_array_equal(merged.tokens, np.union1d(first.tokens, read_counts(more).tokens))
    code, _, stderr = run_cli("count", "--merge", more, more, "--out", both)
    assert code == 5
    assert "would be counted twice" in stderr


def test_of_a_hub_model_only_the_tokenizer_is_fetched(model_folder: Path, corpus_file: Path, tmp_path: Path) -> None:
    out = tmp_path / "c.parquet"
    with serve(Hub({path.name: path.read_bytes() for path in model_folder.iterdir()})) as hub:
        done = command(
            "count", "team/model", "--corpus", corpus_file, "--out", out,
            HF_ENDPOINT=hub.url, HF_HOME=str(tmp_path / "hf"),
        )  # fmt: skip
        sent = hub.sent
    assert done.returncode == 0, done.stderr
    assert sent < sum(path.stat().st_size for path in model_folder.iterdir() if path.name != "model.safetensors") + 1
    assert read_counts(out).counts.sum() == 2400


def test_standard_input_is_counted_in_a_pipe(model_folder: Path, corpus_file: Path) -> None:
    import subprocess
    import sys

    out = model_folder.parent / "c.parquet"
    done = subprocess.run(
        [sys.executable, "-m", "geoprobe", "count", model_folder, "--corpus", "-.jsonl", "--out", out],
        input=corpus_file.read_bytes(),
        capture_output=True,
        check=True,
    )
    assert done.stdout == b""
    assert read_counts(out).corpora[0].name == "standard input"
    assert read_counts(out).counts.sum() == 2400


def test_corpora_are_listed_for_people_and_for_machines(run_cli: Run, tmp_path: Path) -> None:
    (tmp_path / "GSM8K").mkdir()
    (tmp_path / "mine").mkdir()
    code, stdout, _ = run_cli("corpora", "--data", tmp_path, "--json")
    listed = json.loads(stdout)
    assert code == 0
    found = {each["name"]: each for each in listed["corpora"]}
    assert list(found)[:3] == ["python-docs", "gsm8k", "aqua"]
    assert found["gsm8k"]["folder"] == str(tmp_path / "GSM8K")
    assert found["mine"] == {"name": "mine", "folder": str(tmp_path / "mine"), "hub": None}
    assert found["wikitext"]["hub"]["hub_id"] == "Salesforce/wikitext"
    assert {".parquet", ".jsonl"} <= set(listed["formats"])
    code, stdout, stderr = run_cli("corpora")
    assert (code, stderr) == (0, "")
    assert "\x1b" not in stdout
    for name in found.keys() - {"mine"}:
        assert name in stdout
