import pydoc_data.topics

import pytest
import torch
from builders import training_losses
from lorentz import exp0
from peft import LoraConfig, get_peft_model
from transformers import AutoModelForCausalLM

from geoprobe.hyplora import HypLoraConfig, geometry
from geoprobe.sources.models.loading import open_model

WIDTH = 16


class OneLayer(torch.nn.Module):
    """A frozen linear layer that gives zero, to be adapted."""

    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Linear(WIDTH, WIDTH, bias=False)
        torch.nn.init.zeros_(self.layer.weight)

    def forward(self, x):
        return self.layer(x)


def task(shortest):
    """Tokens of norms from so much to 3, in √d, and a rank-2 map of them that grows as a space of K = 1 does."""
    directions = torch.nn.functional.normalize(torch.randn(256, WIDTH), dim=-1)
    x = directions * (shortest + (3 - shortest) * torch.rand(256, 1)) * WIDTH**0.5
    low_rank = torch.randn(WIDTH, 2) @ torch.randn(2, WIDTH) / WIDTH
    return x, 0.02 * exp0(x, float(WIDTH))[:, 1:] @ low_rank.T


def fitted(config, x, y, steps=600):
    """Relative error after training, and the model."""
    torch.manual_seed(1)
    model = get_peft_model(OneLayer(), config)
    optimizer = torch.optim.Adam((p for p in model.parameters() if p.requires_grad), lr=0.02)
    schedule = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.01, steps)
    for _ in range(steps):
        optimizer.zero_grad()
        (model(x) - y).square().mean().backward()
        optimizer.step()
        schedule.step()
    with torch.no_grad():
        return float(torch.linalg.matrix_norm(model(x) - y) / torch.linalg.matrix_norm(y)), model


def test_a_task_that_scales_with_the_norm_is_learned_by_hyplora_and_not_by_lora():
    x, y = task(shortest=0.0)
    settings = {"r": 2, "lora_alpha": 2, "target_modules": ["layer"]}
    # started at another K than the task's, which it has to find
    hyperbolic, model = fitted(HypLoraConfig(**settings, curvature=2.0, max_radius=4.0), x, y, steps=2000)
    linear, _ = fitted(LoraConfig(**settings), x, y)
    assert hyperbolic < 0.02
    assert linear > 0.2
    (record,) = geometry(model)
    assert record.curvature == pytest.approx(1.0, rel=0.05)
    assert record.moved == pytest.approx(-0.69, abs=0.05)


def test_where_all_tokens_have_one_norm_there_is_no_difference():
    x, y = task(shortest=3.0)
    settings = {"r": 2, "lora_alpha": 2, "target_modules": ["layer"]}
    hyperbolic, _ = fitted(HypLoraConfig(**settings), x, y)
    linear, _ = fitted(LoraConfig(**settings), x, y)
    assert linear < 0.02
    assert hyperbolic < 0.02


def test_a_fixed_curvature_does_not_move():
    x, y = task(shortest=0.0)
    config = HypLoraConfig(r=2, target_modules=["layer"], curvature=2.0, learn_curvature=False)
    _, model = fitted(config, x, y, steps=20)
    (record,) = geometry(model)
    assert (record.curvature, record.moved, record.learned) == (pytest.approx(2.0), pytest.approx(0.0, abs=1e-8), False)


def test_training_on_the_demo_model_lowers_the_loss_and_moves_every_curvature(demo):
    model = AutoModelForCausalLM.from_pretrained(str(demo.parent), gguf_file=demo.name, dtype=torch.float32)
    (text,) = open_model("demo").tokenizer.encode([pydoc_data.topics.topics["while"]])
    ids = torch.as_tensor(text[:24]).unsqueeze(0)
    config = HypLoraConfig(r=8, lora_alpha=16, target_modules=["q_proj", "k_proj", "v_proj", "up_proj", "down_proj"])
    model = get_peft_model(model, config).train()
    losses = training_losses(model, ids, steps=3, rate=3e-3)
    assert losses[-1] < losses[0] - 0.5
    records = geometry(model)
    assert len(records) == 150
    assert all(record.moved != 0 for record in records)
