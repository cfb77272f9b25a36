"""Which account of some points foretells the other half of their coordinates, on points whose nature is known."""

from itertools import combinations

import numpy as np
import pytest
from scipy import stats
from scipy.cluster.hierarchy import cut_tree, linkage

from geoprobe.stats import spaces
from geoprobe.stats.hyperbolicity.foretelling import (
    CLUSTERS,
    _cosines,
    _flat,
    _gain,
    _halves,
    _partitions,
    _standardised,
    _starless,
    foretelling,
)

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


def symmetric(n, rng):
    values = np.triu(rng.standard_normal((n, n)), 1)
    return values + values.T


def test_a_star_is_taken_off_as_by_numpys_least_squares():
    distances = symmetric(9, RNG(1))
    pairs = np.array(list(combinations(range(9), 2)))
    ends = np.zeros((len(pairs), 9))
    np.put_along_axis(ends, pairs, 1.0, axis=1)
    arms = np.linalg.lstsq(ends, distances[tuple(pairs.T)])[0]
    rest, found = _starless(distances)
    np.testing.assert_allclose(found, arms)
    np.testing.assert_allclose(rest[tuple(pairs.T)], distances[tuple(pairs.T)] - ends @ arms)
    np.testing.assert_array_equal(np.diag(rest), 0)


def test_what_is_left_of_a_similarity_is_scipys_z_score_of_it_over_the_root_of_the_pairs():
    values = symmetric(9, RNG(2)) + np.arange(9) + np.arange(9)[:, None]
    above = np.triu_indices(9, 1)
    found = _standardised(values, above)
    clean = values * (1 - np.eye(9))
    np.testing.assert_allclose(found, stats.zscore(_starless(clean)[0][above]) / np.sqrt(36), atol=1e-12)
    star = np.arange(9.0) + np.arange(9.0)[:, None]
    np.testing.assert_array_equal(_standardised(star, above), 0)


def test_the_gain_is_the_difference_of_partial_correlations_by_regression():
    rng = RNG(3)
    wanted, tree, other = stats.zscore(rng.standard_normal((3, 50)) + rng.standard_normal(50), axis=1) / np.sqrt(50)

    def partial(one, given):
        left = [each - given * (given @ each) for each in (one, wanted)]
        return np.corrcoef(*left)[0, 1]

    found = _gain(float(tree @ wanted), float(other @ wanted), float(tree @ other))
    assert found == pytest.approx(partial(tree, other) - partial(other, tree), abs=1e-12)
    assert _gain(1.0, 0.5, 0.5) == pytest.approx(1.0)  # an exact tree: nothing is left for the other to know


@pytest.mark.parametrize("shape", [(20, 9), (9, 9), (9, 20)])
def test_both_halves_together_have_the_inner_products_of_the_rows(shape):
    rows = RNG(4).standard_normal(shape)
    first, second = _halves(rows, RNG(5))
    ranks = [np.linalg.matrix_rank(half) for half in (first, second)]
    assert ranks == [min(shape[0], size) for size in (shape[1] // 2, shape[1] - shape[1] // 2)]
    np.testing.assert_allclose(first @ first.T + second @ second.T, rows @ rows.T, atol=1e-12)
    assert (np.linalg.norm(first, axis=1) > 0).all()
    again, _ = _halves(rows, RNG(6))
    assert not np.allclose(first @ first.T, again @ again.T)  # turned another way


@pytest.mark.parametrize("shape", [(5, 12), (8, 6)])
def test_halves_have_the_law_of_those_of_rows_turned_by_scipys_rotations(shape):
    """Two-sample Kolmogorov-Smirnov on inner products within either half."""
    rows = RNG(7).standard_normal(shape)
    drawn = [_halves(rows, stream) for stream in RNG(8).spawn(1000)]
    turned = rows @ stats.ortho_group.rvs(shape[1], size=1000, random_state=9)
    peers = [(each[:, : shape[1] // 2], each[:, shape[1] // 2 :]) for each in turned]
    for half in (0, 1):
        for function in (lambda p: p[0] @ p[0], lambda p: p[0] @ p[1], lambda p: ((p @ p.T) ** 2).sum()):
            one, other = ([function(halves[half]) for halves in made] for made in (drawn, peers))
            assert stats.ks_2samp(one, other).pvalue > 1e-3


def test_partitions_are_those_of_scipys_cut_tree():
    merges = linkage(RNG(10).standard_normal((70, 5)), "ward")
    partitions = _partitions(merges)
    assert list(partitions) == [count for count in CLUSTERS if count < 70]
    for labels, peer in zip(partitions.values(), cut_tree(merges, list(partitions)).T, strict=True):
        together = labels[:, None] == labels
        np.testing.assert_array_equal(together, peer[:, None] == peer)


def test_a_flat_account_is_the_mean_of_pairs_inside_and_between_counted_one_by_one():
    cosines = symmetric(8, RNG(7)) + 5 * np.eye(8)
    labels = np.array([0, 1, 1, 0, 2, 0, 1, 3])
    pairs = list(combinations(range(8), 2))
    between = np.mean([cosines[i, j] for i, j in pairs if labels[i] != labels[j]])
    found = _flat(cosines, labels)
    for i, j in pairs:
        own = [cosines[a, b] for a, b in pairs if labels[a] == labels[b] == labels[i]]
        assert found[i, j] == pytest.approx(np.mean(own) - between if labels[i] == labels[j] else 0, abs=1e-12)


def test_cosines_are_numpys_about_the_mean_where_there_are_many_points():
    rows = RNG(8).standard_normal((400, 3)) + 2
    centred = rows - rows.mean(axis=0)
    squares = (centred**2).sum(axis=1)
    # those nearer to the mean count as if they were as far away as this
    lengths = np.sqrt(np.maximum(squares, 0.3 * np.median(squares)))
    assert (lengths**2 > squares).sum() > 20
    apart = ~np.eye(400, dtype=bool)
    expected = centred @ centred.T / lengths / lengths[:, None]
    np.testing.assert_allclose(_cosines(rows)[apart], expected[apart], atol=0.03)
