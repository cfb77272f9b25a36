"""Tables of vectors whose nature is known: trees, and what is easily taken for one."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from geoprobe.stats.spaces import clusters, gaussian, hierarchy, sphere

World = Callable[[np.random.Generator], np.ndarray]


def spread_norms(points: np.ndarray, spread: float, rng: np.random.Generator) -> np.ndarray:
    """Rows of log-normal lengths."""
    return points * np.exp(spread * rng.standard_normal((len(points), 1)))


def decaying(n: int, dimension: int, decay: float, rng: np.random.Generator) -> np.ndarray:
    """Gaussian vectors with variances k^-decay, far from the origin."""
    axes = np.arange(1, dimension + 1) ** (-decay / 2)
    return rng.standard_normal((n, dimension)) * axes + 2 * np.linalg.norm(axes) * np.eye(1, dimension)


def norms_by_id(n: int, dimension: int, rng: np.random.Generator) -> np.ndarray:
    """Random directions, longer the rarer the token, as large language models have them."""
    lengths = 0.35 + 0.06 * np.log(np.arange(n) + 3)
    return gaussian(n, dimension, rng) / np.sqrt(dimension) * lengths[:, None]


def frequency_direction(n: int, dimension: int, strength: float, rng: np.random.Generator) -> np.ndarray:
    """Noise, and one direction that carries the log of the frequency."""
    logs = -np.log(np.arange(n) + 2.7)
    points = gaussian(n, dimension, rng) / np.sqrt(dimension)
    points[:, 0] += strength * (logs - logs.mean()) / logs.std()
    return points


def within(shape: np.ndarray, dimension: int, noise: float, rng: np.random.Generator) -> np.ndarray:
    """Points of few coordinates in many, with noise in all of them."""
    points = noise * gaussian(len(shape), dimension, rng) / np.sqrt(dimension)
    points[:, : shape.shape[1]] += shape
    return points


def codes(n: int, dimension: int, atoms: int, active: int, rng: np.random.Generator) -> np.ndarray:
    """Sparse sums of features with positive weights: a token shares one feature with this one, another with that."""
    features = gaussian(atoms, dimension, rng) / np.sqrt(dimension)
    chosen = np.argsort(rng.random((n, atoms)), axis=1)[:, :active]
    points = np.einsum("na,nad->nd", rng.exponential(size=chosen.shape), features[chosen])
    return points + 0.05 * gaussian(n, dimension, rng) / np.sqrt(dimension)


def grown_tree(n: int, dimension: int, rng: np.random.Generator) -> np.ndarray:
    """A random recursive tree whose inner nodes are tokens too: each is an earlier one plus a step."""
    points = np.zeros((n, dimension))
    for row in range(1, n):
        points[row] = points[rng.integers(row)] + rng.standard_normal(dimension) / np.sqrt(dimension)
    return points


def taxonomy(n: int, dimension: int, widths: tuple[int, ...], noise: float, rng: np.random.Generator) -> np.ndarray:
    """Classes within classes, so many at each level, and noise of every token's own."""
    labels = np.zeros(n, dtype=np.int64)
    points = noise * gaussian(n, dimension, rng) / np.sqrt(dimension)
    for width in widths:
        labels = labels * width + rng.integers(width, size=n)
        present, place = np.unique(labels, return_inverse=True)
        points += gaussian(len(present), dimension, rng)[place] / np.sqrt(dimension)
    return points


def hyperbolic_logs(n: int, k: int, dimension: int, rng: np.random.Generator) -> np.ndarray:
    """Points spread evenly in a ball of H^k, as direction times distance from the origin: a sphere to the eye."""
    radii = np.linspace(1e-6, 6.0, 4001)
    volume = np.cumsum(np.sinh(radii) ** (k - 1))
    points = sphere(n, k, rng) * np.interp(rng.random(n), volume / volume[-1], radii)[:, None]
    return within(points, dimension, 0.0, rng)


#: Rows of a table.
ROWS = 1200
NOTHING: dict[str, World] = {
    "Gaussian, d = 16": lambda rng: gaussian(ROWS, 16, rng),
    "Gaussian, d = 2,048, log-normal norms, spread 0.5": lambda rng: spread_norms(gaussian(ROWS, 2048, rng), 0.5, rng),
    "random directions, d = 1,024, norms by id": lambda rng: norms_by_id(ROWS, 1024, rng),
    "decaying spectrum (1), d = 256, spread 0.3": lambda rng: spread_norms(decaying(ROWS, 256, 1, rng), 0.3, rng),
    "decaying spectrum (2), d = 256": lambda rng: decaying(ROWS, 256, 2, rng),
}
NO_TREE: dict[str, World] = {
    "flat clusters, K = 10": lambda rng: clusters(ROWS, 256, rng, count=10),
    "flat clusters, K = 50": lambda rng: clusters(ROWS, 256, rng, count=50),
    "flat clusters, K = 200": lambda rng: clusters(ROWS, 256, rng, count=200),
    "sparse codes, 5 of 200": lambda rng: codes(ROWS, 256, 200, 5, rng),
    "noisy plane": lambda rng: within(rng.uniform(-1, 1, (ROWS, 2)), 256, 0.5, rng),
    "noisy sphere": lambda rng: within(sphere(ROWS, 5, rng), 256, 0.3, rng),
    "a direction of log frequency": lambda rng: frequency_direction(ROWS, 256, 1.0, rng),
    "H^2, log-mapped": lambda rng: hyperbolic_logs(ROWS, 2, 64, rng),
    "H^5, log-mapped": lambda rng: hyperbolic_logs(ROWS, 5, 64, rng),
}
TREES: dict[str, World] = {
    "binary tree, d = 256": lambda rng: hierarchy(ROWS, 256, rng),
    "binary tree, d = 2,048, spread 0.3": lambda rng: spread_norms(hierarchy(ROWS, 2048, rng), 0.3, rng),
    "binary tree, noise 1": lambda rng: hierarchy(ROWS, 256, rng, noise=1.0),
    "binary tree, steps falling by 0.8": lambda rng: hierarchy(ROWS, 256, rng, decay=0.8),
    "random recursive tree": lambda rng: grown_tree(ROWS, 256, rng),
    "taxonomy 8 × 8 × 8, noise 0.5": lambda rng: taxonomy(ROWS, 256, (8, 8, 8), 0.5, rng),
}
