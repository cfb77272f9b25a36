"""Is a tree the right account of some points? Half of the coordinates foretell the other half.

Low four-point statistics are shared by trees, clusters and planes. What tells them apart is which of them is the better
account. So the points are seen twice, by two halves of a randomly turned coordinate system: what is alike in both is
structure, what is not is noise. A tree, flat clusters, a flat space of few dimensions and the closest pairs alone are
made from the first half and compared with the second. None is fitted to what it is judged by, so a richer account has
no advantage: a tree over flat clusters splits them by noise and foretells worse than the clusters do.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, Int, Shaped

from geoprobe.stats.hyperbolicity.checks import as_points
from geoprobe.stats.hyperbolicity.joining import neighbour_joining
from geoprobe.stats.nulls.gaussian import gaussian_points

FEWEST_POINTS, FEWEST_DIMENSIONS = 16, 4
#: Numbers of clusters and of dimensions that are tried.
CLUSTERS = (2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 14, 16, 18, 20, 24, 28, 32, 36, 40, 48, 56, 64, 80, 96)
_DIMENSIONS = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64)
#: Shares of the pairs that are told from all others.
_PAIRS = (0.5, 0.2, 0.1, 0.05, 0.02, 0.01)
#: A point whose squared distance to the mean is below this share of the median one counts as if it had that.
_NEAREST = 0.3

Similarity = Float[np.ndarray, "n n"]


@dataclass(frozen=True)
class Foretelling:
    """How well accounts made from half of the coordinates foretell cosines about the mean in the other half.

    Parameters
    ----------
    itself, space, clusters, pairs, tree : float
        Correlation over all pairs of points: the first half as it is; the best flat space of few dimensions; the best
        flat clusters; the best choice of closest pairs; the better of a neighbour-joining and an average-linkage tree.
    n_clusters, n_dimensions : int
        How many were best.
    gain : float
        Partial correlation of the tree given another account, less that of the other given the tree, at the account
        for which this is least: above 0 where the tree knows what no other does, and more than others know beyond it.
    """

    itself: float
    space: float
    clusters: float
    pairs: float
    tree: float
    n_clusters: int
    n_dimensions: int
    gain: float


def foretelling(points: Shaped[np.ndarray, "n d"], rng: np.random.Generator) -> Foretelling:
    """Split the coordinates, make every account from one half, and compare with the other.

    Parameters
    ----------
    points
        (n, d), at least 16 points and 4 dimensions.
    rng
        Turns the coordinate system.

    Returns
    -------
    Foretelling

    Raises
    ------
    ValueError
        If there are fewer points or dimensions, or values that are not finite.
    """
    rows = as_points(points)
    n, d = rows.shape
    if n < FEWEST_POINTS or d < FEWEST_DIMENSIONS:
        raise ValueError(
            f"points has shape {rows.shape}; at least {FEWEST_POINTS} points and {FEWEST_DIMENSIONS} dimensions."
        )
    first, second = _halves(rows - rows.mean(axis=0), rng)
    above = np.triu_indices(n, 1)
    cosines = _cosines(first)
    wanted = _standardised(_cosines(second), above)
    gaps = np.maximum(cosines[above].max() - cosines, 0)
    np.fill_diagonal(gaps, 0.0)
    left, roots, _ = np.linalg.svd(first - first.mean(axis=0), full_matrices=False)
    spaces = {k: _cosines(first, left[:, :k] * roots[:k]) for k in _DIMENSIONS if k < min(first.shape)}
    trees, partitions = _trees(gaps)
    accounts: dict[str, dict[Any, Similarity]] = {
        "itself": {0: cosines},
        "space": spaces or {0: cosines},
        "clusters": {count: _flat(cosines, labels) for count, labels in partitions.items()},
        "pairs": {share: np.maximum(cosines - np.quantile(cosines[above], 1 - share), 0) for share in _PAIRS},
        "tree": trees,
    }
    best = {}
    for name, candidates in accounts.items():
        made = {key: _standardised(each, above) for key, each in candidates.items()}
        key = max(made, key=lambda each: float(made[each] @ wanted))
        best[name] = (key, made[key], float(made[key] @ wanted))
    _, tree, foretold = best["tree"]
    gains = [_gain(foretold, other, float(made @ tree)) for name, (_, made, other) in best.items() if name != "tree"]
    correlation = {name: value for name, (_, _, value) in best.items()}
    return Foretelling(
        **correlation, n_clusters=int(best["clusters"][0]), n_dimensions=int(best["space"][0]), gain=min(gains)
    )


def _gain(tree: float, other: float, common: float) -> float:
    """How much more the tree knows beyond the other than the other beyond the tree."""
    alike = max(1 - common**2, 1e-12)
    beyond_other = (tree - common * other) / np.sqrt(alike * max(1 - other**2, 1e-12))
    beyond_tree = (other - common * tree) / np.sqrt(alike * max(1 - tree**2, 1e-12))
    return float(np.clip(beyond_other, -1, 1) - np.clip(beyond_tree, -1, 1))


def _halves(
    rows: Float[np.ndarray, "n d"], rng: np.random.Generator
) -> tuple[Float[np.ndarray, "n a"], Float[np.ndarray, "n b"]]:
    """The rows in the first and the second half of uniformly turned coordinates, each half up to a rotation of its own.

    The turned axes are the orthonormal columns of a Gaussian matrix. Of each half of that matrix only inner products
    count, and a few rows have the same ones (`gaussian_points`).
    """
    n, d = rows.shape
    left, roots, _ = np.linalg.svd(rows @ rows.T if n < d else rows, full_matrices=False)
    own = left * (np.sqrt(roots) if n < d else roots)
    first, second = (gaussian_points(own.shape[1], size, rng).T for size in (d // 2, d - d // 2))
    axes, upper = np.linalg.qr(np.concatenate([first, second]))
    axes *= np.sign(np.diag(upper))  # without these the axes would not be uniform
    return own @ axes[: len(first)].T, own @ axes[len(first) :].T


def _cosines(rows: Float[np.ndarray, "n k"], flat: Float[np.ndarray, "n f"] | None = None) -> Similarity:
    """Cosines about the mean, the inner products unbiased by the mean's own noise; those of flat places if given."""
    distances, arms = _starless(_squares(rows))
    floor = _NEAREST * float(np.median(arms))
    lengths = np.sqrt(np.maximum(arms, max(floor, np.finfo(np.float64).tiny)))
    if flat is not None:
        distances, _ = _starless(_squares(flat))
    cosines: Similarity = -0.5 * distances / lengths[:, None] / lengths
    return cosines


