import numpy as np
import pytest

from geoprobe.stats.duplicates import equal_rows, nearest_cosines
from geoprobe.stats.rows import row_statistics


def test_equal_rows_match_comparing_all_pairs() -> None:
    rng = np.random.default_rng(0)
    rows = rng.integers(-1, 2, size=(300, 4)).astype(np.float32)
    rows[7], rows[8, 1] = 0, np.nan
    rows[20, 0], rows[21] = -0.0, rows[20]
    rows[21, 0] = 0.0
    norms = np.linalg.norm(rows.astype(np.float64), axis=1)
    groups = {tuple(group.tolist()) for group in equal_rows(norms, lambda places: rows[places])}
    expected = set()
    for row in range(300):
        if np.isfinite(norms[row]) and norms[row] > 0:
            same = tuple(np.flatnonzero((rows == rows[row]).all(axis=1)).tolist())
            if len(same) > 1:
                expected.add(same)
    assert groups == expected


@pytest.mark.parametrize("kind", ["float32", "bfloat16"])
@pytest.mark.parametrize("shape", [(13, 3), (1010, 768), (1007, 33), (4100, 1025)])
def test_equal_rows_are_numpys_unique_rows_wherever_they_stand_in_a_block(kind: str, shape: tuple[int, int]) -> None:
    rng = np.random.default_rng(2)
    rows = rng.standard_normal(shape).astype(np.float32)
    if kind == "bfloat16":
        rows = (rows.view(np.uint32) >> 16 << 16).view(np.float32)
    rows[-(shape[0] % 8) :] = rows[: shape[0] % 8]  # in the last few, which fill no eight
    rows[shape[0] // 2] = rows[1]
    stored = (rows.view(np.uint32) >> 16).astype(np.uint16) if kind == "bfloat16" else rows
    norms = row_statistics(lambda start, stop: stored[start:stop], shape).norms
    groups = {tuple(group.tolist()) for group in equal_rows(norms, lambda places: rows[places])}
    _, first, times = np.unique(rows, axis=0, return_inverse=True, return_counts=True)
    expected = {tuple(np.flatnonzero(first == each).tolist()) for each in np.flatnonzero(times > 1)}
    assert groups == expected


def test_rows_of_equal_norm_alone_are_not_equal() -> None:
    rows = np.eye(5, dtype=np.float32)
    assert equal_rows(np.ones(5), lambda places: rows[places]) == []


def test_the_nearest_is_that_of_all_cosines() -> None:
    rng = np.random.default_rng(1)
    rows = rng.standard_normal((1100, 6)).astype(np.float32)
    rows[900] = 3 * rows[2]
    units = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    products = units @ units.T - 3 * np.eye(1100)
    nearest, cosines = nearest_cosines(rows)
    np.testing.assert_allclose(cosines, products.max(axis=1), atol=1e-4)
    assert (nearest[2], nearest[900], cosines[2]) == (900, 2, 1.0)
    assert [each.tolist() for each in nearest_cosines(rows[:1])] == [[-1], [-1.0]]
