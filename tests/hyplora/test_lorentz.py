import math

import geoopt
import lorentz
import mpmath
import pytest
import torch
from geoopt.manifolds.lorentz import math as peer

SEEDS = range(3)
CURVATURES = [0.25, 1.0, 7.0]
TOLERANCE = {torch.float64: 1e-11, torch.float32: 3e-5}


@pytest.fixture(params=[torch.float64, torch.float32], ids=["float64", "float32"])
def dtype(request):
    return request.param


def vectors(seed, dtype, *, n=40, d=6, largest=5.0):
    generator = torch.Generator().manual_seed(seed)
    directions = torch.nn.functional.normalize(torch.randn(n, d, generator=generator, dtype=torch.float64), dim=-1)
    lengths = torch.linspace(0, largest, n, dtype=torch.float64).unsqueeze(-1)
    return (directions * lengths).to(dtype)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("k", CURVATURES)
def test_log_undoes_exp(seed, k, dtype):
    x = vectors(seed, dtype)
    back = lorentz.log0(lorentz.exp0(x, k), k)
    assert torch.allclose(back, x, rtol=TOLERANCE[dtype], atol=TOLERANCE[dtype])


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("k", CURVATURES)
def test_points_stay_on_the_hyperboloid(seed, k, dtype):
    matrix = torch.randn(4, 6, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).to(dtype)
    for point in (lorentz.exp0(vectors(seed, dtype), k), lorentz.llr(matrix, lorentz.exp0(vectors(seed, dtype), k), k)):
        # relative to the square of the time part, which is what cancels
        off = (lorentz.inner(point, point) + k) / point[..., 0].square()
        assert off.abs().max() < 10 * torch.finfo(dtype).eps
        assert (point[..., 0] > 0).all()


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("k", CURVATURES)
def test_maps_and_distances_agree_with_geoopts(seed, k):
    x, y = vectors(seed, torch.float64), vectors(seed + 10, torch.float64).flip(0)
    manifold = geoopt.Lorentz(k=torch.tensor(k, dtype=torch.float64))
    p, q = lorentz.exp0(x, k), lorentz.exp0(y, k)
    tangent = torch.cat([torch.zeros(len(x), 1, dtype=torch.float64), x], dim=-1)
    assert torch.allclose(p[1:], manifold.expmap0(tangent)[1:], rtol=1e-10)
    assert torch.allclose(lorentz.log0(p, k)[1:], manifold.logmap0(p)[1:, 1:], rtol=1e-6)
    assert torch.allclose(lorentz.inner(p, q), peer.inner(p, q), rtol=1e-10)
    assert torch.allclose(lorentz.distance(p, q, k), manifold.dist(p, q), rtol=1e-6)


def by_mpmath(x, y, k):
    """Distance of exp₀(x) and exp₀(y) by definition, at 60 digits."""
    mpmath.mp.dps = 60
    points = []
    for vector in (x, y):
        entries = [mpmath.mpf(float(entry)) for entry in vector]
        root, norm = mpmath.sqrt(k), mpmath.sqrt(sum(entry**2 for entry in entries))
        scale = root * mpmath.sinh(norm / root) / norm if norm else 1
        points.append((root * mpmath.cosh(norm / root), [scale * entry for entry in entries]))
    (t, a), (u, b) = points
    product = sum(left * right for left, right in zip(a, b, strict=True)) - t * u
    return float(mpmath.sqrt(k) * mpmath.acosh(-product / k))


@pytest.mark.parametrize("k", CURVATURES)
def test_distances_by_mpmath_near_far_and_equal(k):
    x = torch.tensor([[1.0, 2.0], [1.0, 2.0], [6.0, 1.0], [0.0, 0.0], [3.0, -1.0]], dtype=torch.float64)
    y = torch.tensor([[1.0, 2.0 + 1e-7], [-3.0, 0.5], [6.1, -1.0], [1e-9, 0.0], [3.0, -1.0]], dtype=torch.float64)
    found = lorentz.distance(lorentz.exp0(x, k), lorentz.exp0(y, k), k)
    for row in range(len(x)):
        assert float(found[row]) == pytest.approx(by_mpmath(x[row], y[row], k), rel=1e-6, abs=1e-14)


def test_distance_from_the_origin_is_the_length_of_the_tangent_vector(dtype):
    x = vectors(0, dtype)
    origin = lorentz.exp0(torch.zeros_like(x), 2.0)
    found = lorentz.distance(origin, lorentz.exp0(x, 2.0), 2.0)
    assert torch.allclose(found, torch.linalg.vector_norm(x, dim=-1), rtol=TOLERANCE[dtype], atol=1e-6)


