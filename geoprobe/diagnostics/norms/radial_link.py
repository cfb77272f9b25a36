"""The paper's link between radii and counts: p(r) ∝ exp(ζ r) and γ = 2/ζ + 1, tested rather than assumed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, Int64

from geoprobe.results import Row, number
from geoprobe.stats import powerlaw
from geoprobe.stats.radial import fit_radial, radial_bootstrap, radial_goodness

_MIN_DISTINCT = 10
#: A count exponent is fitted to every type many times: the interval needs no more.
_RESAMPLES = 100


@dataclass(frozen=True)
class RadialLink:
    """The distribution of radii, the exponent that it implies for counts, and the one that counts have.

    ζ is the rate of the distribution, in units of one over the norm, between the smallest and largest radius of the
    fit; `ks` is its distance from the radii, and p how often true samples of it lie as far. γ is the count exponent of
    the same tokens. Intervals are bootstraps over tokens. `implied` is 2/ζ + 1, None where ζ is not positive, or its
    interval is not; the relation `holds` where that differs from γ by less than 1.96 joint standard errors. `scale` is
    the radii that one unit of norm would have to be for it to hold.
    """

    zeta: float
    zeta_low: float
    zeta_high: float
    smallest: float
    largest: float
    ks: float
    pvalue: float
    gamma: float
    gamma_low: float
    gamma_high: float
    implied: float | None
    implied_low: float | None
    implied_high: float | None
    holds: bool
    scale: float | None


def link_radii(
    counts: Int64[np.ndarray, " n"], radii: Float64[np.ndarray, " n"], rng: np.random.Generator
) -> RadialLink | None:
    """Fit both distributions to counts (n,) and norms (n,) of the seen tokens; None where there is too little data."""
    fitted = fit_radial(radii)
    if fitted is None or np.unique(counts).size < _MIN_DISTINCT:
        return None
    zetas = radial_bootstrap(radii, 2 * _RESAMPLES, rng)
    zetas = zetas[np.isfinite(zetas)]
    error = float(zetas.std(ddof=1))
    gamma = powerlaw.fit(counts).alpha
    by_types = powerlaw.bootstrap(counts, replicates=_RESAMPLES, rng=rng).alpha
    implied = low = high = scale = None
    holds = False
    if fitted.zeta > 0:
        scale = fitted.zeta * (gamma - 1) / 2
        if fitted.zeta - 1.96 * error > 0:
            implied = 2 / fitted.zeta + 1
            spread = 2 / fitted.zeta**2 * error  # of 2/ζ, to first order
            low, high = implied - 1.96 * spread, implied + 1.96 * spread
            holds = bool(abs(implied - gamma) <= 1.96 * np.hypot(spread, by_types.se))
    return RadialLink(
        zeta=fitted.zeta,
        zeta_low=fitted.zeta - 1.96 * error,
        zeta_high=fitted.zeta + 1.96 * error,
        smallest=fitted.low,
        largest=fitted.high,
        ks=fitted.ks,
        pvalue=radial_goodness(fitted, _RESAMPLES - 1, rng),
        gamma=gamma,
        gamma_low=by_types.low,
        gamma_high=by_types.high,
        implied=implied,
        implied_low=low,
        implied_high=high,
        holds=holds,
        scale=scale,
    )


def link_rows(link: RadialLink) -> tuple[Row, ...]:
    """The link as quantities of a report."""
    span = f"over norms {number(link.smallest)} to {number(link.largest)}"
    why = ""
    if link.zeta <= 0:
        answer, why = "no", "ζ is not positive: larger radii are not the more frequent"
    elif link.implied is None:
        answer, why = "undecided", "the interval of ζ holds 0"
    else:
        answer = "yes" if link.holds else "no"
        why = "within the errors" if link.holds else ""
    if link.implied is not None and link.pvalue <= 0.05:
        why += f"{'; ' if why else ''}radii do not follow an exponential, so ζ describes little"
    return (
        Row("rate ζ of the radial law", link.zeta, link.zeta_low, link.zeta_high, f"per unit of norm, {span}", "zeta"),
        Row(
            "distance of the radii from that law",
            link.ks,
            note=f"p = {number(link.pvalue)} for a true one",
            key="radial_ks",
        ),
        Row(
            "γ implied, 2/ζ + 1",
            link.implied,
            link.implied_low,
            link.implied_high,
            "norms as they are",
            "gamma_implied",
        ),
        Row("γ of the counts", link.gamma, link.gamma_low, link.gamma_high, "bootstrap over types", "gamma_counts"),
        Row("γ = 2/ζ + 1", answer, note=why, key="gamma_link"),
        Row(
            "scale at which it would hold",
            link.scale,
            note="radii of curvature to one unit of norm; the paper gives no such unit",
            key="gamma_link_scale",
        ),
    )
