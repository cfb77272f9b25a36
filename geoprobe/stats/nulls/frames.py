"""Uniformly random orthonormal columns, by the reflections that a Gaussian matrix's QR decomposition would take."""

import numpy as np
from jaxtyping import Float
from scipy.linalg.lapack import dorgqr

from geoprobe.stats.nulls.rotation_kernels import gaussian_reflections

#: Columns that LAPACK takes together.
_PANEL = 64


def orthonormal_columns(m: int, k: int, rng: np.random.Generator) -> Float[np.ndarray, "k m"]:
    """Draw k <= m orthonormal vectors of R^m, a row each, uniform over all such frames.

    A reflection of a QR decomposition of Gaussians sees fresh Gaussians: of m - i dimensions, for column i. So only
    these are drawn, half as many as the matrix has, and nothing is decomposed (Stewart 1980).
    """
    normals, factors, signs = np.zeros((k, m)), np.empty(k), np.empty(k)
    gaussian_reflections(rng.standard_normal(k * m - k * (k - 1) // 2), normals, factors, signs)
    columns = dorgqr(normals.T, factors, lwork=max(1, _PANEL * k), overwrite_a=True)[0]
    # without the signs of the triangle's diagonal the frame would not be uniform
    rows: Float[np.ndarray, "k m"] = columns.T
    rows *= signs[:, None]
    return rows
