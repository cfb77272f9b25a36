import contextlib
import struct
import time
from pathlib import Path

import gguf
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from geoprobe.errors import BadDataError, GeoprobeError, NotFoundError
from geoprobe.sources.models.gguf import open_gguf
from geoprobe.sources.models.gguf_splits import REGULAR
from geoprobe.sources.models.gguf_tokenizer import gguf_tokenizer
from geoprobe.sources.models.loading import open_model
from geoprobe.sources.models.tokenizer import Tokenizer

ARRAY = np.random.default_rng(0).standard_normal((6, 64)).astype(np.float32)


def write_gguf(path: Path, *, quantised: bool = False, tokens: list[str] | None = None, **metadata: object) -> Path:
    writer = gguf.GGUFWriter(str(path), str(metadata.get("architecture", "llama")))
    for key, value in metadata.get("flags", {}).items():  # type: ignore[attr-defined]
        writer.add_bool(key, value)
    if tokens is not None:
        writer.add_tokenizer_model(str(metadata.get("model", "gpt2")))
        if (pre := metadata.get("pre", "smollm")) is not None:
            writer.add_tokenizer_pre(str(pre))
        writer.add_token_list(tokens)
        writer.add_token_types(metadata.get("types", [3] + [1] * (len(tokens) - 1)))  # type: ignore[arg-type]
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
        ("tekken", "a12 b", ["a", "1", "2", "\u0120b"]),
        ("gpt-4o", "a12 b", ["a", "12", "\u0120b"]),
    ],
)
def test_digits_are_split_as_the_pre_tokenizer_says(tmp_path: Path, pre: str, text: str, pieces: list[str]) -> None:
    tokens = ["<|end|>", "a", "b", "1", "2", "\u0120", "12", "\u0120b"]
    path = write_gguf(tmp_path / "m.gguf", tokens=tokens, pre=pre, merges=["1 2", "\u0120 b"])
    tokenizer = gguf_tokenizer(open_gguf(path))
    assert [tokens[row] for row in tokenizer.encode([text])[0]] == pieces
    assert tokenizer.special(8).tolist() == [True] + [False] * 7
    assert tokenizer.notes == ()


@pytest.mark.parametrize(
    ("pre", "says"),
    [
        ("new-one", "has the pre-tokenizer 'new-one', unknown here"),
        ("default", "names no pre-tokenizer"),
        (None, "names no pre-tokenizer"),
    ],
)
def test_a_pre_tokenizer_that_is_not_known_is_taken_for_gpt_2s_and_said_so(
    tmp_path: Path, pre: str | None, says: str
) -> None:
    tokens = ["<|end|>", "a", "b", "1", "2", "\u0120", "12", "\u0120b"]
    path = write_gguf(tmp_path / "m.gguf", tokens=tokens, pre=pre, merges=["1 2", "\u0120 b"])
    tokenizer = gguf_tokenizer(open_gguf(path))
    assert [tokens[row] for row in tokenizer.encode(["a12 b"])[0]] == ["a", "12", "\u0120b"]
    (note,) = tokenizer.notes
    assert note.startswith(f"The file {says}: text is split as GPT-2 does")
    assert tokenizer.size == len(tokens)  # and no token of GPT-2's among them


def test_every_splitting_of_transformers_is_known_here() -> None:
    pytest.importorskip("torch", reason="transformers' converters need torch")
    from transformers.integrations.gguf import gguf_tokenizer_mapping as mapping

    for pre, split in mapping.GGUF_PRE_TOKENIZER_SPLITS.items():
        assert REGULAR[pre] == (split,), pre


@pytest.mark.parametrize("kind", ["gpt2", "llama"])
def test_rows_that_llama_cpp_names_padding_have_no_token(tmp_path: Path, kind: str) -> None:
    tokens = ["<s>", "a", "b", "ab", "[PAD4]", "[PAD5]"]
    path = write_gguf(
        tmp_path / "m.gguf", tokens=tokens, merges=["a b"], model=kind, pre="gpt-2", types=[3, 1, 1, 1, 5, 5]
    )
    table = open_model(path).table()
    assert table.tokens[1:] == ("a", "b", "ab", "", "")
    assert "The last 2 of 6 rows are padding: the tokenizer has 4 ids." in table.source.notes


