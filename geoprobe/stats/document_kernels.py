# mypy: disable-error-code="no-untyped-def"
"""Kernels that count the tokens of a resample, in whole numbers and without arrays as long as the corpus."""

from geoprobe.stats.kernel import kernel


@kernel("(int32[::1], int64[::1], int64[::1], int64[::1])")
def count_documents(ids, starts, times, counts):
    """Add to ``counts`` the tokens of each document, as many times as it was drawn."""
    for document in range(times.shape[0]):
        drawn = times[document]
        if drawn > 0:
            for token in range(starts[document], starts[document + 1]):
                counts[ids[token]] += drawn


@kernel("(int64[::1], int64[::1], int64[::1], int64[::1])")
def count_cells(types, sizes, times, counts):
    """Add to ``counts`` each cell's occurrences of its type, as many times as it was drawn."""
    for cell in range(types.shape[0]):
        counts[types[cell]] += sizes[cell] * times[cell]
