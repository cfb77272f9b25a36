"""Resampling whole documents of a corpus, for any statistics of how often its tokens occur."""

from collections.abc import Callable
from math import atanh, tanh

import numpy as np
from jaxtyping import Float, Int64, Integer
from scipy.special import ndtri

from geoprobe.stats.threads import run_tasks

__all__ = ["around", "document_bootstrap"]


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
    counted anew.

    Parameters
    ----------
    ids, starts
        Token ids of all documents, one after another, and where each document starts, the number of ids last.
    size
        V, the number of vocabulary rows.
    statistics
        Of (V,) counts; called from several threads.
    replicates
        Resamples.
    rng
        Source of randomness.

    Returns
    -------
    (replicates, statistics). Their spread is that of the estimates; their centre is that of a corpus with fewer
    distinct documents.
    """
    documents = len(starts) - 1
    lengths = np.diff(starts)

    def resample(seed: np.random.Generator) -> Float[np.ndarray, " s"]:
        times = np.bincount(seed.integers(documents, size=documents), minlength=documents)
        counts = np.bincount(ids, weights=np.repeat(times, lengths), minlength=size)
        return statistics(counts.astype(np.int64))

    return np.stack(run_tasks(resample, rng.spawn(replicates)))


def around(value: float, drawn: Float[np.ndarray, " replicates"], *, level: float = 0.95) -> tuple[float, float]:
    """Interval of a correlation: its own value, with the spread of resamples on Fisher's scale.

    A resample holds fewer distinct documents, so fewer rare tokens: its spread is used, not its centre.

    Parameters
    ----------
    value
        The coefficient on the data.
    drawn
        (replicates,) on resamples; NaN where it could not be computed.

    Returns
    -------
    low, high
        NaN where the value, or most resamples, have none; both the value itself where that is -1 or 1.
    """
    usable = drawn[np.isfinite(drawn)]
    if not np.isfinite(value) or usable.size < max(2, drawn.size // 2):
        return float("nan"), float("nan")
    if abs(value) >= 1:
        return value, value
    error = float(np.arctanh(np.clip(usable, -1 + 1e-12, 1 - 1e-12)).std(ddof=1))
    half = float(ndtri(0.5 + level / 2)) * error
    return tanh(atanh(value) - half), tanh(atanh(value) + half)
