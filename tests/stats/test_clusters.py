import numpy as np
import pytest

from geoprobe.stats.nulls.clusters import cluster_labels, cluster_rotation
from geoprobe.stats.spaces import clusters

RNG = np.random.default_rng


def test_kmeans_finds_clusters_that_lie_apart() -> None:
    centres = np.repeat(100.0 * np.eye(4), 25, axis=0)
    labels = cluster_labels(centres + RNG(0).standard_normal((100, 4)), 4, RNG(1))
    groups = labels.reshape(4, 25)
    assert (groups == groups[:, :1]).all()
    assert len(np.unique(groups[:, 0])) == 4


def test_each_cluster_keeps_its_lengths_and_nearly_its_mean_and_loses_its_pairs() -> None:
    points = clusters(120, 16, RNG(2), count=5)
    labels = cluster_labels(points, 5, RNG(3))
    drawn = cluster_rotation(points, labels, RNG(4))
    for label in np.unique(labels):
        mine = labels == label
        centre = points[mine].mean(axis=0)
        lengths = np.linalg.norm(points[mine] - centre, axis=1)
        np.testing.assert_allclose(np.linalg.norm(drawn[mine] - centre, axis=1), lengths)
        assert np.linalg.norm(drawn[mine].mean(axis=0) - centre) < 0.25 * lengths.mean()
        if mine.sum() > 3:
            assert np.abs(drawn[mine] - points[mine]).max() > 0.1 * lengths.mean()


def test_points_that_coincide_are_one_cluster() -> None:
    assert set(cluster_labels(np.ones((8, 3)), 3, RNG(0))) == {0}


def test_a_count_that_cannot_be_is_named() -> None:
    with pytest.raises(ValueError, match="count is 9; 8 points take 1 to 8 clusters"):
        cluster_labels(RNG(0).standard_normal((8, 3)), 9, RNG(0))
