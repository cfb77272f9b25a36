"""A model without its weights, and what training it needs by its shape alone: memory by precision, and GPU hours."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, redirect_stderr
from dataclasses import dataclass
from typing import Any

import torch
from transformers import AutoConfig, AutoModelForCausalLM

from geoprobe.errors import BadDataError, NotFoundError
from geoprobe.files import given_path
from geoprobe.sources.models.whole import whole_model
from geoprobe.training.model.base import load_tokenizer, with_padding
from geoprobe.training.setup import Setup


@dataclass(frozen=True)
class Gpu:
    """A GPU as its maker describes it: products in bfloat16 a second, and bytes it reads from its memory."""

    name: str
    flops: float
    bandwidth: float


#: NVIDIA's data sheets, without sparsity.
GPUS = (Gpu("A100", 312e12, 2.0e12), Gpu("H100", 989e12, 3.35e12))


@dataclass(frozen=True, eq=False)
class ModelShape:
    """A model on PyTorch's meta device, where weights have no values, and its tokenizer."""

    model: Any
    tokenizer: Any

    @property
    def parameters(self) -> int:
        """Of the whole model."""
        return int(self.model.num_parameters())


def model_shape(setup: Setup, *, offline: bool = False) -> ModelShape:
    """The shape of a set-up's model, from its configuration and tokenizer; a folder may lack the weights."""
    with _configuration(setup, offline) as (name, options), redirect_stderr(io.StringIO()):
        known = {key: value for key, value in options.items() if key in ("gguf_file", "revision", "local_files_only")}
        tokenizer = load_tokenizer(name, options, setup.model)
        try:
            config = AutoConfig.from_pretrained(name, trust_remote_code=False, **known)
            with torch.device("meta"):
                model = AutoModelForCausalLM.from_config(config, trust_remote_code=False)
        except (OSError, ValueError, KeyError, ImportError, RuntimeError) as error:
            raise BadDataError(
                f"The configuration of {setup.model} is that of no model to train: {error}.",
                "Give a causal language model that transformers knows.",
            ) from error
    model.requires_grad_(False)
    return ModelShape(model, with_padding(tokenizer, setup.model))


@contextmanager
def _configuration(setup: Setup, offline: bool) -> Iterator[tuple[str, dict[str, Any]]]:
    """Where a configuration is: the model's, or a folder's that has nothing more."""
    path = given_path(setup.model)
    with ExitStack() as stack:
        try:
            found = stack.enter_context(whole_model(setup.model, revision=setup.revision, offline=offline))
        except NotFoundError:
            if not (path / "config.json").is_file():
                raise
            found = str(path), {"local_files_only": True}
        yield found


#: Bytes of a weight by precision; in 4 bits a block of 64 has its own scale, and embeddings stay in bfloat16.
_WEIGHT_BYTES = {"float32": 4.0, "bfloat16": 2.0, "4 bits": 0.56}
#: Weight, gradient and two moments of Adam, in float32.
_TRAINED_BYTES = 16
#: Values that a layer keeps of each token for the backward pass, in widths of the model: Korthikanti et al. (2022,
#: arXiv 2205.05198) count 34 bytes in 16 bits without the attention matrix, which is not kept.
_KEPT = 17


def memory_by_precision(shape: ModelShape, trained: int, tokens: int, *, checkpointing: bool = False) -> dict[str, int]:
    """Bytes that training takes, estimated by precision of the base model.

    `trained` are the adapters' parameters, `tokens` those of a micro-batch, padding counted; with `checkpointing`
    activations are computed again.
    """
    config = shape.model.config.get_text_config(decoder=True)
    width, layers, words = int(config.hidden_size), int(config.num_hidden_layers), int(config.vocab_size)
    embeddings = sum(
        module.weight.numel()
        for module in {shape.model.get_input_embeddings(), shape.model.get_output_embeddings()} - {None}
    )
    kept = layers + _KEPT if checkpointing else layers * _KEPT
    estimated = {}
    for precision, weight in _WEIGHT_BYTES.items():
        value = 4 if precision == "float32" else 2
        weights = (
            shape.parameters * weight
            if precision != "4 bits"
            else (shape.parameters - embeddings) * weight + embeddings * 2
        )
        # logits, their copy in float32 and its gradient
        logits = tokens * words * (value + 8)
        estimated[precision] = int(weights + trained * _TRAINED_BYTES + tokens * width * kept * value + logits)
    return estimated


def training_flops(parameters: int, tokens: int, *, checkpointing: bool = False) -> float:
    """Products and sums of training adapters: forward, back through frozen weights, and forward again if recomputed."""
    return (6 if checkpointing else 4) * float(parameters) * tokens
