"""All methods start from the same gradient."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from builders import on

from geoprobe.errors import GeoprobeError
from geoprobe.training.loss import collate, response_loss
from geoprobe.training.matched_alpha import match_alpha
from geoprobe.training.methods import adapted, b_matrices


def _norm(base: Any, setup: Any, method: str, alpha: float, examples: Any) -> float:
    """Gradient norm of the mean loss, computed the plain way."""
    with adapted(base.model, setup, method, 5, alpha) as model:
        loss, count = response_loss(model, on(base, collate(examples, base.padding)))
        (loss / count).backward()
        squares = [matrix.grad.square().sum() for matrix in b_matrices(model).values()]
        return float(torch.stack(squares).sum().sqrt())


@pytest.mark.parametrize("micro_batch", [None, 2])
def test_the_matched_alpha_gives_the_references_gradient(
    base: Any, prepared: Any, make: Callable[..., Any], micro_batch: int | None
) -> None:
    setup = make(micro_batch=micro_batch)
    examples = prepared.training[:4]
    lora = match_alpha(base, setup, "lora", 5, examples, None)
    hyplora = match_alpha(base, setup, "hyplora", 5, examples, lora)
    assert lora.alpha == setup.alpha
    assert lora.gradient_norm == pytest.approx(_norm(base, setup, "lora", setup.alpha, examples), rel=1e-4)
    assert hyplora.unmatched_gradient_norm == pytest.approx(
        _norm(base, setup, "hyplora", setup.alpha, examples), rel=1e-4
    )
    assert hyplora.unmatched_gradient_norm > 1.1 * lora.gradient_norm  # curved space stretches long inputs
    assert _norm(base, setup, "hyplora", hyplora.alpha, examples) == pytest.approx(lora.gradient_norm, rel=1e-3)
    assert hyplora.gradient_norm == pytest.approx(lora.gradient_norm, rel=1e-6)


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
