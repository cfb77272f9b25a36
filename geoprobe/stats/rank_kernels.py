# mypy: disable-error-code="no-untyped-def"
"""Kernels for ranks and concordance of the members of a larger set, whose order in that set is known."""

import numpy as np

from geoprobe.stats.kernel import kernel


@kernel("(int64[::1], int64)")
def ranks_within(codes, levels):
    """Average ranks of whole numbers in [0, levels), ties sharing the mean of theirs; O(n + levels)."""
    last = np.zeros(levels, dtype=np.int64)
    for i in range(codes.shape[0]):
        last[codes[i]] += 1
    middle = np.empty(levels)
    below = 0
    for level in range(levels):
        middle[level] = below + (last[level] + 1) / 2
        below += last[level]
    ranks = np.empty(codes.shape[0])
    for i in range(codes.shape[0]):
        ranks[i] = middle[codes[i]]
    return ranks


@kernel
def by_both(first, levels, second, others):
    """Order of the pairs by `first`, then `second`, by counting; O(n + levels)."""
    n = first.shape[0]
    order = np.arange(n)
    sorted_already = True
    for i in range(1, n):
        sorted_already &= second[i - 1] <= second[i]
    for codes, extent, skipped in ((second, others, sorted_already), (first, levels, False)):
        if skipped:
            continue
        start = np.zeros(extent + 1, dtype=np.int64)
        for i in range(n):
            start[codes[i] + 1] += 1
        for level in range(extent):
            start[level + 1] += start[level]
        placed = np.empty(n, dtype=np.int64)
        for k in range(n):
            i = order[k]
            placed[start[codes[i]]] = i
            start[codes[i]] += 1
        order = placed
    return order


@kernel("(int64[::1], int64, int64[::1], int64)")
def tau_b(first, levels, second, others):
    """Kendall's τ-b of two codings, in [0, levels) and [0, others), in O(n log others + levels); NaN if constant.

    Discordant pairs are counted with a Fenwick tree over the second coding while walking along the first. Pairs that
    come in the order of the second are sorted faster.
    """
    n = first.shape[0]
    order = by_both(first, levels, second, others)
    tree = np.zeros(others + 1, dtype=np.int64)
    in_second = np.zeros(others, dtype=np.int64)
    discordant = tied_first = tied_second = tied_both = 0
    begin = 0
    while begin < n:
        level = first[order[begin]]
        end = begin
        while end < n and first[order[end]] == level:
            if begin > 0:  # those before with a larger second
                below = 0
                k = second[order[end]] + 1
                while k > 0:
                    below += tree[k]
                    k -= k & -k
                discordant += begin - below
            end += 1
        run = 1
        for position in range(begin, end):
            code = second[order[position]]
            if position > begin and second[order[position - 1]] == code:
                tied_both += run
                run += 1
            else:
                run = 1
            tied_second += in_second[code]
            in_second[code] += 1
            if begin > 0:
                k = code + 1
                while k <= others:
                    tree[k] += 1
                    k += k & -k
        if begin == 0:  # the lowest level is often most of the pairs: the tree is built from it at once
            for k in range(1, others + 1):
                tree[k] += in_second[k - 1]
                if k + (k & -k) <= others:
                    tree[k + (k & -k)] += tree[k]
        tied_first += (end - begin) * (end - begin - 1) // 2
        begin = end
    pairs = n * (n - 1) // 2
    untied_first, untied_second = pairs - tied_first, pairs - tied_second
    if untied_first == 0 or untied_second == 0:
        return np.nan
    surplus = pairs - tied_first - tied_second + tied_both - 2 * discordant
    return max(-1.0, min(1.0, surplus / np.sqrt(untied_first) / np.sqrt(untied_second)))


@kernel("(float64[:, ::1],)", fastmath={"reassoc", "contract"})
def products_of_pairs(columns):
    """Products of each pair of rows; unlike a BLAS's, their last bits do not depend on the number of threads."""
    c, n = columns.shape
    products = np.empty((c, c))
    for i in range(c):
        for j in range(i + 1):
            total = 0.0
            for k in range(n):
                total += columns[i, k] * columns[j, k]
            products[i, j] = products[j, i] = total
    return products
