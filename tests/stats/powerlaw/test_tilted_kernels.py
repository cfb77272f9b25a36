import numpy as np
import pytest
from scipy.optimize import minimize_scalar

from geoprobe.stats.powerlaw.tilted_kernels import CUTOFF, LOGNORMAL, _exponent, _peak


@pytest.mark.parametrize(
    ("kind", "c", "b", "scale"),
    [(CUTOFF, -0.5, 0.001, 40.0), (CUTOFF, 0.9, 2.0, 3.0), (LOGNORMAL, -0.5, 0.3, 1.0), (LOGNORMAL, 0.4, 0.05, 1.0)],
)
def test_the_integrand_is_largest_where_scipys_search_finds_it(kind: int, c: float, b: float, scale: float) -> None:
    found = minimize_scalar(lambda u: -_exponent(kind, c, b, scale, u), bounds=(0.0, 30.0), method="bounded")
    assert _peak(kind, c, b, scale) == pytest.approx(found.x, abs=1e-4)


@pytest.mark.parametrize("kind", [CUTOFF, LOGNORMAL])
def test_an_integrand_that_falls_from_the_start_is_largest_there(kind: int) -> None:
    assert _peak(kind, 1.7, 0.2, 5.0) == 0.0
    values = [_exponent(kind, 1.7, 0.2, 5.0, u) for u in np.linspace(0, 3, 50)]
    assert (np.diff(values) < 0).all()
