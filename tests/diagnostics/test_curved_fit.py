import numpy as np
import pytest

from geoprobe.diagnostics.hyperbolicity.curved_fit import fit_spaces
from geoprobe.stats.spaces import hierarchy

RNG = np.random.default_rng


def test_a_hyperbolic_space_fits_noise_better_than_a_flat_one_and_says_that_its_null_does_too() -> None:
    flat, hyperbolic, _ = fit_spaces({"random tokens": RNG(0).standard_normal((20, 200))}, 3, 9, RNG(1))
    assert flat.gain is None
    assert hyperbolic.gain is not None
    assert hyperbolic.null_gain is not None
    assert hyperbolic.gain > 0.5
    assert hyperbolic.gain == pytest.approx(hyperbolic.null_gain, abs=0.1)
    assert hyperbolic.curvature < 0


def test_points_of_a_plane_need_no_curvature() -> None:
    found = fit_spaces({"random tokens": RNG(0).standard_normal((12, 2))}, 2, 3, RNG(1))
    assert [fit.space for fit in found] == ["E", "H", "S"]
    assert found[0].stress == pytest.approx(0.0, abs=1e-5)
    assert [fit.gain for fit in found[1:]] == pytest.approx([0.0, 0.0], abs=1e-6)


def test_curvature_does_not_depend_on_the_unit_of_length() -> None:
    points = hierarchy(16, 32, RNG(3))
    one = fit_spaces({"s": points}, 2, 1, RNG(1))[1]
    other = fit_spaces({"s": points * 1000.0}, 2, 1, RNG(1))[1]
    assert other.curvature == pytest.approx(one.curvature, rel=1e-3)