@pytest.mark.parametrize("k", CURVATURES)
def test_the_ball_is_the_same_space_as_geoopts(k, dtype):
    reach = 2.5 * k**0.5  # geoopt holds points off the boundary, which clamps those further out
    p, q = (lorentz.exp0(vectors(seed, dtype, largest=reach), k) for seed in (0, 7))
    y, z = lorentz.to_ball(p, k), lorentz.to_ball(q, k)
    assert (y.square().sum(-1) < 4 * k).all()
    assert torch.allclose(lorentz.from_ball(y, k), p, rtol=1e-4 if dtype == torch.float32 else 1e-11, atol=1e-5)
    if dtype == torch.float64:
        ball = geoopt.PoincareBall(c=torch.tensor(1 / k, dtype=torch.float64))
        found = ball.dist(y / 2, z / 2)
        assert torch.allclose(found, lorentz.distance(p, q, k), rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("k", [0.01, 1.0, 576.0])
def test_float32_values_and_gradients_are_finite_up_to_a_norm_of_ten_thousand(k):
    matrix = torch.randn(8, 6) / 3
    direction = torch.nn.functional.normalize(torch.randn(1, 6), dim=-1)
    x = (torch.cat([torch.zeros(1), torch.logspace(-20, 4, 60)]).unsqueeze(-1) * direction).requires_grad_()
    curvature = torch.tensor(k, requires_grad=True)
    point = lorentz.exp0(x, curvature)
    low = lorentz.llr(matrix, point, curvature)
    everything = [point, low, lorentz.log0(low, curvature), lorentz.to_ball(low, curvature)]
    everything.append(lorentz.distance(point, point.detach().flip(0), curvature))
    for values in everything:
        assert torch.isfinite(values).all()
        for gradient in torch.autograd.grad(values.sum(), (x, curvature), retain_graph=True):
            assert torch.isfinite(gradient).all()


def test_gradients_of_the_maps():
    x = vectors(0, torch.float64, n=5, largest=2.0).requires_grad_()
    k = torch.tensor(1.7, dtype=torch.float64, requires_grad=True)
    matrix = torch.randn(4, 6, dtype=torch.float64, requires_grad=True)
    other = lorentz.exp0(vectors(5, torch.float64, n=5), 1.7)[1:]

    def composed(x, k, matrix):
        return lorentz.log0(lorentz.llr(matrix, lorentz.exp0(x, k), k), k)

    assert torch.autograd.gradcheck(composed, (x, k, matrix))
    assert torch.autograd.gradcheck(
        lambda x: lorentz.distance(lorentz.exp0(x, 1.7), other, 1.7), (x.detach()[1:].requires_grad_(),)
    )


@pytest.mark.parametrize("limit", [3.0, 0.1])
def test_exp_goes_on_along_its_tangent_beyond_the_limit(limit):
    x = torch.tensor([limit - 1e-7, limit + 1e-7, limit + 0.2, limit + 2], dtype=torch.float64).unsqueeze(-1)
    space = lorentz.exp0(x, 1.0, limit=limit)[..., 1]
    assert float(space[1] - space[0]) == pytest.approx(2e-7 * math.cosh(limit), rel=1e-5)
    for row, beyond in ((2, 0.2), (3, 2.0)):
        assert float(space[row]) == pytest.approx(math.sinh(limit) + beyond * math.cosh(limit), rel=1e-12)


@pytest.mark.parametrize("shape", [(), (40,), (5, 8), (2, 4, 5)], ids=str)
def test_any_batch_shape_gives_what_its_rows_give(shape):
    k = 2.0
    rows, others = (lorentz.exp0(vectors(seed, torch.float64), k) for seed in (0, 1))
    one = rows[7:8], others[7:8]
    p, q = (each[0] for each in one) if shape == () else (side.reshape(*shape, -1) for side in (rows, others))
    flat = one if shape == () else (rows, others)
    for batched, by_row in (
        (lorentz.distance(p, q, k), lorentz.distance(*flat, k)),
        (lorentz.inner(p, q), lorentz.inner(*flat)),
        (lorentz.log0(p, k), lorentz.log0(flat[0], k)),
        (lorentz.exp0(lorentz.log0(p, k), k), flat[0]),
        (lorentz.to_ball(p, k), lorentz.to_ball(flat[0], k)),
        (lorentz.from_ball(lorentz.to_ball(p, k), k), flat[0]),
    ):
        assert batched.shape[: len(shape)] == shape
        torch.testing.assert_close(batched.reshape(by_row.shape), by_row)
