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
        ({NAME: torch.zeros(V, D, dtype=torch.int32)}, None, r"itself quantised \(I32; no scheme is stated"),
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


@pytest.mark.parametrize("bits", [4, 8])
def test_mlx_rows_are_scale_times_number_plus_bias_of_each_group(tmp_path: Path, bits: int) -> None:
    rng = np.random.default_rng(0)
    width, group = 128, 64
    numbers = rng.integers(0, 1 << bits, (V, width))
    per = 32 // bits
    words = np.zeros((V, width // per), dtype=np.uint32)
    for row in range(V):
        for column in range(width):  # the first number in the lowest bits
            words[row, column // per] |= np.uint32(int(numbers[row, column]) << (bits * (column % per)))
    scale, bias = rng.standard_normal((2, V, width // group)).astype(np.float16)
    base = NAME.removesuffix("weight")
    stored = {NAME: words, f"{base}scales": scale, f"{base}biases": bias}
    tensors = {name: torch.from_numpy(array) for name, array in stored.items()}
    path = folder(tmp_path, tensors, None)
    config = json.loads((path / "config.json").read_text())
    own = {"group_size": group, "bits": bits}
    stated = own if bits == 4 else {"group_size": 32, "bits": 4, base.rstrip("."): own}
    (path / "config.json").write_text(json.dumps(config | {"quantization": stated}))
    table = open_model(path).table()
    expected = scale.repeat(group, 1).astype(np.float32) * numbers + bias.repeat(group, 1).astype(np.float32)
    assert (table.size, table.dimension, table.source.dtype) == (V, width, f"U{bits}")
    np.testing.assert_allclose(table.vectors.read(0, V), expected, rtol=1e-6, atol=1e-6)
    np.testing.assert_array_equal(table.vectors.take(np.array([5, 1])), table.vectors.read(0, V)[[5, 1]])
    (path / "config.json").write_text(json.dumps(config | {"quantization": {"group_size": 48, "bits": bits}}))
    with pytest.raises(BadDataError, match="its scales do not fit"):
        open_model(path).table()


def test_model2vecs_tokens_that_share_rows_have_each_its_own_vector(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    shared = rng.standard_normal((20, D)).astype(np.float32)
    mapping, weights = rng.integers(0, 20, V), rng.random(V).astype(np.float32)
    tensors = {"embeddings": shared, "mapping": mapping, "weights": weights}
    path = folder(tmp_path, {name: torch.from_numpy(array) for name, array in tensors.items()}, None)
    table = open_model(path).table()
    np.testing.assert_allclose(table.vectors.read(0, V), shared[mapping] * weights[:, None], rtol=1e-6)
    assert f"{V} tokens share 20 stored rows" in " ".join(table.source.notes)
    tensors["mapping"] = np.full(V, 20)
    path = folder(tmp_path / "bad", {name: torch.from_numpy(array) for name, array in tensors.items()}, None)
    with pytest.raises(BadDataError, match="not rows of its 20"):
        open_model(path).table()


def test_a_packed_matrix_elsewhere_refuses_no_plain_embedding(tmp_path: Path) -> None:
    packed = {"visual.patch_embed.proj.qweight": torch.zeros(2, V, dtype=torch.int32)}
    np.testing.assert_array_equal(read(folder(tmp_path, {NAME: ARRAY, **packed})), ARRAY.numpy())
