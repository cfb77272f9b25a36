import numpy as np
import pytest

from geoprobe.stats.isotropy import mean_cosine, participation_ratio


def test_the_mean_cosine_equals_that_of_every_pair() -> None:
    points = np.random.default_rng(0).normal(size=(40, 6)) + 0.5
    directions = points / np.linalg.norm(points, axis=1, keepdims=True)
    pairs = (directions @ directions.T)[np.triu_indices(40, 1)]
    assert mean_cosine(points) == pytest.approx(pairs.mean(), abs=1e-12)
    assert mean_cosine(np.vstack([points, np.zeros(6)])) == pytest.approx(pairs.mean(), abs=1e-12)
    with pytest.raises(ValueError, match="1 of 2 points have a direction"):
        mean_cosine(np.array([[1.0, 0.0], [0.0, 0.0]]))


@pytest.mark.parametrize("shape", [(50, 8), (8, 50)])
def test_the_participation_ratio_equals_that_of_numpys_singular_values(shape: tuple[int, int]) -> None:
    points = np.random.default_rng(1).normal(size=shape) * np.linspace(1, 3, shape[1])
    variances = np.linalg.svd(points - points.mean(axis=0), compute_uv=False) ** 2
    assert participation_ratio(points) == pytest.approx(variances.sum() ** 2 / (variances**2).sum())


def test_a_line_has_one_direction_and_a_round_cloud_all() -> None:
    line = np.outer(np.arange(30.0), [1.0, 2.0, 2.0])
    assert participation_ratio(line) == pytest.approx(1)
    cross = np.vstack([np.eye(5), -np.eye(5)])
    assert participation_ratio(cross) == pytest.approx(5)
    with pytest.raises(ValueError, match="coincide"):
        participation_ratio(np.ones((4, 2)))
