# mypy: disable-error-code="no-untyped-def"
"""Householder kernels: random rotations of rows and a triangular reduction, in an order no BLAS can change."""

import numpy as np

from geoprobe.stats.kernel import kernel


@kernel(forceinline=True, fastmath={"reassoc", "contract", "nsz"})
def add_scaled(target, source, factor):
    """Add ``factor * source`` to ``target``."""
    for k in range(target.shape[0]):
        target[k] += factor * source[k]


@kernel(forceinline=True, fastmath={"reassoc", "contract", "nsz"})
def length(vector):
    """Euclidean norm."""
    total = 0.0
    for k in range(vector.shape[0]):
        total += vector[k] * vector[k]
    return np.sqrt(total)


@kernel
def reflect_rows(rows, first, normal, work):
    """Reflect rows[first:] in the hyperplane with unit ``normal`` (length of rows[first:])."""
    work[:] = 0.0
    for i in range(normal.shape[0]):
        add_scaled(work, rows[first + i], normal[i])
    for i in range(normal.shape[0]):
        add_scaled(rows[first + i], work, -2.0 * normal[i])


@kernel
def householder(vector):
    """Turn ``vector`` in place into the unit normal that reflects it onto its first axis; return the image.

    A zero vector stays zero, and no reflection is needed.
    """
    norm = length(vector)
    if norm == 0.0:
        return 0.0
    image = -norm if vector[0] >= 0 else norm
    vector[0] -= image
    vector /= length(vector)
    return image


@kernel
def haar_rotate(rows, first, count, gaussians):
    """Apply to rows[first:] the rotation Q = H_1 ... H_count D of a Gaussian matrix's QR decomposition.

    ``gaussians`` holds the columns below the diagonal one after the other, of lengths m, m - 1, ... where m is
    the number of rows from ``first``. D makes R's diagonal positive, which makes Q uniform (Stewart 1980).
    With fewer reflections than rows, rows[first + count:] must be zero.
    """
    m = rows.shape[0] - first
    starts = np.zeros(count + 1, dtype=np.int64)
    for k in range(count):
        starts[k + 1] = starts[k] + m - k
    work = np.empty(rows.shape[1])
    for k in range(count - 1, -1, -1):
        normal = gaussians[starts[k] : starts[k + 1]]
        if normal.shape[0] == 1:
            if normal[0] < 0:
                rows[first + k] *= -1.0
            continue
        image = householder(normal)
        if image < 0:
            rows[first + k] *= -1.0
        reflect_rows(rows, first + k, normal, work)


@kernel
def triangularise(rows, first):
    """Reduce rows[first:] to upper triangular by reflections of the rows: the R of a QR decomposition."""
    m = rows.shape[0] - first
    work = np.empty(rows.shape[1])
    for k in range(min(m - 1, rows.shape[1])):
        normal = rows[first + k :, k].copy()
        image = householder(normal)
        reflect_rows(rows, first + k, normal, work)
        rows[first + k, k] = image
        rows[first + k + 1 :, k] = 0.0


@kernel("(float64[::1], float64[:, ::1], float64[::1], float64[::1])")
def gaussian_reflections(gaussians, normals, factors, signs):
    """The reflections of `haar_rotate`, and the signs of its D, as LAPACK writes them.

    Row i of the zeroed ``normals`` receives the vector v of I - factor v v^T, whose element i is 1 and not written.
    """
    start = 0
    for i in range(normals.shape[0]):
        normal = gaussians[start : start + normals.shape[1] - i]
        start += normal.shape[0]
        norm = length(normal)
        image = -norm if normal[0] >= 0 else norm
        factors[i] = 0.0
        signs[i] = 1.0 if normal[0] >= 0 else -1.0
        if normal.shape[0] > 1 and norm > 0:
            signs[i] = -signs[i]
            factors[i] = (image - normal[0]) / image
            for j in range(1, normal.shape[0]):
                normals[i, i + j] = normal[j] / (normal[0] - image)


@kernel("(float64[::1], float64[::1], float64[:, ::1])")
def fill_trapezoid(below, diagonal, points):
    """Write what stands below the diagonal, row by row, and on it into zeroed ``points``."""
    start = 0
    for i in range(points.shape[0]):
        width = min(i, points.shape[1])
        for j in range(width):
            points[i, j] = below[start + j]
        start += width
        if i < points.shape[1]:
            points[i, i] = diagonal[i]
