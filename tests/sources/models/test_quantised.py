"""Quantised checkpoints, against what torch computes or the values that were quantised."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from builders import make_model

from geoprobe.errors import BadDataError
from geoprobe.sources.models.loading import open_model

torch = pytest.importorskip("torch")
V, D = 127, 16
NAME = "model.embed_tokens.weight"
ARRAY = torch.randn(V, D, generator=torch.Generator().manual_seed(0))


def folder(path: Path, tensors: dict[str, Any], config: dict[str, Any] | None = None) -> Path:
    from safetensors.torch import save_file

    made = make_model(path / "m")
    save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, str(made / "model.safetensors"))
    stated = {"model_type": "llama", "vocab_size": V}
    if config is not None:
        stated["quantization_config"] = config  # type: ignore[assignment]
    (made / "config.json").write_text(json.dumps(stated))
    return made


def read(path: Path) -> np.ndarray:
    return open_model(path).table().vectors.read(0, V)


@pytest.mark.parametrize("kind", ["float8_e4m3fn", "float8_e5m2"])
def test_bare_f8_rows_equal_torchs(tmp_path: Path, kind: str) -> None:
    stored = ARRAY.to(getattr(torch, kind))
    np.testing.assert_array_equal(read(folder(tmp_path, {NAME: stored})), stored.float().numpy())


@pytest.mark.parametrize("shape", [(), (1,), (V,), (V, 1), (V, 4), (1, D)])
def test_f8_scales_of_a_tensor_a_row_or_a_group_equal_torchs_product(tmp_path: Path, shape: tuple[int, ...]) -> None:
    stored, scale = ARRAY.to(torch.float8_e4m3fn), torch.rand(shape) + 0.5
    path = folder(tmp_path, {NAME: stored, "model.embed_tokens.weight_scale": scale})
    wide = scale.reshape(V, 1) if shape == (V,) else scale
    wide = wide.repeat_interleave(4, dim=1) if shape == (V, 4) else wide
    np.testing.assert_allclose(read(path), (stored.float() * wide).numpy(), rtol=1e-6)
    table = open_model(path).table()
    np.testing.assert_array_equal(table.vectors.take(np.array([77, 3])), read(path)[[77, 3]])
    assert any("multiplied by model.embed_tokens.weight_scale" in note for note in table.source.notes)


def test_blocks_of_both_equal_torchs_product(tmp_path: Path) -> None:
    stored, scale = ARRAY.to(torch.float8_e4m3fn), torch.rand(4, 2) + 0.5
    wide = scale.repeat_interleave(32, dim=0)[:V].repeat_interleave(8, dim=1)
    config = {"quant_method": "fp8", "weight_block_size": [32, 8]}
    path = folder(tmp_path, {NAME: stored, "model.embed_tokens.weight_scale_inv": scale}, config)
    np.testing.assert_allclose(read(path), (stored.float() * wide).numpy(), rtol=1e-6)


def test_bitsandbytes_8_bits_are_within_half_a_step_of_the_values(tmp_path: Path) -> None:
    largest = ARRAY.abs().amax(dim=1)
    stored = (ARRAY / largest[:, None] * 127).round().to(torch.int8)
    path = folder(tmp_path, {NAME: stored, "model.embed_tokens.SCB": largest}, {"quant_method": "bitsandbytes"})
    assert (np.abs(read(path) - ARRAY.numpy()) <= 0.501 * (largest / 127).numpy()[:, None]).all()


def test_a_zero_point_is_taken_off_first(tmp_path: Path) -> None:
    low, high = ARRAY.amin(dim=1, keepdim=True), ARRAY.amax(dim=1, keepdim=True)
    scale = (high - low) / 255
    zero = (-128 - low / scale).round()
    stored = (ARRAY / scale + zero).round().clamp(-128, 127).to(torch.int8)
    tensors = {NAME: stored, "model.embed_tokens.weight_scale": scale}
    tensors["model.embed_tokens.weight_zero_point"] = zero.clamp(-128, 127).to(torch.int8)
    assert (np.abs(read(folder(tmp_path, tensors)) - ARRAY.numpy()) <= 1.01 * scale.numpy()).all()


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({"quant_method": "gptq", "bits": 4}, "gptq, 4 bits"),
        ({"quant_method": "awq", "bits": 4}, "awq, 4 bits"),
        ({"quant_method": "bitsandbytes", "load_in_4bit": True}, "bitsandbytes, 4 bits"),
        ({"quant_method": "compressed-tensors"}, "compressed-tensors"),
    ],
)
def test_an_embedding_left_alone_is_said(tmp_path: Path, config: dict[str, Any], words: str) -> None:
    path = folder(tmp_path, {NAME: ARRAY.half()}, config)
    notes = open_model(path).table().source.notes
    assert f"The checkpoint is quantised ({words}); its embedding is not: it is stored as F16." in notes
    np.testing.assert_array_equal(read(path), ARRAY.half().float().numpy())


@pytest.mark.parametrize("kind", [torch.float32, torch.bfloat16, torch.float16])
def test_values_of_more_than_8_bits_are_what_they_are_whatever_is_beside_them(tmp_path: Path, kind: Any) -> None:
    path = folder(tmp_path, {NAME: ARRAY.to(kind), "model.embed_tokens.weight_scale": torch.tensor([2.0])})
    table = open_model(path).table()
    np.testing.assert_array_equal(read(path), ARRAY.to(kind).float().numpy())
    np.testing.assert_allclose(table.row_statistics.norms, np.linalg.norm(read(path), axis=1), rtol=1e-6)
    assert any("model.embed_tokens.weight_scale beside it is not applied" in note for note in table.source.notes)


@pytest.mark.parametrize(
    ("tensors", "config", "message"),
    [
        ({NAME: torch.zeros(V, D, dtype=torch.int8)}, None, r"itself quantised \(I8; no scheme is stated"),
        (
            {NAME: torch.zeros(V * D // 2, 1, dtype=torch.uint8), f"{NAME}.absmax": torch.ones(9)},
            {"quant_method": "bitsandbytes", "load_in_4bit": True},
            r"itself quantised \(packed; bitsandbytes, 4 bits\)",
        ),
        (
            {"model.embed_tokens.qweight": torch.zeros(2, V, dtype=torch.int32)},
            {"quant_method": "gptq", "bits": 4},
            r"embed_tokens.qweight is itself quantised \(packed; gptq, 4 bits\)",
        ),
        (
            {"model.embed_tokens.weight_packed": torch.zeros(V, 2, dtype=torch.int32)},
            {"quant_method": "compressed-tensors"},
            "itself quantised",
        ),
        ({NAME: torch.zeros(V, 2, dtype=torch.int32), "model.embed_tokens.scales": ARRAY}, None, "packed; MLX"),
        ({NAME: torch.zeros(V, D, dtype=torch.int32)}, None, "stored as I32, which cannot be read"),
        (
            {NAME: ARRAY.to(torch.float8_e5m2), "model.embed_tokens.weight_scale": torch.ones(5, 3)},
            None,
            r"weight_scale of shape 5×3 cannot scale 127×16",
        ),
        (
            {NAME: ARRAY.to(torch.float8_e5m2), "model.embed_tokens.weight_scale": torch.ones(0)},
            None,
            "cannot scale",
        ),
    ],
)
def test_what_cannot_be_dequantised_names_its_scheme(
    tmp_path: Path, tensors: dict[str, Any], config: dict[str, Any] | None, message: str
) -> None:
    with pytest.raises(BadDataError, match=message):
        open_model(folder(tmp_path, tensors, config)).table()
