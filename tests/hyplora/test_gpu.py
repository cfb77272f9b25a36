"""HypLoRA on a GPU, in the types that models are adapted in there, against the same layers on a CPU in float64."""

import copy

import pytest
import torch
from builders import needs_gpu, training_losses
from peft import get_peft_model

from geoprobe.hyplora import HypLoraConfig, fused, geometry
from geoprobe.hyplora.fused import Kernels

SETTINGS = {"r": 8, "lora_alpha": 16, "init_lora_weights": False}


@pytest.fixture(autouse=True)
def _gpu():
    needs_gpu()


def one_layer(**settings):
    """An adapted layer in float64 on the CPU, and tokens of many norms for it."""
    model = get_peft_model(
        torch.nn.Sequential(torch.nn.Linear(512, 384, bias=False)),
        HypLoraConfig(**SETTINGS, target_modules=["0"], **settings),
    ).double()
    return model, torch.randn(4, 64, 512, dtype=torch.float64) * torch.logspace(-2, 0.5, 64, dtype=torch.float64)[
        :, None
    ]


def added(layer, y, x):
    """What a layer's adapter makes of y."""
    a, b = layer.lora_A["default"].weight, layer.lora_B["default"].weight
    space = layer.lora_space["default"]
    return space.added(space(x.device), y, x, a, b, layer.scaling["default"])


def update_and_gradients(model, x):
    """What the adapter adds, and the gradients of its square."""
    layer = model.base_model.model[0]
    update = added(layer, x.new_zeros(*x.shape[:-1], 384), x)
    names, weights = zip(*((n, p) for n, p in layer.named_parameters() if ".default." in n), strict=True)
    found = torch.autograd.grad(update.double().square().mean(), weights)
    return update.detach().double().cpu(), {n: g.double().cpu() for n, g in zip(names, found, strict=True)}


def relative(found, expected):
    with torch.no_grad():
        return float((found - expected).norm() / expected.norm())


@pytest.mark.parametrize("chart", ["exponential", "stereographic"])
@pytest.mark.parametrize(
    ("dtype", "within"), [(torch.float32, 2e-6), (torch.bfloat16, 0.02), (torch.float16, 0.003)], ids=str
)
def test_update_and_gradients_are_those_of_float64_on_a_cpu(chart, dtype, within):
    model, x = one_layer(chart=chart)
    expected, slopes = update_and_gradients(model, x)
    there = copy.deepcopy(model).to("cuda", dtype)
    found, theirs = update_and_gradients(there, x.to("cuda", dtype))
    assert relative(found, expected) < within
    for name, slope in slopes.items():
        assert relative(theirs[name], slope) < 4 * within, name


@pytest.mark.parametrize("chart", ["exponential", "stereographic"])
def test_kernels_give_what_plain_operations_give_for_all_batches(chart, monkeypatch):
    model, x = one_layer(chart=chart)
    there = model.to("cuda", torch.bfloat16)
    batches = [part.to("cuda", torch.bfloat16) for part in (x, x[:2], x[:3, :17])]
    monkeypatch.setattr(fused, "kernels", Kernels(devices=frozenset()))
    plain = [update_and_gradients(there, batch) for batch in batches]
    with torch.no_grad():
        inferred = [there(batch) for batch in batches]
    monkeypatch.setattr(fused, "kernels", Kernels())
    for batch, (expected, slopes), without in zip(batches, plain, inferred, strict=True):
        found, theirs = update_and_gradients(there, batch)
        assert relative(found, expected) < 0.01
        for name, slope in slopes.items():
            assert relative(theirs[name], slope) < 0.02, name
        with torch.no_grad():
            assert relative(there(batch), without) < 0.01
    assert not fused.kernels.failed
    assert fused.kernels.launched == 9  # of each batch forward with a gradient, backward, and forward without


def test_autocast_to_bfloat16_keeps_the_geometry_in_float32():
    model, x = one_layer()
    expected, _ = update_and_gradients(model, x)
    there = copy.deepcopy(model).to("cuda", torch.float32)
    with torch.autocast("cuda", torch.bfloat16):
        found, theirs = update_and_gradients(there, x.to("cuda", torch.float32))
    assert relative(found, expected) < 0.02
    assert all(slope.isfinite().all() and slope.any() for slope in theirs.values())


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # torch's own, while it traces
def test_compiled_by_inductor_it_gives_the_same_values_and_gradients():
    torch._dynamo.reset()
    model, x = one_layer()
    there, x = model.to("cuda", torch.float32), x.to("cuda", torch.float32)
    weights = [weight for weight in there.parameters() if weight.requires_grad]
    eager = there(x)
    expected = torch.autograd.grad(eager.square().sum(), weights)
    compiled = torch.compile(there, fullgraph=True)(x)
    assert relative(compiled, eager) < 1e-5
    for mine, theirs in zip(torch.autograd.grad(compiled.square().sum(), weights), expected, strict=True):
        assert relative(mine, theirs) < 1e-4


@pytest.mark.parametrize("kind", ["8-bit", "4-bit"])
def test_a_quantised_layer_is_adapted_as_the_plain_one(kind):
    bnb = pytest.importorskip("bitsandbytes", reason="bitsandbytes is not installed")
    weight = torch.randn(384, 512)
    if kind == "8-bit":
        layer = bnb.nn.Linear8bitLt(512, 384, bias=False, has_fp16_weights=False)
        layer.weight = bnb.nn.Int8Params(weight.clone(), requires_grad=False, has_fp16_weights=False)
    else:
        layer = bnb.nn.Linear4bit(512, 384, bias=False, compute_dtype=torch.bfloat16, quant_type="nf4")
        layer.weight = bnb.nn.Params4bit(weight.clone(), requires_grad=False, quant_type="nf4")
    model = torch.nn.Sequential(layer).to("cuda")
    x = torch.randn(3, 5, 512, device="cuda", dtype=torch.float16 if kind == "8-bit" else torch.bfloat16)
    base = model(x)
    assert not model[0].weight.dtype.is_floating_point
    adapted = get_peft_model(model, HypLoraConfig(**SETTINGS, target_modules=["0"]))
    layer = adapted.base_model.model[0]
    found = adapted(x)
    plain = added(layer, torch.zeros_like(base).float(), x.float())
    assert relative((found - base).double(), plain.double()) < 0.05
    found.float().square().sum().backward()
    assert all(torch.isfinite(p.grad).all() and p.grad.any() for n, p in layer.named_parameters() if ".default." in n)


@pytest.mark.filterwarnings("ignore::FutureWarning")  # transformers renames gradient checkpointing
@pytest.mark.parametrize("checkpointing", [False, True])
def test_a_llama_in_bfloat16_learns_and_its_curvatures_move(llama, ids, checkpointing):
    targets = ["q_proj", "v_proj", "down_proj"]
    model = get_peft_model(llama.to("cuda", torch.bfloat16), HypLoraConfig(r=8, target_modules=targets)).train()
    if checkpointing:
        model.enable_input_require_grads()
        model.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
    ids = ids.cuda()
    losses = training_losses(model, ids, steps=40, rate=0.02)
    assert losses[-1] < losses[0] - 0.3
    assert all(record.moved != 0 for record in geometry(model))
