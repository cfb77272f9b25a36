"""δ of the final hidden layer, as the paper measures it (its tables 6 and 7): before and after training."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from geoprobe.sources.models.states import ModelStates
from geoprobe.stats.hyperbolicity import delta_basepoint_batch
from geoprobe.training.base_model import LoadedBase

__all__ = ["MAX_TOKENS", "final_delta"]

#: Longer prompts are cut, as δ takes the square of their length.
MAX_TOKENS = 128
_FEWEST = 4


def final_delta(model: Any, base: LoadedBase, prompts: Sequence[str], name: str) -> float | None:
    """Mean relative δ over prompts of what leaves the model's last layer, behind its final norm.

    Base point is the first token and distances are Euclidean, the paper's protocol.

    Parameters
    ----------
    model
        The model, or a peft model around it.
    base : LoadedBase
        Its tokenizer.
    prompts : sequence of str
        Cut to `MAX_TOKENS` tokens.
    name : str
        Of the model, for errors.

    Returns
    -------
    float or None
        None without prompts of at least four tokens.
    """
    causal = model.get_base_model() if hasattr(model, "get_base_model") else model
    states = ModelStates(causal.base_model, name)
    ids = [np.array(base.tokenizer(prompt)["input_ids"][:MAX_TOKENS], dtype=np.int64) for prompt in prompts]
    ids = [each for each in ids if len(each) >= _FEWEST]
    if not ids:
        return None
    (clouds,) = states.read(ids, [states.layers])
    return float(np.mean(delta_basepoint_batch([cloud.astype(np.float64) for cloud in clouds]).relative))
