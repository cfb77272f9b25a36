import numpy as np
import pytest
from scipy.spatial.distance import pdist, squareform

from geoprobe.stats.hyperbolicity import delta_basepoint_batch, euclidean_distances

from .reference import brute_basepoint_delta


def _clouds(count=40, seed=0):
    rng = np.random.default_rng(seed)
    return [rng.standard_normal((int(rng.integers(4, 60)), 24)).astype(np.float32) for _ in range(count)]


def test_each_cloud_equals_the_definition_on_scipy_distances():
    clouds = _clouds()
    found = delta_basepoint_batch(clouds)
    for i, cloud in enumerate(clouds):
        distances = squareform(pdist(cloud.astype(np.float64)))
        assert found.delta[i] == pytest.approx(brute_basepoint_delta(distances), abs=1e-12)
        assert found.diameter[i] == pytest.approx(distances.max(), rel=1e-14)
    np.testing.assert_allclose(found.relative, 2 * found.delta / found.diameter)


def test_the_last_point_as_base_equals_the_definition():
    clouds = _clouds(8)
    found = delta_basepoint_batch(clouds, base=-1)
    for i, cloud in enumerate(clouds):
        distances = squareform(pdist(cloud.astype(np.float64)))
        assert found.delta[i] == pytest.approx(brute_basepoint_delta(distances, len(cloud) - 1), abs=1e-12)


def _repeated(seed, n=50, kinds=17):
    rng = np.random.default_rng(seed)
    return rng.standard_normal((kinds, 31))[rng.integers(0, kinds, n)]


@pytest.mark.parametrize("base", [0, 7, -1])
def test_clouds_with_repeated_rows_equal_the_definition_on_all_rows(base):
    clouds = [_repeated(seed) for seed in range(20)]
    found = delta_basepoint_batch(clouds, base)
    for i, cloud in enumerate(clouds):
        distances = squareform(pdist(cloud))
        assert found.delta[i] == pytest.approx(brute_basepoint_delta(distances, base), rel=1e-9)
        assert found.diameter[i] == pytest.approx(distances.max(), rel=1e-14)


def test_every_dtype_and_layout_equals_float64_rows():
    halves = _repeated(3).astype(np.float16)
    plain = delta_basepoint_batch([halves.astype(np.float64)])
    assert plain.delta[0] > 0.1
    swapped = halves.astype(">f4")
    fixed = halves.astype(np.float64)
    fixed.flags.writeable = False
    for cloud in (halves, halves.astype(np.float32), np.asfortranarray(halves, dtype=np.float32), swapped, fixed):
        np.testing.assert_array_equal(delta_basepoint_batch([cloud]).delta, plain.delta)
    counts = np.random.default_rng(0).integers(0, 9, (12, 4))
    np.testing.assert_array_equal(
        delta_basepoint_batch([counts]).delta, delta_basepoint_batch([counts.astype(float)]).delta
    )


@pytest.mark.parametrize("n", [1, 2, 3, 4, 5, 8, 61])
def test_distances_equal_scipy_and_twins_have_the_same_bits(n):
    rows = np.random.default_rng(n).standard_normal((n, 37))
    np.testing.assert_allclose(euclidean_distances(rows), squareform(pdist(rows)), rtol=1e-14)
    twins = np.arange(n).repeat(3)[::-1]
    repeated = euclidean_distances(rows[twins])
    np.testing.assert_array_equal(repeated, euclidean_distances(rows)[np.ix_(twins, twins)])


def test_one_thread_gives_the_same_bits(on_one_thread):
    clouds = _clouds()
    many = delta_basepoint_batch(clouds)
    one = on_one_thread(lambda: delta_basepoint_batch(clouds))
    np.testing.assert_array_equal(many.delta, one.delta)


def test_repeated_far_away_rows_are_at_distance_exactly_zero():
    row = 1e6 + np.random.default_rng(0).standard_normal(300)
    distances = euclidean_distances(np.stack([row, row + 1e-3, row]))
    assert distances[0, 2] == 0.0
    assert distances[0, 1] == pytest.approx(1e-3 * np.sqrt(300), rel=1e-6)


def test_small_and_single_clouds_have_delta_zero():
    found = delta_basepoint_batch([np.ones((1, 3)), np.eye(3), np.ones((5, 3))])
    np.testing.assert_array_equal(found.delta, 0.0)
    np.testing.assert_array_equal(found.relative, 0.0)


def test_no_clouds_give_no_values():
    assert delta_basepoint_batch([]).relative.shape == (0,)


@pytest.mark.parametrize(
    ("clouds", "message"),
    [
        ([np.ones((4, 2)), np.full((4, 2), np.nan)], r"points\[1\] row 0 holds NaN"),
        ([np.eye(4), np.full((4, 2), np.inf, dtype=np.float32)], r"points\[1\] row 0 holds NaN or infinity"),
        ([np.ones((0, 2))], r"points\[0\] has no rows"),
        ([np.ones(5)], r"points\[0\] has shape \(5,\)"),
        ([np.vstack([np.eye(3), np.full((1, 3), -np.inf)])], r"points\[0\] row 3"),
    ],
)
@pytest.mark.usefixtures("unchecked")
def test_a_bad_cloud_is_named(clouds, message):
    with pytest.raises(ValueError, match=message):
        delta_basepoint_batch(clouds)
