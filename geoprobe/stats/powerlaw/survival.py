"""The fitted distributions as curves: P(X >= x) from xmin up."""

import math
import sys

import numpy as np
from jaxtyping import Float
from numpy.typing import ArrayLike

from geoprobe.stats.powerlaw.alternatives import Distribution
from geoprobe.stats.powerlaw.estimation import PowerLawFit
from geoprobe.stats.powerlaw.tilted_kernels import CUTOFF, LOGNORMAL, tilted_sums
from geoprobe.stats.powerlaw.yule_kernels import STEEP, log_gamma_ratio
from geoprobe.stats.powerlaw.zeta_kernels import log_zeta

_LARGEST = math.log(sys.float_info.max)


def survival(fitted: Distribution | PowerLawFit, x: ArrayLike) -> Float[np.ndarray, "n"]:
    """``P(X >= x | X >= xmin)`` of a fit, or of the `distribution` of a row of :func:`compare`, at integers.

    Multiply by the share of types in the tail to draw it over all counts. ValueError if an x lies below xmin, or the
    fit is a degenerate limit without parameters.
    """
    at = np.atleast_1d(np.asarray(x, dtype=np.float64))
    if at.min() < fitted.xmin:
        raise ValueError(
            f"x holds {at.min():g}, below xmin = {fitted.xmin}: the fit says nothing there; drop such points"
        )
    if isinstance(fitted, PowerLawFit):
        start = log_zeta(fitted.alpha, float(fitted.xmin))
        return np.array([math.exp(log_zeta(fitted.alpha, v) - start) for v in at])
    if fitted.limit is not None:
        raise ValueError(f"the {fitted.name} fit is degenerate ({fitted.limit}): draw the power law instead")
    return np.array([math.exp(_log_survival(fitted, float(v))) for v in at])


def _log_survival(fitted: Distribution, x: float) -> float:
    given, q = fitted.parameters, float(fitted.xmin)
    if fitted.name == "exponential":
        return -given["rate"] * (x - q)
    if fitted.name == "stretched_exponential":
        beta = given["beta"]
        at_start = math.exp(math.log(given["rate"]) + beta * math.log(q))  # q**beta alone may overflow
        rise = beta * math.log(x / q)
        return -at_start * math.expm1(rise) if rise < _LARGEST else -math.inf
    if fitted.name == "yule":
        # the sum from x up has the form of the normalising sum from q up
        power = given["alpha"] - 1
        if power > STEEP:
            return float(log_gamma_ratio(q, x - q) - log_gamma_ratio(q + power, x - q))
        return float(log_gamma_ratio(q, power) - log_gamma_ratio(x, power))
    if fitted.name == "lognormal":
        b = 0.5 / given["sigma"] ** 2
        a = 1 - 2 * b * (given["mu"] - math.log(q))
        return _tilted(LOGNORMAL, a, b, q, x)
    return _tilted(CUTOFF, given["alpha"], given["rate"], q, x)


def _tilted(kind: int, a: float, b: float, q: float, x: float) -> float:
    y = math.log(x / q)
    # the same family above x, in its own coordinates
    local = a if kind == CUTOFF else a + 2 * b * y
    shift = -a * y - (b * (x - q) if kind == CUTOFF else b * y * y)
    return float(shift + tilted_sums(kind, local, b, x)[0] - tilted_sums(kind, a, b, q)[0])
