"""GGUF files on the hub, by range, against the same files opened here; bytes are counted by the loopback hub."""

import json
from collections.abc import Iterator
from pathlib import Path

import gguf
import numpy as np
import pytest
from hub_server import COMMIT, Hub, pointed

from geoprobe.errors import BadDataError, GeoprobeError, NotFoundError, UsageError
from geoprobe.sources.models.gguf import open_gguf
from geoprobe.sources.models.gguf_header import MoreBytes, parse_gguf_header
from geoprobe.sources.models.loading import open_model, open_tokenizer
from geoprobe.sources.models.resolve import resolve_model
from geoprobe.sources.models.whole import whole_model

LETTERS = "abcdefghijklmnopqrstuvwxyz"
PAIRS = [(first, second) for first in LETTERS for second in LETTERS]
TOKENS = [*LETTERS, *map("".join, PAIRS), *(f"\u0120word{number}" for number in range(2298))]
MODEL = "team/model"


def write(path: Path, first: int = 0, *, rows: int = 3000, count: int = 0, number: int = 0) -> Path:
    """A vocabulary and its embedding in 8 bits, behind so many bytes of another tensor."""
    writer = gguf.GGUFWriter(str(path), "llama")
    if count:
        writer.add_uint16("split.count", count)
        writer.add_uint16("split.no", number)
        writer.add_int32("split.tensors.count", 2)
    if number == 0:
        writer.add_name("Small Llama")
        writer.add_tokenizer_model("gpt2")
        writer.add_tokenizer_pre("gpt-2")
        writer.add_token_list(TOKENS)
        writer.add_token_types([1] * len(TOKENS))
        writer.add_token_merges(list(map(" ".join, PAIRS)))
    if first:
        writer.add_tensor("blk.0.weight", np.ones((first // 128, 32), np.float32))
    if rows:
        table = np.random.default_rng(0).normal(size=(rows, 64)).astype(np.float32)
        kind = gguf.GGMLQuantizationType.Q8_0
        writer.add_tensor("token_embd.weight", gguf.quantize(table, kind), raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    with pointed(Hub({"m.Q8_0.gguf": write(tmp_path / "m.gguf", 300_000).read_bytes()}), tmp_path, monkeypatch) as hub:
        yield hub


def extent(path: Path) -> tuple[int, int]:
    """Bytes of a file's header, and of its embedding."""
    tensors = gguf.GGUFReader(path).tensors
    return min(tensor.data_offset for tensor in tensors), sum(
        tensor.n_bytes for tensor in tensors if tensor.name == "token_embd.weight"
    )


@pytest.mark.parametrize("given", [MODEL, f"{MODEL}:m.Q8_0.gguf"])
def test_the_only_file_or_the_named_one_equals_the_local_one(hub: Hub, tmp_path: Path, given: str) -> None:
    here, there = open_model(tmp_path / "m.gguf"), open_model(given)
    table, local = there.table(), here.table()
    np.testing.assert_array_equal(table.vectors.read(0, 3000), local.vectors.read(0, 3000))
    assert table.tokens == local.tokens
    assert there.tokenizer.sha256 == here.tokenizer.sha256 == open_tokenizer(given).sha256
    source = table.source
    assert (source.sha256, source.dtype, source.file) == (local.source.sha256, "Q8_0", "m.Q8_0.gguf")
    assert (source.model, source.name, source.revision, source.path) == (given, "Small Llama", COMMIT, None)
    assert table.tied is local.tied is True


@pytest.mark.parametrize("before", [0, 300_000])
def test_a_hundredth_of_the_header_is_fetched_beside_what_is_needed(hub: Hub, tmp_path: Path, before: int) -> None:
    path = write(tmp_path / "b.gguf", before)
    hub.files = {"m.gguf": path.read_bytes()}
    open_model(MODEL).table()
    header, embedding = extent(path)
    assert header + embedding <= hub.sent <= 1.01 * header + embedding + (8192 if before else 0)
    sent = hub.sent
    open_model(MODEL).table()
    open_model(MODEL, offline=True).table()
    assert hub.sent == sent


def test_the_real_demo_is_fetched_to_a_hundredth(hub: Hub, demo: Path) -> None:
    hub.files = {"demo.gguf": demo.read_bytes()}
    table = open_model(MODEL).table()
    header, embedding = extent(demo)
    assert hub.sent <= 1.01 * header + embedding
    assert table.source.sha256 == open_model(demo).table().source.sha256
    assert sum(method == "GET" and path.endswith(".gguf") for method, path, _ in hub.requests) < 30


def test_some_rows_are_fetched_by_themselves(hub: Hub, tmp_path: Path) -> None:
    opened, local = open_model(MODEL), open_model(tmp_path / "m.gguf").table()
    sent, weights = hub.sent, np.zeros(3000)
    weights[[5, 7, 2999]] = 1
    table = opened.sample(weights)
    assert hub.sent - sent == 3 * opened.row_bytes
    rows = np.array([5, 7, 2999])
    np.testing.assert_array_equal(table.vectors.take(rows), local.vectors.take(rows))


def test_the_parts_of_a_split_file_are_one_model(hub: Hub, tmp_path: Path) -> None:
    name = "Q8/m-0000{}-of-00002.gguf"
    hub.files = {
        name.format(1): write(tmp_path / "1.gguf", 4096, rows=0, count=2).read_bytes(),
        name.format(2): write(tmp_path / "2.gguf", rows=3000, count=2, number=1).read_bytes(),
    }
    for given in (MODEL, f"{MODEL}:{name.format(1)}"):
        source = open_model(given).table().source
        assert source.file == "m-00002-of-00002.gguf"
        assert source.sha256 == open_model(tmp_path / "m.gguf").table().source.sha256


def test_safetensors_go_before_gguf_and_several_files_are_named(hub: Hub) -> None:
    hub.files["m.Q4_K.gguf"] = b"GGUF"
    with pytest.raises(
        NotFoundError, match=r"2 GGUF files: m\.Q4_K\.gguf, m\.Q8_0\.gguf\.\nName one of them as team/model:"
    ):
        open_model(MODEL)
    with pytest.raises(NotFoundError, match=r"no file 'm\.Q8_O\.gguf'\.\nIt has: m\.Q8_0\.gguf"):
        open_model(f"{MODEL}:m.Q8_O.gguf")
    hub.files["config.json"] = b"{}"
    with pytest.raises(NotFoundError, match="2 GGUF files"):
        open_model(MODEL)


def test_a_repository_of_neither_is_said_as_before(hub: Hub) -> None:
    hub.files = {"pytorch_model.bin": b""}
    with pytest.raises(NotFoundError, match=r"The repository team/model has no config\.json"):
        open_model(MODEL)


def test_a_file_that_was_never_fetched_is_not_there_offline(hub: Hub) -> None:
    with pytest.raises(NotFoundError, match="network is switched off"):
        open_model(f"{MODEL}:m.Q8_0.gguf", offline=True)
    assert hub.requests == []


def test_a_commit_that_is_a_path_is_refused(hub: Hub, tmp_path: Path) -> None:
    hub.headers["X-Repo-Commit"] = "../../owned"
    with pytest.raises(BadDataError, match=r"names '\.\./\.\./owned' as the commit"):
        open_model(f"{MODEL}:m.Q8_0.gguf")
    assert not list(tmp_path.rglob("owned*"))


@pytest.mark.parametrize("cut", [4, 30, 5_000, 60_000])
def test_a_damaged_header_is_said_and_not_kept(hub: Hub, tmp_path: Path, cut: int) -> None:
    hub.files["m.Q8_0.gguf"] = bytes(hub.files["m.Q8_0.gguf"][:cut])
    with pytest.raises(BadDataError, match=r"damaged GGUF file|is not a GGUF file"):
        open_model(MODEL)
    hub.files["m.Q8_0.gguf"] = (tmp_path / "m.gguf").read_bytes()
    assert open_model(MODEL).shape == (3000, 64)


def test_any_beginning_of_a_header_asks_for_more_and_never_for_too_much(tmp_path: Path) -> None:
    content = write(tmp_path / "b.gguf", 4096).read_bytes()
    header, whole = extent(tmp_path / "b.gguf")[0], open_gguf(tmp_path / "b.gguf")
    for stop in [*range(0, 200, 7), *range(200, header, 991)]:
        with pytest.raises(MoreBytes) as asked:
            parse_gguf_header(content[:stop], len(content), "b")
        assert stop < asked.value.wanted <= 1.01 * header
    assert parse_gguf_header(content[:header], len(content), "b").metadata == whole.metadata


@pytest.mark.parametrize("file", ["../m.gguf", "/m.gguf", "a/../m.gguf", "m.bin", "m.gguf/x"])
def test_names_of_files_stay_in_the_repository(hub: Hub, file: str) -> None:
    with pytest.raises(NotFoundError, match="There is no model at"):
        resolve_model(f"{MODEL}:{file}")
    assert hub.requests == []


def test_transformers_is_given_the_file(hub: Hub) -> None:
    with whole_model(f"{MODEL}:m.Q8_0.gguf") as (name, options):
        assert (name, options["gguf_file"], options["revision"]) == (MODEL, "m.Q8_0.gguf", COMMIT)
    hub.files["adapter_config.json"] = json.dumps({"base_model_name_or_path": "team/base"}).encode()
    with pytest.raises((UsageError, GeoprobeError), match="holds an adapter"), whole_model(f"{MODEL}:m.Q8_0.gguf"):
        pytest.fail("it was given to transformers")