@pytest.mark.parametrize(
    ("architecture", "causal", "tied"), [("llama", None, True), ("bert", None, None), ("gemma-embedding", False, None)]
)
def test_an_encoder_ties_its_embedding_to_nothing(
    tmp_path: Path, architecture: str, causal: bool | None, tied: bool | None
) -> None:
    extra = {} if causal is None else {f"{architecture}.attention.causal": causal}
    tokens = ["<|end|>", "a", "b", "ab", "d", "e"]
    path = write_gguf(tmp_path / "m.gguf", tokens=tokens, merges=["a b"], architecture=architecture, flags=extra)
    assert open_model(path).table().tied is tied


@pytest.mark.parametrize("name", ["best-of-breed.gguf", "M.GGUF"])
def test_a_folder_of_one_gguf_file_is_that_model_whatever_its_name(tmp_path: Path, name: str) -> None:
    path = write_gguf(tmp_path / name, tokens=["<|end|>", "a", "b", "ab", "d", "e"], merges=["a b"])
    assert open_model(tmp_path).table().size == open_model(path).table().size == 6


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


def test_a_part_under_another_name_is_no_whole_model(tmp_path: Path) -> None:
    writer = gguf.GGUFWriter(str(tmp_path / "renamed.gguf"), "llama")
    writer.add_uint16("split.count", 2)
    writer.add_int32("split.tensors.count", 7)
    writer.add_tensor("token_embd.weight", ARRAY)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    with pytest.raises(NotFoundError, match=r"is one of 2 parts, and the others are not beside it"):
        open_gguf(tmp_path / "renamed.gguf")


def readable() -> list[str]:
    """Every type that the gguf package dequantises."""
    found = []
    for kind, (_, size) in gguf.GGML_QUANT_SIZES.items():
        try:
            gguf.dequantize(np.zeros((1, size), np.uint8), kind)
        except NotImplementedError:
            continue
        found.append(kind.name)
    return found


