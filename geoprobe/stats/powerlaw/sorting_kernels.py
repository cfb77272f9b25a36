"""Sorting in place: one small heap sort, which compiles several times as fast as numba's own."""

# mypy: allow-untyped-defs

from geoprobe.stats.kernel import kernel


@kernel
def sort(values):
    """Sort an array without NaN into rising order."""
    n = values.size
    end = n
    start = n // 2
    while end > 1:
        if start > 0:
            start -= 1
        else:
            end -= 1
            values[0], values[end] = values[end], values[0]
        root = start
        moved = values[root]
        while 2 * root + 1 < end:
            child = 2 * root + 1
            if child + 1 < end and values[child] < values[child + 1]:
                child += 1
            if not moved < values[child]:
                break
            values[root] = values[child]
            root = child
        values[root] = moved
