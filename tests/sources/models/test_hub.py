import json
import shutil
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from builders import WORDS, make_model, word_tokenizer, write_safetensors
from hub_server import COMMIT, Hub, Repeated, pointed

import geoprobe
from geoprobe.errors import AccessError, BadDataError, GeoprobeError, NotFoundError
from geoprobe.sources.models.hub_ranges import coalesced
from geoprobe.sources.models.loading import open_model

MODEL = "team/model"


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    """A loopback hub with one repository, and an empty cache."""
    folder = make_model(
        tmp_path / "origin", dimension=256, extra={"model.layers.0.weight": np.zeros((300, 400), np.float32)}
    )
    with pointed(Hub({path.name: path.read_bytes() for path in folder.iterdir()}), tmp_path, monkeypatch) as served:
        yield served


def expected(tmp_path: Path) -> np.ndarray:
    from safetensors.numpy import load_file

    return load_file(str(tmp_path / "origin" / "model.safetensors"))["model.embed_tokens.weight"]


def test_a_hub_model_equals_the_local_one_and_only_its_embedding_is_fetched(hub: Hub, tmp_path: Path) -> None:
    loaded = open_model(MODEL)
    array = expected(tmp_path)
    np.testing.assert_array_equal(loaded.table().vectors.read(0, len(array)), array)
    source = loaded.table().source
    assert (source.model, source.revision, source.tensor) == (MODEL, COMMIT, "model.embed_tokens.weight")
    assert source.sha256 == open_model(tmp_path / "origin").table().source.sha256
    small = sum(len(content) for name, content in hub.files.items() if name != "model.safetensors")
    header = int.from_bytes(hub.files["model.safetensors"][:8], "little")
    assert hub.sent == array.nbytes + small + 8 + header
    assert hub.sent < len(hub.files["model.safetensors"])


def test_the_second_time_nothing_is_fetched(hub: Hub) -> None:
    first = open_model(MODEL).table()
    sent = hub.sent
    again = open_model(MODEL).table()
    assert again.source == first.source
    assert hub.sent == sent


def test_a_sharded_model_asks_only_the_embeddings_shard(hub: Hub, tmp_path: Path) -> None:
    whole = hub.files.pop("model.safetensors")
    hub.files["model-00001-of-00002.safetensors"] = whole
    hub.files["model-00002-of-00002.safetensors"] = b"never asked for"
    index = {
        "model.embed_tokens.weight": "model-00001-of-00002.safetensors",
        "lm_head.weight": "model-00002-of-00002.safetensors",
    }
    hub.files["model.safetensors.index.json"] = json.dumps({"weight_map": index}).encode()
    loaded = open_model(MODEL)
    assert loaded.table().source.file == "model-00001-of-00002.safetensors"
    assert loaded.table().tied is False
    assert not any("00002-of-00002" in path for _, path, _ in hub.requests)


def test_a_dropped_connection_goes_on_where_it_stopped(hub: Hub, tmp_path: Path) -> None:
    hub.drops = 2
    array = expected(tmp_path)
    told: list[tuple[int, int]] = []
    loaded = open_model(MODEL, progress=lambda done, total: told.append((done, total)))
    np.testing.assert_array_equal(loaded.table().vectors.read(0, len(array)), array)
    assert told[-1] == (array.nbytes, array.nbytes)
    small = sum(len(content) for name, content in hub.files.items() if name != "model.safetensors")
    header = int.from_bytes(hub.files["model.safetensors"][:8], "little")
    assert hub.sent == array.nbytes + small + 8 + header  # nothing was sent twice


def test_a_transfer_that_keeps_breaking_is_said_and_goes_on_in_the_next_run(hub: Hub, tmp_path: Path) -> None:
    hub.drops = 4
    with pytest.raises(GeoprobeError, match=r"broke off 4 times, at [\d,]+ of [\d,]+ bytes"):
        open_model(MODEL).table()
    sent = hub.sent
    array = expected(tmp_path)
    np.testing.assert_array_equal(open_model(MODEL).table().vectors.read(0, len(array)), array)
    assert 0 < hub.sent - sent < array.nbytes / 2


