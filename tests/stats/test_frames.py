import numpy as np
import pytest
from scipy import stats

from geoprobe.stats.nulls.frames import orthonormal_columns
from geoprobe.stats.nulls.rotation_kernels import haar_rotate


@pytest.mark.parametrize(("m", "k"), [(1, 1), (2, 2), (7, 3), (40, 40), (200, 150)])
def test_columns_are_those_of_a_rotation_kernel_on_the_same_gaussians(m, k):
    drawn = orthonormal_columns(m, k, np.random.default_rng(3))
    np.testing.assert_allclose(drawn @ drawn.T, np.eye(k), atol=1e-13)
    turned = np.eye(m, k)
    haar_rotate(turned, 0, k, np.random.default_rng(3).standard_normal(k * m - k * (k - 1) // 2))
    np.testing.assert_allclose(drawn, turned.T, atol=1e-12)


@pytest.mark.parametrize("function", [np.trace, lambda q: np.trace(q @ q), lambda q: q[0, 0] * q[4, 1], np.linalg.det])
def test_square_frames_have_the_law_of_scipys_orthogonal_group(function):
    """Two-sample Kolmogorov-Smirnov; a determinant of -1 is as frequent as 1."""
    rng = np.random.default_rng(5)
    drawn = [function(orthonormal_columns(5, 5, rng)) for _ in range(1500)]
    peer = stats.ortho_group.rvs(5, size=1500, random_state=6)
    assert stats.ks_2samp(np.round(drawn, 9), np.round([function(q) for q in peer], 9)).pvalue > 1e-3


def test_an_entry_of_a_column_has_the_beta_law_of_a_point_on_the_sphere():
    rng = np.random.default_rng(7)
    squares = np.array([orthonormal_columns(9, 4, rng)[3] ** 2 for _ in range(1500)])
    for entry in (0, 3, 8):
        assert stats.kstest(squares[:, entry], stats.beta(0.5, 4).cdf).pvalue > 1e-3
