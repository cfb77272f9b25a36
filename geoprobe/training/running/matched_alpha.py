"""The alpha with which the median layer of a method starts with the reference's gradient.

At B = 0 the gradient of B is proportional to alpha, so one measurement of each method gives the alpha that matches
exactly. Without it, the convention for the scale decides more than the method does. Layers are matched by their median:
the norm over all of them is mostly that of a few (on SmolLM2 one matrix has 43% of HypLoRA's square), and an alpha that
matches it leaves most layers with two thirds of LoRA's step. What a verdict owes to this choice is seen at the other
one, the alpha that matches that norm.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import torch

from geoprobe.errors import GeoprobeError
from geoprobe.hyplora import LayerGeometry, geometry, initialize_curvatures
from geoprobe.training.data.examples import Tokens
from geoprobe.training.model.adapters import adapted, b_matrices
from geoprobe.training.model.base import LoadedBase
from geoprobe.training.running.loss import collate, response_loss
from geoprobe.training.setup import Setup

_ROUNDING = 1e-3


@dataclass(frozen=True)
class MatchedAlpha:
    """How a method is scaled with one seed.

    Norms are ‖∂loss/∂B‖ at step 0, over all layers or of each, with the alpha of the training; unmatched, with the one
    that was asked for. Of a hyperbolic method there are K at the start by layer, measured on the first batch unless it
    was given, and the share of that batch's tokens which are longer than the maps are exact for. With `other` all
    layers together start with the reference's norm; None where nothing was matched.
    """

    method: str
    seed: int
    alpha: float
    gradient_norm: float
    unmatched_gradient_norm: float
    layer_gradient_norms: dict[str, float] = field(default_factory=dict)
    curvatures: dict[str, float] = field(default_factory=dict)
    beyond: dict[str, float] = field(default_factory=dict)
    other: float | None = None

    @property
    def differs(self) -> bool:
        """Whether another matching gives another alpha."""
        return self.other not in (None, self.alpha)

    def at_other(self) -> MatchedAlpha:
        """The method scaled by the other matching."""
        assert self.other is not None
        ratio = self.other / self.alpha
        layers = {name: norm * ratio for name, norm in self.layer_gradient_norms.items()}
        return replace(self, alpha=self.other, gradient_norm=self.gradient_norm * ratio, layer_gradient_norms=layers)


def match_alpha(
    base: LoadedBase,
    setup: Setup,
    method: str,
    seed: int,
    first_batch: Sequence[Tokens],
    reference: MatchedAlpha | None,
) -> MatchedAlpha:
    """Measure a method's gradient at the start, on a run's first batch, and match it to the reference's.

    The reference is the first method's with the same seed; None for that method itself, or to match nothing.
    """
    layers, spaces = _at_the_start(base, setup, method, seed, first_batch)
    norm = math.hypot(*layers.values())
    if not 0 < norm < float("inf"):
        raise GeoprobeError(
            f"The gradient of {method}'s B matrices is {norm} on the first batch of seed {seed}.",
            "Are the model's weights or the training data damaged?",
        )
    ratio, other = 1.0, None
    if reference is not None:
        known = reference.layer_gradient_norms
        by_norm = reference.gradient_norm / norm
        # what an earlier version saved has the norm over all layers only
        ratio = statistics.median(
            [known[name] / own for name, own in layers.items() if own and name in known] or [by_norm]
        )
        # between equal gradients there is rounding only, and an alpha that was asked for is kept
        if abs(ratio - 1) < _ROUNDING:
            ratio = 1.0
        other = setup.alpha * (ratio if abs(by_norm / ratio - 1) < _ROUNDING else by_norm)
    matched = {name: own * ratio for name, own in layers.items()}
    curvatures = {space.layer: space.started_at for space in spaces}
    beyond = {space.layer: space.beyond for space in spaces if space.beyond is not None}
    return MatchedAlpha(method, seed, setup.alpha * ratio, norm * ratio, norm, matched, curvatures, beyond, other)


def _at_the_start(
    base: LoadedBase, setup: Setup, method: str, seed: int, first_batch: Sequence[Tokens]
) -> tuple[dict[str, float], tuple[LayerGeometry, ...]]:
    """Each layer's ‖∂loss/∂B‖, and the spaces of a hyperbolic method, their K chosen by the batch unless given."""
    size = setup.micro_batch or setup.batch
    device = base.model.device
    batches = [
        {name: value.to(device) for name, value in collate(first_batch[start : start + size], base.padding).items()}
        for start in range(0, len(first_batch), size)
    ]
    with adapted(base.model, setup, method, seed) as model:
        model.eval()  # no dropout: two methods are compared, not two draws
        spaces = geometry(model)
        if spaces:
            inputs = [{name: batch[name] for name in ("input_ids", "attention_mask")} for batch in batches]
            with torch.autocast(device.type, torch.bfloat16, enabled=base.half):
                spaces = (
                    initialize_curvatures(model, inputs) if setup.curvature is None else geometry(model, batches=inputs)
                )
        matrices = b_matrices(model)
        tokens = 0
        for batch in batches:
            with torch.autocast(device.type, torch.bfloat16, enabled=base.half):
                loss, count = response_loss(model, batch)
            loss.backward()
            tokens += int(count)
        norms = {name: matrix.grad.double().norm() for name, matrix in matrices.items() if matrix.grad is not None}
        return {name: float(norm) / tokens for name, norm in norms.items()}, spaces
