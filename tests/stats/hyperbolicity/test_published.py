"""Real prompts on the real demo model: the figures measured once with the released protocol."""

from pathlib import Path

import numpy as np
import pytest

from geoprobe.data import EmbeddingTable
from geoprobe.sources.corpora import open_corpus
from geoprobe.sources.counting import count_tokens
from geoprobe.sources.models.loading import open_model
from geoprobe.sources.models.opened import OpenedModel
from geoprobe.stats import nulls
from geoprobe.stats.hyperbolicity import delta_basepoint_batch, four_point_batch

ROWS = 49_152


@pytest.fixture(scope="module")
def model(demo: Path) -> OpenedModel:
    return open_model(demo)


@pytest.fixture(scope="module")
def table(model: OpenedModel) -> EmbeddingTable:
    return model.table()


def first_prompts(model: OpenedModel, shared_datasets: Path, corpus: str) -> tuple[np.ndarray, ...]:
    opened = open_corpus(str(shared_datasets / corpus / "test.json"))
    return count_tokens(model.tokenizer, opened, rows=ROWS, max_prompts=150)[1].ids


@pytest.mark.parametrize(
    ("corpus", "mean", "sd", "gaussian"),
    [
        ("gsm8k", 0.195, 0.026, 0.113),
        ("mawps", 0.186, 0.027, 0.106),
        ("SVAMP", 0.190, 0.028, 0.107),
        ("AQuA", 0.193, 0.026, 0.116),
    ],
)
def test_first_150_prompts_have_the_relative_delta_measured_before(
    model: OpenedModel,
    table: EmbeddingTable,
    shared_datasets: Path,
    corpus: str,
    mean: float,
    sd: float,
    gaussian: float,
) -> None:
    """The Gaussian figure is one independent vector per distinct token: a repeated token stays one point."""
    prompts = first_prompts(model, shared_datasets, corpus)
    relative = delta_basepoint_batch([table.vectors.take(ids) for ids in prompts]).relative
    assert relative.mean() == pytest.approx(mean, abs=6e-4)
    assert relative.std() == pytest.approx(sd, abs=6e-4)
    sizes = [len(np.unique(ids)) for ids in prompts]
    null = nulls.delta_basepoint_gaussian_null(sizes, table.dimension, 10, np.random.default_rng(0))
    assert null.mean() == pytest.approx(gaussian, abs=2e-3)


def test_gsm8k_prompts_have_the_holland_index_measured_before(
    model: OpenedModel, table: EmbeddingTable, shared_datasets: Path
) -> None:
    prompts = first_prompts(model, shared_datasets, "gsm8k")
    index = four_point_batch([table.vectors.take(np.unique(ids)) for ids in prompts]).mean
    assert index.mean() == pytest.approx(0.312, abs=0.005)
    assert index.std() == pytest.approx(0.020, abs=0.003)
