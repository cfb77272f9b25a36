import numpy as np
import pytest
from scipy.stats import spearmanr

from geoprobe.stats.correlation import permutation_null
from geoprobe.stats.weighted import effective_size, weighted_spearman

RNG = np.random.default_rng


def test_whole_weights_are_repeated_pairs_by_scipy() -> None:
    rng = RNG(0)
    x, y, weights = rng.integers(0, 20, 60), rng.integers(0, 15, 60), rng.integers(1, 6, 60)
    expected = spearmanr(np.repeat(x, weights), np.repeat(y, weights)).statistic
    assert weighted_spearman(x, y, weights.astype(float)).value == pytest.approx(expected, abs=1e-12)


def test_a_sample_stratified_by_one_side_finds_the_populations_correlation() -> None:
    rng = RNG(1)
    x = rng.zipf(1.9, 20_000).clip(max=10**6)
    y = -0.4 * np.log(x) + rng.standard_normal(x.size)
    truth = spearmanr(x, y).statistic
    chance = np.where(x >= 8, 0.5, 0.02)  # frequent ones are read much more often
    weighted, plain = [], []
    for _ in range(60):
        drawn = rng.random(x.size) < chance
        weighted.append(weighted_spearman(x[drawn], y[drawn], 1 / chance[drawn]).value)
        plain.append(spearmanr(x[drawn], y[drawn]).statistic)
    assert np.mean(weighted) == pytest.approx(truth, abs=0.01)
    assert abs(np.mean(plain) - truth) > 0.03


def test_its_interval_covers_on_such_samples() -> None:
    rng = RNG(2)
    x = rng.zipf(1.9, 20_000).clip(max=10**6)
    y = -0.4 * np.log(x) + rng.standard_normal(x.size)
    truth = spearmanr(x, y).statistic
    chance = np.where(x >= 8, 0.5, 0.02)
    covered = 0
    for _ in range(200):
        drawn = rng.random(x.size) < chance
        found = weighted_spearman(x[drawn], y[drawn], 1 / chance[drawn])
        covered += found.low <= truth <= found.high
    assert covered >= 0.92 * 200


def test_equal_weights_tell_as_much_as_there_are_pairs() -> None:
    assert effective_size(np.full(30, 7.0)) == 30
    assert effective_size(np.array([1.0, 1.0, 1000.0])) == 1
    for n in range(1, 2000, 7):
        assert effective_size(np.full(n, 0.1)) == effective_size(np.full(n, 1 / 3)) == n


def test_a_constant_side_has_neither_a_value_nor_an_interval() -> None:
    weights = RNG(3).random(50) + 0.1
    for sides in ((np.ones(50), np.arange(50)), (np.arange(50), np.full(50, 0.1)), (np.ones(50), np.ones(50))):
        found = weighted_spearman(*sides, weights)
        assert np.isnan([found.value, found.low, found.high]).all()
        assert found.n == 50
        assert np.isnan(permutation_null(*sides, 5, RNG(4), weights=weights)).all()


def test_a_weight_that_is_not_positive_is_refused() -> None:
    with pytest.raises(ValueError, match="1 weights are not positive"):
        weighted_spearman(np.arange(3), np.arange(3), np.array([1.0, 0.0, 2.0]))
