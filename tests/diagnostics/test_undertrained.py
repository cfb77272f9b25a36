from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from builders import scan_inputs

from geoprobe.data import ArrayRows, EmbeddingTable
from geoprobe.diagnostics.norms.undertrained import LISTED, UndertrainedToken, known_unused, survey

N, WIDTH = 1500, 128
#: Rows that no training touched, in a table where all others were.
UNTOUCHED = (100, 101, 102, 103, 104)


def table(*, output: np.ndarray | None = None, names: dict[int, str] | None = None) -> EmbeddingTable:
    rng = np.random.default_rng(0)
    vectors = rng.standard_normal((N, WIDTH)) + 1
    vectors[:, 0] *= 4  # a clear first component
    vectors[list(UNTOUCHED)] = 0.3 + 0.01 * rng.standard_normal(WIDTH)
    vectors[list(UNTOUCHED)] += 0.02 * rng.standard_normal((len(UNTOUCHED), WIDTH))
    words = [(names or {}).get(row, f"w{row}") for row in range(1, N)]
    made = scan_inputs(["w1"], words=words, vectors=vectors.astype(np.float32)).embedding
    return replace(made, output=None if output is None else ArrayRows(output.astype(np.float32)))


def evidence(found: tuple[UndertrainedToken, ...], row: int) -> tuple[str, ...]:
    return next((each.evidence for each in found if each.row == row), ())


def test_rows_in_the_direction_of_a_reserved_one_are_named() -> None:
    made = table(names={100: "<reserved_0>", 101: "[unused3]"})
    surveyed = survey(made, np.zeros(N, dtype=np.int64))
    found = surveyed.undertrained
    there = surveyed.there
    flagged = surveyed.flagged
    assert there is None
    assert (found.references, found.matrix) == (2, "input embedding")
    for row in UNTOUCHED:
        assert flagged[row]
        assert "direction of unused rows" in evidence(found.listed, row)
    assert {each.row for each in found.listed[:3]} == {102, 103, 104}  # those with a name of their own come first
    assert next(each.kind for each in found.listed if each.row == 101) == "reserved token"
    assert flagged.sum() < 20


def test_t5s_sentinels_are_trained_and_no_reference_for_what_is_unused() -> None:
    sentinels = {row: f"<extra_id_{row}>" for row in range(10)}
    made = table(names={100: "<unused_0>", 101: "[unused3]"} | sentinels)
    surveyed = survey(made, np.zeros(N, dtype=np.int64))
    assert surveyed.undertrained.references == 2
    assert all(surveyed.flagged[row] for row in UNTOUCHED)
    assert not any(surveyed.flagged[row] for row in sentinels if row not in UNTOUCHED)


def test_of_an_untied_model_directions_are_the_output_matrix_s() -> None:
    rng = np.random.default_rng(1)
    output = rng.standard_normal((N, WIDTH)) - 2
    output[list(UNTOUCHED)] = 1 + 0.05 * rng.standard_normal((len(UNTOUCHED), WIDTH))
    made = table(output=output, names={100: "<reserved_0>"})
    surveyed = survey(made, np.zeros(N, dtype=np.int64))
    found = surveyed.undertrained
    there = surveyed.there
    flagged = surveyed.flagged
    assert there is not None
    assert found.matrix == "output matrix"
    assert flagged[list(UNTOUCHED)].all()


def test_the_distance_is_land_and_bartolos_by_numpy() -> None:
    made = table(names={100: "<reserved_0>", 101: "<reserved_1>"})
    here = survey(made, np.zeros(N, dtype=np.int64)).here
    wide = made.vectors.read(0, N).astype(np.float64)
    component = np.linalg.svd(wide - wide.mean(axis=0), full_matrices=False)[2][0]
    left = wide - np.outer(wide @ component, component)
    mean = left[[100, 101]].mean(axis=0)
    expected = 1 - left @ mean / np.linalg.norm(left, axis=1) / np.linalg.norm(mean)
    assert here.from_unused is not None
    np.testing.assert_allclose(here.from_unused, expected, atol=1e-6)
    np.testing.assert_allclose(here.from_mean, np.linalg.norm(wide - wide.mean(axis=0), axis=1), rtol=1e-9)


