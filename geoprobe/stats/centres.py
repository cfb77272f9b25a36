"""Where a cloud of vectors lies: its geometric median, and the direction in which it varies most."""

import numpy as np
from jaxtyping import Float, Float64

__all__ = ["geometric_median", "principal_direction"]


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


def principal_direction(
    points: Float[np.ndarray, "n d"], *, tolerance: float = 1e-8, limit: int = 500
) -> Float64[np.ndarray, " d"]:
    """(d,) unit vector along which (n, d) finite points vary most; zeros where they do not vary.

    By power iteration until a step changes it by less than ``tolerance``; its largest coordinate is positive.
    """
    if not len(points) or (points == points[0]).all():
        return np.zeros(points.shape[1])
    gaps = points - points.mean(axis=0, dtype=np.float64)
    # from a fixed mix of all rows, as good as random: any one of them may be at a right angle to what is sought
    mix = np.cos(np.arange(1.0, len(gaps) + 1) ** 2)
    direction: np.ndarray = np.einsum("n,nd->d", mix, gaps)
    direction = direction / np.linalg.norm(direction)
    for _ in range(limit):
        # no BLAS: the same bits on any number of threads
        again = np.einsum("n,nd->d", np.einsum("nd,d->n", gaps, direction), gaps)
        again /= np.linalg.norm(again)
        done = float(np.linalg.norm(again - direction)) <= tolerance
        direction = again
        if done:
            break
    sign = float(np.sign(direction[int(np.abs(direction).argmax())]))
    return np.asarray(direction * sign)
