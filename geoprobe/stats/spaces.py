"""Reference metric spaces whose tree-likeness is known: the ladder beside which a measurement is read."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from geoprobe.stats.hyperbolicity.curved import polar_distances
from geoprobe.stats.hyperbolicity.metrics import euclidean_distances
from geoprobe.stats.hyperbolicity.paths import hop_distances

Points = Float[np.ndarray, "n d"]
Distances = Float[np.ndarray, "n n"]


def random_tree(n: int, rng: np.random.Generator) -> Distances:
    """Path lengths in a random recursive tree with edge lengths uniform in (0.5, 1.5).

    Point i hangs on a uniformly drawn earlier one; every point of the tree is a point of the space.
    """
    _check(n)
    distances = np.zeros((n, n))
    for i in range(1, n):
        parent = int(rng.integers(i))
        row = distances[parent, :i] + rng.uniform(0.5, 1.5)
        distances[i, :i] = row
        distances[:i, i] = row
    return distances


def hierarchy(n: int, dimension: int, rng: np.random.Generator, *, decay: float = 1.0, noise: float = 0.0) -> Points:
    """Leaves of a binary hierarchy drawn in R^d: each node is its parent plus a Gaussian step.

    Steps are multiplied by ``decay`` at each level; ``noise`` is the length of an own Gaussian step of every
    leaf, in units of the length of the sum of its hierarchical steps. In high dimension the steps are nearly
    orthogonal, and the squared distances are then those of a tree.
    """
    _check(n)
    depth = max(1, int(np.ceil(np.log2(n))))
    nodes = np.zeros((1, dimension))
    total = 0.0
    for level in range(depth):
        step = decay**level
        total += step**2
        nodes = np.repeat(nodes, 2, axis=0)
        nodes += step * rng.standard_normal(nodes.shape) / np.sqrt(dimension)
    leaves = nodes[np.sort(rng.permutation(len(nodes))[:n])]
    leaves += noise * np.sqrt(total / dimension) * rng.standard_normal((n, dimension))
    return leaves


def gaussian(n: int, dimension: int, rng: np.random.Generator) -> Points:
    """Independent N(0, I) points of R^d."""
    _check(n)
    return rng.standard_normal((n, dimension))


def clusters(n: int, dimension: int, rng: np.random.Generator, *, count: int = 10, spread: float = 0.5) -> Points:
    """Gaussian clusters of standard deviation ``spread`` around ``count`` centres drawn from N(0, I)."""
    _check(n)
    centres = rng.standard_normal((count, dimension))
    return centres[rng.integers(0, count, n)] + spread * rng.standard_normal((n, dimension))


def heavy_norms(n: int, dimension: int, rng: np.random.Generator, *, tail: float = 3.0) -> Points:
    """Uniform directions with Pareto norms: P(norm > r) = r^-tail for r >= 1."""
    _check(n)
    points = sphere(n, dimension, rng)
    points *= (1.0 + rng.pareto(tail, n))[:, None]
    return points


def sphere(n: int, dimension: int, rng: np.random.Generator) -> Points:
    """Uniform points of the unit sphere of R^d."""
    _check(n)
    points = rng.standard_normal((n, dimension))
    points /= np.sqrt((points**2).sum(axis=1))[:, None]
    return points


def grid(n: int) -> Distances:
    """City-block distances of the first n cells of a square grid."""
    _check(n)
    side = int(np.ceil(np.sqrt(n)))
    cells = np.stack(np.divmod(np.arange(n), side), axis=1).astype(np.float64)
    distances: Distances = np.abs(cells[:, None, :] - cells[None, :, :]).sum(axis=-1)
    return distances


def hyperbolic(n: int, dimension: int, radius: float, rng: np.random.Generator) -> Distances:
    """Uniform points, by volume, of a ball of the hyperbolic space H^k of curvature -1."""
    _check(n)
    if not 0 < radius <= 350:
        raise ValueError(f"radius is {radius}; it must lie between 0 and 350.")
    # inverse of the radial volume, proportional to the integral of sinh^(k-1), on a fine grid
    steps = np.linspace(0.0, radius, 20_001)
    middles = 0.5 * (steps[1:] + steps[:-1])
    log_sinh = middles + np.log1p(-np.exp(-2.0 * middles)) - np.log(2.0)
    shell = np.exp((dimension - 1) * (log_sinh - log_sinh[-1]))
    volume = np.concatenate([[0.0], np.cumsum(shell)])
    radii = np.interp(rng.random(n), volume / volume[-1], steps)
    return polar_distances(radii, sphere(n, dimension, rng))


def scale_free_graph(n: int, rng: np.random.Generator, *, links: int = 1) -> Distances:
    """Hops in a graph grown by preferential attachment (Barabási and Albert 1999); a tree if ``links`` is 1."""
    _check(n)
    if not 1 <= links < n:
        raise ValueError(f"links is {links}; it must be from 1 to n - 1 = {n - 1}.")
    edges = [(i, j) for i in range(1, min(links + 1, n)) for j in range(i)]
    ends = [end for edge in edges for end in edge]
    for i in range(links + 1, n):
        chosen: set[int] = set()
        while len(chosen) < links:
            chosen.add(ends[int(rng.integers(len(ends)))])
        for j in sorted(chosen):
            edges.append((i, j))
            ends += [i, j]
    return hop_distances(np.array(edges, dtype=np.int64).reshape(-1, 2), n)


def random_graph(n: int, degree: float, rng: np.random.Generator) -> Distances:
    """Hops in the largest component of a random graph with independent edges (Erdős and Rényi)."""
    _check(n)
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    first, second = np.triu_indices(n, 1)
    kept = rng.random(first.size) < degree / max(1, n - 1)
    edges: Int[np.ndarray, "m 2"] = np.stack([first[kept], second[kept]], axis=1).astype(np.int64)
    graph = coo_array((np.ones(len(edges)), (edges[:, 0], edges[:, 1])), shape=(n, n))
    _, labels = connected_components(graph, directed=False)
    inside = labels == np.argmax(np.bincount(labels))
    place = np.cumsum(inside) - 1
    return hop_distances(place[edges[inside[edges[:, 0]]]], int(inside.sum()))


@dataclass(frozen=True)
class Space:
    """One rung of the ladder: its name, whether its metric is or is made from a tree, and its (n, n) distances."""

    name: str
    treelike: bool
    distances: Float[np.ndarray, "n n"]


def ladder(n: int, dimension: int, rng: np.random.Generator) -> list[Space]:
    """Draw one space of each kind, from a tree to noise: n >= 4 points, vectors in R^dimension."""
    if n < 4:
        raise ValueError(f"n is {n}; a rung needs at least 4 points.")

    def vectors(draw: Callable[[np.random.Generator], Points]) -> Callable[[np.random.Generator], Distances]:
        return lambda stream: euclidean_distances(draw(stream))

    rungs: list[tuple[str, bool, Callable[[np.random.Generator], Distances]]] = [
        ("tree", True, lambda stream: random_tree(n, stream)),
        ("scale-free tree", True, lambda stream: scale_free_graph(n, stream)),
        ("hyperbolic plane, radius 12", True, lambda stream: hyperbolic(n, 2, 12.0, stream)),
        ("H^10, radius 12", True, lambda stream: hyperbolic(n, 10, 12.0, stream)),
        ("hierarchy", True, vectors(lambda stream: hierarchy(n, dimension, stream))),
        ("hierarchy, equal noise", True, vectors(lambda stream: hierarchy(n, dimension, stream, noise=1.0))),
        ("hyperbolic plane, radius 1", False, lambda stream: hyperbolic(n, 2, 1.0, stream)),
        ("scale-free graph", False, lambda stream: scale_free_graph(n, stream, links=3)),
        ("grid", False, lambda stream: grid(n)),
        ("clusters", False, vectors(lambda stream: clusters(n, dimension, stream))),
        ("plane", False, vectors(lambda stream: gaussian(n, 2, stream))),
        ("heavy-tailed norms", False, vectors(lambda stream: heavy_norms(n, dimension, stream))),
        ("random graph", False, lambda stream: random_graph(n, 6.0, stream)),
        ("sphere", False, vectors(lambda stream: sphere(n, dimension, stream))),
        ("Gaussian", False, vectors(lambda stream: gaussian(n, dimension, stream))),
    ]
    streams = rng.spawn(len(rungs))
    return [Space(name, treelike, draw(stream)) for (name, treelike, draw), stream in zip(rungs, streams, strict=True)]


def _check(n: int) -> None:
    if n < 1:
        raise ValueError(f"n is {n}; a space needs at least one point.")