def _squares(rows: Float[np.ndarray, "n k"]) -> Similarity:
    lengths = (rows**2).sum(axis=1)
    squares: Similarity = np.maximum(lengths[:, None] + lengths - 2 * rows @ rows.T, 0)
    np.fill_diagonal(squares, 0.0)
    return squares


def _starless(distances: Similarity) -> tuple[Similarity, Float[np.ndarray, " n"]]:
    """What the best star r_i + r_j leaves of a symmetric matrix without diagonal, and the star's arms."""
    n = len(distances)
    sums = distances.sum(axis=1)
    arms = (sums - sums.sum() / (2 * (n - 1))) / (n - 2)
    rest = distances - arms[:, None] - arms
    np.fill_diagonal(rest, 0.0)
    return rest, arms


def _standardised(similarity: Similarity, above: tuple[np.ndarray, np.ndarray]) -> Float[np.ndarray, " pairs"]:
    """What no star explains, of every pair of points, to mean 0 and length 1; zeros where nothing is left."""
    clean = similarity.copy()
    np.fill_diagonal(clean, 0.0)
    values = _starless(clean)[0][above]
    values = values - values.mean()
    length = float(np.sqrt(values @ values))
    scaled: Float[np.ndarray, " pairs"] = values / length if length > 1e-12 * np.abs(clean).max() else 0 * values
    return scaled


def _trees(gaps: Similarity) -> tuple[dict[int, Similarity], dict[int, Int[np.ndarray, " n"]]]:
    """Two trees by what pairs have in common on them, and flat partitions cut from Ward's, by how many clusters."""
    from scipy.cluster.hierarchy import cophenet, linkage
    from scipy.spatial.distance import squareform

    flattened = squareform(gaps, checks=False)
    trees = {0: -neighbour_joining(gaps).distances(), 1: -squareform(cophenet(linkage(flattened, "average")))}
    return trees, _partitions(linkage(np.sqrt(2 * flattened), "ward"))


def _partitions(merges: Float[np.ndarray, "m 4"]) -> dict[int, Int[np.ndarray, " n"]]:
    """The cluster of each point once so many clusters are left, by scipy's list of merges."""
    n = len(merges) + 1
    labels, cut = np.arange(n), {}
    for step, (first, second) in enumerate(merges[:, :2]):
        labels[(labels == first) | (labels == second)] = n + step
        cut[n - 1 - step] = labels.copy()
    return {count: np.unique(cut[count], return_inverse=True)[1] for count in CLUSTERS if count < n}


def _flat(cosines: Similarity, labels: Int[np.ndarray, " n"]) -> Similarity:
    """One similarity between clusters, and one inside each: the means of the pairs there."""
    n = len(labels)
    members = np.zeros((n, int(labels.max()) + 1))
    members[np.arange(n), labels] = 1.0
    pairs = (counts := members.sum(axis=0)) * (counts - 1)
    clean = cosines.copy()
    np.fill_diagonal(clean, 0.0)
    inside = (clean @ members * members).sum(axis=0)
    between = (clean.sum() - inside.sum()) / max(n * (n - 1) - pairs.sum(), 1)
    above = np.divide(inside, pairs, out=np.full(len(pairs), between), where=pairs > 0) - between
    flat: Similarity = (members * above) @ members.T
    return flat