def write_matrix(path: Path, data: np.ndarray, kind: gguf.GGMLQuantizationType) -> Path:
    writer = gguf.GGUFWriter(str(path), "llama")
    writer.add_tensor("token_embd.weight", data, raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


@pytest.mark.parametrize("name", sorted({*readable(), "F16", "F32", "F64"}))
def test_every_type_equals_the_gguf_librarys_own_reading(tmp_path: Path, name: str) -> None:
    kind = gguf.GGMLQuantizationType[name]
    wide = np.tile(ARRAY, (1, 4))
    plain = {"F16": np.float16, "F32": np.float32, "F64": np.float64}
    try:
        data = wide.astype(plain[name]) if name in plain else gguf.quantize(wide, kind)
    except NotImplementedError:  # the package reads more types than it writes
        block, size = gguf.GGML_QUANT_SIZES[kind]
        data = np.random.default_rng(1).integers(0, 120, (6, 256 // block * size), dtype=np.uint8)
    rows = open_gguf(write_matrix(tmp_path / "m.gguf", data, kind)).rows("token_embd.weight")
    expected = data if name in plain else gguf.dequantize(data, kind)
    assert (rows.shape, rows.dtype) == ((6, 256), name)
    np.testing.assert_array_equal(rows.read(0, 6), expected.astype(np.float32))
    np.testing.assert_array_equal(rows.take(np.array([4, 4])), rows.read(4, 5)[[0, 0]])


def test_a_type_that_the_library_cannot_read_is_named(tmp_path: Path) -> None:
    data = np.ones((6, 64), np.int32)
    path = write_matrix(tmp_path / "m.gguf", data, gguf.GGMLQuantizationType.I32)
    with pytest.raises(BadDataError, match="has type I32, which the gguf package cannot read"):
        open_gguf(path).rows("token_embd.weight")


def write_split(folder: Path, *, parts: int = 3) -> list[Path]:
    """A file in parts as llama.cpp splits them: all metadata in the first, the table in the second."""
    paths = [folder / f"m-{number:05}-of-{parts:05}.gguf" for number in range(1, parts + 1)]
    for number, path in enumerate(paths):
        writer = gguf.GGUFWriter(str(path), "llama")
        if number == 0:
            writer.add_tokenizer_model("gpt2")
            writer.add_tokenizer_pre("gpt-2")
            writer.add_token_list(["a", "b", "ab", "d", "e", "f"])
            writer.add_token_merges(["a b"])
        writer.add_uint16("split.no", number)
        writer.add_uint16("split.count", parts)
        name = "token_embd.weight" if number == 1 else f"blk.{number}.weight"
        writer.add_tensor(name, ARRAY if number == 1 else 0 * ARRAY)
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
        writer.close()
    return paths


@pytest.mark.parametrize("named", [0, 1, 2, None])
def test_a_split_file_is_read_whichever_part_is_named(tmp_path: Path, named: int | None) -> None:
    paths = write_split(tmp_path)
    table = open_model(tmp_path if named is None else paths[named]).table()
    np.testing.assert_array_equal(table.vectors.read(0, 6), ARRAY)
    assert table.tokens == ("a", "b", "ab", "d", "e", "f")
    assert table.source.file == paths[1].name


def test_a_missing_part_is_named(tmp_path: Path) -> None:
    paths = write_split(tmp_path)
    paths[1].unlink()
    with pytest.raises(NotFoundError, match=r"lacks 1 of the 3 parts of m: m-00002-of-00003\.gguf"):
        open_model(paths[0]).table()


def test_parts_that_hold_the_same_tensor_are_bad_data(tmp_path: Path) -> None:
    paths = write_split(tmp_path)
    paths[2].write_bytes(paths[1].read_bytes())
    with pytest.raises(BadDataError, match=r"is in both m-00002-of-00003\.gguf and m-00003-of-00003\.gguf"):
        open_model(paths[0]).table()


def test_an_output_matrix_of_its_own_is_opened(tmp_path: Path) -> None:
    path = tmp_path / "m.gguf"
    writer = gguf.GGUFWriter(str(path), "granite")
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list(["a", "b", "ab", "d", "e", "f"])
    writer.add_token_merges(["a b"])
    writer.add_float32("granite.embedding_scale", 12.0)
    writer.add_tensor("token_embd.weight", ARRAY)
    writer.add_tensor("output.weight", 2 * ARRAY)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    table = open_model(path).table()
    assert (table.tied, table.lookup_scale) == (False, 12.0)
    assert table.output is not None
    np.testing.assert_array_equal(table.output.read(0, 6), 2 * ARRAY)


def claimed(kind: bytes, body: bytes = b"", *, version: int = 3, tensors: int = 0, values: int = 1) -> bytes:
    """A file with one value of a type, or with what it claims to hold."""
    head = b"GGUF" + struct.pack("<IQQ", version, tensors, values)
    return head + struct.pack("<Q", 1) + b"k" + kind + body


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (claimed(struct.pack("<I", 8), struct.pack("<Q", 10 << 30)), "a string of 10,737,418,240 bytes is claimed"),
        (claimed(struct.pack("<I", 9), struct.pack("<IQ", 8, 1 << 60)), "items are claimed"),
        (claimed(struct.pack("<I", 9), struct.pack("<IQ", 4, 1 << 61)), "items are claimed"),
        (claimed(struct.pack("<I", 9), struct.pack("<IQ", 9, 1) + b"x"), "value type 9 is unknown"),
        (claimed(struct.pack("<I", 77)), "value type 77 is unknown"),
        (claimed(struct.pack("<I", 8), version=1), "version 1 is not one of 2, 3"),
        (claimed(struct.pack("<I", 8), version=0x03000000), "little-endian"),
        (claimed(struct.pack("<I", 4), b"abcd", values=1 << 60), "damaged GGUF"),
        (claimed(struct.pack("<I", 8), struct.pack("<Q", 2) + b"\xff\xfe"), "utf-8"),
        (b"GGUF" + struct.pack("<IQQ", 3, 1, 0) + struct.pack("<Q", 1) + b"t" + struct.pack("<I", 99), "99 dimensions"),
        (
            b"GGUF"
            + struct.pack("<IQQ", 3, 1, 0)
            + struct.pack("<Q", 1)
            + b"t"
            # no row, of a width that no array has
            + struct.pack("<IQQIQ", 2, 1 << 62, 0, 0, 0),
            r"the tensor 't' has the shape \(4611686018427387904, 0\), and no element",
        ),
    ],
)
def test_a_header_that_claims_what_is_not_there_is_bad_data(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "m.gguf"
    path.write_bytes(content)
    with pytest.raises(BadDataError, match=message):
        open_gguf(path)


def tensors(*places: tuple[bytes, int]) -> bytes:
    """A file whose header lists F32 tensors of eight numbers at these places."""
    body = b"".join(
        struct.pack("<Q", len(name)) + name + struct.pack("<IQIQ", 1, 8, 0, place) for name, place in places
    )
    head = b"GGUF" + struct.pack("<IQQ", 3, len(places), 0) + body
    return head + b"\0" * (-len(head) % 32) + b"\0" * 128


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (tensors((b"a", 0), (b"a", 32)), "the tensor 'a' is there twice"),
        (tensors((b"a", 0), (b"b", 16)), "the tensors 'a' and 'b' overlap"),
        (tensors((b"a", 0), (b"b", 1 << 40)), "the tensor 'b' lies at"),
        (tensors((b"a", (1 << 64) - 1)), "the tensor 'a' lies at"),
        (
            b"GGUF" + struct.pack("<IQQ", 3, 0, 2) + 2 * (struct.pack("<Q", 1) + b"k" + struct.pack("<II", 4, 1)),
            "the key 'k' is there twice",
        ),
    ],
)
def test_twins_and_overlaps_are_bad_data(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "m.gguf").write_bytes(content)
    with pytest.raises(BadDataError, match=message):
        open_gguf(tmp_path / "m.gguf")


