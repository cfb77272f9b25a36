import functools
import importlib.util
import itertools
import sys

import pytest
import torch
from peft import get_peft_model
from torch._dynamo.backends.common import aot_autograd
from torch._dynamo.testing import CompileCounterWithBackend
from torch.autograd import forward_ad
from torch.utils.flop_counter import FlopCounterMode

from geoprobe.hyplora import HypLoraConfig, fused, geometry
from geoprobe.hyplora.fused import Compiler
from geoprobe.hyplora.maps import DEFAULT_LIMIT
from geoprobe.hyplora.product import low_rank_product

BACKENDS = ["aot_eager", pytest.param("inductor", marks=pytest.mark.slow)]
CHARTS = sorted(DEFAULT_LIMIT)


@pytest.fixture
def compiled_on_the_cpu(monkeypatch):
    """Fused functions compiled by a backend where they would run as they are."""

    def by(backend):
        torch._dynamo.reset()
        monkeypatch.setattr(fused, "compiler", Compiler(devices=frozenset({"cpu"}), backend=backend))
        return fused.compiler

    return by


def relative(found, expected):
    return float((found - expected).detach().double().norm() / expected.detach().double().norm())


def parts(dtype=torch.float32, n=12, d=10, k=8):
    y, x, a, b = (torch.randn(shape).to(dtype) for shape in ((n, k), (n, d), (3, d), (k, 3)))
    return y, x, a, b, torch.tensor([0.7])


def product(leaves, chart="exponential", scaling=2.0):
    return low_rank_product(*leaves, 1.1, chart, DEFAULT_LIMIT[chart], scaling)


def value_and_gradients(leaves, chart):
    leaves = [leaf.clone().requires_grad_() for leaf in leaves]
    found = product(leaves, chart)
    return [found, *torch.autograd.grad(found.square().sum(), leaves)]


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("chart", CHARTS)
@pytest.mark.parametrize(("dtype", "within"), [(torch.float32, 2e-6), (torch.bfloat16, 0.02)], ids=str)
def test_compiled_values_and_gradients_are_the_plain_ones(compiled_on_the_cpu, backend, chart, dtype, within):
    leaves = parts(dtype)
    expected = value_and_gradients(leaves, chart)
    with torch.no_grad():
        inferred = product(leaves, chart)
    compiler = compiled_on_the_cpu(backend)
    for mine, plain in zip(value_and_gradients(leaves, chart), expected, strict=True):
        assert mine.dtype == plain.dtype
        assert relative(mine, plain) < within
    with torch.no_grad():
        mine = product(leaves, chart)
    assert mine.dtype == inferred.dtype
    assert relative(mine, inferred) < within
    # forward with a gradient, backward, forward without
    assert len(compiler.made) == 3
    assert not compiler.failed


def test_without_a_gradient_no_derivative_is_computed(monkeypatch):
    monkeypatch.setattr("geoprobe.hyplora.product.factors", None)
    leaves = [leaf.requires_grad_() for leaf in parts()]
    with pytest.raises(TypeError):
        product(leaves)
    with torch.no_grad():
        product(leaves)
    product([leaf.detach() for leaf in leaves])


def test_widths_tokens_scalings_and_limits_are_of_one_graph_and_a_single_token_of_another(compiled_on_the_cpu):
    counter = CompileCounterWithBackend("aot_eager")
    compiler = compiled_on_the_cpu(counter)
    widths = [(16, 16), (16, 24), (24, 16), (40, 8)]

    def run(tokens):
        for (d, k), n, limit in itertools.product(widths, tokens, [None, 1.5]):
            config = HypLoraConfig(r=3, lora_alpha=d + k, max_radius=limit, target_modules=["0"])
            model = get_peft_model(torch.nn.Sequential(torch.nn.Linear(d, k)), config)
            model(torch.randn(1, n, d, requires_grad=True)).sum().backward()
            with torch.no_grad():
                model(torch.randn(n, d))
        return len(counter.graphs)

    assert run([7, 9, 128]) == 3
    assert run([1]) == 6
    assert not compiler.failed


