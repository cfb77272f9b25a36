"""How much less many types tell that share subjects: a design effect from which types occur in the same documents."""

import numpy as np
from jaxtyping import Float, Float64, Int64, Integer, Shaped
from scipy.sparse import csr_array

from geoprobe.stats.correlation import average_ranks

#: Documents looked at, a random choice of more; subjects at most; and directions drawn to find them.
_DOCUMENTS, _MOST, _DRAWN, _ROUNDS = 2_000, 30, 40, 8
#: A singular value above that of independent tokens by this factor is a subject.
_ABOVE_NOISE = 1.05


def spearman_influence(x: Shaped[np.ndarray, " n"], y: Shaped[np.ndarray, " n"]) -> Float64[np.ndarray, " n"]:
    """Influence of each pair on Spearman's ρ: its mean square over n is the variance for independent pairs.

    Neither x nor y is constant.

    Croux and Dehon (2010), Statistical Methods and Applications 19, 497-515; ties share the mean of their ranks.
    """
    n = x.size
    first, second = ((average_ranks(side) - 0.5) / n - 0.5 for side in (x, y))
    raw = first * second + _of_larger(first, second) + _of_larger(second, first)
    found: Float64[np.ndarray, " n"] = (raw - raw.mean()) / (first.std() * second.std())
    return found


def _of_larger(ranks: Float[np.ndarray, " n"], values: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
    """Mean of `values` over the pairs that rank higher, and half of those that tie, per pair of all."""
    order = np.argsort(ranks, kind="stable")
    ordered = ranks[order]
    above = np.append(np.cumsum(values[order][::-1])[::-1], 0.0) / ranks.size
    ends = [np.searchsorted(ordered, ordered, side) for side in ("left", "right")]
    found = np.empty(ranks.size)
    found[order] = (above[ends[0]] + above[ends[1]]) / 2
    return found


def subjects_of(
    ids: Integer[np.ndarray, " tokens"],
    starts: Integer[np.ndarray, " documents_and_one"],
    rows: Int64[np.ndarray, " n"],
    rng: np.random.Generator,
) -> Float64[np.ndarray, "n k"]:
    """Direction of each type in the space of k subjects, of length 1, or 0 where it is not known.

    `ids` are those of all documents, one after another, and `starts` where each begins, their number last; `rows` are
    the types. k is 0 where documents are like samples of one urn.

    Correspondence analysis: singular vectors of the documents' deviations from independence, in standard deviations,
    beyond what independent tokens give (their largest singular value is near sqrt(documents) + sqrt(types)).
    """
    documents = len(starts) - 1
    chosen = np.arange(documents)
    if documents > _DOCUMENTS:
        chosen = np.sort(rng.choice(documents, _DOCUMENTS, replace=False))
    place = np.full(max(int(ids.max(initial=0)), int(rows.max(initial=0))) + 1, -1)
    place[rows] = np.arange(rows.size)
    picked = np.concatenate([np.arange(starts[d], starts[d + 1]) for d in chosen])
    of = np.repeat(np.arange(chosen.size), np.diff(starts)[chosen])
    columns = place[ids[picked]]
    of, columns = of[columns >= 0], columns[columns >= 0]
    counts = csr_array((np.ones(of.size), (of, columns)), shape=(chosen.size, rows.size))
    length, frequency = (np.bincount(side, minlength=size) for side, size in ((of, chosen.size), (columns, rows.size)))
    tokens = max(of.size, 1)
    scale_of, scale_columns = (1 / np.sqrt(np.maximum(side, 1)) for side in (length, frequency))
    scaled = csr_array(counts * scale_of[:, None] * scale_columns[None, :]) * np.sqrt(tokens)
    expected_of, expected_columns = np.sqrt(length / tokens), np.sqrt(frequency / tokens)

    def times(directions: Float64[np.ndarray, "n r"]) -> Float64[np.ndarray, "d r"]:
        mean: np.ndarray = np.sqrt(tokens) * np.outer(expected_of, np.einsum("n,nr->r", expected_columns, directions))
        found: np.ndarray = scaled @ directions - mean
        return found

    def back(directions: Float64[np.ndarray, "d r"]) -> Float64[np.ndarray, "n r"]:
        mean: np.ndarray = np.sqrt(tokens) * np.outer(expected_columns, np.einsum("n,nr->r", expected_of, directions))
        found: np.ndarray = scaled.T @ directions - mean
        return found

    basis = rng.standard_normal((rows.size, min(_DRAWN, chosen.size, rows.size)))
    for _ in range(_ROUNDS):
        basis = np.linalg.qr(back(times(basis)))[0]
    _, size, turned = np.linalg.svd(times(basis), full_matrices=False)
    noise = np.sqrt(np.count_nonzero(length)) + np.sqrt(np.count_nonzero(frequency))
    kept = min(int(np.count_nonzero(size > _ABOVE_NOISE * noise)), _MOST)
    directions = np.einsum("nr,kr->nk", basis, turned[:kept]) * size[:kept]
    lengths = np.sqrt((directions**2).sum(axis=1, keepdims=True))
    return np.where(lengths > 1e-9 * max(float(lengths.max(initial=0.0)), 1e-300), directions / lengths.clip(1e-300), 0)


def subject_effect(influence: Float[np.ndarray, " n"], subjects: Float[np.ndarray, "n k"]) -> float:
    """Variance of a mean of influences where types of one subject go together, over that of independent types.

    Influences have mean 0, subjects come from :func:`subjects_of`; it is at least 1.

    A sum over pairs of influences, weighted by the squared cosine of their directions: 1 for types of one subject, near
    0 for types of two (Conley 1999, Journal of Econometrics 92, 1-45, with subjects for places).
    """
    alone = float(influence @ influence)
    if not subjects.shape[1] or alone == 0:
        return 1.0
    weighted = np.einsum("n,nk,nl->kl", influence, subjects, subjects, optimize=True)
    unknown = influence[(subjects == 0).all(axis=1)]
    # rounded, as the last bits of a factorisation may depend on the machine's threads
    return max(1.0, round((float((weighted**2).sum()) + float(unknown @ unknown)) / alone, 4))
