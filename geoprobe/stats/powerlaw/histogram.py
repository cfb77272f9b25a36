"""Checking counts and putting them into (value, multiplicity) form, in which everything here is computed."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Int, Num
from numpy.typing import ArrayLike

from geoprobe.stats.powerlaw.histogram_kernels import distinct_values, extremes

LARGEST_COUNT = 2**53 - 1
"""Beyond it float64 does not hold every integer and the next one."""

FEWEST_DISTINCT = 10
"""With fewer distinct values an analysis is called inconclusive."""


@dataclass(frozen=True, eq=False)
class Histogram:
    """Distinct positive values in rising order, and how many types have each."""

    values: Int[np.ndarray, "k"]
    multiplicities: Int[np.ndarray, "k"]

    @property
    def n(self) -> int:
        """Number of types."""
        return int(self.multiplicities.sum())

    @property
    def total(self) -> float:
        """Sum of all counts: the number of tokens."""
        return float(np.dot(self.values.astype(np.float64), self.multiplicities.astype(np.float64)))

    @property
    def inconclusive(self) -> str | None:
        """Why no conclusion should be drawn from these counts; None where there is no such reason."""
        if self.values.size < FEWEST_DISTINCT:
            return (
                f"{self.values.size} distinct values, fewer than {FEWEST_DISTINCT}: "
                "too few to tell a power law from anything else"
            )
        return None


def histogram(values: ArrayLike, multiplicities: ArrayLike | None = None) -> Histogram:
    """Check counts and collect them into (value, multiplicity) form.

    There is one count a type, or, with multiplicities, values in any order. Zeros (types never seen) are left out.
    ValueError if a count is negative, not an integer, NaN or above 2**53 - 1, if shapes disagree, or if fewer than two
    distinct positive values remain.
    """
    checked = _integers(values, "values")
    if multiplicities is None:
        distinct, counts = _count(checked)
    else:
        weights = _integers(multiplicities, "multiplicities")
        if weights.shape != checked.shape:
            raise ValueError(
                f"values has {checked.size} entries but multiplicities {weights.size}: give one multiplicity a value"
            )
        distinct, counts = _merge(checked, weights)
    if distinct.size == 0:
        raise ValueError("values holds no positive count: nothing can be fitted; give at least two distinct counts")
    if distinct.size == 1:
        raise ValueError(
            f"every count is {int(distinct[0])}: no exponent fits one value only; give at least two distinct counts"
        )
    return Histogram(distinct, counts)


def _integers(given: ArrayLike, name: str) -> Int[np.ndarray, "n"]:
    array = np.asarray(given)
    if array.ndim != 1:
        raise ValueError(f"{name} has {array.ndim} dimensions, not 1: flatten it, or pass one corpus at a time")
    if array.size == 0:
        raise ValueError(f"{name} is empty: give the counts of at least two types")
    if array.dtype.kind == "f":
        _check_floats(array, name)
    elif array.dtype.kind not in "iu":
        raise ValueError(f"{name} has dtype {array.dtype}, not a number type: convert the counts to integers")
    elif array.dtype == np.uint64 and int(array.max()) > LARGEST_COUNT:
        raise ValueError(_too_large(name, int(array.max())))
    return np.ascontiguousarray(array, dtype=np.int64)


def _check_floats(array: Num[np.ndarray, "n"], name: str) -> None:
    if not np.isfinite(array).all():
        at = int(np.flatnonzero(~np.isfinite(array))[0])
        raise ValueError(f"{name}[{at}] is {array[at]}: counts must be finite; drop or repair that entry")
    if array.max() > LARGEST_COUNT:
        raise ValueError(_too_large(name, float(array.max())))
    whole = np.floor(array) == array
    if not whole.all():
        at = int(np.flatnonzero(~whole)[0])
        raise ValueError(f"{name}[{at}] is {array[at]}, not an integer: the discrete power law needs whole counts")


def _too_large(name: str, value: float) -> str:
    return f"{name} holds {value}, above 2**53 - 1 = {LARGEST_COUNT}: float64 is not exact there; divide the counts"


def _check_range(array: Int[np.ndarray, "n"], name: str) -> int:
    low, high = extremes(array)
    if low < 0:
        raise ValueError(f"{name} holds {low}: counts cannot be negative; drop or repair that entry")
    if high > LARGEST_COUNT:
        raise ValueError(_too_large(name, high))
    return int(high)


def _count(array: Int[np.ndarray, "n"]) -> tuple[Int[np.ndarray, "k"], Int[np.ndarray, "k"]]:
    distinct, counts = distinct_values(array, _check_range(array, "values"))
    return distinct, counts


def _merge(
    array: Int[np.ndarray, "n"], weights: Int[np.ndarray, "n"]
) -> tuple[Int[np.ndarray, "k"], Int[np.ndarray, "k"]]:
    _check_range(array, "values")
    _check_range(weights, "multiplicities")
    kept = (array > 0) & (weights > 0)
    distinct, inverse = np.unique(array[kept], return_inverse=True)
    counts = np.zeros(distinct.size, dtype=np.int64)
    np.add.at(counts, inverse, weights[kept])
    return distinct, counts
