"""The model that is adapted: loaded once, all its weights frozen."""

from __future__ import annotations

import hashlib
import io
import os
from contextlib import redirect_stderr, suppress
from dataclasses import dataclass, replace
from typing import Any

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from geoprobe.errors import BadDataError, GeoprobeError, NotFoundError, UsageError
from geoprobe.results import counted
from geoprobe.sources.models.demo import DEMO_NAME
from geoprobe.sources.models.whole import whole_model
from geoprobe.training.outcome import TrainedModel
from geoprobe.training.setup import Setup
from geoprobe.training.targets import find_targets

# Without it MKL may sum in another order where memory lies otherwise, and `--resume` end in other last digits. It is
# read at MKL's first product. AUTO takes the processor's best branch.
os.environ.setdefault("MKL_CBWR", "AUTO,STRICT")

#: Values of each weight that tell it from another model's.
_LOOKED_AT = 256


@dataclass(frozen=True, eq=False)
class LoadedBase:
    """A causal language model to adapt, frozen, on its device, and a tokenizer with a padding token.

    `half` is whether products are computed in bfloat16, `chat` whether prompts are put into the tokenizer's chat
    template.
    """

    model: Any
    tokenizer: Any
    half: bool
    chat: bool = False

    @property
    def padding(self) -> int:
        """Id that fills up short rows; it is masked out everywhere."""
        return int(self.tokenizer.pad_token_id)


def training_device() -> torch.device:
    """Device of this process: its own GPU under ``accelerate launch``, the first one otherwise, or the CPU."""
    if torch.cuda.is_available():
        from accelerate import PartialState

        return torch.device(PartialState().device)
    return torch.device("cpu")


def load_base(setup: Setup, *, offline: bool = False) -> LoadedBase:
    """Load the model of a set-up (``demo``, a folder, a ``.gguf`` file or a hub id) and its tokenizer."""
    if setup.threads is not None:
        torch.set_num_threads(setup.threads)
    device = training_device()
    half = setup.precision == "bfloat16" or (
        setup.precision == "auto" and device.type == "cuda" and torch.cuda.is_bf16_supported()
    )
    try:
        # the library draws progress bars on standard error, in pipes too
        with (
            whole_model(setup.model, revision=setup.revision, offline=offline) as (name, options),
            redirect_stderr(io.StringIO()),
        ):
            if setup.four_bit:
                options["quantization_config"] = _four_bits(setup, device, options)
            tokenizer = load_tokenizer(name, options, setup.model)
            model = AutoModelForCausalLM.from_pretrained(
                name,
                trust_remote_code=False,
                # half the weights' memory on a GPU; a CPU keeps them whole and casts in products
                dtype=torch.bfloat16 if half and device.type == "cuda" else torch.float32,
                **options,
            )
    except GeoprobeError:
        raise
    except (OSError, ValueError, KeyError, ImportError, RuntimeError) as error:
        raise _not_loaded(setup.model, error) from error
    with_padding(tokenizer, setup.model)
    if "gguf_file" in options:
        _plain(model)
    if not setup.four_bit:
        model.to(device)
    model.requires_grad_(False)
    model.eval()
    model.generation_config = _greedy(model.generation_config, tokenizer)
    return LoadedBase(model, tokenizer, half, setup.template == "chat")


def load_tokenizer(name: str, options: dict[str, Any], called: str) -> Any:
    """A tokenizer from what `whole_model` gives."""
    known = {key: value for key, value in options.items() if key in ("gguf_file", "revision", "local_files_only")}
    try:
        return AutoTokenizer.from_pretrained(name, trust_remote_code=False, **known)
    except (OSError, ValueError, KeyError, ImportError, RuntimeError) as error:
        raise _not_loaded(called, error) from error


def with_padding(tokenizer: Any, called: str) -> Any:
    """The same tokenizer, able to fill up rows; one without an end token is refused: no response could learn to end."""
    if tokenizer.eos_token is None:
        raise BadDataError(f"The tokenizer of {called} has no end token.", "Add one to its configuration.")
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token
    return tokenizer


