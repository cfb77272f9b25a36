"""Resampling whole documents of a corpus, for any statistics of how often its tokens occur."""

from collections.abc import Callable

import numpy as np
from jaxtyping import Float, Int32, Int64, Integer

from geoprobe.stats.document_kernels import count_cells, count_documents
from geoprobe.stats.threads import run_tasks


def document_bootstrap(
    ids: Integer[np.ndarray, " tokens"],
    starts: Integer[np.ndarray, " documents_and_one"],
    size: int,
    statistics: Callable[[Int64[np.ndarray, " v"]], Float[np.ndarray, " s"]],
    replicates: int,
    rng: np.random.Generator,
) -> Float[np.ndarray, "replicates s"]:
    """Statistics of token counts on resampled documents.

    Tokens of one document are not independent, so whole documents are drawn with replacement and the tokens in them
    counted anew. Their spread is that of the estimates; their centre is that of a corpus with fewer distinct documents.
    `starts` is where each document begins among the ids, their number last; `size` is V; `statistics` takes (V,) counts
    and is called from several threads.
    """
    documents = len(starts) - 1
    tokens = _below(ids, size)

    def resample(seed: np.random.Generator) -> Float[np.ndarray, " s"]:
        times = np.bincount(seed.integers(documents, size=documents), minlength=documents)
        counts = np.zeros(size, dtype=np.int64)
        count_documents(tokens, starts, times, counts)
        return statistics(counts)

    return np.stack(run_tasks(resample, rng.spawn(replicates)))


def occurrence_bootstrap(
    ids: Integer[np.ndarray, " tokens"],
    starts: Integer[np.ndarray, " documents_and_one"],
    size: int,
    statistics: Callable[[Int64[np.ndarray, " v"]], Float[np.ndarray, " s"]],
    replicates: int,
    rng: np.random.Generator,
) -> Float[np.ndarray, "replicates s"]:
    """The same as :func:`document_bootstrap`, where all occurrences of a type in a document are the unit.

    Each such cell is counted a Poisson number of times with mean 1. Its spread is what documents and types have in
    common: it is taken off where the variances of both are added.
    """
    of = np.repeat(np.arange(len(starts) - 1, dtype=np.int64), np.diff(starts))
    cells, sizes = np.unique(of * size + _below(ids, size), return_counts=True)
    types = cells % size

    def resample(seed: np.random.Generator) -> Float[np.ndarray, " s"]:
        counts = np.zeros(size, dtype=np.int64)
        count_cells(types, sizes, seed.poisson(1.0, cells.size), counts)
        return statistics(counts)

    return np.stack(run_tasks(resample, rng.spawn(replicates)))


def _below(ids: Integer[np.ndarray, " tokens"], size: int) -> Int32[np.ndarray, " tokens"]:
    """The ids, none of which is outside [0, size)."""
    if ids.size and not 0 <= int(ids.min()) <= int(ids.max()) < size:
        raise ValueError(f"ids run from {ids.min()} to {ids.max()}, but there are {size} types.")
    return np.ascontiguousarray(ids, dtype=np.int32)


def variance_between_documents(
    documents: Float[np.ndarray, " replicates"], occurrences: Float[np.ndarray, " draws"]
) -> float:
    """Variance of a correlation, on Fisher's scale, that documents add to that of types; at least 0, NaN if unknown.

    Both are the coefficient on resamples, of documents and of occurrences; NaN where it could not be computed.

    Two-way clustering adds the variances by either and takes off that of their intersection: Cameron, Gelbach and
    Miller (2011), Journal of Business and Economic Statistics 29, 238-249.
    """
    variances = []
    for drawn in (documents, occurrences):
        usable = drawn[np.isfinite(drawn)]
        if usable.size < max(2, drawn.size // 2):
            return float("nan")
        variances.append(float(np.arctanh(np.clip(usable, -1 + 1e-12, 1 - 1e-12)).var(ddof=1)))
    return max(variances[0] - variances[1], 0.0)
