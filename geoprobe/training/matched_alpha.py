"""The alpha with which a method starts with the reference's gradient.

At B = 0 the gradient of B is proportional to alpha, so one measurement of each method gives the alpha that matches
exactly. Without it, the convention for the scale decides more than the method does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from geoprobe.errors import GeoprobeError
from geoprobe.training.examples import Tokens
from geoprobe.training.loss import collate, response_loss
from geoprobe.training.methods import adapted, b_matrices
from geoprobe.training.model import LoadedBase
from geoprobe.training.setup import Setup

__all__ = ["MatchedAlpha", "match_alpha"]

_ROUNDING = 1e-3


@dataclass(frozen=True)
class MatchedAlpha:
    """How a method is scaled with one seed.

    Parameters
    ----------
    method : str
        The method.
    seed : int
        Of its A matrices and its first batch.
    alpha : float
        What it is trained with.
    gradient_norm : float
        ‖∂loss/∂B‖ over all layers at step 0 with that alpha.
    unmatched_gradient_norm : float
        The same with the alpha that was asked for.
    """

    method: str
    seed: int
    alpha: float
    gradient_norm: float
    unmatched_gradient_norm: float


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

    Raises
    ------
    GeoprobeError
        When the gradient is 0 or not finite.
    """
    norm = _gradient_norm(base, setup, method, seed, first_batch)
    if not 0 < norm < float("inf"):
        raise GeoprobeError(
            f"The gradient of {method}'s B matrices is {norm} on the first batch of seed {seed}.",
            "Are the model's weights or the training data damaged?",
        )
    ratio = 1.0 if reference is None else reference.gradient_norm / norm
    # between equal gradients there is rounding only, and an alpha that was asked for is kept
    if abs(ratio - 1) < _ROUNDING:
        return MatchedAlpha(method, seed, setup.alpha, norm, norm)
    return MatchedAlpha(method, seed, setup.alpha * ratio, norm * ratio, norm)


def _gradient_norm(base: LoadedBase, setup: Setup, method: str, seed: int, first_batch: Sequence[Tokens]) -> float:
    size = setup.micro_batch or setup.batch
    device = base.model.device
    with adapted(base.model, setup, method, seed) as model:
        model.eval()  # no dropout: two methods are compared, not two draws
        matrices = b_matrices(model).values()
        tokens = 0
        for start in range(0, len(first_batch), size):
            batch = collate(first_batch[start : start + size], base.padding)
            with torch.autocast(device.type, torch.bfloat16, enabled=base.half):
                loss, count = response_loss(model, {name: value.to(device) for name, value in batch.items()})
            loss.backward()
            tokens += int(count)
        squares = [matrix.grad.double().square().sum() for matrix in matrices if matrix.grad is not None]
        return float(torch.stack(squares).sum().sqrt()) / tokens
