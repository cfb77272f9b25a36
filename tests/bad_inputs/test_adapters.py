"""Adapters from elsewhere that cannot be used: they have no command, so what is said is an exception's text."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from builders import Hostile

from geoprobe.errors import BadDataError, GeoprobeError, NotFoundError

torch = pytest.importorskip("torch")
pytest.importorskip("peft")

SETTINGS = {"peft_type": "LORA", "lora_type": "hyplora-0.5", "r": 2, "lora_alpha": 8, "target_modules": ["q"]}
WEIGHTS = "adapter_model.safetensors"
Change = Callable[[Path], object]


def settings(**changed: object) -> Change:
    return lambda folder: (folder / "adapter_config.json").write_text(json.dumps(SETTINGS | changed))


def content(name: str, data: bytes | None) -> Change:
    def change(folder: Path) -> None:
        (folder / name).unlink(missing_ok=True)
        if data is not None:
            (folder / name).write_bytes(data)

    return change


def pickled(value: Any) -> Change:
    def change(folder: Path) -> None:
        (folder / WEIGHTS).unlink()
        torch.save(value, folder / "adapter_model.bin")

    return change


CASES: dict[str, tuple[Change, type[GeoprobeError], str]] = {
    "no settings": (content("adapter_config.json", None), NotFoundError, "There is no adapter at"),
    "settings that are no json": (content("adapter_config.json", b"{"), BadDataError, "is not JSON"),
    "settings that are a list": (content("adapter_config.json", b"[]"), BadDataError, "holds list, not an object"),
    "settings in latin-1": (content("adapter_config.json", b'"\xfc"'), BadDataError, "is not JSON"),
    "another kind": (settings(lora_type="std"), BadDataError, "has lora_type 'std'"),
    "a kind that is a number": (settings(lora_type=7), BadDataError, "has lora_type 7"),
    "a curvature in words": (settings(lora_type="hyplora-flat"), BadDataError, "settings that cannot be"),
    "a curvature that is none": (settings(lora_type="hyplora-nan"), BadDataError, "`curvature`.*nan"),
    "a rank of nothing": (settings(r=0), BadDataError, "`r` should be a positive integer"),
    "a rank in words": (settings(r="2"), BadDataError, "`r` should be a positive integer"),
    "an alpha in words": (settings(lora_alpha="8"), BadDataError, "`lora_alpha` should be a number"),
    "a dropout that is a list": (settings(lora_dropout=[]), BadDataError, "`lora_dropout` should be in"),
    "no weights": (content(WEIGHTS, None), NotFoundError, "holds no weights"),
    "weights that are none": (content(WEIGHTS, b"junk"), BadDataError, "does not hold tensors alone"),
    "weights that claim 10 GB": (content(WEIGHTS, (10 << 30).to_bytes(8, "little")), BadDataError, "tensors alone"),
    "a pickle of code": (pickled({"x": Hostile()}), BadDataError, "does not hold tensors alone"),
    "a pickle of a list": (pickled([1]), BadDataError, "does not hold tensors by name"),
    "weights of another method": (pickled({"a.lora_C": torch.ones(2)}), BadDataError, "is not a weight of a released"),
    "weights without their scalars": (pickled({"a.lora_k": torch.ones(1)}), BadDataError, "holds no lora_norm_scale"),
}


@pytest.mark.parametrize("name", CASES)
def test_a_bad_adapter_is_refused_with_its_reason_and_nothing_is_written(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from safetensors.torch import save_file

    from geoprobe.hyplora import convert_released

    change, kind, message = CASES[name]
    folder = tmp_path / "adapter"
    folder.mkdir()
    settings()(folder)
    save_file({"a.lora_norm_scale": torch.ones(1)}, folder / WEIGHTS)
    change(folder)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(kind, match=message):
        convert_released(folder, tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["adapter"]  # nothing written, and no code was run
