import numpy as np
import pytest

from geoprobe.diagnostics.hyperbolicity.other_metrics import OtherMeasure, measure_otherwise
from geoprobe.stats.hyperbolicity import delta_plot
from geoprobe.stats.spaces import hierarchy

RNG = np.random.default_rng


def by_name(found: tuple[OtherMeasure, ...]) -> dict[tuple[str, str, str], OtherMeasure]:
    return {(each.subject, each.metric, each.statistic): each for each in found}


def test_observed_values_match_the_definitions_of_metric_and_statistic() -> None:
    points = RNG(0).standard_normal((12, 5)) + 1.0
    found = by_name(measure_otherwise({"prompts": [points]}, 2, RNG(1)))
    unit = points / np.linalg.norm(points, axis=1, keepdims=True)
    angles = np.arccos(np.clip(unit @ unit.T, -1, 1))
    np.fill_diagonal(angles, 0)
    euclidean = np.linalg.norm(points[:, None] - points[None], axis=2)
    for metric, distances in (("angle", (angles + angles.T) / 2), ("Euclidean", euclidean)):
        plot = delta_plot(distances)
        assert found["prompts", metric, "Holland"].observed == pytest.approx(plot.mean, abs=1e-6)
        assert found["prompts", metric, "T"].observed == pytest.approx(plot.ratio, abs=1e-6)


def test_a_gaussian_cloud_off_the_origin_is_at_its_null_by_every_measure() -> None:
    clouds = [RNG(seed).standard_normal((30, 24)) * np.geomspace(2, 0.2, 24) + 3.0 for seed in range(8)]
    for each in measure_otherwise({"prompts": clouds}, 99, RNG(3)):
        assert abs(each.z or 0) < 4, each
        assert each.pvalue > 0.01, each


def test_a_hierarchy_is_below_its_null_by_both_statistics_under_every_metric() -> None:
    found = measure_otherwise({"random tokens": [hierarchy(64, 64, RNG(2))]}, 49, RNG(4))
    assert len(found) == 6
    for each in found:
        assert each.pvalue == pytest.approx(1 / 50), each


def test_a_token_at_the_origin_has_no_angle_and_loses_no_other_metric() -> None:
    points = RNG(0).standard_normal((10, 4))
    points[3] = 0.0
    found = measure_otherwise({"prompts": [points]}, 5, RNG(1))
    assert {each.metric for each in found} == {"Euclidean", "along neighbours"}


def test_a_null_that_does_not_vary_has_no_z() -> None:
    # any rotation about the mean of a regular simplex leaves all distances equal
    found = measure_otherwise({"prompts": [np.eye(4)]}, 5, RNG(1))
    assert by_name(found)["prompts", "Euclidean", "Holland"].observed == pytest.approx(0.0, abs=1e-9)
