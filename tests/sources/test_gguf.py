import contextlib
import struct
from pathlib import Path

import gguf
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from geoprobe.errors import BadDataError
from geoprobe.sources.gguf import open_gguf
from geoprobe.sources.gguf_tokenizer import gguf_tokenizer
from geoprobe.sources.tokenizer import Tokenizer

ARRAY = np.random.default_rng(0).standard_normal((6, 64)).astype(np.float32)


def write_gguf(path: Path, *, quantised: bool = False, tokens: list[str] | None = None, **metadata: object) -> Path:
    writer = gguf.GGUFWriter(str(path), "llama")
    if tokens is not None:
        writer.add_tokenizer_model(str(metadata.get("model", "gpt2")))
        writer.add_tokenizer_pre(str(metadata.get("pre", "smollm")))
        writer.add_token_list(tokens)
        writer.add_token_types([3] + [1] * (len(tokens) - 1))
        writer.add_token_merges(list(metadata.get("merges", [])))  # type: ignore[call-overload]
    if quantised:
        kind = gguf.GGMLQuantizationType.Q8_0
        writer.add_tensor("token_embd.weight", gguf.quantize(ARRAY, kind), raw_dtype=kind)
    else:
        writer.add_tensor("token_embd.weight", ARRAY)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def test_float_rows_equal_what_the_gguf_library_wrote(tmp_path: Path) -> None:
    rows = open_gguf(write_gguf(tmp_path / "m.gguf")).rows("token_embd.weight")
    assert (rows.shape, rows.dtype) == ((6, 64), "F32")
    np.testing.assert_array_equal(rows.read(0, 6), ARRAY)


def test_quantised_rows_are_within_half_a_step_of_the_values(tmp_path: Path) -> None:
    rows = open_gguf(write_gguf(tmp_path / "m.gguf", quantised=True)).rows("token_embd.weight")
    assert (rows.shape, rows.dtype) == ((6, 64), "Q8_0")
    step = np.abs(ARRAY.reshape(6, 2, 32)).max(axis=2).repeat(32, axis=1) / 127
    assert (np.abs(rows.read(0, 6) - ARRAY) <= 0.51 * step).all()
    np.testing.assert_array_equal(rows.take(np.array([5, 1])), rows.read(0, 6)[[5, 1]])


