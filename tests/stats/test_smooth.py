"""The smooth curve against scipy's smoother, refitted by hand, and its band against fresh data."""

import numpy as np
import pytest
from scipy.interpolate import make_smoothing_spline

from geoprobe.stats.smooth import _COST, _penalty, smooth_curve


def pooled(seed: int, cells: int = 30) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    x = np.sort(rng.uniform(0, 5, cells))
    weights = rng.integers(1, 20, cells).astype(float)
    return x, np.sin(2 * x) + 0.3 * rng.standard_normal(cells) / np.sqrt(weights), weights


@pytest.mark.parametrize("seed", range(5))
def test_the_penalty_has_the_least_generalised_cross_validation_error_by_its_formula(seed: int) -> None:
    x, y, weights = pooled(seed)
    tried = float(weights.mean()) * (x[-1] - x[0]) ** 3 * np.logspace(-6, 1, 15)

    def error(penalty: float) -> float:
        # the smoother's trace by moving one mean at a time, not by its matrix
        fitted = make_smoothing_spline(x, y, weights, lam=penalty)(x)
        trace = 0.0
        for place in range(x.size):
            moved = y.copy()
            moved[place] += 1.0
            trace += make_smoothing_spline(x, moved, weights, lam=penalty)(x)[place] - fitted[place]
        return float((weights * (y - fitted) ** 2).sum() / (1 - _COST * trace / x.size) ** 2)

    usable = [penalty for penalty in tried if np.isfinite(error(penalty))]
    best = min(usable, key=error)
    assert error(_penalty(x, y, weights)) == pytest.approx(error(best), rel=1e-6)


@pytest.mark.parametrize("unit", [1e-3, 1e3])
def test_the_unit_of_x_moves_no_curve(unit: float) -> None:
    rng = np.random.default_rng(3)
    x = rng.uniform(0, 5, 2000)
    y = np.sin(2 * x) + rng.standard_normal(2000)
    found = [smooth_curve(each, y, replicates=50, rng=np.random.default_rng(0)) for each in (x, unit * x)]
    assert found[0] is not None
    assert found[1] is not None
    np.testing.assert_allclose(found[1].x, unit * found[0].x, rtol=1e-12)
    np.testing.assert_allclose(found[1].y, found[0].y, rtol=1e-6, atol=1e-8)
    np.testing.assert_allclose(found[1].high, found[0].high, rtol=1e-6, atol=1e-8)


@pytest.mark.slow
def test_the_band_is_as_wide_as_fresh_data_scatter_the_curve() -> None:
    rng = np.random.default_rng(1)
    x = rng.choice(np.linspace(0, 5, 40), 400, p=np.arange(1, 41) / 820)  # cells of 0 to 20 points
    curves, widths = [], []
    for _ in range(150):
        found = smooth_curve(x, np.sin(x) + rng.standard_normal(400), replicates=200, rng=rng)
        assert found is not None
        curves.append(found.y)
        widths.append((found.high - found.low) / (2 * 1.96))
    inner = slice(5, -5)
    ratio = np.mean(widths, axis=0)[inner] / np.std(curves, axis=0)[inner]
    assert 0.8 < ratio.mean() < 1.15  # the penalty, chosen anew each time, adds a little to the scatter


def test_too_few_distinct_x_have_no_curve() -> None:
    rng = np.random.default_rng(0)
    assert smooth_curve(np.array([]), np.array([]), replicates=1, rng=rng) is None
    assert smooth_curve(np.full(9, 2.0), np.arange(9.0), replicates=1, rng=rng) is None
    assert smooth_curve(np.tile([1.0, 2, 3, 4], 9), np.arange(36.0), replicates=1, rng=rng) is None