def test_equal_and_nearly_equal_rows_name_each_other() -> None:
    made = table()
    vectors = made.vectors.read(0, N).copy()
    vectors[50] = vectors[60]
    vectors[70] = 40 * vectors[71]  # far out, so a candidate
    vectors[71] *= 39
    surveyed = survey(replace(made, vectors=ArrayRows(vectors)), np.zeros(N, dtype=np.int64))
    found = surveyed.undertrained
    assert "equal to row 60" in evidence(found.listed, 50)
    assert evidence(found.listed, 70) == ("large norm", "cosine 1.000 with row 71")
    assert dict(found.counts)["equal to another row"] == 2


def test_rows_that_are_not_finite_or_zero_are_listed_first() -> None:
    made = table()
    vectors = made.vectors.read(0, N).copy()
    vectors[5, 3], vectors[6] = np.inf, 0
    surveyed = survey(replace(made, vectors=ArrayRows(vectors)), np.zeros(N, dtype=np.int64))
    found = surveyed.undertrained
    here = surveyed.here
    flagged = surveyed.flagged
    assert {each.row for each in found.listed[:2]} == {5, 6}
    assert evidence(found.listed, 5) == ("NaN or infinite",)
    assert evidence(found.listed, 6) == ("zeros throughout",)
    assert np.isnan(here.norms[5])
    assert flagged[[5, 6]].all()


def test_a_table_of_zeros_or_of_equal_rows_is_no_crash() -> None:
    for vectors in (np.zeros((N, WIDTH)), np.ones((N, WIDTH)), np.full((N, WIDTH), np.nan)):
        made = replace(table(), vectors=ArrayRows(vectors.astype(np.float32)))
        surveyed = survey(made, np.zeros(N, dtype=np.int64))
        found, flagged = surveyed.undertrained, surveyed.flagged
        assert flagged.all()
        assert len(found.listed) == LISTED


def test_bytes_that_no_text_holds_are_known_to_be_unused() -> None:
    made = table(names={7: "<0xC0>", 8: "<0xC3>", 9: "\\xf5", 10: "[unused1]", 11: "unused"})
    assert known_unused(made, []).tolist() == [7, 9, 10]


def test_the_demos_untouched_tokens_are_found(demo: Path) -> None:
    """The rows of two tokens of Azure's code equal those of special tokens that SmolLM2 was never trained with."""
    from geoprobe.sources.models.loading import open_model

    embedding = open_model("demo").table()
    surveyed = survey(embedding, np.zeros(embedding.size, dtype=np.int64))
    found = surveyed.undertrained
    flagged = surveyed.flagged
    listed = {each.token: each for each in found.listed}
    for token in ("ManagementPlaneProtection", " InstancePreprocess", "<jupyter_code>"):
        assert any("equal to row" in each for each in listed[token].evidence)
    for token in ("kinesisfirehose", "swigfaiss"):
        assert "direction of unused rows" in listed[token].evidence
    for token in (" the", " of", " dog", "1", " number"):
        row = embedding.find(token)
        assert row is not None
        assert not flagged[row]
    assert 30 <= found.n <= 300


@pytest.mark.parametrize("rows", [N - 10, N + 10])
def test_an_output_matrix_of_another_length_is_read_as_far_as_both_go(rows: int) -> None:
    rng = np.random.default_rng(2)
    made = table(output=rng.standard_normal((rows, WIDTH)), names={100: "<reserved_0>"})
    surveyed = survey(made, np.zeros(N, dtype=np.int64))
    found = surveyed.undertrained
    there = surveyed.there
    flagged = surveyed.flagged
    assert there is not None
    assert flagged.size == N
    assert found.matrix == "output matrix"


def test_rows_that_were_not_read_are_no_evidence() -> None:
    whole = table(names={100: "<reserved_0>", 105: "<reserved_1>"})
    read = np.arange(N) % 3 != 0
    vectors = whole.vectors.read(0, N)
    vectors[~read] = np.nan
    sampled = replace(whole, vectors=ArrayRows(vectors), weights=read.astype(np.float64) * 1.5)
    found = survey(sampled, np.zeros(N, dtype=np.int64)).undertrained
    assert dict(found.counts)["NaN or infinite"] == 0
    assert all(read[each.row] for each in found.listed)
    assert found.references == 1  # row 105 was not read