def _not_loaded(called: str, error: Exception) -> GeoprobeError:
    kind = NotFoundError if isinstance(error, OSError) else BadDataError
    return kind(
        f"The model {called} cannot be loaded to train it: {error}.",
        "Give `demo`, a folder, a .gguf file or a hub id of a causal language model that transformers knows.",
    )


def with_template(setup: Setup, *, offline: bool = False) -> Setup:
    """The set-up with the template of its prompts known: of ``auto``, the tokenizer's for chats, or else Alpaca's."""
    if setup.template not in ("auto", "chat"):
        return setup
    chat = False
    # what is wrong is said when the model is loaded
    with (
        suppress(GeoprobeError),
        whole_model(setup.model, revision=setup.revision, offline=offline) as (name, options),
        redirect_stderr(io.StringIO()),
    ):
        chat = bool(getattr(load_tokenizer(name, options, setup.model), "chat_template", None))
    if setup.template == "chat" and not chat:
        raise UsageError(f"The tokenizer of {setup.model} has no chat template.", "Give --template alpaca or plain.")
    return replace(setup, template="chat" if chat else "alpaca")


def model_facts(base: LoadedBase, setup: Setup) -> TrainedModel:
    """What a report says of the model."""
    targets = find_targets(base.model, setup.targets, setup.model)
    config, device = base.model.config, base.model.device
    where = (
        torch.cuda.get_device_name(device)
        if device.type == "cuda"
        else f"CPU, {counted(torch.get_num_threads(), 'thread')}"
    )
    name = DEMO_NAME if setup.model == "demo" else str(getattr(config, "_name_or_path", "") or setup.model)
    return TrainedModel(
        model=setup.model,
        name=name.rstrip("/").rpartition("/")[2],
        architecture=str(config.model_type),
        parameters=base.model.num_parameters(),
        dtype="4 bits" if setup.four_bit else "bfloat16" if base.half else "float32",
        device=where,
        revision=getattr(config, "_commit_hash", None),
        notes=targets.notes,
        adapted=targets.counts,
    )


def fingerprint(base: LoadedBase) -> dict[str, str]:
    """What tells a loaded model from another: a hash of some of every weight, and what it is computed in and on."""
    digest = hashlib.sha256()
    for name, weight in sorted(base.model.state_dict().items()):
        flat = weight.detach().flatten()
        some = flat[:: max(1, flat.numel() // _LOOKED_AT)][:_LOOKED_AT].to("cpu", torch.float32)
        digest.update(f"{name} {tuple(weight.shape)}".encode() + some.numpy().tobytes())
    return {
        "weights": digest.hexdigest(),
        "precision": "bfloat16" if base.half else "float32",
        "device": base.model.device.type,
    }


def _plain(model: Any) -> None:
    """Undo a mark: a GGUF file's weights are dequantised as they load, but transformers refuses to train the model."""
    model.is_quantized = False
    model.hf_quantizer = None
    if hasattr(model.config, "quantization_config"):
        del model.config.quantization_config


def _greedy(config: Any, tokenizer: Any) -> Any:
    """What ends generation kept, sampling left out: a model's own taste must not decide a comparison."""
    from transformers import GenerationConfig

    ends = config.eos_token_id if config.eos_token_id is not None else []
    ends = set(ends if isinstance(ends, list) else [ends]) | {tokenizer.eos_token_id} - {None}
    return GenerationConfig(
        do_sample=False, eos_token_id=sorted(ends) or None, pad_token_id=tokenizer.pad_token_id, use_cache=True
    )


def _four_bits(setup: Setup, device: torch.device, options: dict[str, Any]) -> Any:
    from importlib.util import find_spec

    from transformers import BitsAndBytesConfig

    if "gguf_file" in options:
        raise UsageError(
            f"{setup.model} is a GGUF file, whose weights cannot be loaded in 4 bits.",
            "Give a folder or hub id of safetensors weights, or leave out --four-bit.",
        )

    if find_spec("bitsandbytes") is None or device.type != "cuda":
        raise UsageError(
            "A base model in 4 bits needs bitsandbytes and a GPU.",
            "Install bitsandbytes, or leave out --four-bit.",
        )
    return BitsAndBytesConfig(load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_compute_dtype=torch.bfloat16)
