import numpy as np
import pytest
from scipy import stats

from geoprobe.stats import hyperbolicity as hyp
from geoprobe.stats import nulls


@pytest.mark.parametrize(("n", "dimension"), [(6, 40), (12, 3), (5, 5), (4, 1)])
def test_gaussian_points_have_the_law_of_plain_gaussian_vectors(n, dimension):
    """Kolmogorov-Smirnov on functions of the distances, against vectors drawn coordinate by coordinate."""
    rng = np.random.default_rng(8)
    draws = 1500
    drawn = [hyp.euclidean_distances(nulls.gaussian_points(n, dimension, rng)) for _ in range(draws)]
    plain = [hyp.euclidean_distances(rng.standard_normal((n, dimension))) for _ in range(draws)]
    for function in (
        lambda d: d[0, 1],
        lambda d: d[n - 2, n - 1],
        lambda d: d[0, 1] + d[1, 2] - d[0, 2],
        lambda d: d.max() / d[np.triu_indices(n, 1)].mean(),
    ):
        pvalue = stats.ks_2samp([function(d) for d in drawn], [function(d) for d in plain]).pvalue
        assert pvalue > 1e-3


def test_gaussian_null_of_relative_delta_has_the_law_of_plain_gaussian_vectors():
    null = nulls.delta_basepoint_gaussian_null([25], 60, 400, np.random.default_rng(1))
    rng = np.random.default_rng(2)
    plain = hyp.delta_basepoint_batch([rng.standard_normal((25, 60)) for _ in range(400)]).relative
    assert stats.ks_2samp(null[:, 0], plain).pvalue > 1e-3


def test_null_of_relative_delta_with_norms_has_the_law_of_random_directions():
    rng = np.random.default_rng(3)
    norms = np.exp(0.5 * rng.standard_normal(20))
    null = nulls.delta_basepoint_gaussian_null([20], 60, 400, np.random.default_rng(1), norms=[norms])
    directions = rng.standard_normal((400, 20, 60))
    plain = directions / np.linalg.norm(directions, axis=2, keepdims=True) * norms[:, None]
    assert stats.ks_2samp(null[:, 0], hyp.delta_basepoint_batch(list(plain)).relative).pvalue > 1e-3


def test_gaussian_null_does_not_depend_on_threads(on_one_thread):
    sizes = [5, 30, 12, 40]
    many = nulls.delta_basepoint_gaussian_null(sizes, 50, 6, np.random.default_rng(5))
    one = on_one_thread(lambda: nulls.delta_basepoint_gaussian_null(sizes, 50, 6, np.random.default_rng(5)))
    np.testing.assert_array_equal(many, one)
    assert many.shape == (6, 4)


@pytest.mark.parametrize(("n", "dimension"), [(0, 3), (3, 0)])
def test_an_impossible_shape_is_refused(n, dimension):
    with pytest.raises(ValueError, match="at least 1"):
        nulls.gaussian_points(n, dimension, np.random.default_rng(0))


def test_no_replicates_are_refused():
    with pytest.raises(ValueError, match="replicates is 0"):
        nulls.delta_basepoint_gaussian_null([5], 3, 0, np.random.default_rng(0))


@pytest.mark.parametrize(("n", "d"), [(2, 5), (6, 40), (7, 7), (8, 7), (9, 7), (40, 6)])
def test_row_rotation_keeps_mean_and_sample_covariance_and_moves_the_rows(n, d):
    rng = np.random.default_rng(n)
    points = 2 + rng.standard_normal((n, d))
    turned = nulls.row_rotation(points, rng)
    np.testing.assert_allclose(turned.mean(axis=0), points.mean(axis=0), atol=1e-12)
    np.testing.assert_allclose(np.cov(turned.T), np.cov(points.T), atol=1e-12)
    assert np.abs(turned - points).max() > 1e-3 or n == 2


@pytest.mark.parametrize("d", [5, 2])
def test_row_rotation_is_uniform_by_the_beta_law_of_its_entries(d):
    """Centred rows that are orthonormal columns turn into columns uniform on the sphere of R^(n-1)."""
    n = 6
    rng = np.random.default_rng(0)
    columns = np.linalg.qr(np.c_[np.ones(n), rng.standard_normal((n, d))])[0][:, 1:]
    basis = np.linalg.qr(np.c_[np.ones(n), rng.standard_normal((n, n - 1))])[0][:, 1:]
    turned = np.array([basis.T @ nulls.row_rotation(columns, rng) for _ in range(4000)])
    beta = stats.beta(0.5, (n - 2) / 2)
    for i in range(n - 1):
        for j in range(d):
            assert stats.kstest(turned[:, i, j] ** 2, beta.cdf).pvalue > 1e-4
            assert abs((turned[:, i, j] > 0).mean() - 0.5) < 4 * 0.5 / np.sqrt(4000)
    # entries of different columns are uncorrelated, also in their squares' signs
    assert abs(np.corrcoef(turned[:, 0, 0], turned[:, 1, 1])[0, 1]) < 4 / np.sqrt(4000)


def test_row_rotation_with_norms_restores_each_norm():
    rng = np.random.default_rng(4)
    points = rng.standard_normal((20, 6)) * rng.uniform(0.1, 9, (20, 1))
    turned = nulls.row_rotation(points, rng, keep_norms=True)
    np.testing.assert_allclose(np.linalg.norm(turned, axis=1), np.linalg.norm(points, axis=1), rtol=1e-12)


def test_token_classes_are_the_octaves_of_the_counts():
    counts = np.array([0, 1, 2, 3, 4, 7, 8, 1023, 1024])
    assert nulls.token_classes(counts).labels.tolist() == [0, 1, 2, 2, 3, 3, 4, 10, 11]
    assert nulls.token_classes(counts, per_octave=2).labels.tolist() == [0, 1, 3, 4, 5, 6, 7, 20, 21]


def test_matched_tokens_keep_classes_and_the_pattern_of_repetition():
    rng = np.random.default_rng(0)
    counts = rng.zipf(1.6, 3000) - 1
    excluded = np.zeros(3000, dtype=bool)
    excluded[:10] = True
    classes = nulls.token_classes(counts, excluded=excluded)
    ids = np.r_[rng.integers(0, 3000, 80), 5, 5]
    ids = np.r_[ids, ids[:40]]
    drawn = classes.match(ids, rng)
    np.testing.assert_array_equal(classes.labels[drawn], classes.labels[ids])
    np.testing.assert_array_equal(drawn[excluded[ids]], ids[excluded[ids]])
    assert np.unique(np.stack([ids, drawn]), axis=1).shape[1] == np.unique(ids).size == np.unique(drawn).size
    assert (drawn != ids).mean() > 0.8
    assert classes.match(np.zeros(0, dtype=int), rng).size == 0


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda rng: nulls.token_classes(np.array([3, -1])), r"counts\[1\] is -1"),
        (lambda rng: nulls.token_classes(np.array([3]), per_octave=0), "per_octave is 0"),
        (lambda rng: nulls.token_classes(np.array([3])).match(np.array([0, 1]), rng), "ids run from 0 to 1"),
        (lambda rng: nulls.row_rotation(np.zeros(3), rng), "must be"),
    ],
)
@pytest.mark.usefixtures("unchecked")
def test_what_cannot_be_drawn_is_refused_by_name(call, message):
    with pytest.raises(ValueError, match=message):
        call(np.random.default_rng(0))
