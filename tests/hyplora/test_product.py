import itertools
import math

import lorentz
import pytest
import torch

from geoprobe.hyplora.maps import DEFAULT_LIMIT, LARGEST_LIMIT
from geoprobe.hyplora.product import LARGEST_LOG_K, composed_sum, low_rank_product

CHARTS = sorted(DEFAULT_LIMIT)
SEEDS = range(3)


def parts(seed=0, dtype=torch.float64, n=12, d=10, r=3, k=8, size=1.0):
    generator = torch.Generator().manual_seed(seed)
    shapes = ((n, k), (n, d), (r, d), (k, r))
    y, x, a, b = (torch.randn(shape, generator=generator, dtype=torch.float64).to(dtype) for shape in shapes)
    return y, size * x, a / d**0.5, b


def apply(y, x, a, b, k, chart="exponential", limit=None, scaling=2.0):
    log_k = torch.as_tensor(k, dtype=torch.float64).log().reshape(1)
    return low_rank_product(y, x, a, b, log_k, 1.0, chart, limit or LARGEST_LIMIT[chart], scaling)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("k", [0.5, 1.0, 20.0])
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-12), (torch.float32, 2e-5)])
def test_it_is_log_of_llr_of_exp(seed, k, dtype, tolerance):
    y, x, a, b = parts(seed, dtype)
    expected = y + 2.0 * lorentz.log0(lorentz.llr(b @ a, lorentz.exp0(x, k), k), k)
    assert torch.allclose(apply(y, x, a, b, k), expected, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("k", [5.0, 40.0])
def test_the_stereographic_chart_is_the_ball_through_the_hyperboloid(k):
    y, x, a, b = parts()
    x = x * (1.9 * k**0.5 / torch.linalg.vector_norm(x, dim=-1).max())
    expected = y + 2.0 * lorentz.to_ball(lorentz.llr(b @ a, lorentz.from_ball(x, k), k), k)
    assert torch.allclose(apply(y, x, a, b, k, "stereographic"), expected, rtol=1e-11)


@pytest.mark.parametrize("chart", CHARTS)
@pytest.mark.parametrize("size", [1e-9, 0.01, 1.0, 30.0])
def test_gradients(chart, size):
    y, x, a, b = parts(n=4, size=size)
    log_k = torch.tensor([0.5], dtype=torch.float64)
    leaves = [tensor.requires_grad_() for tensor in (y, x / size, a, b, log_k)]

    def product(y, x, a, b, log_k):
        return low_rank_product(size * y, size * x, a, b, log_k, 1.1, chart, DEFAULT_LIMIT[chart], 2.0) / size

    assert torch.autograd.gradcheck(product, leaves)


@pytest.mark.parametrize("r", [1, 8, 64])
@pytest.mark.parametrize("n", [5, 80])
@pytest.mark.parametrize("size", [0.1, 1.0, 30.0])
def test_value_and_gradients_are_the_plain_formulas_to_rounding_at_every_rank(r, n, size):
    """Against autograd of y + s · log(LLR(BA, exp(x))), which computes BAx; more and fewer tokens than the rank."""
    leaves = [tensor.requires_grad_() for tensor in parts(n=n, d=40, r=r, k=72, size=size)]
    leaves.append(torch.tensor(2.0 * size**2, dtype=torch.float64, requires_grad=True))
    y, x, a, b, k = leaves
    plain = y + 2.0 * lorentz.log0(lorentz.llr(b @ a, lorentz.exp0(x, k), k), k)
    lean = apply(y, x, a, b, k, limit=20.0)
    weight = torch.randn(n, 72, dtype=torch.float64)
    found, expected = (torch.autograd.grad((out * weight).sum(), leaves) for out in (lean, plain))
    with torch.no_grad():
        inferred = apply(y, x, a, b, k, limit=20.0)
    *found, of_k = found
    *expected, expected_of_k = expected
    for mine, theirs in zip((lean, inferred, *found), (plain, plain, *expected), strict=True):
        assert float((mine - theirs).detach().norm() / theirs.detach().norm()) < 1e-13
    # a sum of terms of any sign, each less than the update over K
    assert abs(of_k - expected_of_k) < 1e-13 * (weight * (plain - y)).abs().sum() / k


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
@pytest.mark.parametrize("small", [1e-2, 1e-6])
def test_an_update_that_b_nearly_cancels_is_as_exact_as_loras(dtype, small):
    """‖BAx‖² from BᵀB has a rounding error of the size of ‖B‖²‖Ax‖², which f must not show."""
    generator = torch.Generator().manual_seed(0)
    x, line = torch.randn(64, 10, generator=generator), torch.randn(8, 1, generator=generator)
    a = torch.randn(2, 10, generator=generator)
    a[1] = -a[0] * (1 + small)  # and the columns of B are one
    y, x, a, b = (tensor.to(dtype) for tensor in (torch.zeros(64, 8), x, a, 10 * line.expand(8, 2)))
    exact = apply(*(tensor.double() for tensor in (y, x, a, b)), 1.0, limit=2.0)
    lora = 2.0 * ((x @ a.T) @ b.T).double() - 2.0 * (x.double() @ a.double().T) @ b.double().T
    error = apply(y, x, a, b, 1.0, limit=2.0).double() - exact
    assert error.norm() <= 4 * lora.norm() + torch.finfo(dtype).eps * exact.norm()


@pytest.mark.parametrize("chart", CHARTS)
@pytest.mark.parametrize("end", [-LARGEST_LOG_K, LARGEST_LOG_K])
def test_log_k_has_a_gradient_up_to_where_it_is_clamped_and_none_beyond(chart, end):
    y, x, a, b = parts(n=4)

    def product(log_k):
        # in a unit that makes the space as large as the tokens
        return low_rank_product(y, x, a, b, log_k, math.exp(-end), chart, DEFAULT_LIMIT[chart], 2.0)

    for log_k in (0.99 * end, 1.01 * end):
        log_k = torch.tensor([log_k], dtype=torch.float64, requires_grad=True)
        assert torch.autograd.gradcheck(product, log_k)
        (slope,) = torch.autograd.grad(product(log_k).square().sum(), log_k)
        assert bool(slope) == (abs(log_k.item()) < LARGEST_LOG_K)


def test_gradients_are_those_of_the_composed_maps_by_autograd():
    k = torch.tensor(2.0, dtype=torch.float64, requires_grad=True)
    _, x, a, b = (tensor.requires_grad_() for tensor in parts())
    weight = torch.randn(12, 8, dtype=torch.float64)
    composed = 2.0 * lorentz.log0(lorentz.llr(b @ a, lorentz.exp0(x, k), k), k)
    fused = apply(torch.zeros_like(composed), x, a, b, k, limit=20.0)
    for mine, theirs in zip(
        *(torch.autograd.grad((out * weight).sum(), (x, a, b, k)) for out in (fused, composed)), strict=True
    ):
        assert torch.allclose(mine, theirs, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("chart", CHARTS)
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_at_b_zero_the_output_is_zero_and_the_gradient_loras_times_the_first_radial_factor(chart, dtype):
    _, x, a, b = parts(dtype=dtype)
    b = torch.zeros_like(b).requires_grad_()
    weight = torch.randn(12, 8, dtype=dtype)
    update = apply(torch.zeros(12, 8, dtype=dtype), x, a, b, 16.0, chart, DEFAULT_LIMIT[chart])
    assert not update.any()
    (found,) = torch.autograd.grad((update * weight).sum(), b)
    rho = torch.linalg.vector_norm(x, dim=-1, keepdim=True) / 4
    first = torch.sinh(rho) / rho if chart == "exponential" else 1 / (1 - rho**2 / 4)
    assert (rho < DEFAULT_LIMIT[chart]).all()
    (lora,) = torch.autograd.grad((2.0 * (first * x) @ a.T @ b.T * weight).sum(), b)
    tolerance = 1e-5 if dtype == torch.float32 else 1e-12
    assert torch.allclose(found, lora, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("chart", CHARTS)
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("seed", SEEDS)
def test_it_tends_to_lora_as_k_grows(chart, dtype, seed):
    y, x, a, b = parts(seed, dtype)
    lora = y + 2.0 * x @ a.T @ b.T
    found = apply(y, x, a, b, 1e9, chart)
    assert torch.allclose(found, lora, rtol=1e-6, atol=1e-6)
    # and at a K of its own size it does not
    assert not torch.allclose(apply(y, x, a, b, 16.0, chart), lora, rtol=1e-2, atol=1e-2)


@pytest.mark.parametrize("chart", CHARTS)
@pytest.mark.parametrize("seed", SEEDS)
def test_rotations_of_both_spaces_pass_through(chart, seed):
    _, x, a, b = parts(seed)
    q, p = (torch.linalg.qr(torch.randn(n, n, dtype=torch.float64))[0] for n in (10, 8))
    zero = torch.zeros(12, 8, dtype=torch.float64)
    plain = apply(zero, x, a, b, 3.0, chart)
    assert torch.allclose(apply(zero, x @ q.T, a @ q.T, b, 3.0, chart), plain)
    assert torch.allclose(apply(zero, x, a, p @ b, 3.0, chart), plain @ p.T)


@pytest.mark.parametrize("chart", CHARTS)
def test_output_norm_grows_with_the_scale_of_the_input(chart):
    _, x, a, b = parts()
    zero = torch.zeros(12, 8, dtype=torch.float64)
    sizes = [0.01, 0.1, 1.0, 3.0, 10.0, 100.0]
    norms = [torch.linalg.vector_norm(apply(zero, s * x, a, b, 1.0, chart), dim=-1) for s in sizes]
    assert all((small < large).all() for small, large in itertools.pairwise(norms))


@pytest.mark.parametrize("chart", CHARTS)
@pytest.mark.parametrize("limit", [DEFAULT_LIMIT, LARGEST_LIMIT], ids=["default", "largest"])
@pytest.mark.parametrize("size", [0.0, 1e-20, 1.0], ids=["b=0", "b tiny", "b=1"])
def test_float32_values_and_gradients_are_finite_up_to_a_norm_of_ten_thousand(chart, limit, size):
    _, x, a, b = parts(dtype=torch.float32, n=61)
    x = torch.nn.functional.normalize(x, dim=-1)
    x = (x * torch.cat([torch.zeros(1), torch.logspace(-20, 4, 60)]).unsqueeze(-1)).requires_grad_()
    a, b = a.requires_grad_(), (size * b).requires_grad_()
    for k in (0.1, 1.0, 576.0):
        log_k = torch.tensor([k]).log().requires_grad_()
        found = low_rank_product(torch.zeros(61, 8), x, a, b, log_k, 1.0, chart, limit[chart], 2.0)
        assert torch.isfinite(found).all()
        for gradient in torch.autograd.grad(found.sum(), (x, a, b, log_k)):
            assert torch.isfinite(gradient).all()


#: Roundings to half precision beyond LoRA's: f · h; of the gradients the sum of two terms, one of them rounded before.
MORE_ROUNDINGS = {"sum": 1, "y": 0, "x": 3, "a": 1, "b": 3}


@pytest.mark.parametrize("chart", CHARTS)
@pytest.mark.parametrize("half", [torch.bfloat16, torch.float16], ids=str)
def test_halves_lose_what_lora_loses_and_a_few_roundings_more_of_values_and_gradients(chart, half):
    """Against float64. A rounding is of at most eps/2 of each number, and those of many numbers add as squares."""

    def lora(y, x, a, b):
        return y + 2.0 * ((x @ a.T) @ b.T)

    def hyplora(y, x, a, b):
        return apply(y, x, a, b, 4.0, chart, DEFAULT_LIMIT[chart])

    def relative_errors(product, leaves, weight):
        found, exact = (of(product, leaves, weight, kind) for kind in (half, torch.float64))
        assert {part.dtype for part in found} == {half}
        return [float((mine - theirs).norm() / theirs.norm()) for mine, theirs in zip(found, exact, strict=True)]

    for seed in range(20):
        leaves, weight = parts(seed, half, n=48, d=40, r=8, k=36, size=2.0), torch.randn(48, 36).to(half)
        errors = zip(*(relative_errors(product, leaves, weight) for product in (hyplora, lora)), strict=True)
        for (mine, loras), (name, roundings) in zip(errors, MORE_ROUNDINGS.items(), strict=True):
            assert mine <= math.hypot(loras, roundings**0.5 * torch.finfo(half).eps / 2), (name, seed)


@pytest.mark.parametrize("chart", CHARTS)
@pytest.mark.parametrize("half", [torch.bfloat16, torch.float16], ids=str)
def test_the_gradient_of_log_k_in_halves_is_float64s_to_a_rounding_of_its_terms(chart, half):
    """The terms nearly cancel, each of them a number of the output times its slope."""
    for seed in range(20):
        leaves, weight = parts(seed, half, n=48, d=40, r=8, k=36, size=2.0), torch.randn(48, 36).to(half)
        log_k = torch.tensor([math.log(4.0)], requires_grad=True)
        found = low_rank_product(*leaves, log_k, 1.0, chart, DEFAULT_LIMIT[chart], 2.0)
        (slope,) = torch.autograd.grad((found * weight).sum(), log_k)
        precise = [leaf.double() for leaf in leaves]
        before, after = (
            apply(*precise, k, chart, DEFAULT_LIMIT[chart]) for k in (4 * math.exp(-1e-4), 4 * math.exp(1e-4))
        )
        terms = weight.double() * (after - before) / 2e-4
        assert abs(slope.double() - terms.sum()) <= torch.finfo(half).eps * terms.abs().sum()


def of(product, leaves, weight, kind):
    """Value and gradients in one type."""
    leaves = [leaf.to(kind, copy=True).requires_grad_() for leaf in leaves]
    found = product(*leaves)
    return found.detach(), *torch.autograd.grad((found * weight.to(kind)).sum(), leaves)


def test_a_float32_base_under_a_half_adapter_keeps_its_digits():
    y, x, a, b = parts(dtype=torch.float32)
    found = apply(y, x.bfloat16(), a.bfloat16(), torch.zeros_like(b).bfloat16(), 1.0)
    assert torch.equal(found, y)


def test_what_is_kept_for_the_gradient_is_a_few_numbers_a_token_beyond_loras():
    n, d, r = 512, 256, 16
    y, x, a, b = parts(dtype=torch.float32, n=n, d=d, r=r, k=d)
    leaves = {tensor.untyped_storage().data_ptr() for tensor in (x, a, b)}
    kept = []

    def pack(tensor):
        if tensor.untyped_storage().data_ptr() not in leaves:
            kept.append(tensor.numel() * tensor.element_size())
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        apply(y, x, a.requires_grad_(), b, 1.0)
    assert sum(kept) <= n * r * 4 + 4 * n * 8 + r * r * 4 + 8  # BᵀB, and K


def test_leading_dimensions_and_no_tokens_at_all():
    y, x, a, b = parts(n=0)
    assert apply(y, x, a, b, 1.0).shape == (0, 8)


def settled(leaves, chart, limit=None):
    return low_rank_product(*leaves, 1.1, chart, limit or DEFAULT_LIMIT[chart], 2.0)


def leaves_of(n=4, size=1.0):
    y, x, a, b = parts(n=n, size=size)
    return [leaf.requires_grad_() for leaf in (y, x, a, b, torch.tensor([0.5], dtype=torch.float64))]


@pytest.mark.parametrize("chart", CHARTS)
@pytest.mark.parametrize("limit", [0.05, None, "largest"])
@pytest.mark.parametrize("size", [0.0, 1e-9, 0.01, 1.0, 30.0])
def test_the_composed_sum_has_the_products_value_and_gradients(chart, limit, size):
    limit = LARGEST_LIMIT[chart] if limit == "largest" else limit or DEFAULT_LIMIT[chart]
    y, x, a, b, log_k = leaves = leaves_of(size=size)
    composed = composed_sum(y, x, x @ a.T @ b.T, log_k, 1.1, chart, limit, 2.0)
    plain = settled(leaves, chart, limit)
    assert torch.allclose(composed, plain, rtol=1e-12, atol=0)
    weight = torch.randn(4, 8, dtype=torch.float64)
    found, expected = (torch.autograd.grad((out * weight).sum(), leaves) for out in (composed, plain))
    for mine, theirs in zip(found, expected, strict=True):
        assert torch.allclose(mine, theirs, rtol=1e-9, atol=1e-12 * size)


@pytest.mark.parametrize("chart", CHARTS)
@pytest.mark.parametrize("b_size", [0.0, 1.0])
def test_second_gradients_by_finite_differences(chart, b_size):
    leaves = leaves_of(n=3)
    leaves[3] = (b_size * leaves[3].detach()).requires_grad_()
    assert torch.autograd.gradgradcheck(lambda *given: settled(given, chart), leaves)


@pytest.mark.filterwarnings("ignore:.torch.jit.script. is deprecated:DeprecationWarning")  # torch's own use of it
@pytest.mark.parametrize("chart", CHARTS)
def test_transforms_of_torch_func_and_forward_gradients_agree_with_autograd(chart):
    y, x, a, b, log_k = (leaf.detach() for leaf in leaves_of())

    def loss(b, log_k, y=y, x=x):
        return settled((y, x, a, b, log_k), chart).square().sum()

    b_leaf, k_leaf = b.clone().requires_grad_(), log_k.clone().requires_grad_()
    expected = torch.autograd.grad(loss(b_leaf, k_leaf), (b_leaf, k_leaf))
    for found in (torch.func.grad(loss, (0, 1))(b, log_k), torch.func.jacfwd(loss, (0, 1))(b, log_k)):
        assert all(torch.allclose(mine, theirs, rtol=1e-10) for mine, theirs in zip(found, expected, strict=True))
    per_token = torch.func.vmap(torch.func.grad(loss), (None, None, 0, 0))(b, log_k, y.unsqueeze(1), x.unsqueeze(1))
    assert torch.allclose(per_token.sum(0), expected[0], rtol=1e-10)
