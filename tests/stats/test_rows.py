import numpy as np
import pytest

from geoprobe.stats.rows import project, row_statistics


def bits(array: np.ndarray) -> np.ndarray:
    """Float32 cut to bfloat16, as its bits."""
    return (array.astype(np.float32).view(np.uint32) >> 16).astype(np.uint16)


def widen(stored: np.ndarray) -> np.ndarray:
    return (stored.astype(np.uint32) << 16).view(np.float32) if stored.dtype == np.uint16 else stored


@pytest.mark.parametrize("kind", ["float32", "bfloat16"])
@pytest.mark.parametrize("shape", [(0, 5), (1, 1), (7, 3), (4099, 700)])
def test_statistics_and_products_match_numpy_in_float64(kind: str, shape: tuple[int, int]) -> None:
    rng = np.random.default_rng(0)
    array = (3 + rng.standard_normal(shape)).astype(np.float32)
    stored = bits(array) if kind == "bfloat16" else array
    wide = widen(stored).astype(np.float64)
    found = row_statistics(lambda start, stop: stored[start:stop], shape)
    np.testing.assert_allclose(found.norms, np.linalg.norm(wide, axis=1), rtol=1e-12)
    if shape[0]:
        np.testing.assert_allclose(found.mean, wide.mean(axis=0), rtol=1e-12)
    directions = rng.standard_normal((6, shape[1]))
    products = project(lambda start, stop: stored[start:stop], shape, directions)
    np.testing.assert_allclose(products, wide @ directions.T, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("kind", ["float32", "bfloat16"])
def test_rows_that_are_not_finite_or_zero_are_seen_and_spoil_no_mean(kind: str) -> None:
    array = np.ones((30, 9), dtype=np.float32)
    array[3, 4], array[11, 0], array[12, 8], array[20] = np.nan, np.inf, -np.inf, 0
    stored = bits(array) if kind == "bfloat16" else array
    found = row_statistics(lambda start, stop: stored[start:stop], array.shape)
    assert np.flatnonzero(~found.finite).tolist() == [3, 11, 12]
    assert np.flatnonzero(found.zero).tolist() == [20]
    np.testing.assert_allclose(found.mean, 26 / 27)


def test_the_largest_and_smallest_floats_neither_overflow_nor_vanish() -> None:
    array = np.array([[3e38, 3e38], [1e-45, 0]], dtype=np.float32)
    found = row_statistics(lambda start, stop: array[start:stop], array.shape)
    np.testing.assert_allclose(found.norms, [3e38 * 2**0.5, array[1, 0]], rtol=1e-6)
    assert not found.zero.any()


def test_bits_do_not_depend_on_the_number_of_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    import numba

    array = np.random.default_rng(1).standard_normal((9000, 300)).astype(np.float32)
    means = []
    for threads in (1, 2):
        monkeypatch.setattr(numba, "get_num_threads", lambda threads=threads: threads)
        means.append(row_statistics(lambda start, stop: array[start:stop], array.shape).mean.tobytes())
    assert means[0] == means[1]


def test_elements_of_another_type_are_refused() -> None:
    array = np.ones((3, 3), dtype=np.int32)
    with pytest.raises(Exception, match="give float32, or bfloat16"):
        row_statistics(lambda start, stop: array[start:stop], array.shape)
