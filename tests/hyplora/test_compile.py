import pytest
import torch
from peft import get_peft_model

from geoprobe.hyplora import HypLoraConfig


def relative(found, expected):
    return float((found - expected).detach().norm() / expected.detach().norm())


class Layers(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.first = torch.nn.Linear(16, 24)
        self.second = torch.nn.Linear(24, 8)

    def forward(self, x):
        return self.second(torch.relu(self.first(x)))


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # torch's own, while it traces
@pytest.mark.parametrize("backend", ["aot_eager", pytest.param("inductor", marks=pytest.mark.slow)])
@pytest.mark.parametrize(
    "settings", [{}, {"chart": "stereographic", "share_curvature": True}], ids=["default", "shared"]
)
@pytest.mark.parametrize(("dtype", "within"), [(torch.float32, 1e-5), (torch.bfloat16, 0.02)], ids=str)
def test_compiled_it_is_one_graph_with_the_same_values_and_gradients(backend, settings, dtype, within):
    torch._dynamo.reset()
    config = HypLoraConfig(r=4, target_modules="all-linear", init_lora_weights=False, **settings)
    model = get_peft_model(Layers().to(dtype), config, autocast_adapter_dtype=False)
    x = torch.randn(5, 3, 16, requires_grad=True, dtype=dtype)
    trained = [x, *(p for p in model.parameters() if p.requires_grad)]
    eager = model(x)
    expected = torch.autograd.grad(eager.square().sum(), trained)
    compiled = torch.compile(model, backend=backend, fullgraph=True)(x)
    assert compiled.dtype == eager.dtype
    assert relative(compiled, eager) < within
    for mine, theirs in zip(torch.autograd.grad(compiled.square().sum(), trained), expected, strict=True):
        assert relative(mine, theirs) < 3 * within