def test_a_hub_that_ignores_ranges_is_refused_before_the_whole_file_comes(hub: Hub) -> None:
    hub.ranges = False
    with pytest.raises(BadDataError, match="ignores range requests"):
        open_model(MODEL).table()


def test_offline_uses_the_cache_alone(hub: Hub, tmp_path: Path) -> None:
    open_model(MODEL).table()
    hub.files.clear()
    asked = len(hub.requests)
    with pytest.raises(NotFoundError, match="not in the cache, and the network is switched off"):
        open_model("team/other", offline=True).table()
    assert len(hub.requests) == asked


def test_a_cached_model_is_scanned_offline(hub: Hub, tmp_path: Path) -> None:
    array = expected(tmp_path)
    open_model(MODEL).table()
    asked = len(hub.requests)
    loaded = open_model(MODEL, offline=True)
    np.testing.assert_array_equal(loaded.table().vectors.read(0, len(array)), array)
    assert len(hub.requests) == asked


def test_offline_by_the_environment_is_offline(hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from huggingface_hub import constants

    array = expected(tmp_path)
    open_model(MODEL).table()
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    asked = len(hub.requests)
    np.testing.assert_array_equal(open_model(MODEL).table().vectors.read(0, len(array)), array)
    with pytest.raises(NotFoundError, match=r"config.json of team/other is not in the cache"):
        open_model("team/other").table()
    assert len(hub.requests) == asked


@pytest.mark.parametrize("name", ["added_tokens.json", "sentencepiece.bpe.model", "spm.model"])
def test_every_file_of_a_tokenizer_of_several_is_fetched(hub: Hub, name: str) -> None:
    from geoprobe.sources.models.hub import open_repository

    del hub.files["tokenizer.json"]
    hub.files[name] = b"{}"
    assert (open_repository(MODEL).folder / name).read_bytes() == b"{}"


def test_an_index_beside_one_whole_file_may_be_an_old_one(hub: Hub, tmp_path: Path) -> None:
    index = {"model.embed_tokens.weight": "model-00001-of-00002.safetensors"}
    hub.files["model.safetensors.index.json"] = json.dumps({"weight_map": index}).encode()
    array = expected(tmp_path)
    np.testing.assert_array_equal(open_model(MODEL).table().vectors.read(0, len(array)), array)
    assert open_model(MODEL, offline=True).table().source.file == "model.safetensors"


@pytest.mark.parametrize("length", [240, 255])
def test_a_shard_may_have_as_long_a_name_as_file_systems_take(hub: Hub, tmp_path: Path, length: int) -> None:
    name = "a" * (length - len(".safetensors")) + ".safetensors"
    hub.files[name] = hub.files.pop("model.safetensors")
    index = {"model.embed_tokens.weight": name}
    hub.files["model.safetensors.index.json"] = json.dumps({"weight_map": index}).encode()
    assert open_model(MODEL).table().size == 127


def test_a_tensor_may_have_a_long_name_in_any_script(hub: Hub, tmp_path: Path) -> None:
    name = "語" * 200
    array = np.random.default_rng(0).standard_normal((127, 8)).astype(np.float32)
    hub.files["model.safetensors"] = write_safetensors(tmp_path / "long.safetensors", {name: array}).read_bytes()
    np.testing.assert_array_equal(open_model(MODEL, tensor=name).table().vectors.read(0, 127), array)


def test_an_empty_table_on_the_hub_is_bad_data(hub: Hub, tmp_path: Path) -> None:
    empty = {"model.embed_tokens.weight": np.zeros((0, 16), np.float32)}
    hub.files["model.safetensors"] = write_safetensors(tmp_path / "empty.safetensors", empty).read_bytes()
    with pytest.raises(BadDataError, match=r"is empty \(0×16\)"):
        open_model(MODEL).table()


@pytest.mark.parametrize(("rows", "width"), [(1 << 27, 1), (2, 1 << 20)])
def test_a_table_beyond_any_vocabularys_is_refused_before_it_is_fetched(hub: Hub, rows: int, width: int) -> None:
    entry = {"dtype": "F8_E4M3", "shape": [rows, width], "data_offsets": [0, rows * width]}
    header = json.dumps({"model.embed_tokens.weight": entry}).encode()
    head = len(header).to_bytes(8, "little") + header
    hub.files["model.safetensors"] = Repeated(head, b"\0", len(head) + rows * width)
    with pytest.raises(BadDataError, match="no embedding has over 16,777,216 rows or 131,072 columns"):
        open_model(MODEL)
    assert hub.sent < 20_000


def test_pickles_on_the_hub_are_refused_with_the_reason(hub: Hub) -> None:
    del hub.files["model.safetensors"]
    hub.files["pytorch_model.bin"] = b"pickle"
    with pytest.raises(NotFoundError, match=r"no safetensors weights.*\n.*\.bin are pickles, which could run code"):
        open_model(MODEL)
    assert not any(path.endswith(".bin") for _, path, _ in hub.requests)


def test_a_cache_that_cannot_be_written_is_said(hub: Hub, tmp_path: Path) -> None:
    open_model(MODEL).table()
    (whole,) = (tmp_path / "assets").rglob("*.bin")
    whole.unlink()
    whole.with_name(f"{whole.name}.part").symlink_to("/dev/full")
    with pytest.raises(GeoprobeError, match=r"team/model cannot be kept: .*No space left on device.*\nMake room"):
        open_model(MODEL).table()
    shutil.rmtree(tmp_path / "assets")
    (tmp_path / "assets").write_bytes(b"")
    with pytest.raises(GeoprobeError, match="team/model cannot be kept"):
        open_model(MODEL).table()


def gated(hub: Hub) -> None:
    hub.gated = True


def without_config(hub: Hub) -> None:
    del hub.files["config.json"]


def without_weights(hub: Hub) -> None:
    del hub.files["model.safetensors"]


def broken_index(hub: Hub) -> None:
    hub.files["model.safetensors.index.json"] = b"{"


def nothing(hub: Hub) -> None:
    pass


@pytest.mark.parametrize(
    ("name", "revision", "change", "kind", "message"),
    [
        (MODEL, None, gated, AccessError, "is gated.*\nAsk for it at http://127.*hf auth login"),
        ("team/none", None, nothing, NotFoundError, "The hub has no model 'team/none'"),
        (MODEL, "v9", nothing, NotFoundError, "has no such revision"),
        (MODEL, None, without_config, NotFoundError, "has no config.json"),
        (MODEL, None, without_weights, NotFoundError, "has no safetensors weights \\(model.safetensors is missing\\)"),
        (MODEL, None, broken_index, BadDataError, "model.safetensors.index.json is not JSON"),
        ("a--b/c", None, nothing, NotFoundError, "neither a path here nor a hub id"),
    ],
)
def test_what_is_wrong_is_said(
    hub: Hub,
    name: str,
    revision: str | None,
    change: Callable[[Hub], None],
    kind: type[GeoprobeError],
    message: str,
) -> None:
    change(hub)
    with pytest.raises(kind, match=message):
        open_model(name, revision=revision).table()


def test_a_hub_that_cannot_be_reached_is_said(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setattr(
        constants, "HUGGINGFACE_CO_URL_TEMPLATE", "http://127.0.0.1:9/{repo_id}/resolve/{revision}/{filename}"
    )
    monkeypatch.setattr("time.sleep", lambda _: None)  # the library waits between its attempts
    with pytest.raises(GeoprobeError, match=r"The hub at http://127.0.0.1:9 cannot be reached"):
        open_model(MODEL).table()


@pytest.mark.parametrize(
    "name",
    ["../../../etc/passwd", "/etc/passwd", "..", "a/b.safetensors", "a\\b", "a\0b", "", "a" * 256, "語" * 99, "\ud800"],
)
def test_a_shard_named_outside_its_folder_is_never_asked_for(hub: Hub, name: str) -> None:
    index = {"model.embed_tokens.weight": name}
    hub.files["model.safetensors.index.json"] = json.dumps({"weight_map": index}).encode()
    with pytest.raises(BadDataError, match="which is not in its folder"):
        open_model(MODEL).table()
    assert not any("passwd" in path for _, path, _ in hub.requests)


def test_only_rows_asked_for_are_fetched_and_only_once(hub: Hub, tmp_path: Path) -> None:
    array = expected(tmp_path)
    wanted = np.zeros(len(array))
    wanted[[3, 4, 5, 90, 126]] = 2.0
    opened = open_model(MODEL)
    before = hub.sent
    table = opened.sample(wanted)
    assert hub.sent - before < 8 * array[0].nbytes + 20_000  # the rows, and the header
    read = table.vectors.take(np.array([126, 3, 7, 90]))
    np.testing.assert_array_equal(read[[0, 1, 3]], array[[126, 3, 90]])
    assert np.isnan(read[2]).all()
    assert table.finite.sum() == 5
    sent = hub.sent
    wanted[7] = 1.0
    again = open_model(MODEL).sample(wanted)
    np.testing.assert_array_equal(again.vectors.take(np.array([7, 90])), array[[7, 90]])
    assert hub.sent - sent == array[0].nbytes
    assert open_model(MODEL).table().finite.all()  # the whole is another thing


def test_rows_dropped_mid_way_are_fetched_again(hub: Hub, tmp_path: Path) -> None:
    hub.drops = 2
    array = expected(tmp_path)
    table = open_model(MODEL).sample(np.repeat([1.0, 0.0], [100, 27]))
    np.testing.assert_array_equal(table.vectors.read(0, 100), array[:100])


def test_a_damaged_list_of_rows_is_made_anew(hub: Hub, tmp_path: Path) -> None:
    array, wanted = expected(tmp_path), np.repeat([1.0, 0.0], [10, 117])
    open_model(MODEL).sample(wanted)
    (beside,) = (tmp_path / "assets").rglob("*.rows.npy")
    beside.write_bytes(b"\x93NUMPY garbage")
    np.testing.assert_array_equal(open_model(MODEL).sample(wanted).vectors.read(0, 10), array[:10])


def test_two_runs_that_want_the_same_rows_and_others_fetch_each_once(
    hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hub_server.CHUNK", 1 << 12)
    array, hub.delay = expected(tmp_path), 0.02
    first, second = np.zeros((2, len(array)))
    first[:60], second[40:100] = 1.0, 1.0
    opened = [open_model(MODEL), open_model(MODEL)]
    before = hub.sent
    with ThreadPoolExecutor() as pool:  # a lock is held by an opened file, so threads are to it as processes are
        tables = list(pool.map(lambda each: each[0].sample(each[1]), zip(opened, (first, second), strict=True)))
    for table, wanted in zip(tables, (first, second), strict=True):
        rows = np.flatnonzero(wanted)
        np.testing.assert_array_equal(table.vectors.take(rows), array[rows])
    assert hub.sent - before == 100 * array[0].nbytes
    again = open_model(MODEL).sample((first + second > 0).astype(float))
    np.testing.assert_array_equal(again.vectors.read(0, 100), array[:100])
    assert hub.sent - before == 100 * array[0].nbytes


def test_two_runs_that_want_the_same_table_fetch_it_once(
    hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hub_server.CHUNK", 1 << 14)
    array, hub.delay = expected(tmp_path), 0.02
    opened = [open_model(MODEL), open_model(MODEL)]
    before = hub.sent
    with ThreadPoolExecutor() as pool:
        for table in pool.map(lambda each: each.table(), opened):
            np.testing.assert_array_equal(table.vectors.read(0, len(array)), array)
    assert hub.sent - before == array.nbytes


def test_a_part_that_is_too_long_is_fetched_anew(hub: Hub, tmp_path: Path) -> None:
    array = expected(tmp_path)
    open_model(MODEL).table()
    (whole,) = (tmp_path / "assets").rglob("*.bin")
    whole.unlink()
    whole.with_name(f"{whole.name}.part").write_bytes(b"\0" * (array.nbytes + 1))
    np.testing.assert_array_equal(open_model(MODEL).table().vectors.read(0, len(array)), array)


def test_rows_whose_list_is_lost_are_not_taken_away_from_who_reads_them(hub: Hub, tmp_path: Path) -> None:
    array, wanted = expected(tmp_path), np.repeat([1.0, 0.0], [10, 117])
    before = open_model(MODEL).sample(wanted)
    for beside in (tmp_path / "assets").rglob("*.rows.npy"):
        beside.unlink()
    open_model(MODEL).sample(wanted[::-1].copy())
    np.testing.assert_array_equal(before.vectors.read(0, 10), array[:10])


@pytest.mark.parametrize(
    ("rows", "runs"),
    [
        ([], []),
        ([5], [(5, 6)]),
        ([1, 2, 3, 9], [(1, 4), (9, 10)]),
        ([0, 2, *range(100, 120)], [(0, 3), (100, 120)]),
        ([0, 3, *range(100, 110)], [(0, 1), (3, 4), (100, 110)]),
    ],
)
def test_runs_cover_the_rows_and_little_else(rows: list[int], runs: list[tuple[int, int]]) -> None:
    assert coalesced(np.array(rows, dtype=np.int64), 0.05) == runs


def test_the_output_matrix_of_a_hub_model_comes_only_when_asked_for(hub: Hub, tmp_path: Path) -> None:
    whole = hub.files["model.safetensors"]
    output = np.random.default_rng(1).standard_normal((127, 256)).astype(np.float32)
    second = write_safetensors(tmp_path / "second.safetensors", {"lm_head.weight": output}).read_bytes()
    del hub.files["model.safetensors"]
    hub.files |= {"model-00001-of-00002.safetensors": whole, "model-00002-of-00002.safetensors": second}
    index = {"model.embed_tokens.weight": "model-00001-of-00002.safetensors"}
    index["lm_head.weight"] = "model-00002-of-00002.safetensors"
    hub.files["model.safetensors.index.json"] = json.dumps({"weight_map": index}).encode()
    assert open_model(MODEL).table().output is None
    table = open_model(MODEL).table(output=True)
    assert table.tied is False
    assert table.output is not None
    np.testing.assert_array_equal(table.output.read(0, 127), output)


ROWS, WIDTH = 128_256, 4_096  # Llama 3 8B


def llama3_shaped() -> Hub:
    """A sharded repository of Llama 3 8B's shape, whose 16 GB nobody keeps."""
    words = [*WORDS, *(np.base_repr(number, 36).lower() for number in range(ROWS - 1 - len(WORDS)))]
    tokenizer = word_tokenizer(words)
    embedding = ROWS * WIDTH * 2
    entries = {"model.embed_tokens.weight": {"dtype": "BF16", "shape": [ROWS, WIDTH], "data_offsets": [0, embedding]}}
    at = embedding
    for layer in range(9):
        for name, rows in (("self_attn.q_proj", 4096), ("mlp.up_proj", 14336), ("mlp.down_proj", 14336)):
            stop = at + rows * WIDTH * 2
            entry = {"dtype": "BF16", "shape": [rows, WIDTH], "data_offsets": [at, stop]}
            entries[f"model.layers.{layer}.{name}.weight"] = entry
            at = stop
    header = json.dumps(entries).encode()
    block = (np.random.default_rng(0).standard_normal(1 << 20).astype(np.float32).view(np.uint32) >> 16).astype("<u2")
    first = "model-00001-of-00004.safetensors"
    index = dict.fromkeys(entries, first)
    index |= {
        f"model.layers.{n}.mlp.up_proj.weight": f"model-0000{2 + n % 3}-of-00004.safetensors" for n in range(9, 32)
    }
    index["lm_head.weight"] = "model-00004-of-00004.safetensors"
    config = {"model_type": "llama", "vocab_size": ROWS, "tie_word_embeddings": False}
    head = len(header).to_bytes(8, "little") + header
    return Hub(
        {
            "config.json": json.dumps(config).encode(),
            "tokenizer.json": json.dumps(json.loads(tokenizer.to_str()), separators=(",", ":")).encode(),  # type: ignore[attr-defined]
            "model.safetensors.index.json": json.dumps({"weight_map": index}).encode(),
            first: Repeated(head, block.tobytes(), len(head) + at),
        }
    )


def test_a_quick_scan_of_llama_3_8bs_shape_transfers_at_most_6_mb(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, corpus_file: Path
) -> None:
    with pointed(llama3_shaped(), tmp_path, monkeypatch) as hub:
        report = geoprobe.scan(MODEL, corpus_file, quick=True, analyzers=["norms"])
        assert hub.sent <= 6_000_000
    assert report.model.rows == ROWS
    assert any(note.startswith("Quick scan: ") for note in report.model.source.notes)


@pytest.mark.slow
def test_the_whole_embedding_of_llama_3_8bs_shape_transfers_little_beside(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pointed(llama3_shaped(), tmp_path, monkeypatch) as hub:
        tokenizer = len(hub.files["tokenizer.json"])
        table = open_model(MODEL).table()
        assert hub.sent <= 1.01 * ROWS * WIDTH * 2 + 500_000
        assert hub.sent - tokenizer <= ROWS * WIDTH * 2 + 500_000
    np.testing.assert_array_equal(table.vectors.read(256, 260), table.vectors.read(0, 4))


def test_slow_bytes_are_waited_for(hub: Hub, tmp_path: Path) -> None:
    hub.delay = 0.05
    array = expected(tmp_path)
    np.testing.assert_array_equal(open_model(MODEL).table().vectors.read(0, len(array)), array)


@pytest.mark.parametrize(
    ("lie", "kind", "message"),
    [
        ("range", BadDataError, r"from byte [1-9]\d*, and says it sends 'bytes 0-"),
        ("size", BadDataError, "The hub sent 8 of 8 bytes"),
        ("endless", BadDataError, "is not a safetensors file"),
        ("stall", GeoprobeError, "broke off 4 times, at 0 of 8 bytes"),
    ],
)
def test_a_hub_that_lies_or_stalls_is_left_and_said(
    hub: Hub, lie: str, kind: type[GeoprobeError], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("geoprobe.sources.models.hub_ranges._SECONDS", 0.2)
    hub.lie = lie
    started = time.perf_counter()
    with pytest.raises(kind, match=message):
        open_model(MODEL).table()
    assert time.perf_counter() - started < 20


def test_a_damaged_header_is_said_and_not_kept(hub: Hub, tmp_path: Path) -> None:
    good = hub.files["model.safetensors"]
    assert isinstance(good, bytes)
    hub.files["model.safetensors"] = good[:8] + b"!" * 100 + good[108:]
    with pytest.raises(BadDataError, match="not the JSON of a safetensors file"):
        open_model(MODEL).table()
    hub.files["model.safetensors"] = good
    assert open_model(MODEL).table().size == 127


def test_an_index_that_names_the_wrong_shard_is_said(hub: Hub) -> None:
    hub.files["model-2.safetensors"] = hub.files["model.safetensors"]
    index = {"model.embed_tokens.weight": "model-2.safetensors", "model.norm.weight": "model.safetensors"}
    hub.files["model.safetensors.index.json"] = json.dumps(
        {"weight_map": {**index, "lm_head.weight": "model-2.safetensors"}}
    ).encode()
    with pytest.raises(BadDataError, match=r"puts 'lm_head.weight' into model-2.safetensors, which does not hold it"):
        open_model(MODEL).table(output=True)


def test_a_hostile_tensor_name_stays_in_the_cache(hub: Hub, tmp_path: Path) -> None:
    name = "../../../outside/embed_tokens.weight"
    array = np.random.default_rng(0).standard_normal((127, 8)).astype(np.float32)
    path = write_safetensors(tmp_path / "hostile.safetensors", {name: array})
    hub.files["model.safetensors"] = path.read_bytes()
    table = open_model(MODEL, tensor=name).table()
    np.testing.assert_array_equal(table.vectors.read(0, 127), array)
    assert not list(tmp_path.rglob("outside"))
