"""The exponent as a curve over x_min, with what each tail covers."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from numpy.typing import ArrayLike

from geoprobe.stats.powerlaw.estimation import PowerLawFit, fit_histogram
from geoprobe.stats.powerlaw.histogram import Histogram, histogram


@dataclass(frozen=True, eq=False)
class XminCurve:
    """Fits at rising lower bounds, one entry a bound, (m,) each; standard errors take the bound as known."""

    xmin: Int[np.ndarray, "m"]
    alpha: Float[np.ndarray, "m"]
    alpha_se_asymptotic: Float[np.ndarray, "m"]
    ks: Float[np.ndarray, "m"]
    n_tail: Int[np.ndarray, "m"]
    type_share: Float[np.ndarray, "m"]
    token_share: Float[np.ndarray, "m"]


def alpha_over_xmin(values: ArrayLike, *, xmins: ArrayLike | None = None) -> XminCurve:
    """Fit the exponent above each of several lower bounds, by default 1, 2, 5, 10, ... and that of `fit`.

    A power law holds where the curve is flat; an exponent that moves with the bound belongs to the bound. The default
    bounds go as far as ten distinct counts remain above.
    """
    counts = histogram(values)
    bounds = _default_bounds(counts) if xmins is None else np.unique(np.asarray(xmins))
    fits = [fit_histogram(counts, xmin=bound.item()) for bound in bounds]
    return XminCurve(
        xmin=np.array([f.xmin for f in fits]),
        alpha=_column(fits, "alpha"),
        alpha_se_asymptotic=_column(fits, "alpha_se_asymptotic"),
        ks=_column(fits, "ks"),
        n_tail=np.array([f.n_tail for f in fits]),
        type_share=_column(fits, "type_share"),
        token_share=_column(fits, "token_share"),
    )


def _default_bounds(counts: Histogram) -> Int[np.ndarray, "m"]:
    highest = int(counts.values[max(0, counts.values.size - 10)])
    decades = 10 ** np.arange(16, dtype=np.int64)
    grid = (decades[:, None] * np.array([1, 2, 5])).ravel()
    chosen = fit_histogram(counts).xmin
    return np.unique(np.r_[1, grid[grid <= highest], chosen])


def _column(fits: list[PowerLawFit], name: str) -> Float[np.ndarray, "m"]:
    return np.array([getattr(f, name) for f in fits], dtype=np.float64)
