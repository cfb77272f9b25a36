"""Small files that claim to be large: refused in the memory and time of a small file."""

import base64
import io
import json
import os
import re
import shutil
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from bad_inputs.case import EMBEDDING, Case, changed_json, make_workplace, model_with, raw_safetensors
from bad_inputs.test_table import memory_limit, time_limit
from builders import missing, write_safetensors
from pyarrow import parquet

Run = Callable[..., tuple[int, str, str]]
#: Megabytes beyond what is there before, seconds, and bytes of disk that a bomb may cost.
MEGABYTES, SECONDS = 400, 30
SCAN = "scan tiny --corpus good.txt"


def sparse(name: str, content: bytes, size: int) -> Callable[[Path], object]:
    """A file of this size of which only its beginning is stored."""

    def make(folder: Path) -> None:
        (folder / name).write_bytes(content)
        os.truncate(folder / name, size)

    return make


def table(path: Path, column: pa.Array, **options: object) -> None:
    parquet.write_table(
        pa.table({"text": column}), path, compression="zstd", write_statistics=False, store_schema=False, **options
    )


def one_value(name: str, times: int = 1024, size: int = 18_000_000) -> Callable[[Path], object]:
    """A column that holds one value any number of times."""

    def make(folder: Path) -> None:
        values = pa.DictionaryArray.from_arrays(pa.array([0] * times, pa.int32()), pa.array(["x" * size]))
        table(folder / name, values, dictionary_pagesize_limit=1 << 28)

    return make


def prefixes(folder: Path) -> None:
    column = pa.array(["x" * 6_000_000] * 12)
    table(folder / "a.parquet", column, use_dictionary=False, column_encoding={"text": "DELTA_BYTE_ARRAY"})


def one_page(folder: Path) -> None:
    table(folder / "a.parquet", pa.array(["x" * 18_000_000] * 8), use_dictionary=False)


def nothing(folder: Path) -> None:
    table(folder / "a.parquet", pa.nulls((1 << 24) + 1, pa.string()))


def packed_table(folder: Path) -> None:
    whole = io.BytesIO()
    table = pa.table({"text": ["x" * 6_000_000] * 8})
    parquet.write_table(table, whole, compression="none", use_dictionary=False)
    (folder / "a.parquet.zst").write_bytes(pa.compress(whole.getvalue(), codec="zstd", asbytes=True))


def replacing(times: int, written: int) -> Callable[[Path], object]:
    """Rules that each write so many letters for one."""
    rules = [{"type": "Replace", "pattern": {"String": "t"}, "content": "t" * written}] * times
    described = {"type": "Sequence", "normalizers": rules}
    return changed_json("tiny/tokenizer.json", lambda data: data.update(normalizer=described))


def charsmap(folder: Path) -> None:
    """SentencePiece's table with an empty tree, and a long text behind it."""
    packed = base64.b64encode(struct.pack("<I", 4) + bytes(4) + b"x" * 100_000 + b"\0").decode()
    described = {"type": "Precompiled", "precompiled_charsmap": packed}
    changed_json("tiny/tokenizer.json", lambda data: data.update(normalizer=described))(folder)


def strided(folder: Path) -> None:
    if find_spec("torch") is None:
        missing("finetune", "PyTorch is not installed")
    import torch

    torch.save({EMBEDDING: torch.ones(1, 1).expand(1 << 20, 1 << 12)}, folder / "m.bin")
    (folder / "tiny" / "model.safetensors").unlink()
    (folder / "m.bin").rename(folder / "tiny" / "pytorch_model.bin")


def long_token(folder: Path) -> None:
    """Cut in two at every place, it would take hours."""
    words = [bytes([letter]) for letter in range(256)] + [b"ab" * 500_000]
    described = {
        "config": {"pattern": ".", "default_num_special_tokens": 2, "default_vocab_size": 300},
        "vocab": [{"rank": row, "token_bytes": base64.b64encode(word).decode()} for row, word in enumerate(words)],
    }
    (folder / "tekken.json").write_text(json.dumps(described))


