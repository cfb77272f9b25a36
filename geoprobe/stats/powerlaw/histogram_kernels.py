"""Counting how often each value occurs, in one pass for small values and by sorting for large ones."""

# mypy: allow-untyped-defs

import numpy as np

from geoprobe.stats.kernel import kernel
from geoprobe.stats.powerlaw.sorting_kernels import sort

_TABLE = 1 << 13
_LANES = 4  # tables filled in turn: one alone waits for its own last write wherever a value repeats


@kernel("(int64[::1],)", error_model="numpy")
def extremes(values):
    """Least and greatest of a non-empty integer array."""
    low = values[0]
    high = values[0]
    for x in values:
        if x < low:
            low = x
        if x > high:
            high = x
    return low, high


@kernel("(int64[::1], int64)", error_model="numpy")
def distinct_values(values, high):
    """Sorted distinct positive values and their multiplicities; zeros are left out."""
    size = min(high + 1, _TABLE)
    tables = np.zeros(_LANES * size, np.int64)
    over = 0
    for i in range(values.size):
        x = values[i]
        if x < size:
            tables[i % _LANES * size + x] += 1
        else:
            over += 1
    rest = np.empty(over, np.int64)
    at = 0
    if over:
        for x in values:
            if x >= size:
                rest[at] = x
                at += 1
        sort(rest)
    table = tables[:size]
    for lane in range(1, _LANES):
        for x in range(size):
            table[x] += tables[lane * size + x]
    size_distinct = 0
    for x in range(1, size):
        if table[x]:
            size_distinct += 1
    for i in range(over):
        if i == 0 or rest[i] != rest[i - 1]:
            size_distinct += 1
    distinct = np.empty(size_distinct, np.int64)
    counts = np.empty(size_distinct, np.int64)
    at = 0
    for x in range(1, size):
        if table[x]:
            distinct[at] = x
            counts[at] = table[x]
            at += 1
    for i in range(over):
        if i == 0 or rest[i] != rest[i - 1]:
            distinct[at] = rest[i]
            counts[at] = 1
            at += 1
        else:
            counts[at - 1] += 1
    return distinct, counts
