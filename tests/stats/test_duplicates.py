import numpy as np

from geoprobe.stats.duplicates import equal_rows, nearest_cosines


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
