"""The median layer of all methods starts from the same gradient."""

import statistics
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
from builders import on

from geoprobe.errors import GeoprobeError
from geoprobe.hyplora import geometry
from geoprobe.training.model.adapters import adapted, b_matrices
from geoprobe.training.running.loss import collate, response_loss
from geoprobe.training.running.matched_alpha import match_alpha


def _norms(
    base: Any, setup: Any, method: str, alpha: float, examples: Any, curvatures: dict[str, float] | None = None
) -> torch.Tensor:
    """Gradient norm of the mean loss in each layer, computed the plain way."""
    with adapted(base.model, setup, method, 5, alpha, curvatures) as model:
        loss, count = response_loss(model, on(base, collate(examples, base.padding)))
        (loss / count).backward()
        return torch.stack([matrix.grad.norm() for matrix in b_matrices(model).values()])


def test_the_other_matching_gives_the_norm_over_all_layers_and_dora_has_no_other_alpha(
    base: Any, prepared: Any, make: Callable[..., Any]
) -> None:
    setup, examples = make(), prepared.training[:4]
    lora = match_alpha(base, setup, "lora", 5, examples, None)
    hyplora = match_alpha(base, setup, "hyplora", 5, examples, lora)
    assert hyplora.differs
    other = hyplora.at_other()
    plain = _norms(base, setup, "lora", setup.alpha, examples)
    norms = _norms(base, setup, "hyplora", other.alpha, examples, hyplora.curvatures)
    assert float(norms.norm()) == pytest.approx(float(plain.norm()), rel=1e-3)
    assert other.gradient_norm == pytest.approx(float(norms.norm()), rel=1e-3)
    assert list(other.layer_gradient_norms.values()) == pytest.approx(norms.tolist(), rel=1e-3)
    dora = match_alpha(base, setup, "dora", 5, examples, lora)
    assert (lora.other, dora.other, dora.differs) == (None, setup.alpha, False)


@pytest.mark.parametrize("micro_batch", [None, 2])
def test_the_matched_alpha_gives_the_references_gradient(
    base: Any, prepared: Any, make: Callable[..., Any], micro_batch: int | None
) -> None:
    setup = make(micro_batch=micro_batch)
    examples = prepared.training[:4]
    lora = match_alpha(base, setup, "lora", 5, examples, None)
    hyplora = match_alpha(base, setup, "hyplora", 5, examples, lora)
    assert lora.alpha == setup.alpha
    plain = _norms(base, setup, "lora", setup.alpha, examples)
    unmatched = _norms(base, setup, "hyplora", setup.alpha, examples, hyplora.curvatures)
    assert lora.gradient_norm == pytest.approx(float(plain.norm()), rel=1e-4)
    assert hyplora.unmatched_gradient_norm == pytest.approx(float(unmatched.norm()), rel=1e-4)
    assert float((unmatched / plain).median()) > 1.1  # curved space stretches long inputs
    matched = _norms(base, setup, "hyplora", hyplora.alpha, examples, hyplora.curvatures)
    assert statistics.median((matched / plain).tolist()) == pytest.approx(1.0, rel=1e-3)
    assert list(hyplora.layer_gradient_norms.values()) == pytest.approx(matched.tolist(), rel=1e-3)


def test_one_layer_with_most_of_the_gradient_does_not_decide_the_alpha(
    base: Any, prepared: Any, make: Callable[..., Any]
) -> None:
    lora = match_alpha(base, make(), "lora", 5, prepared.training[:4], None)
    largest = max(lora.layer_gradient_norms, key=lora.layer_gradient_norms.__getitem__)
    before = match_alpha(base, make(), "hyplora", 5, prepared.training[:4], lora).alpha
    norms = lora.layer_gradient_norms | {largest: 100 * lora.layer_gradient_norms[largest]}
    after = match_alpha(base, make(), "hyplora", 5, prepared.training[:4], replace(lora, layer_gradient_norms=norms))
    assert after.alpha == pytest.approx(before, rel=0.05)


def test_lora_asked_for_with_another_alpha_gets_the_references(
    base: Any, prepared: Any, make: Callable[..., Any]
) -> None:
    lora = match_alpha(base, make(), "lora", 5, prepared.training[:4], None)
    again = match_alpha(base, make(alpha=3.7 * make().alpha), "lora", 5, prepared.training[:4], lora)
    assert again.alpha == pytest.approx(lora.alpha, rel=1e-6)
    assert again.layer_gradient_norms == pytest.approx(lora.layer_gradient_norms, rel=1e-6)


def test_dropout_has_no_part_in_it(base: Any, prepared: Any, make: Callable[..., Any]) -> None:
    plain, dropped = (
        match_alpha(base, make(dropout=dropout), "hyplora", 0, prepared.training[:4], None) for dropout in (0.0, 0.5)
    )
    assert plain == dropped


def test_dora_needs_no_matching_and_keeps_the_alpha_asked_for(
    base: Any, prepared: Any, make: Callable[..., Any]
) -> None:
    setup = make()
    lora = match_alpha(base, setup, "lora", 0, prepared.training[:4], None)
    assert match_alpha(base, setup, "dora", 0, prepared.training[:4], lora).alpha == setup.alpha


def test_a_broken_model_is_said(
    base: Any, prepared: Any, make: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    norm = base.model.model.norm.weight
    with torch.no_grad():
        kept = norm.clone()
        norm.fill_(float("nan"))
    try:
        with pytest.raises(GeoprobeError, match="gradient of lora's B matrices is nan"):
            match_alpha(base, make(), "lora", 0, prepared.training[:4], None)
    finally:
        with torch.no_grad():
            norm.copy_(kept)


def test_k_starts_where_the_maps_are_exact_for_most_of_the_first_batch_counted_by_hand(
    base: Any, prepared: Any, make: Callable[..., Any]
) -> None:
    setup, examples = make(), prepared.training[:4]
    found = match_alpha(base, setup, "hyplora", 5, examples, None)
    norms: dict[str, list[torch.Tensor]] = {}
    with adapted(base.model, setup, "hyplora", 5, None, found.curvatures) as model:
        radii = {layer.layer: layer.radius for layer in geometry(model)}
        batch = on(base, collate(examples, base.padding))
        real = batch["attention_mask"].bool()
        for name, module in model.named_modules():
            name = name.removeprefix("base_model.model.")
            if name in radii:
                module.register_forward_pre_hook(
                    lambda _, inputs, name=name: norms.setdefault(name, []).append(
                        inputs[0][real].double().norm(dim=-1)
                    )
                )
        response_loss(model, batch)
    assert len({round(k, 9) for k in found.curvatures.values()}) > 1  # of each layer its own
    for name, radius in radii.items():
        share = float((torch.cat(norms[name]) > 2 * radius * (1 + 1e-9)).double().mean())
        assert share <= 0.025 + 1e-9
        assert found.beyond[name] == pytest.approx(share)


def test_a_k_that_is_asked_for_is_kept_and_what_lies_beyond_it_is_counted(
    base: Any, prepared: Any, make: Callable[..., Any]
) -> None:
    found = match_alpha(base, make(curvature=1e-4), "hyplora", 5, prepared.training[:4], None)
    assert set(found.curvatures.values()) == {1e-4}
    assert statistics.mean(found.beyond.values()) > 0.5
    lora = match_alpha(base, make(), "lora", 5, prepared.training[:4], None)
    assert (lora.curvatures, lora.beyond) == ({}, {})
