"""Input checking, and the (value, multiplicity) form against numpy's own counting."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geoprobe.stats.powerlaw import fit, histogram


@settings(max_examples=50)
@given(st.lists(st.one_of(st.integers(0, 30), st.integers(0, 2**53 - 1)), min_size=1, max_size=200))
def test_histogram_matches_numpy_unique(counts):
    positive = [c for c in counts if c > 0]
    if len(set(positive)) < 2:
        with pytest.raises(ValueError, match="at least two distinct counts"):
            histogram(counts)
        return
    values, multiplicities = np.unique(positive, return_counts=True)
    found = histogram(counts)
    np.testing.assert_array_equal(found.values, values)
    np.testing.assert_array_equal(found.multiplicities, multiplicities)
    assert found.n == len(positive)


def test_multiplicities_equal_the_expanded_counts():
    rng = np.random.default_rng(5)
    counts = rng.zipf(2.2, 5000)
    values, multiplicities = np.unique(counts, return_counts=True)
    order = rng.permutation(values.size)
    a = fit(counts)
    b = fit(values[order].astype(np.float64), multiplicities[order])
    # the same value may come in several entries
    c = fit(np.r_[values, 7, 9, 7], np.r_[multiplicities - 2 * (values == 7) - 4 * (values == 9), 1, 4, 1])
    assert a == a
    for other in (b, c):
        assert (a.alpha, a.xmin, a.ks, a.loglikelihood, a.n_tail) == (
            other.alpha,
            other.xmin,
            other.ks,
            other.loglikelihood,
            other.n_tail,
        )


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.uint32, np.int64, np.uint64, np.float32, np.float64])
def test_number_types_give_the_same_histogram(dtype):
    counts = np.array([1, 1, 2, 3, 5, 8, 200, 0, 0])
    found = histogram(counts.astype(dtype))
    np.testing.assert_array_equal(found.values, [1, 2, 3, 5, 8, 200])
    np.testing.assert_array_equal(found.multiplicities, [2, 1, 1, 1, 1, 1])


@pytest.mark.parametrize(
    ("values", "multiplicities", "message"),
    [
        ([3, -1, 2], None, "holds -1: counts cannot be negative"),
        ([3.0, -1.0, 2.0], None, "holds -1: counts cannot be negative"),
        ([1.0, 2.5, 3.0], None, r"values\[1\] is 2.5, not an integer"),
        ([1.0, np.nan, 3.0], None, r"values\[1\] is nan: counts must be finite"),
        ([1.0, np.inf, 3.0], None, r"values\[1\] is inf"),
        ([1, 2**53], None, "9007199254740992, above 2\\*\\*53 - 1"),
        ([1.0, 2.0**54], None, "above 2\\*\\*53"),
        (np.array([1, 2**64 - 1], dtype=np.uint64), None, "18446744073709551615, above 2\\*\\*53"),
        ([4, 4, 4], None, "every count is 4"),
        ([0, 0], None, "no positive count"),
        ([], None, "values is empty"),
        ([[1, 2], [3, 4]], None, "values has 2 dimensions"),
        (["a", "b"], None, "dtype <U1, not a number type"),
        ([True, False], None, "dtype bool, not a number type"),
        ([1, 2, 3], [1, 2], "values has 3 entries but multiplicities 2"),
        ([1, 2, 3], [1, -2, 1], "multiplicities holds -2"),
        ([1, 2, 3], [1, 0.5, 1], r"multiplicities\[1\] is 0.5"),
        ([1, 2, 3], [0, 0, 5], "every count is 3"),
    ],
)
def test_bad_counts_are_named_in_the_error(values, multiplicities, message):
    with pytest.raises(ValueError, match=message):
        fit(values, multiplicities)


def test_few_distinct_values_are_inconclusive_with_a_reason():
    assert "9 distinct values" in (fit(np.arange(1, 10)).inconclusive or "")
    assert fit(np.arange(1, 11)).inconclusive is None
