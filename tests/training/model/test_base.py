"""The model is loaded frozen and greedy, its tokenizer ready to pad; what cannot be loaded is said."""

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from geoprobe.errors import BadDataError, NotFoundError, UsageError
from geoprobe.training.model.base import fingerprint, load_base, model_facts


def test_a_model_is_loaded_frozen_and_greedy(base: Any, make: Callable[..., Any]) -> None:
    assert not any(parameter.requires_grad for parameter in base.model.parameters())
    assert not base.model.training
    settings = base.model.generation_config
    assert settings.do_sample is False
    assert base.tokenizer.eos_token_id in settings.eos_token_id
    assert base.padding == base.tokenizer.eos_token_id
    facts = model_facts(base, make())
    assert (facts.name, facts.architecture, facts.dtype) == ("tiny-llama", "llama", "float32")
    assert facts.parameters == sum(parameter.numel() for parameter in base.model.parameters())


def test_half_precision_on_a_cpu_keeps_the_weights(make: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    loaded = load_base(make(precision="bfloat16"))
    assert loaded.half
    assert next(loaded.model.parameters()).dtype == torch.float32


@pytest.mark.parametrize("name", ["./nowhere", "a/b/c", "weights.gguf", "weights.GGUF"])
def test_a_path_that_is_not_there_is_not_asked_of_the_hub(make: Callable[..., Any], name: str) -> None:
    with pytest.raises(NotFoundError, match=f"no model at '{name}'"):
        load_base(make(model=name))


def test_a_folder_that_holds_no_model_is_an_error(make: Callable[..., Any], tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="holds no weights"):
        load_base(make(model=str(tmp_path)), offline=True)
    (tmp_path / "model.safetensors").write_bytes(b"")
    with pytest.raises((NotFoundError, BadDataError), match="cannot be loaded to train it"):
        load_base(make(model=str(tmp_path)), offline=True)


def test_a_file_of_weights_is_the_model_of_its_folder(base: Any, make: Callable[..., Any]) -> None:
    named = load_base(make(model=str(Path(make().model) / "model.safetensors")))
    assert fingerprint(named) == fingerprint(base)


def test_four_bits_need_a_gpu(make: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(UsageError, match="needs bitsandbytes and a GPU"):
        load_base(make(four_bit=True))


def test_a_gguf_file_is_refused_in_four_bits(demo: Path, make: Callable[..., Any]) -> None:
    for model in ("demo", str(demo)):
        with pytest.raises(UsageError, match="is a GGUF file, whose weights cannot be loaded in 4 bits"):
            load_base(make(model=model, four_bit=True))


def test_a_model_is_told_from_another_by_its_weights_and_arithmetic(
    base: Any, make: Callable[..., Any], tmp_path: Path
) -> None:
    shutil.copytree(make().model, tmp_path / "moved")
    again = load_base(make(model=str(tmp_path / "moved")))
    assert fingerprint(again) == fingerprint(base)  # wherever it lies
    assert fingerprint(replace(again, half=True))["precision"] == "bfloat16"
    with torch.no_grad():
        again.model.model.layers[1].mlp.up_proj.weight.mul_(1.01)
    assert fingerprint(again)["weights"] != fingerprint(base)["weights"]
