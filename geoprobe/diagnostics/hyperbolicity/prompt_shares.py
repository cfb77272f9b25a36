"""How many prompts to take of each corpus."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["even_shares"]


def even_shares(available: Sequence[int], wanted: int) -> list[int]:
    """As even as the corpora allow: what a small one lacks, the others give.

    Parameters
    ----------
    available : sequence of int
        Prompts of each corpus.
    wanted : int
        In all.

    Returns
    -------
    list of int
        Of each corpus, summing to `wanted` where there are as many.
    """
    shares = [0] * len(available)
    for _ in range(min(wanted, sum(available))):
        left = [place for place, most in enumerate(available) if shares[place] < most]
        shares[min(left, key=shares.__getitem__)] += 1
    return shares
