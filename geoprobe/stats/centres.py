"""Where a cloud of vectors lies: its geometric median, and the direction in which it varies most."""

import numpy as np
from jaxtyping import Float, Float64
from scipy.linalg import eigh
from scipy.sparse.linalg import ArpackNoConvergence, LinearOperator, eigsh

from geoprobe.stats.threads import one_blas_thread

#: Rows or columns whose products are decomposed whole.
_DENSE = 256


def geometric_median(
    points: Float[np.ndarray, "n d"], *, tolerance: float = 1e-7, limit: int = 500
) -> Float64[np.ndarray, " d"]:
    """(d,) point whose distances to (n, d) finite points have the least sum, to ``tolerance`` mean distances.

    It turns with the cloud, which a median by coordinates does not, and half of the points can be anywhere without
    moving it far. Weiszfeld's iteration with the step away from a data point of Vardi and Zhang (2000), PNAS 97,
    1423-1426.
    """
    centre: np.ndarray = points.mean(axis=0, dtype=np.float64)
    gaps = np.empty(points.shape)  # the only copy: a sample of wide rows takes hundreds of megabytes
    for _ in range(limit):
        np.subtract(points, centre, out=gaps)
        distances = np.sqrt(np.einsum("nd,nd->n", gaps, gaps))
        apart = distances > 0
        if not apart.any():
            return centre
        pull = np.divide(1.0, distances, out=np.zeros_like(distances), where=apart)
        step = np.einsum("n,nd->d", pull, gaps) / pull.sum()
        here = int((~apart).sum())
        if here:  # on a data point: leave only if the others pull harder than it holds
            force = float(np.linalg.norm(step)) * float(pull.sum())
            step = step * max(0.0, 1 - here / force) if force > 0 else np.zeros_like(step)
        centre = centre + step
        if np.linalg.norm(step) <= tolerance * distances.mean():
            break
    return centre


def principal_direction(points: Float[np.ndarray, "n d"]) -> Float64[np.ndarray, " d"]:
    """(d,) unit vector along which (n, d) finite points vary most; zeros where they do not vary.

    The first right singular vector: of few columns or rows by their products, of many by Lanczos' iteration (ARPACK)
    from a fixed start, so that a table of any width takes some hundred passes. Its largest coordinate is positive.
    """
    if not len(points) or (points == points[0]).all():
        return np.zeros(points.shape[1])
    gaps = points - points.mean(axis=0, dtype=np.float64)
    with one_blas_thread():
        if min(gaps.shape) > _DENSE:
            direction = _by_lanczos(gaps)
        elif gaps.shape[0] < gaps.shape[1]:
            direction = gaps.T @ eigh(gaps @ gaps.T)[1][:, -1]
        else:
            direction = eigh(gaps.T @ gaps)[1][:, -1]
    direction = direction / np.linalg.norm(direction)
    sign = float(np.sign(direction[int(np.abs(direction).argmax())]))
    return np.asarray(direction * sign)


def _by_lanczos(gaps: Float64[np.ndarray, "n d"]) -> Float64[np.ndarray, " d"]:
    d = gaps.shape[1]
    variance = LinearOperator((d, d), matvec=lambda v: gaps.T @ (gaps @ v), dtype=np.float64)
    # from a fixed mix, as good as random: a coordinate or a row may be at a right angle to what is sought
    start = np.cos(np.arange(1.0, d + 1) ** 2)
    try:
        found = eigsh(variance, k=1, v0=start, ncv=40, tol=1e-10, maxiter=50)[1]
    except ArpackNoConvergence:  # no direction stands out: one of those that vary as much will do
        found = eigsh(variance, k=1, v0=start, ncv=40, tol=1e-3)[1]
    return np.asarray(found[:, 0])
