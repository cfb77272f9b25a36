from functools import partial

import mpmath
import pytest
import torch

from geoprobe.hyplora.maps import LARGEST_LIMIT, factors

LIMITS = {"exponential": 4.0, "stereographic": 1.5}  # others than the defaults
RHO = [1e-12, 1e-6, 1e-3, 0.0199, 0.0201, 0.3, 1.0, 1.4999, 2.5, 3.999, 4.001, 7.0, 60.0]
OUTPUT = [1e-9, 1e-3, 0.0199, 0.0201, 0.5, 3.0, 100.0]


def exact(chart, limit, n, m, radius):
    """The factor by mpmath, from the definition of the two maps."""
    if chart == "exponential":

        def lift(r):
            return mpmath.sinh(r)

        def flatten(z):
            return mpmath.asinh(z)
    else:

        def lift(r):
            return r / (1 - r**2 / 4)

        def flatten(z):
            return 2 * z / (1 + mpmath.sqrt(1 + z**2))

    rho = n / radius
    straight = lift(limit) + mpmath.diff(lift, limit) * (rho - limit)
    sigma = (lift(rho) if rho <= limit else straight) / rho
    return radius * flatten(sigma * m / radius) / m


@pytest.mark.parametrize("chart", LIMITS)
@pytest.mark.parametrize("limit", [None, 0.01])
@pytest.mark.parametrize("radius", [0.3, 1.0, 24.0])
def test_factor_and_its_derivatives_by_mpmath(chart, limit, radius):
    mpmath.mp.dps = 50
    limit = limit or LIMITS[chart]
    cases = [(rho * radius, z * radius) for rho in RHO for z in OUTPUT]
    n, m = (torch.tensor(column, dtype=torch.float64) for column in zip(*cases, strict=True))
    found = factors(n, m, torch.tensor([radius], dtype=torch.float64), chart, limit)
    for row, (a, b) in enumerate(cases):
        a, b, r = mpmath.mpf(a), mpmath.mpf(b), mpmath.mpf(radius)
        value = exact(chart, mpmath.mpf(limit), a, b, r)
        of_input = partial(exact, chart, mpmath.mpf(limit), m=b, radius=r)
        of_output = partial(exact, chart, mpmath.mpf(limit), a, radius=r)
        by_input = mpmath.diff(lambda t, f=of_input: f(n=t), a, h=a * mpmath.mpf(10) ** -20) / a
        by_output = mpmath.diff(lambda t, f=of_output: f(m=t), b, h=b * mpmath.mpf(10) ** -20) / b
        assert float(found.value[row]) == pytest.approx(float(value), rel=1e-13)
        assert float(found.by_input[row]) == pytest.approx(float(by_input), rel=1e-8)
        assert float(found.by_output[row]) == pytest.approx(float(by_output), rel=1e-8)


@pytest.mark.parametrize("chart", LIMITS)
def test_small_space_is_a_series_with_the_log_maps_term(chart):
    # BAx(1 + c(‖x‖² − ‖BAx‖²)/K) to second order: c is 1/6 for the exponential chart, 1/4 for the ball
    radius = 100.0
    found = factors(torch.tensor([2.0]).double(), torch.tensor([3.0]).double(), torch.tensor([radius]), chart, 1.0)
    expected = 1 + (1 / 6 if chart == "exponential" else 1 / 4) * (4 - 9) / radius**2
    assert float(found.value) == pytest.approx(expected, abs=1e-6)
    assert float(found.value) < 1


@pytest.mark.parametrize("chart", LIMITS)
@pytest.mark.parametrize("limit", ["default", "largest"])
def test_factors_are_finite_for_every_norm_of_float32(chart, limit):
    limit = LIMITS[chart] if limit == "default" else LARGEST_LIMIT[chart]
    norms = torch.cat([torch.zeros(1), torch.logspace(-30, 6, 40)]).double()
    n, m = (grid.reshape(-1) for grid in torch.meshgrid(norms, norms, indexing="ij"))
    for radius in (0.1, 1.0, 24.0):
        for values in factors(n, m, torch.tensor([radius]).double(), chart, limit):
            assert torch.isfinite(values.float()).all()


@pytest.mark.parametrize("chart", LIMITS)
def test_output_norm_grows_with_the_input_and_with_the_product(chart):
    scale = torch.logspace(-3, 3, 200, dtype=torch.float64)
    found = factors(scale, 0.7 * scale, torch.ones(1, dtype=torch.float64), chart, LIMITS[chart])
    assert (torch.diff(found.value * 0.7 * scale) > 0).all()
