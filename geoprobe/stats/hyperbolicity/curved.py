"""Hyperbolic distances: polar coordinates, the hyperboloid and the Poincaré ball, curvature -1/K throughout."""

import numpy as np
from jaxtyping import Float

from geoprobe.stats.hyperbolicity.metrics import euclidean_distances


def polar_distances(
    radii: Float[np.ndarray, "n"], directions: Float[np.ndarray, "n k"], scale: float = 1.0
) -> Float[np.ndarray, "n n"]:
    """(n, n) distances in H^k of points by (n,) radii from an origin and (n, k) unit directions; curvature -1/scale².

    Half-angle forms keep every digit, up to radii of 350 ``scale``, beyond which and below 0 they are a ValueError.
    """
    if not scale > 0:
        raise ValueError(f"scale is {scale}; it must be positive.")
    reach = radii / scale
    if not np.all((reach >= 0) & (reach <= 350)):
        worst = float(radii[int(np.argmin((reach >= 0) & (reach <= 350)))])
        raise ValueError(f"a radius is {worst:.6g}; it must lie between 0 and 350 times the scale {scale:.6g}.")
    half_chords = 0.5 * euclidean_distances(directions)
    sines = np.sinh(reach)
    cross = (np.sqrt(sines)[:, None] * np.sqrt(sines)[None, :]) * half_chords
    distances = 2.0 * scale * np.arcsinh(np.hypot(np.sinh(0.5 * (reach[:, None] - reach[None, :])), cross))
    np.fill_diagonal(distances, 0.0)
    return distances
