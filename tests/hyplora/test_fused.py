import functools
import importlib.util
import itertools
import sys
import types

import pytest
import torch
from torch.autograd import forward_ad
from torch.utils.flop_counter import FlopCounterMode

from geoprobe.hyplora import fused
from geoprobe.hyplora.fused import Kernels
from geoprobe.hyplora.maps import DEFAULT_LIMIT
from geoprobe.hyplora.product import low_rank_product


@pytest.fixture
def kernels_on_the_cpu(monkeypatch):
    """Kernels where operations would run as they are; what is launched is the operations, or raises."""

    def by(error=None):
        def launched(tensors, numbers, *choices, of):
            if error is not None:
                raise error
            return of(tuple(tensors), tuple(numbers.tolist()), *choices)

        from geoprobe.hyplora import product

        twins = {
            name: functools.partial(launched, of=getattr(product, f"_{name}").__wrapped__)
            for name in ("scaled", "gradients")
        }
        monkeypatch.setitem(sys.modules, "geoprobe.hyplora.row_kernels", types.SimpleNamespace(**twins))
        monkeypatch.setattr(fused, "kernels", Kernels(devices=frozenset({"cpu"})))
        return fused.kernels

    return by


def parts(dtype=torch.float32, n=12, d=10, k=8):
    y, x, a, b = (torch.randn(shape).to(dtype) for shape in ((n, k), (n, d), (3, d), (k, 3)))
    return y, x, a, b, torch.tensor([0.7])


def product(leaves, chart="exponential", scaling=2.0):
    return low_rank_product(*leaves, 1.1, chart, DEFAULT_LIMIT[chart], scaling)


def value_and_gradients(leaves, chart):
    leaves = [leaf.clone().requires_grad_() for leaf in leaves]
    found = product(leaves, chart)
    return [found, *torch.autograd.grad(found.square().sum(), leaves)]


def test_without_a_gradient_no_derivative_is_computed(monkeypatch):
    monkeypatch.setattr("geoprobe.hyplora.product.factors", None)
    leaves = [leaf.requires_grad_() for leaf in parts()]
    with pytest.raises(TypeError):
        product(leaves)
    with torch.no_grad():
        product(leaves)
    product([leaf.detach() for leaf in leaves])


@pytest.mark.parametrize("chart", sorted(DEFAULT_LIMIT))
def test_a_kernel_is_launched_once_each_way_and_once_without_a_gradient(kernels_on_the_cpu, chart):
    leaves = parts()
    expected = value_and_gradients(leaves, chart)
    kernels = kernels_on_the_cpu()
    for mine, plain in zip(value_and_gradients(leaves, chart), expected, strict=True):
        assert torch.equal(mine, plain)
    assert kernels.launched == 2
    with torch.no_grad():
        product(leaves, chart)
    assert (kernels.launched, kernels.failed) == (3, False)


def test_a_rank_above_a_kernels_registers_and_no_tokens_at_all_are_not_for_kernels(kernels_on_the_cpu):
    kernels = kernels_on_the_cpu()
    x = torch.randn(3, 129)
    assert not kernels.takes((x, x))
    assert not kernels.takes((x[:0, :5], x))
    assert kernels.takes((x[:, :128], x))


def test_where_no_kernel_can_be_launched_it_says_why_once_and_goes_on(kernels_on_the_cpu):
    leaves = parts()
    expected = value_and_gradients(leaves, "exponential")
    kernels = kernels_on_the_cpu(RuntimeError("Failed to find C compiler."))
    with pytest.warns(RuntimeWarning, match=r"Failed to find C compiler\..* goes on without") as told:
        found = [value_and_gradients(leaves, "exponential") for _ in range(2)]
    assert len(told) == 1
    assert kernels.failed
    for mine, plain in zip(itertools.chain(*found), expected * 2, strict=True):
        assert torch.equal(mine, plain)


def test_arguments_at_fault_are_no_fault_of_the_kernels(kernels_on_the_cpu):
    kernels = kernels_on_the_cpu()
    y, *others = parts()
    with pytest.raises(RuntimeError, match="size"):
        product([y[:5], *others])
    assert not kernels.failed


def by_forward_differentiation(y, x, *others):
    with forward_ad.dual_level():
        dual = forward_ad.make_dual(x, torch.ones_like(x))
        return forward_ad.unpack_dual(product([y, dual, *others])).tangent


def in_counting_operations(*leaves):
    with FlopCounterMode(display=False):
        return product(leaves)


def over_a_batch(y, x, *others):
    return torch.func.vmap(lambda x: product([y, x, *others]))(torch.stack([x, 2 * x]))


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # torch's own, as it makes its first dual number
@pytest.mark.parametrize("watched", [by_forward_differentiation, in_counting_operations, over_a_batch])
def test_what_watches_each_operation_sees_them(kernels_on_the_cpu, watched):
    leaves = parts()
    expected = watched(*leaves)
    kernels = kernels_on_the_cpu()
    assert torch.equal(watched(*leaves), expected)
    assert not kernels.launched


@pytest.fixture
def fused_by_another_torch(monkeypatch):
    """The module as a torch that lacks what it asks for by private names has it."""
    with monkeypatch.context() as patch:
        patch.delattr(torch._C, "_len_torch_dispatch_stack")
        patch.delattr(torch._C._functorch, "peek_interpreter_stack")
        spec = importlib.util.spec_from_file_location("fused_by_another_torch", fused.__file__)
        module = importlib.util.module_from_spec(spec)
        patch.setitem(sys.modules, spec.name, module)
        spec.loader.exec_module(module)
    return module


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # torch's own, as it makes its first dual number
def test_without_private_names_of_torch_all_is_for_kernels_but_what_would_be_wrong(fused_by_another_torch):
    takes = fused_by_another_torch.Kernels(frozenset({"cpu"})).takes
    x = torch.randn(3, 4)
    assert takes((x,))
    with forward_ad.dual_level():
        assert takes((x,))
        assert not takes((x, forward_ad.make_dual(x, torch.ones_like(x))))


def test_inference_mode_leaves_nothing_that_training_stumbles_over(kernels_on_the_cpu):
    kernels = kernels_on_the_cpu()
    leaves = parts()
    scaled = functools.partial(product, scaling=7.0)  # a number not seen yet
    with torch.inference_mode():
        scaled([leaf + 0 for leaf in leaves])
    y, x, a, b, log_k = leaves
    (slope,) = torch.autograd.grad(scaled([y, x, a.requires_grad_(), b, log_k]).sum(), a)
    assert slope.any()
    assert not kernels.failed
