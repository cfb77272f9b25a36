import contextlib
import json
import struct
from pathlib import Path

import numpy as np
import pytest
from builders import write_safetensors
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from geoprobe.errors import BadDataError
from geoprobe.sources.models.safetensors import SafetensorsRows
from geoprobe.sources.models.safetensors_header import read_header

ARRAY = np.random.default_rng(0).standard_normal((7, 5)).astype(np.float32)


def bfloat16_bits(array: np.ndarray) -> np.ndarray:
    return (array.view(np.uint32) >> 16).astype(np.uint16)


def raw_file(path: Path, header: bytes, body: bytes = b"", length: int | None = None) -> Path:
    path.write_bytes(struct.pack("<Q", len(header) if length is None else length) + header + body)
    return path


@pytest.mark.parametrize("kind", [np.float16, np.float32, np.float64])
def test_rows_equal_what_the_safetensors_library_wrote(tmp_path: Path, kind: type) -> None:
    array = ARRAY.astype(kind)
    path = write_safetensors(tmp_path / "m.safetensors", {"other": np.ones((3, 3), kind), "e": array})
    rows = SafetensorsRows(path, read_header(path)["e"])
    assert rows.shape == (7, 5)
    np.testing.assert_array_equal(rows.read(0, 7), array.astype(np.float32))
    np.testing.assert_array_equal(rows.take(np.array([6, 0, 6])), array[[6, 0, 6]].astype(np.float32))


def test_bfloat16_rows_equal_float32_with_the_lower_half_cut(tmp_path: Path) -> None:
    bits = bfloat16_bits(ARRAY)
    header = json.dumps({"e": {"dtype": "BF16", "shape": [7, 5], "data_offsets": [0, 70]}}).encode()
    path = raw_file(tmp_path / "m.safetensors", header, bits.tobytes())
    expected = (ARRAY.view(np.uint32) & np.uint32(0xFFFF0000)).view(np.float32)
    rows = SafetensorsRows(path, read_header(path)["e"])
    np.testing.assert_array_equal(rows.read(0, 7), expected)
    np.testing.assert_array_equal(rows.take(np.array([3])), expected[3:4])


def entry(**changed: object) -> bytes:
    return json.dumps({"e": {"dtype": "F32", "shape": [2, 2], "data_offsets": [0, 16]} | changed}).encode()


ONE = b'{"dtype": "F32", "shape": [2, 2], "data_offsets": [0, 16]}'


@pytest.mark.parametrize(
    ("header", "body", "length", "message"),
    [
        (b"", b"", 0, "is not a safetensors file"),
        (b"{}", b"", 1 << 40, "is not a safetensors file"),
        (b"version https://git-lfs", b"", 2**63, "Git LFS pointer"),
        (b"not json at all", b"", None, "not the JSON"),
        (b"[1, 2]", b"", None, "not the JSON"),
        (b'{"e": {"dtype": "F32"}}', b"", None, "not the JSON"),
        (b"[" * 10_000, b"", None, "not the JSON"),
        (entry(), b"\0" * 15, None, r"ends at byte .* but its tensor 'e' lies at"),
        (entry(data_offsets=[0, 1 << 40]), b"\0" * 16, None, "truncated"),
        (entry(data_offsets=[16, 0]), b"\0" * 16, None, "truncated"),
        (entry(data_offsets=[-8, 8]), b"\0" * 16, None, "truncated"),
        (entry(shape=[2, 3]), b"\0" * 16, None, "cannot fill"),
        (entry(shape=[-2, -2]), b"\0" * 16, None, "cannot fill"),
        (entry(shape=[2.0, 2]), b"\0" * 16, None, "cannot be"),
        (entry(shape=[True, 4]), b"\0" * 16, None, "cannot be"),
        (entry(shape=[10**30, 2]), b"\0" * 16, None, "cannot be"),
        (entry(shape=[1] * 99), b"\0" * 16, None, "cannot be"),
        (entry(data_offsets=[0, 8, 16]), b"\0" * 16, None, "cannot be"),
        (b'{"e": %s, "e": %s}' % (ONE, ONE), b"\0" * 16, None, "'e' is there twice"),
        (b'{"e": %s, "f": %s}' % (ONE, ONE), b"\0" * 16, None, "tensors 'e' and 'f' overlap"),
        (b'{"e": {"dtype": "F32", "dtype": "F16"}}', b"", None, "'dtype' is there twice"),
    ],
)
def test_a_damaged_file_is_bad_data(
    tmp_path: Path, header: bytes, body: bytes, length: int | None, message: str
) -> None:
    path = raw_file(tmp_path / "m.safetensors", header, body, length)
    with pytest.raises(BadDataError, match=message):
        read_header(path)


def test_a_type_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    path = raw_file(tmp_path / "m.safetensors", entry(dtype="I16", data_offsets=[0, 8]), b"\0" * 8)
    with pytest.raises(BadDataError, match="stored as I16"):
        SafetensorsRows(path, read_header(path)["e"])


def test_10_gb_claimed_by_a_small_file_are_refused_at_once(tmp_path: Path) -> None:
    claim = entry(shape=[10 << 15, 1 << 13], data_offsets=[0, 10 << 30])
    with pytest.raises(BadDataError, match=r"but its tensor 'e' lies at [\d,]+ to 10,737,"):
        read_header(raw_file(tmp_path / "m.safetensors", claim, b"\0" * 900))


NUMBERS = st.integers(-(2**70), 2**70) | st.integers(-2, 40) | st.floats() | st.none() | st.text(max_size=3)
ENTRIES = st.dictionaries(
    st.sampled_from(["dtype", "shape", "data_offsets", "more"]),
    st.sampled_from(["F32", "BF16", "I8", "what"]) | st.lists(NUMBERS, max_size=4) | NUMBERS,
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200, deadline=2000)
@given(header=st.dictionaries(st.text(max_size=3), ENTRIES | NUMBERS), body=st.binary(max_size=40))
def test_any_json_header_is_read_or_refused(tmp_path: Path, header: dict[str, object], body: bytes) -> None:
    path = raw_file(tmp_path / "any.safetensors", json.dumps(header).encode(), body)
    with contextlib.suppress(BadDataError):
        for found in read_header(path).values():
            rows = SafetensorsRows(path, found)
            rows.read(0, rows.shape[0])


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200)
@given(data=st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "any.safetensors"
    path.write_bytes(data)
    with contextlib.suppress(BadDataError):
        read_header(path)
