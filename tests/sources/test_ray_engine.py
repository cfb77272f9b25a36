"""Counting on a Ray of this machine's own, with two workers, against one process."""

import gc
import sys
import time
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from test_cli import command

from geoprobe.errors import BadDataError, GeoprobeError, NotFoundError
from geoprobe.sources import ray_cluster, tally
from geoprobe.sources.corpora import Corpus, open_corpus
from geoprobe.sources.counting import count_tokens
from geoprobe.sources.models.loading import open_model
from geoprobe.sources.models.opened import OpenedModel
from geoprobe.sources.models.tokenizer import word_tokenizer


@pytest.fixture(scope="module")
def model(demo: Path) -> OpenedModel:
    return open_model(demo)


def assert_same_on_both_engines(model: OpenedModel, corpus: Corpus) -> None:
    (here, prompts), (there, sampled) = (
        count_tokens(model.tokenizer, corpus, rows=model.table().size, max_prompts=40, seed=3, engine=engine)
        for engine in ("local", "ray")
    )
    np.testing.assert_array_equal(here.counts, there.counts)
    np.testing.assert_array_equal(here.document_counts, there.document_counts)
    assert (here.sha256, here.n_documents, here.tokenizer) == (there.sha256, there.n_documents, there.tokenizer)
    assert here.documents is not None
    assert there.documents is not None
    np.testing.assert_array_equal(here.documents.ids, there.documents.ids)
    np.testing.assert_array_equal(here.documents.starts, there.documents.starts)
    assert [ids.tolist() for ids in prompts.ids] == [ids.tolist() for ids in sampled.ids]


def test_one_file_gives_the_same_counts_hash_documents_and_prompts(
    two_workers: None, model: OpenedModel, shared_datasets: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tally, "BATCH_CHARACTERS", 20_000)  # some fifteen tasks
    assert_same_on_both_engines(model, open_corpus("gsm8k", data=shared_datasets))


def test_a_folder_gives_the_same_counts_hash_documents_and_prompts(
    two_workers: None, model: OpenedModel, shared_datasets: Path, tmp_path: Path
) -> None:
    for name in ("mawps", "SVAMP", "AQuA"):
        (tmp_path / f"{name}.json").write_bytes((shared_datasets / name / "test.json").read_bytes())
    corpus = open_corpus(str(tmp_path))
    assert len(corpus.parts) == 3
    assert_same_on_both_engines(model, corpus)


def test_a_workers_error_is_the_one_that_one_process_gives(
    two_workers: None, model: OpenedModel, tmp_path: Path
) -> None:
    (tmp_path / "a.txt").write_text("fine")
    (tmp_path / "b.txt").write_bytes(b"caf\xe9")
    with pytest.raises(BadDataError, match=r"b\.txt is not UTF-8 text: byte 3 is 0xe9") as caught:
        count_tokens(model.tokenizer, open_corpus(str(tmp_path)), rows=50_000, max_prompts=1, engine="ray")
    assert caught.value.hint.startswith("Convert it")


def test_a_folder_may_be_named_from_where_the_workers_are_not(
    two_workers: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "dump").mkdir()
    for name in ("a.txt", "b.txt"):
        (tmp_path / "dump" / name).write_text("of the")
    monkeypatch.chdir(tmp_path)
    counted, _ = count_tokens(word_tokenizer(["the", "of"]), open_corpus("dump"), rows=2, max_prompts=0, engine="ray")
    assert counted.counts.tolist() == [2, 2]


def test_of_several_faults_the_first_is_said_and_ray_prints_no_other(
    two_workers: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    printed: list[Exception] = []
    monkeypatch.setattr("ray._private.worker._unhandled_error_handler", printed.append)
    for letter in "abcd":
        (tmp_path / f"{letter}.txt").write_bytes(b"caf\xe9")

    def said() -> str:
        try:
            count_tokens(word_tokenizer(["the"]), open_corpus(str(tmp_path)), rows=1, max_prompts=0, engine="ray")
        except BadDataError as error:
            return error.message
        return ""

    assert "a.txt is not UTF-8 text" in said()
    gc.collect()
    time.sleep(2)  # Ray prints when it gets round to it
    assert not printed


def test_a_fault_on_a_worker_is_explained(two_workers: None, model: OpenedModel) -> None:
    failing = Corpus("test", (partial(int, "x"), partial(int, "y")))  # type: ignore[arg-type]
    with pytest.raises(GeoprobeError, match="A task failed on Ray: ValueError"):
        count_tokens(model.tokenizer, failing, rows=50_000, max_prompts=1, engine="ray")


def test_a_cluster_is_used_where_ray_address_says_and_left_running(
    two_workers: None, model_folder: Path, corpus_file: Path, tmp_path: Path
) -> None:
    import ray

    address = ray.get_runtime_context().gcs_address
    files = {engine: tmp_path / f"{engine}.parquet" for engine in ("local", "ray")}
    for engine, file in files.items():
        done = command(
            "count", model_folder, "--corpus", corpus_file, "--out", file, "--engine", engine, RAY_ADDRESS=address
        )
        assert done.returncode == 0, done.stderr
        assert done.stdout == ""
    assert files["ray"].read_bytes() == files["local"].read_bytes()
    jobs = ray._private.state.jobs()
    assert len(jobs) == 2  # this one and the command's
    assert ray.get(ray.remote(lambda: 1).remote()) == 1


def test_a_cluster_that_does_not_answer_is_said_at_once() -> None:
    ray_cluster._answers("auto")
    with pytest.raises(GeoprobeError, match=r"Ray at 127\.0\.0\.1:9 cannot be reached"):
        ray_cluster._answers("127.0.0.1:9")


def test_a_missing_package_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with (
        pytest.raises(NotFoundError, match=r"pip install 'geoprobe-lm\[scale\]'"),
        ray_cluster.ray_cluster(),
    ):
        pass