@pytest.mark.parametrize("content", [b"", b"GGML", b"safetensors are not this"])
def test_another_format_is_named_by_its_first_bytes(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "m.gguf"
    path.write_bytes(content)
    with pytest.raises(BadDataError, match="is not a GGUF file: it begins with"):
        open_gguf(path)


@pytest.mark.parametrize("kept", [8, 40, 200])
def test_a_truncated_file_is_bad_data(tmp_path: Path, kept: int) -> None:
    path = write_gguf(tmp_path / "m.gguf")
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(BadDataError, match="damaged GGUF"):
        open_gguf(path)


@pytest.mark.parametrize(
    ("pre", "text", "pieces"),
    [
        ("smollm", "a12 b", ["a", "1", "2", "\u0120b"]),
        ("llama-bpe", "a12 b", ["a", "12", "\u0120b"]),
        ("qwen2", "a12 b", ["a", "1", "2", "\u0120b"]),
        ("gpt-2", "a12 b", ["a", "12", "\u0120b"]),
    ],
)
def test_digits_are_split_as_the_pre_tokenizer_says(tmp_path: Path, pre: str, text: str, pieces: list[str]) -> None:
    tokens = ["<|end|>", "a", "b", "1", "2", "\u0120", "12", "\u0120b"]
    path = write_gguf(tmp_path / "m.gguf", tokens=tokens, pre=pre, merges=["1 2", "\u0120 b"])
    tokenizer, notes = gguf_tokenizer(open_gguf(path))
    assert [tokens[row] for row in tokenizer.encode([text])[0]] == pieces
    assert tokenizer.special(8).tolist() == [True] + [False] * 7
    assert notes == ()


def test_an_unknown_pre_tokenizer_is_converted_by_transformers_and_said_so(tmp_path: Path) -> None:
    tokens = ["<|end|>", "a", "b", "\u0120", "\u0120b"]
    path = write_gguf(tmp_path / "m.gguf", tokens=tokens, pre="tekken", merges=["\u0120 b"])
    tokenizer, notes = gguf_tokenizer(open_gguf(path))
    assert [tokens[row] for row in tokenizer.encode(["a b"])[0]] == ["a", "\u0120b"]
    assert "converted by transformers" in notes[0]


def test_the_demos_header_and_rows_equal_the_gguf_librarys(demo: Path) -> None:
    reader = gguf.GGUFReader(demo)
    ours = open_gguf(demo)
    for key, field in reader.fields.items():
        if not key.startswith("GGUF."):
            assert ours.metadata[key] == field.contents(), key
    matrices = [tensor for tensor in reader.tensors if len(tensor.shape) == 2]
    assert [name for name, shape in ours.shapes().items() if len(shape) == 2] == [tensor.name for tensor in matrices]
    for tensor in matrices[:: len(matrices) // 12]:
        rows = ours.rows(tensor.name)
        assert rows.shape == (int(tensor.shape[1]), int(tensor.shape[0]))
        assert rows.dtype == tensor.tensor_type.name
        np.testing.assert_array_equal(rows.stored, tensor.data)
        np.testing.assert_array_equal(rows.read(3, 7), gguf.dequantize(tensor.data[3:7], tensor.tensor_type))


@pytest.mark.parametrize("kind", ["Q4_0", "Q5_1", "Q6_K", "BF16", "F16"])
def test_every_kind_of_row_equals_the_gguf_librarys_own_reading(tmp_path: Path, kind: str) -> None:
    quantised = gguf.GGMLQuantizationType[kind]
    wide = np.tile(ARRAY, (1, 4))
    try:
        data = gguf.quantize(wide, quantised)
    except NotImplementedError:  # the package reads more kinds than it writes
        sizes = gguf.GGML_QUANT_SIZES[quantised]
        data = np.random.default_rng(1).integers(0, 120, (6, 256 // sizes[0] * sizes[1]), dtype=np.uint8)
    writer = gguf.GGUFWriter(str(tmp_path / "m.gguf"), "llama")
    writer.add_tensor("token_embd.weight", data, raw_dtype=quantised)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    rows = open_gguf(tmp_path / "m.gguf").rows("token_embd.weight")
    expected = next(iter(gguf.GGUFReader(tmp_path / "m.gguf").tensors))
    np.testing.assert_array_equal(rows.read(0, 6), gguf.dequantize(expected.data, quantised).astype(np.float32))
    np.testing.assert_array_equal(rows.take(np.array([4, 4])), rows.read(4, 5)[[0, 0]])


def claimed(kind: bytes, body: bytes = b"", *, version: int = 3, tensors: int = 0, values: int = 1) -> bytes:
    """A file with one value of a type, or with what it claims to hold."""
    head = b"GGUF" + struct.pack("<IQQ", version, tensors, values)
    return head + struct.pack("<Q", 1) + b"k" + kind + body


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (claimed(struct.pack("<I", 8), struct.pack("<Q", 10 << 30)), "10,737,418,240 bytes are claimed"),
        (claimed(struct.pack("<I", 9), struct.pack("<IQ", 8, 1 << 60)), "items are claimed"),
        (claimed(struct.pack("<I", 9), struct.pack("<IQ", 4, 1 << 61)), "items are claimed"),
        (claimed(struct.pack("<I", 9), struct.pack("<IQ", 9, 1) + b"x"), "value type 9 is unknown"),
        (claimed(struct.pack("<I", 77)), "value type 77 is unknown"),
        (claimed(struct.pack("<I", 8), version=1), "version 1 is not one of 2, 3"),
        (claimed(struct.pack("<I", 8), version=0x03000000), "little-endian"),
        (claimed(struct.pack("<I", 4), b"abcd", values=1 << 60), "damaged GGUF"),
        (claimed(struct.pack("<I", 8), struct.pack("<Q", 2) + b"\xff\xfe"), "utf-8"),
        (b"GGUF" + struct.pack("<IQQ", 3, 1, 0) + struct.pack("<Q", 1) + b"t" + struct.pack("<I", 99), "99 dimensions"),
    ],
)
def test_a_header_that_claims_what_is_not_there_is_bad_data(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "m.gguf"
    path.write_bytes(content)
    with pytest.raises(BadDataError, match=message):
        open_gguf(path)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200)
@given(data=st.binary(max_size=200))
def test_any_bytes_after_the_magic_are_read_or_refused(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "any.gguf"
    path.write_bytes(b"GGUF" + data)
    with contextlib.suppress(BadDataError):
        open_gguf(path)


def test_a_file_without_vocabulary_is_bad_data(tmp_path: Path) -> None:
    with pytest.raises(BadDataError, match="holds no tokenizer"):
        gguf_tokenizer(open_gguf(write_gguf(tmp_path / "m.gguf")))


def test_a_kind_that_nothing_converts_is_bad_data(tmp_path: Path) -> None:
    path = write_gguf(tmp_path / "m.gguf", tokens=["a", "b"], model="rwkv")
    with pytest.raises(BadDataError, match=r"kind 'rwkv'.* cannot be converted"):
        gguf_tokenizer(open_gguf(path))


def test_the_demo_models_tokenizer_equals_transformers_where_no_digits_are(demo: Path) -> None:
    from geoprobe.sources.gguf_tokenizer import _by_transformers

    file = open_gguf(demo)
    ours = gguf_tokenizer(file)[0]
    theirs = Tokenizer(_by_transformers(file.metadata))
    texts = ["The quick brown fox; don't.", "größer → 日本語 🙂", "    indented\n\n\tcode = [x for x in y]", ""]
    for mine, other in zip(ours.encode(texts), theirs.encode(texts), strict=True):
        np.testing.assert_array_equal(mine, other)
