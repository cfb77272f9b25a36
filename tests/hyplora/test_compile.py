import pytest
import torch
from peft import get_peft_model

from geoprobe.hyplora import HypLoraConfig


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
def test_compiled_it_is_one_graph_with_the_same_values_and_gradients(backend, settings):
    torch._dynamo.reset()
    model = get_peft_model(Layers(), HypLoraConfig(r=4, target_modules="all-linear", init_weights=False, **settings))
    x = torch.randn(5, 3, 16, requires_grad=True)
    trained = [x, *(p for p in model.parameters() if p.requires_grad)]
    eager = model(x)
    expected = torch.autograd.grad(eager.square().sum(), trained)
    compiled = torch.compile(model, backend=backend, fullgraph=True)(x)
    assert torch.allclose(compiled, eager, rtol=1e-4, atol=1e-5)
    for mine, theirs in zip(torch.autograd.grad(compiled.square().sum(), trained), expected, strict=True):
        assert torch.allclose(mine, theirs, rtol=1e-3, atol=1e-4)
