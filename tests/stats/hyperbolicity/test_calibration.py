"""Do the tests reject as often as they say, and do the statistics tell trees from clouds?"""

import numpy as np
import pytest

from geoprobe.stats import hyperbolicity as hyp
from geoprobe.stats import nulls, spaces

pytestmark = pytest.mark.slow

REPLICATES = 19
DATASETS = 2_000


@pytest.mark.parametrize("dimension", [2, 8, 64, 576, 4096])
@pytest.mark.parametrize("n", [12, 30])
def test_rotation_null_rejects_gaussians_at_its_level(dimension, n):
    """Monte-Carlo p <= 0.05 of Holland's index and T against row rotations, in 5 ± 2% of Gaussian clouds."""
    rng = np.random.default_rng([dimension, n])
    low = np.zeros((2, DATASETS))
    for dataset in range(DATASETS):
        points = nulls.gaussian_points(n, dimension, rng)
        clouds = [points, *(nulls.row_rotation(points, rng) for _ in range(REPLICATES))]
        found = hyp.four_point_batch(clouds)
        for row, values in enumerate((found.mean, found.ratio)):
            low[row, dataset] = (1 + (values[1:] <= values[0]).sum()) / (REPLICATES + 1)
    rejected = (low <= 0.05).mean(axis=1)
    assert (np.abs(rejected - 0.05) <= 0.02).all(), rejected


@pytest.mark.parametrize("n", [30, 300])
def test_rotation_null_finds_a_noisy_hierarchy(n):
    rng = np.random.default_rng(n)
    points = spaces.hierarchy(n, 576, rng, noise=1.0)
    drawn = [nulls.row_rotation(points, rng, keep_norms=True) for _ in range(19)]
    values = np.array([hyp.delta_plot(hyp.euclidean_distances(p), samples=2000).mean for p in [points, *drawn]])
    assert (values[0] - values[1:].mean()) / values[1:].std(ddof=1) < -10


def test_intervals_cover_the_mean_over_clouds():
    rng = np.random.default_rng(1)
    plots = [hyp.delta_plot(hyp.euclidean_distances(spaces.gaussian(30, 5, rng))) for _ in range(400)]
    for name, interval in (("mean", "interval"), ("ratio", "ratio_interval")):
        truth = np.mean([getattr(plot, name) for plot in plots])
        covered = np.mean([getattr(p, interval)[0] <= truth <= getattr(p, interval)[1] for p in plots])
        assert covered >= 0.94, name


def test_hollands_index_separates_trees_from_clouds_where_relative_delta_does_not():
    """Area under the ROC curve over the ladder; clusters and H^10, which are neither, are left out."""
    scores: dict[str, tuple[list[float], list[float]]] = {name: ([], []) for name in ("holland", "relative")}
    for seed in range(8):
        for rung in spaces.ladder(128, 576, np.random.default_rng(seed)):
            if rung.name in ("clusters", "H^10, radius 12"):
                continue
            side = 0 if rung.treelike else 1
            exact = hyp.four_point_batch([rung.distances], precomputed=True)
            scores["holland"][side].append(-float(exact.mean[0]))
            scores["relative"][side].append(-float(exact.relative[0]))

    def area(name):
        trees, clouds = (np.array(side) for side in scores[name])
        return (trees[:, None] > clouds[None, :]).mean() + 0.5 * (trees[:, None] == clouds[None, :]).mean()

    assert area("holland") > 0.92 > area("relative")