def test_a_sparse_file_of_10_gb_is_refused_at_once(tmp_path: Path) -> None:
    path = tmp_path / "m.gguf"
    with path.open("wb") as file:
        file.write(claimed(struct.pack("<I", 8), struct.pack("<Q", 9 << 30)))
        file.truncate(10 << 30)
    started = time.perf_counter()
    with pytest.raises(BadDataError, match="a string of 9,663,676,416 bytes is claimed"):
        open_gguf(path)
    assert time.perf_counter() - started < 2


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150, deadline=2000)
@given(data=st.data())
def test_a_file_with_bytes_changed_is_read_or_refused(tmp_path: Path, data: st.DataObject) -> None:
    content = bytearray(write_gguf(tmp_path / "m.gguf", tokens=["<|end|>", "a", "b"], quantised=True).read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(4, len(content) - 1))
        content[at] = data.draw(st.sampled_from([0, 1, 0x7F, 0x80, 0xFF, content[at] ^ 1]))
    path = tmp_path / "changed.gguf"
    path.write_bytes(bytes(content[: data.draw(st.integers(4, len(content)))]))
    with contextlib.suppress(GeoprobeError):
        open_model(path).table().vectors.read(0, 2)


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


def test_the_demo_models_tokenizer_equals_transformers_where_no_digits_are(demo: Path) -> None:
    pytest.importorskip("torch", reason="transformers' converters need torch")
    from transformers.integrations.gguf import gguf_tokenizer_mapping as mapping

    file = open_gguf(demo)
    names = mapping.GGUF_TOKENIZER_MAPPING["tokenizer"].items()
    described = {name: file.metadata[f"tokenizer.{key}"] for key, name in names if f"tokenizer.{key}" in file.metadata}
    ours = gguf_tokenizer(file)
    theirs = Tokenizer(mapping.convert_gguf_tokenizer("llama", described)[0])
    texts = ["The quick brown fox; don't.", "größer → 日本語 🙂", "    indented\n\n\tcode = [x for x in y]", ""]
    for mine, other in zip(ours.encode(texts), theirs.encode(texts), strict=True):
        np.testing.assert_array_equal(mine, other)