@pytest.mark.parametrize("chart", CHARTS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
def test_no_norm_shares_a_kernel_with_the_scalars_of_its_token(compiled_on_the_cpu, chart, dtype):
    graphs = []

    def kept(graph, inputs):
        graphs.append([node.target for node in graph.graph.nodes if isinstance(node.target, torch._ops.OpOverload)])
        return graph

    compiled_on_the_cpu(aot_autograd(fw_compiler=kept))
    leaves = parts(dtype)
    value_and_gradients(leaves, chart)
    with torch.no_grad():
        product(leaves, chart)
    reductions = [[name for name in graph if torch.Tag.reduction in name.tags] for graph in graphs]
    # forward with a gradient; backward, over the rank and over tokens; forward without
    assert [len(found) for found in reductions] == [0, 2, 0]


def test_a_llama_trains_as_it_does_plainly(compiled_on_the_cpu, llama, ids):
    settings = HypLoraConfig(r=4, target_modules=["q_proj", "down_proj"], share_curvature=True, init_lora_weights=False)
    model = get_peft_model(llama, settings)
    start = {name: value.clone() for name, value in model.state_dict().items()}

    def trained():
        model.load_state_dict(start)
        optimizer = torch.optim.AdamW((p for p in model.parameters() if p.requires_grad), lr=0.01)
        for _ in range(3):
            optimizer.zero_grad()
            model(input_ids=ids, labels=ids).loss.backward()
            optimizer.step()
        return [record.moved for record in geometry(model)], model(input_ids=ids).logits

    moved, logits = trained()
    compiler = compiled_on_the_cpu("aot_eager")
    found, theirs = trained()
    assert len(compiler.made) == 2
    assert found == pytest.approx(moved, rel=1e-3)
    assert relative(theirs, logits) < 1e-4


def test_where_compiling_fails_it_says_why_once_and_goes_on(compiled_on_the_cpu):
    def broken(graph, inputs):
        raise RuntimeError("Failed to find C compiler.")

    leaves = parts()
    expected = value_and_gradients(leaves, "exponential")
    compiler = compiled_on_the_cpu(broken)
    with pytest.warns(RuntimeWarning, match=r"Failed to find C compiler\..* goes on without") as told:
        found = [value_and_gradients(leaves, "exponential") for _ in range(2)]
    assert len(told) == 1
    assert compiler.failed
    for mine, plain in zip(itertools.chain(*found), expected * 2, strict=True):
        assert torch.equal(mine, plain)


def test_arguments_at_fault_are_no_fault_of_the_compiler(compiled_on_the_cpu):
    compiler = compiled_on_the_cpu("aot_eager")
    y, *others = parts()
    with pytest.raises(RuntimeError, match="size"):
        product([y[:5], *others])
    assert not compiler.failed


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
def test_what_watches_each_operation_sees_them(compiled_on_the_cpu, watched):
    leaves = parts()
    expected = watched(*leaves)
    compiler = compiled_on_the_cpu("aot_eager")
    assert torch.equal(watched(*leaves), expected)
    assert not compiler.made


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
def test_without_private_names_of_torch_all_compiles_but_what_would_be_wrong(fused_by_another_torch):
    takes = fused_by_another_torch.Compiler(frozenset({"cpu"})).takes
    x = torch.randn(3, 4)
    assert takes((x,))
    with forward_ad.dual_level():
        assert takes((x,))
        assert not takes((x, forward_ad.make_dual(x, torch.ones_like(x))))


def test_inference_mode_leaves_nothing_that_training_stumbles_over(compiled_on_the_cpu):
    compiler = compiled_on_the_cpu("aot_eager")
    leaves = parts()
    scaled = functools.partial(product, scaling=7.0)  # a number not seen yet
    with torch.inference_mode():
        scaled([leaf + 0 for leaf in leaves])
    y, x, a, b, log_k = leaves
    (slope,) = torch.autograd.grad(scaled([y, x, a.requires_grad_(), b, log_k]).sum(), a)
    assert slope.any()
    assert not compiler.failed
