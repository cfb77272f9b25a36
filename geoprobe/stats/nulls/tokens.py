"""Index nulls: other tokens of the same frequency in the place of a prompt's tokens."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Int, Integer


@dataclass(frozen=True)
class TokenClasses:
    """Tokens sorted by like frequency.

    (V,) class of each: 0 never seen, 1 seen once, then equal steps of log2 of the count; -1 for a token that is never
    drawn and never replaced. ``members`` holds the token ids of class 0, 1, 2, ...
    """

    labels: Int[np.ndarray, "v"]
    members: tuple[Int[np.ndarray, "_"], ...]

    def match(self, ids: Integer[np.ndarray, "n"], rng: np.random.Generator) -> Int[np.ndarray, "n"]:
        """(n,) token ids with each distinct one replaced by a random one of its class.

        Equal tokens stay equal and distinct ones distinct, so the prompt's pattern of repetition is kept. A token alone
        in its class stays itself.
        """
        if ids.size == 0:
            return ids.astype(np.int64)
        low, high = int(ids.min()), int(ids.max())
        if low < 0 or high >= self.labels.size:
            raise ValueError(f"ids run from {low} to {high}, but the vocabulary has {self.labels.size} tokens.")
        distinct, where = np.unique(ids, return_inverse=True)
        drawn = distinct.astype(np.int64)
        labels = self.labels[distinct]
        for level in np.unique(labels[labels >= 0]):
            chosen = labels == level
            drawn[chosen] = rng.choice(self.members[level], int(chosen.sum()), replace=False)
        return drawn[where]


def token_classes(
    counts: Integer[np.ndarray, "v"],
    *,
    per_octave: int = 1,
    excluded: Bool[np.ndarray, "v"] | None = None,
) -> TokenClasses:
    """Classes of like frequency of (V,) counts: ``per_octave`` for each doubling; ``excluded`` (V,) are in none."""
    if per_octave < 1:
        raise ValueError(f"per_octave is {per_octave}; it must be at least 1.")
    if counts.size and int(counts.min()) < 0:
        where = int(np.argmin(counts))
        raise ValueError(f"counts[{where}] is {int(counts[where])}; a count cannot be negative.")
    # the small term keeps a power of two from rounding into the class below
    octaves = np.floor(per_octave * np.log2(np.maximum(counts, 1)) + 1e-9).astype(np.int64)
    labels = np.where(counts > 0, octaves + 1, 0)
    if excluded is not None:
        labels[excluded] = -1
    top = int(labels.max()) if labels.size else -1
    return TokenClasses(labels, tuple(np.flatnonzero(labels == level) for level in range(top + 1)))
