"""The null of "norms and covariance explain it": directions drawn anew, norms kept, in few or thousands of dimensions.

Points are taken as x_i = m + s_i z_i with lengths s_i of any spread and rows z_i of one covariance. Were the lengths
known, a rotation of the rows z (orthogonal to 1/s, so that m stays) would give an exact test for Gaussian z, as
`row_rotation` gives one for equal lengths. So lengths are estimated first, by what is left of a row when the others'
covariance is taken into account, and divided out; rows are rotated; and lengths are given back. Rotating rows that have
their lengths still, and restoring norms afterwards, mixes long rows into short ones; the more dimensions there are, the
more that alone makes points without any structure look tree-like beside their null.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Shaped

from geoprobe.stats.hyperbolicity.checks import as_points
from geoprobe.stats.nulls.frames import orthonormal_columns

#: Dimensions that a length is measured in, as a share of the rows: more take in noise, fewer are a rougher measure.
_MEASURED = 0.5
_STEPS, _TOLERANCE = 30, 1e-3
#: The shortest length, relative to the root mean square one.
_SHORTEST = 0.1


@dataclass(frozen=True)
class EllipticalNull:
    """Clouds with the norms about the mean and the covariance of given points, and nothing else of them.

    Parameters
    ----------
    mirror : array
        (n,) normal, of length sqrt(2), of the reflection that takes the first axis to 1/s: its other columns are an
        orthonormal basis of what is orthogonal to 1/s. Zeros where 1/s lies along the first axis.
    roots : array
        (k,) singular values of the rows without their lengths.
    kept : array
        (k,) how far each of these is taken into account when a length is measured, between 0 and 1.
    norms : array
        (n,) distance of each point to the mean.
    lengths : array
        (n,) log of the length that a row has by its direction alone.
    share : array
        (n,) 1 less each row's part in the mean.
    axes : array
        (k, d) the directions in R^d of the coordinates of what is drawn.
    mean : array
        (d,) the mean that it lies about.
    exponent : float
        How much of a row's norm goes with its direction: 1 where long rows lie along long axes, as of a Gaussian
        cloud, 0 where norm and direction have nothing to do with each other.
    """

    mirror: Float[np.ndarray, " n"]
    roots: Float[np.ndarray, " k"]
    kept: Float[np.ndarray, " k"]
    norms: Float[np.ndarray, " n"]
    lengths: Float[np.ndarray, " n"]
    share: Float[np.ndarray, " n"]
    axes: Float[np.ndarray, "_ d"]
    mean: Float[np.ndarray, " d"]
    exponent: float

    def draw(self, count: int, rng: np.random.Generator) -> Float[np.ndarray, "count n k"]:
        """Draw clouds, each n points in k coordinates about the mean.

        Parameters
        ----------
        count
            Clouds.
        rng
            Source of the rotations.
        """
        if self.roots.size == 0:
            return np.zeros((count, len(self.norms), 1))
        points = np.empty((count, len(self.norms), self.roots.size))
        for cloud in points:
            self._fill(cloud, rng)
        return points

    def placed(self, cloud: Float[np.ndarray, "n k"]) -> Float[np.ndarray, "n m"]:
        """Put a drawn cloud about the mean again, up to a rotation about the origin: k coordinates and one more.

        Distances and angles are those of ``cloud @ axes + mean`` in R^d, at a cost without d.
        """
        within = self.axes @ self.mean
        beyond = float(np.linalg.norm(self.mean - within @ self.axes))
        return np.column_stack([cloud + within, np.full(len(cloud), beyond)])

    def _fill(self, cloud: Float[np.ndarray, "n k"], rng: np.random.Generator) -> None:
        # a row a coordinate: the basis of what is orthogonal to 1/s, turned, is a frame with a 0 before it, reflected
        turned = orthonormal_columns(len(cloud) - 1, self.roots.size, rng)
        basis = np.outer(turned @ -self.mirror[1:], self.mirror)
        basis[:, 1:] += turned
        squares = basis**2
        norms = np.sqrt(self.roots**2 @ squares)
        lengths = _log_lengths(norms, self.kept @ squares, self.share)
        wanted = np.log(self.norms) + self.exponent * (lengths - self.lengths)
        basis *= np.exp(wanted) / np.maximum(norms, np.finfo(np.float64).tiny)
        np.multiply(basis.T, self.roots, out=cloud)


def elliptical_null(points: Shaped[np.ndarray, "n d"]) -> EllipticalNull:
    """Fit the null to points.

    Lengths s_i are those at which every row has the same leave-one-out Mahalanobis length under the covariance of all
    rows over their lengths, shrunk to the identity so that half as many dimensions as rows count (a regularised form of
    Tyler's estimator, which needs more rows than dimensions). For thousands of equal axes this is the norm; where few
    axes dominate, it tells a long row from one that lies along a long axis.

    Parameters
    ----------
    points
        (n, d).

    Returns
    -------
    EllipticalNull

    Raises
    ------
    ValueError
        If the array is not (n, d), is empty or holds NaN or infinity.

    References
    ----------
    Tyler (1987), Annals of Statistics 15, 234-251; rotation tests: Langsrud (2005), Statistics and Computing 15, 53-60.
    """
    rows = as_points(points)
    n = len(rows)
    centred = rows - rows.mean(axis=0)
    products = centred @ centred.T
    scale = float(np.trace(products)) / n
    if n < 3 or scale <= 0:
        nothing, none, axis = np.zeros(n), np.zeros(0), np.eye(1, rows.shape[1])
        return EllipticalNull(nothing, none, none, nothing, nothing, nothing, axis, rows.mean(axis=0), 0.0)
    products /= scale
    squares, ridge = np.ones(n), 0.0
    for step in range(_STEPS):
        kernel, weights, _ = _without_lengths(products, squares)
        if step < 3:
            ridge = _ridge(np.linalg.eigvalsh(kernel))
        left_out = ridge * np.diag(np.linalg.inv(kernel + ridge * np.eye(n)))
        change = _ratio(1 - left_out, weights) / (1 - weights)
        change = np.clip(change / np.exp(np.log(change).mean()), 0.2, 5.0)
        squares = np.maximum(squares * change, _SHORTEST**2)
        squares /= squares.mean()
        if np.abs(np.log(change)).max() < _TOLERANCE:
            break
    kernel, weights, about_mean = _without_lengths(products, squares)
    values, vectors = np.linalg.eigh(kernel)
    used = values > 1e-10 * values[-1]
    roots, kept = np.sqrt(values[used]), values[used] / (values[used] + ridge)
    share = 1 - weights
    norms = np.sqrt(np.maximum(about_mean, _SHORTEST**2) * scale)
    lengths = _log_lengths(np.sqrt(np.maximum(np.diag(kernel), _SHORTEST**2)), vectors[:, used] ** 2 @ kept, share)
    spread = lengths - lengths.mean()
    variance = float(spread @ spread)
    exponent = float(np.clip(spread @ np.log(norms / np.sqrt(share)) / variance, 0, 1)) if variance > 0 else 0.0
    level = np.sqrt(weights)
    mirror = level - np.eye(1, n)[0]
    if (length := float(mirror @ mirror)) > 0:
        mirror *= np.sqrt(2 / length)
    mean = weights @ rows
    axes = (vectors[:, used] / roots).T @ ((rows - mean) / np.sqrt(squares)[:, None])
    axes /= np.linalg.norm(axes, axis=1, keepdims=True)
    return EllipticalNull(mirror, roots, kept, norms, lengths, share, axes, mean, exponent)


def _without_lengths(
    products: Float[np.ndarray, "n n"], squares: Float[np.ndarray, " n"]
) -> tuple[Float[np.ndarray, "n n"], Float[np.ndarray, " n"], Float[np.ndarray, " n"]]:
    """Inner products of the rows over their lengths, about the mean that these weigh; weights; squared norms.

    Weights are 1/s², so that the rows over their lengths are orthogonal to 1/s.
    """
    weights = 1 / squares
    weights /= weights.sum()
    to_mean = products @ weights
    about = products - to_mean[:, None] - to_mean + weights @ to_mean
    lengths = np.sqrt(squares)
    kernel = about / lengths[:, None] / lengths
    return kernel * (len(kernel) / np.trace(kernel)), weights, np.diag(about).copy()


def _ridge(values: Float[np.ndarray, " n"]) -> float:
    """What to add to the eigenvalues so that half as many dimensions as rows count, or nearly all that there are."""
    values = np.maximum(values, 0)
    wanted = min(_MEASURED * len(values), 0.95 * int((values > 1e-9 * values.max()).sum()))
    low, high = 1e-9, 1e6
    for _ in range(60):
        middle = float(np.sqrt(low * high))
        low, high = (middle, high) if (values / (values + middle)).sum() > wanted else (low, middle)
    return high


def _ratio(explained: Float[np.ndarray, "*b n"], weights: Float[np.ndarray, " n"]) -> Float[np.ndarray, "*b n"]:
    """The squared length of a row in units of the others' covariance, from its own part in what it explains."""
    ratio: Float[np.ndarray, "*b n"] = np.maximum(explained, 1e-9) / np.maximum(1 - explained - weights, 1e-3)
    return ratio


def _log_lengths(
    norms: Float[np.ndarray, "*b n"], explained: Float[np.ndarray, "*b n"], share: Float[np.ndarray, " n"]
) -> Float[np.ndarray, "*b n"]:
    """Log of the length a row has by its direction: its norm over its length in units of the others' covariance."""
    ratio = _ratio(explained, 1 - share)
    lengths: Float[np.ndarray, "*b n"] = np.log(np.maximum(norms, _SHORTEST) / np.sqrt(share)) - 0.5 * np.log(ratio)
    return lengths
