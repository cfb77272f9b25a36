"""Which account of some points foretells the other half of their coordinates, on points whose nature is known."""

import numpy as np
import pytest

from geoprobe.stats import spaces
from geoprobe.stats.hyperbolicity.foretelling import foretelling

RNG = np.random.default_rng


def plane(n, dimension, rng, noise=0.3):
    points = noise * rng.standard_normal((n, dimension)) / np.sqrt(dimension)
    points[:, :2] += rng.uniform(-1, 1, (n, 2))
    return points


def overlapping(n, dimension, rng):
    """Sums of three of fifty features, so that two points may share some and not others."""
    chosen = np.array([rng.choice(50, 3, replace=False) for _ in range(n)])
    return rng.standard_normal((50, dimension))[chosen].sum(axis=1)


MADE = {
    "tree": lambda rng: spaces.hierarchy(96, 256, rng),
    "noisy tree": lambda rng: spaces.hierarchy(96, 256, rng, noise=1.0),
    "flat clusters": lambda rng: spaces.clusters(96, 256, rng, count=8),
    "many flat clusters": lambda rng: spaces.clusters(96, 256, rng, count=40),
    "plane": lambda rng: plane(96, 256, rng),
    "overlapping features": lambda rng: overlapping(96, 256, rng),
    "noise": lambda rng: spaces.gaussian(96, 256, rng),
}


def found(kind, seeds=4):
    return [foretelling(MADE[kind](RNG(seed)), RNG(100 + seed)) for seed in range(seeds)]


@pytest.mark.parametrize("kind", ["tree", "noisy tree"])
def test_a_tree_foretells_a_hierarchy_better_than_any_other_account(kind):
    assert all(each.gain > 0 for each in found(kind))


@pytest.mark.parametrize("kind", ["flat clusters", "many flat clusters", "plane", "overlapping features", "noise"])
def test_a_tree_gains_nothing_on_what_is_none(kind):
    assert np.mean([each.gain for each in found(kind)]) < 0


def test_the_best_account_is_the_true_one():
    for each in found("many flat clusters"):
        assert each.clusters > max(each.tree, each.space, each.itself)
        assert 24 <= each.n_clusters <= 56
    for each in found("plane"):
        assert each.space > max(each.tree, each.clusters)
        assert each.n_dimensions == 2
    assert all(each.pairs > each.tree for each in found("overlapping features"))


def test_noise_foretells_nothing():
    assert max(abs(each.itself) for each in found("noise")) < 0.1


def test_an_exact_account_of_both_halves_correlates_fully():
    """Orthogonal steps of a two-level tree in many coordinates: the same cosines in every half, up to the turning."""
    points = np.repeat(np.eye(4, 4096), 8, axis=0) + np.repeat(np.eye(32, 4096)[::4], 4, axis=0) * 0.5
    assert foretelling(points, RNG(0)).itself == pytest.approx(1, abs=0.05)


def test_lengths_do_not_matter():
    rng = RNG(7)
    points = spaces.hierarchy(96, 256, rng)
    points -= points.mean(axis=0)
    spread = points * np.exp(0.4 * rng.standard_normal((96, 1)))
    assert foretelling(spread, RNG(0)).gain > 0
    flat = spaces.clusters(96, 256, rng, count=12) * np.exp(0.4 * rng.standard_normal((96, 1)))
    assert foretelling(flat, RNG(0)).gain < 0


def test_too_few_points_or_dimensions_are_refused():
    with pytest.raises(ValueError, match="at least 16 points"):
        foretelling(np.zeros((12, 8)), RNG(0))
    with pytest.raises(ValueError, match="4 dimensions"):
        foretelling(np.zeros((20, 3)), RNG(0))


def test_points_that_coincide_have_no_gain():
    assert foretelling(np.ones((20, 8)), RNG(0)).gain <= 0
