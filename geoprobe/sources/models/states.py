"""A model's hidden states, by running the model itself: what of a scan needs PyTorch (extra ``finetune``)."""

from __future__ import annotations

import io
from collections.abc import Sequence
from contextlib import redirect_stderr
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float32, Int64

from geoprobe.errors import BadDataError, GeoprobeError, NotFoundError, UsageError
from geoprobe.sources.models.whole import whole_model
from geoprobe.versions import install_command

#: Prompts run at a time, of similar length, so that little padding is computed.
BATCH = 8
#: Free memory of a GPU, in sizes of the model, from which on it runs there.
ROOM = 1.5


@dataclass(frozen=True, eq=False)
class ModelStates:
    """Hidden states of a transformers model without its head; of an encoder-decoder, of its encoder."""

    model: Any
    name: str

    @property
    def layers(self) -> int:
        """Transformer blocks: layer 0 is what enters the first, layer `layers` what leaves the model."""
        return int(self.model.config.get_text_config().num_hidden_layers)

    def read(
        self, prompts: Sequence[Int64[np.ndarray, " _"]], layers: Sequence[int]
    ) -> tuple[tuple[Float32[np.ndarray, "_ d"], ...], ...]:
        """States of each prompt at each layer: for each layer, for each prompt, (tokens, d).

        Layers count from 0 to `layers`, as transformers counts ``hidden_states``: the last is after the model's final
        norm. PyTorch computes them, so their last digits may differ between machines and numbers of threads, other than
        everything else in a scan.
        """
        import torch

        check_layers(layers, self.layers, self.name)
        read: list[list[np.ndarray]] = [[np.empty((0, 0), np.float32)] * len(prompts) for _ in layers]
        order = sorted(range(len(prompts)), key=lambda place: len(prompts[place]))
        device = self.model.device
        for start in range(0, len(order), BATCH):
            places = order[start : start + BATCH]
            longest = max(len(prompts[place]) for place in places)
            ids = torch.zeros((len(places), longest), dtype=torch.int64)
            mask = torch.zeros_like(ids)
            for row, place in enumerate(places):
                ids[row, : len(prompts[place])] = torch.from_numpy(prompts[place].astype(np.int64))
                mask[row, : len(prompts[place])] = 1
            with torch.inference_mode():
                states = self.model(
                    input_ids=ids.to(device), attention_mask=mask.to(device), output_hidden_states=True
                ).hidden_states
            for which, layer in enumerate(layers):
                for row, place in enumerate(places):
                    mine = states[layer][row, : len(prompts[place])].float().cpu().numpy().copy()
                    if not np.isfinite(mine).all():
                        raise BadDataError(
                            f"Layer {layer} of {self.name} gives states that are not finite.",
                            "Are its weights damaged, or of a type that overflows in float32?",
                        )
                    read[which][place] = mine
        return tuple(tuple(states) for states in read)


def check_layers(layers: Sequence[int], blocks: int, name: str) -> None:
    """Refuse layers that a model of so many blocks has not; -1 is its last."""
    wrong = [layer for layer in layers if not -1 <= layer <= blocks]
    if wrong:
        raise UsageError(
            f"{name} has no layer {wrong[0]}: it has {blocks} blocks.",
            f"Give 0 (the embedding) to {blocks}, or `final`.",
        )


def open_states(model: str | Path, *, revision: str | None = None, offline: bool = False) -> ModelStates:
    """Load a whole model, to run it: all its weights, unlike everything else in a scan.

    It runs in float32, on the first GPU if it has room there.
    """
    try:
        import torch
        from transformers import AutoModel
    except ImportError as error:
        raise NotFoundError(
            "Hidden states need PyTorch, which is not installed.",
            f"Scan without --layer, or install it by: {install_command('finetune')}",
        ) from error
    try:
        # the library draws progress bars on standard error, in pipes too
        with whole_model(model, revision=revision, offline=offline) as (name, options), redirect_stderr(io.StringIO()):
            loaded = AutoModel.from_pretrained(
                name, trust_remote_code=False, dtype=torch.float32, **{"use_safetensors": True, **options}
            )
    except GeoprobeError:
        raise
    except (OSError, ValueError, KeyError, ImportError, RuntimeError) as error:
        kind = NotFoundError if isinstance(error, OSError) else BadDataError
        raise kind(
            f"The model {model} cannot be loaded to run it: {error}.",
            "Give safetensors weights of an architecture that transformers knows, or scan without --layer.",
        ) from error
    loaded.eval()
    if torch.cuda.is_available() and torch.cuda.mem_get_info()[0] > ROOM * loaded.get_memory_footprint():
        loaded.to("cuda")
    runnable = loaded.get_encoder() if loaded.config.is_encoder_decoder else loaded
    return ModelStates(runnable, str(model))
