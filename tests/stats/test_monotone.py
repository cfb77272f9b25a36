import numpy as np
import pytest
from sklearn.isotonic import IsotonicRegression

from geoprobe.stats.monotone import MonotoneTest, class_means, isotonic, monotone_test
from geoprobe.stats.smooth import smooth_curve


def tokens(n: int, rng: np.random.Generator) -> np.ndarray:
    """Logarithms of counts, as they are of a corpus: most are small and tied."""
    return np.log(np.minimum(rng.zipf(1.6, n), 10_000))


def bend_test(x: np.ndarray, truth: np.ndarray, rng: np.random.Generator, replicates: int) -> MonotoneTest:
    # noisier among the rare, as in real tables
    y = truth + (0.2 + 0.3 * np.exp(-x)) * rng.standard_normal(x.size)
    found = monotone_test(class_means(x, y), replicates=replicates, rng=rng)
    assert found is not None
    return found


def bent(x: np.ndarray) -> np.ndarray:
    """Falls to a count of 50 and rises from there."""
    return 3 - 0.1 * np.minimum(x, np.log(50)) + 0.1 * np.maximum(x - np.log(50), 0)


def test_class_means_match_numpy_and_hold_every_point_once() -> None:
    rng = np.random.default_rng(0)
    x, y = tokens(3000, rng), rng.standard_normal(3000)
    found = class_means(x, y)
    assert found.n.sum() == 3000
    assert found.n.min() >= 20
    for i in range(found.n.size):
        last = i == found.n.size - 1
        mine = (x >= found.edges[i]) & ((x < found.edges[i + 1]) | last)
        assert found.n[i] == mine.sum()
        assert found.means[i] == pytest.approx(y[mine].mean())
        assert found.errors[i] == pytest.approx(y[mine].std(ddof=1) / np.sqrt(mine.sum()))


def test_the_step_curve_is_scikit_learns() -> None:
    rng = np.random.default_rng(1)
    means, weights = rng.standard_normal(30), rng.random(30) + 0.1
    for direction in ("falling", "rising"):
        model = IsotonicRegression(increasing=direction == "rising")
        expected = model.fit_transform(np.arange(30), means, sample_weight=weights)
        np.testing.assert_allclose(isotonic(means, weights, direction), expected)


def test_a_bend_is_found_and_its_run_lies_after_it() -> None:
    rng = np.random.default_rng(2)
    x = tokens(6000, rng)
    found = bend_test(x, bent(x), rng, 199)
    assert found.direction == "falling"
    assert found.pvalue == 1 / 200
    assert 20 <= np.exp(found.begin) <= 120
    assert found.end == pytest.approx(x.max())


@pytest.mark.parametrize("slope", [-0.1, 0.1])
def test_a_straight_relation_is_not_called_bent(slope: float) -> None:
    rng = np.random.default_rng(3)
    x = tokens(6000, rng)
    found = bend_test(x, slope * x, rng, 199)
    assert found.direction == ("falling" if slope < 0 else "rising")
    assert found.pvalue > 0.5


@pytest.mark.slow
def test_size_and_power_of_the_test() -> None:
    """At level 0.05: at most that on monotone truths, close to it at the flat one; nearly always rejected when bent."""
    rng = np.random.default_rng(4)
    truths = {
        "flat": lambda x: 0 * x,
        "falling": lambda x: -0.05 * x,
        "a step": lambda x: -0.2 * (x > np.log(30)),
        "flat at the head": lambda x: -0.1 * np.minimum(x, np.log(30)),
        "rising": lambda x: 0.02 * x**2,
        "bent": bent,
    }
    rejected = {}
    for name, truth in truths.items():
        pvalues = []
        for _ in range(300):
            x = tokens(4000, rng)
            pvalues.append(bend_test(x, truth(x), rng, 99).pvalue)
        rejected[name] = np.mean(np.array(pvalues) <= 0.05)
    assert rejected.pop("bent") >= 0.95
    # two directions must both fail at a flat truth: well below the level
    assert max(rejected.values()) <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / 300)
    assert rejected["flat at the head"] >= 0.01


def test_a_smooth_curve_follows_the_truth_within_its_band() -> None:
    rng = np.random.default_rng(5)
    x = tokens(6000, rng)
    curve = smooth_curve(x, bent(x) + 0.2 * rng.standard_normal(x.size), replicates=60, rng=rng)
    assert curve is not None
    inside = (curve.low - 0.02 <= bent(curve.x)) & (bent(curve.x) <= curve.high + 0.02)
    assert inside.mean() > 0.9


def test_too_few_places_give_no_curve_and_no_test() -> None:
    rng = np.random.default_rng(7)
    x = np.repeat([0.0, 1.0], 50)
    assert smooth_curve(x, x, replicates=5, rng=rng) is None
    assert smooth_curve(np.zeros(50), x[:50], replicates=5, rng=rng) is None
    assert monotone_test(class_means(x, x), replicates=9, rng=rng) is None
