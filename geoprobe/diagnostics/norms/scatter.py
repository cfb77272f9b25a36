"""Every token of the vocabulary as a point: how often it occurs and how long its row is."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float64, Int64

from geoprobe.data import EmbeddingTable
from geoprobe.figure import Axis
from geoprobe.scatter import VocabularyScatter, pack_scatter

#: Where tokens that never occur are drawn: a logarithm has no place for 0.
_UNSEEN_AT = 0.5
_GROUPS = ("seen", "unseen", "special token", "row of no token", "unusual row")


def vocabulary_scatter(
    table: EmbeddingTable,
    counts: Int64[np.ndarray, " v"],
    norms: Float64[np.ndarray, " v"],
    unusual: Bool[np.ndarray, " v"],
) -> VocabularyScatter | None:
    """Norm over occurrences; None where no row is finite.

    Rows that are not (a norm of NaN) have no place, and are counted in the caption. `unusual` ones are listed as such,
    or would be.
    """
    kinds = np.where(counts > 0, 0, 1)
    kinds[table.special] = 2
    kinds[~table.named] = 3
    kinds[unusual] = 4
    rows = np.flatnonzero(np.isfinite(norms))
    if rows.size == 0:
        return None
    left_out = int(table.rows_at_hand.sum()) - rows.size
    return pack_scatter(
        "vocabulary",
        title="The whole vocabulary",
        caption="Every row of the table by the occurrences of its token and its norm. Tokens that do not occur are "
        f"drawn at {_UNSEEN_AT}."
        + (f" Rows that hold NaN or infinity have no place: {left_out:,}." if left_out else ""),
        x=Axis("occurrences in the corpora", "log"),
        y=Axis("norm of the embedding"),
        x_values=np.where(counts[rows] > 0, counts[rows], _UNSEEN_AT),
        y_values=norms[rows],
        groups=kinds[rows],
        group_names=_GROUPS,
        rows=rows,
        tokens=[table.tokens[row] for row in rows],
        x_exact=counts[rows],
    )
