"""Neighbour joining."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int, Shaped

from geoprobe.stats.hyperbolicity import joining_kernels as kernels
from geoprobe.stats.hyperbolicity.checks import as_distances
from geoprobe.stats.threads import run_tasks

ONE_CALL = 512
"""Up to this many points, joined within a few hundredths of a second, an interrupt may wait."""


@dataclass(frozen=True)
class JoinedTree:
    """An unrooted binary tree over n points, hung from its last inner node.

    (2n - 2,) parent of each node, -1 at the root, which is the last; the points are the first n. (2n - 2,) length of
    the edge to the parent; neighbour joining may make one negative.
    """

    parents: Int[np.ndarray, "nodes"]
    lengths: Float[np.ndarray, "nodes"]

    @property
    def n_points(self) -> int:
        """Number of points."""
        return self.parents.size // 2 + 1

    def distances(self) -> Float[np.ndarray, "n n"]:
        """Return the path lengths between the points, (n, n)."""
        paths = np.zeros((self.parents.size, self.parents.size))
        kernels.path_lengths(self.parents, self.lengths, paths)
        return np.ascontiguousarray(paths[: self.n_points, : self.n_points])


def neighbour_joining(distances: Shaped[np.ndarray, "n n"]) -> JoinedTree:
    """Join n >= 3 points to a tree (Saitou and Nei 1987): exact if the (n, n) distances are those of a tree. O(n³)."""
    matrix = as_distances(distances)
    n = matrix.shape[0]
    if n < 3:
        raise ValueError(f"distances has {n} points; neighbour joining needs at least 3.")
    parents = np.empty(2 * n - 2, dtype=np.int64)
    lengths = np.empty(2 * n - 2)
    halted = np.zeros(1, dtype=np.int8)

    def join(work: Float[np.ndarray, "n n"]) -> None:
        kernels.join_neighbours(work, parents, lengths, halted)

    if n <= ONE_CALL:
        join(matrix.copy())
    else:  # on another thread, so that this one hears Ctrl-C
        run_tasks(join, [matrix.copy()], halted)
    return JoinedTree(parents, lengths)