def long_piece(folder: Path) -> None:
    """The same in SentencePiece's form: a message of pieces, and of type 2, by merges."""

    def field(number: int, content: bytes) -> bytes:
        size, length = len(content), b""
        while size > 127:
            length, size = length + bytes([size & 127 | 128]), size >> 7
        return bytes([number << 3 | 2]) + length + bytes([size]) + content

    pieces = [b"<unk>", b"a", b"b", b"ab" * 500_000]
    content = b"".join(field(1, field(1, piece)) for piece in pieces) + field(2, bytes([3 << 3, 2]))
    (folder / "t.model").write_bytes(content)


def shared(folder: Path) -> None:
    tensors = {"embeddings": np.ones((1, 4096), np.float32), "mapping": np.zeros(1 << 19, np.int64)}
    write_safetensors(folder / "tiny" / "model.safetensors", tensors)


HEADER = {EMBEDDING: {"dtype": "F32", "shape": [1 << 20, 800], "data_offsets": [0, (1 << 20) * 3200]}}
#: One value, an array of 16 million bytes.
GGUF = b"GGUF" + struct.pack("<IQQQ", 3, 0, 1, 1) + b"a" + struct.pack("<IIQ", 9, 0, 1 << 24)
BOMBS: dict[str, Case] = {
    "a value in every row": Case("scan tiny --corpus a.parquet", 5, "unpacks from", make=one_value("a.parquet")),
    "a word in every row": Case(
        "scan v.npy --tokenizer a.parquet", 5, "holds over", {"v.npy": b""}, make=one_value("a.parquet")
    ),
    "a value that is the next one's beginning": Case("scan tiny --corpus a.parquet", 5, "unpacks from", make=prefixes),
    "a page of gigabytes": Case("scan tiny --corpus a.parquet", 5, "unpacks from", make=one_page),
    "rows of nothing": Case("scan tiny --corpus a.parquet", 5, "rows in", make=nothing),
    "a packed table": Case("scan tiny --corpus a.parquet.zst", 5, "unpacks from", make=packed_table),
    "packed lines of nothing": Case(
        "scan tiny --corpus a.txt.zst",
        5,
        "unpacks from",
        {"a.txt.zst": pa.compress(b"\n" * 40_000_000, codec="zstd", asbytes=True)},
    ),
    "nine rules of ten": Case(SCAN, 5, "1e+09 times as long", make=replacing(9, 10)),
    "one rule of a million": Case(SCAN, 5, "1e+06 times as long", make=replacing(1, 1_000_000)),
    "bytes as letters again and again": Case(
        SCAN,
        5,
        "writes bytes as letters 40 times over",
        make=changed_json(
            "tiny/tokenizer.json",
            lambda data: data.update(
                pre_tokenizer={
                    "type": "Sequence",
                    "pretokenizers": [
                        {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": False}
                    ]
                    * 40,
                }
            ),
        ),
    ),
    "a text half a million times": Case(
        SCAN,
        5,
        "its template has a text 500,000 times",
        make=changed_json(
            "tiny/tokenizer.json",
            lambda data: data.update(
                post_processor={
                    "type": "TemplateProcessing",
                    "single": [{"Sequence": {"id": "A", "type_id": 0}}] * 500_000,
                    "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}],
                    "special_tokens": {},
                }
            ),
        ),
    ),
    "rules that only some texts meet": Case(
        "scan tiny --corpus a.txt", 5, "its normalizer makes of", {"a.txt": b"t" * 500_000}, make=replacing(2, 40)
    ),
    "a token of a million letters": Case(f"{SCAN} --tokenizer tekken.json", 5, "tokens are longer", make=long_token),
    "a piece of a million letters": Case(f"{SCAN} --tokenizer t.model", 5, "tokens are longer", make=long_piece),
    "a table of characters": Case(SCAN, 5, "1e+05 times as long", make=charsmap),
    "an added token of a million letters": Case(
        SCAN,
        5,
        "it adds a token of 1,000,000 characters",
        make=changed_json(
            "tiny/tokenizer.json",
            lambda data: data.update(
                added_tokens=[
                    {"id": 0, "content": "t" * 1_000_000, "special": False}
                    | dict.fromkeys(("single_word", "lstrip", "rstrip"), False)
                    | {"normalized": True}
                ]
            ),
        ),
    ),
    "a table that is not stored": Case(
        SCAN, 5, "of which", make=sparse("tiny/model.safetensors", raw_safetensors(HEADER), 3_400_000_000)
    ),
    "a configuration that is not stored": Case(
        SCAN, 5, "no file of its kind", make=sparse("tiny/config.json", b"{", 2_000_000_000)
    ),
    "a tokenizer that is not stored": Case(
        SCAN, 5, "no file of its kind", make=sparse("tiny/tokenizer.json", b"{", 2_000_000_000)
    ),
    "words that are not stored": Case(
        f"{SCAN} --tokenizer w.txt", 5, "no file of its kind", make=sparse("w.txt", b"the\n", 2_000_000_000)
    ),
    "a report that is not stored": Case(
        "report a.json", 5, "no file of its kind", make=sparse("a.json", b"{", 2_000_000_000)
    ),
    "arrays of GGUF that are not stored": Case(
        "scan m.gguf --corpus good.txt", 5, "of which", make=sparse("m.gguf", GGUF, 3_000_000_000)
    ),
    "an array of numpy that is not stored": Case(
        "scan v.npy --tokenizer good.txt",
        5,
        "of which",
        make=sparse("v.npy", b"\x93NUMPY\x01\x00", 3_000_000_000),
    ),
    "more rows than any vocabulary": Case(
        SCAN, 5, "no embedding has over 16,777,216 rows", make=model_with(E=np.zeros(((1 << 24) + 1, 1), np.float16))
    ),
    "wider than any model": Case(
        SCAN, 5, "or 131,072 columns", make=model_with(E=np.zeros((8, (1 << 17) + 1), np.float16))
    ),
    "a tensor of one number": Case(SCAN, 5, "is stored as fewer numbers than it has", make=strided),
    "one row for every token": Case(SCAN, 5, "more than are held", make=shared),
}


@contextmanager
def peak_memory() -> Iterator[list[int]]:
    """Megabytes of anonymous memory and of temporary files at the peak, beyond those at the start."""
    peak, done = [0], threading.Event()
    status = Path("/proc/self/status")

    def anonymous() -> int:
        return int(re.search(r"RssAnon:\s+(\d+)", status.read_text())[1]) >> 10  # type: ignore[index]

    def watch(before: int) -> None:
        while not done.wait(0.005):
            peak[0] = max(peak[0], anonymous() - before)

    watcher = threading.Thread(target=watch, args=(anonymous(),))
    watcher.start()
    try:
        yield peak
    finally:
        done.set()
        watcher.join()


@pytest.fixture(scope="module")
def bombs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bombs")
    make_workplace(folder)
    return folder


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize("name", BOMBS)
def test_what_is_small_is_refused_as_quickly_and_in_as_little_memory(
    run_cli: Run, bombs: Path, tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not Path("/proc/self/status").is_file():
        pytest.skip("no /proc to read memory from")
    folder, case = tmp_path / "here", BOMBS[name]
    shutil.copytree(bombs, folder)
    case.prepare(folder)
    monkeypatch.chdir(folder)
    before = sorted(tmp_path.rglob("*"))
    start = time.perf_counter()
    with time_limit(SECONDS), memory_limit(4_000_000_000), peak_memory() as peak:
        code, stdout, stderr = run_cli(*case.words)
    said = stderr.replace("\n", " ")
    assert case.says in said
    assert (code, stdout) == (case.code, ""), said
    assert "a fault of its own" not in said
    assert peak[0] < MEGABYTES
    assert time.perf_counter() - start < SECONDS
    assert sorted(tmp_path.rglob("*")) == before
